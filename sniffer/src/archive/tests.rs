use std::collections::BTreeSet;

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::{Value, json};
use sniffer_core::record::CallState;

use super::*;
use crate::{
    disk::{RealDisk, simulated::Simulated},
    store::tests::{at, call},
};

/// The rows of a Parquet file as JSON.
fn rows(bytes: Vec<u8>) -> Vec<serde_json::Value> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    assert!(
        reader.metadata().row_groups().iter().all(|group| {
            group.columns().iter().filter(|column| column.bloom_filter_offset().is_some()).count() > 0
        })
    );
    #[expect(clippy::wildcard_enum_match_arm, reason = "types of Parquet that no column here has")]
    let value = |field: &Field| match field {
        Field::Null => Value::Null,
        Field::Bool(value) => json!(value),
        Field::Long(value) | Field::TimestampMicros(value) => json!(value),
        Field::Double(value) => json!(value),
        Field::Str(value) => json!(value),
        other => panic!("{other:?} is in no column"),
    };
    let row =
        |row: parquet::record::Row| row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect();
    reader.get_row_iter(None).unwrap().map(|found| Value::Object(row(found.unwrap()))).collect()
}

#[test]
fn an_hour_is_two_files_that_another_reader_reads_sorted_by_start() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(&disk, &folder.path().join("store"), at(0)).unwrap();
    let archive = Archive::open(&disk, &folder.path().join("archive")).unwrap();
    for second in (1..500).rev() {
        store.write(&[call(second, CallState::Completed)], Some(at(second))).unwrap();
    }
    store.write(&[call(900, CallState::Completed)], Some(at(7200))).unwrap();
    let first = crate::store::hour(at(0));
    assert!(!archive.write(&store, first, 0).unwrap(), "the hour has not ended");
    assert!(archive.write(&store, first + 1, 0).unwrap());
    assert!(!archive.write(&store, first + 1, 0).unwrap(), "once");
    let names: Vec<String> =
        disk.list(&folder.path().join("archive")).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names[0].starts_with("calls-2023-11-14T22-") && names[1].starts_with("streams-2023-11-14T22-"),
        "{names:?}"
    );
    let read = |name: &str| rows(std::fs::read(folder.path().join("archive").join(name)).unwrap());
    let calls = read(&names[0]);
    assert_eq!(calls.len(), 499);
    assert!(calls.is_sorted_by_key(|call| call["start"].as_i64().unwrap()), "{:?}", calls[0]);
    assert_eq!((calls[0]["caller"].as_str(), calls[0]["callee"].as_str()), (Some("35121000001"), Some("4711")));
    assert_eq!((calls[6]["final_status"].as_i64(), calls[6]["state"].as_str()), (Some(503), Some("completed")));
    assert_eq!((calls[0]["answered"].is_null(), calls[0]["lost_here"].as_bool()), (true, Some(false)));
    let record: sniffer_core::record::CallRecord = serde_json::from_str(calls[0]["record"].as_str().unwrap()).unwrap();
    assert_eq!(record.call_id, "call-1@x");
    let streams = read(&names[1]);
    assert_eq!(
        (streams.len(), streams[4]["ssrc"].as_i64(), streams[4]["id"].as_str()),
        (499, Some(5), calls[4]["id"].as_str())
    );
    // For other readers, by hand: see sniffer/README.md.
    if let Some(out) = std::env::var_os("CALLWARD_ARCHIVE_OUT") {
        for name in &names {
            std::fs::copy(folder.path().join("archive").join(name), Path::new(&out).join(name)).unwrap();
        }
    }
    assert_eq!(archive.usage().unwrap().oldest, Some(start_of(first)));
    assert!(archive.delete_oldest().unwrap().is_some_and(|bytes| bytes > 1000));
    assert_eq!((archive.delete_oldest().unwrap(), archive.usage().unwrap().segments), (None, 0));
}

#[test]
fn after_a_power_cut_at_any_step_each_call_is_in_the_archive_once_and_no_file_is_half() {
    let live = |disk: &Simulated| -> Result<(), ArchiveError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let store = Store::open(&disk, Path::new("/store"), at(0))?;
        let archive = Archive::open(&disk, Path::new("/archive"))?;
        for second in [1, 2, 3, 4001, 4002] {
            store.write(&[call(second, CallState::Completed)], Some(at(second)))?;
        }
        while archive.write(&store, u64::MAX, 0)? {}
        Ok(())
    };
    let whole = Simulated::new();
    live(&whole).unwrap();
    for step in (0..=whole.steps()).rev() {
        for seed in 0..3 {
            let disk = Simulated::new();
            disk.cut_after(step);
            // The last steps are those of closing, after everything was said to be done.
            assert!(live(&disk).is_err() || step + 20 > whole.steps());
            let disk = disk.after_cut(step * 7 + seed);
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let store = Store::open(&shared, Path::new("/store"), at(0)).unwrap();
            let kept: BTreeSet<String> =
                store.page(99, None).unwrap().calls.into_iter().map(|call| call.call_id).collect();
            let archive = Archive::open(&shared, Path::new("/archive")).unwrap();
            while archive.write(&store, u64::MAX, 0).unwrap() {}
            let files = disk.contents().into_iter().filter(|(path, _)| path.starts_with("/archive/"));
            let mut found = Vec::new();
            for (path, bytes) in files {
                assert!(path.extension().unwrap() == "parquet", "{path:?}");
                let calls = path.file_name().unwrap().to_str().unwrap().starts_with("calls");
                let rows = rows(bytes);
                found.extend(rows.iter().filter(|_| calls).map(|row| row["call_id"].as_str().unwrap().to_owned()));
            }
            let once: BTreeSet<String> = found.iter().cloned().collect();
            assert_eq!((found.len(), &once), (kept.len(), &kept), "step {step} seed {seed}");
        }
    }
}

#[test]
fn near_the_floor_nothing_is_archived_until_there_is_room() {
    let plain = Simulated::new();
    let disk: Arc<dyn Disk> = Arc::new(plain.clone());
    let store = Store::open(&disk, Path::new("/store"), at(0)).unwrap();
    let archive = Archive::open(&disk, Path::new("/archive")).unwrap();
    store.write(&[call(1, CallState::Completed)], Some(at(1))).unwrap();
    plain.set_free(1_000_000 + limits::ARCHIVE_CALL - 1);
    assert!(matches!(archive.write(&store, u64::MAX, 1_000_000), Err(ArchiveError::Floor)));
    assert_eq!(archive.usage().unwrap().segments, 0);
    plain.set_free(1_000_000 + limits::ARCHIVE_CALL);
    assert!(archive.write(&store, u64::MAX, 1_000_000).unwrap());
}

use std::collections::BTreeSet;

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::{Value, json};
use sniffer_core::record::{CallState, OtherRecord, RegistrationState, SubscriptionState};

use super::*;
use crate::{
    disk::{RealDisk, simulated::Simulated},
    store::{
        KeptRecord,
        records::tests::{exchange, registration, stream, subscription},
        tests::{at, call},
    },
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
    let archive = Archive::open(Group::Calls, &disk, &folder.path().join("archive")).unwrap();
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
        let archive = Archive::open(Group::Calls, &disk, Path::new("/archive"))?;
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
            let archive = Archive::open(Group::Calls, &shared, Path::new("/archive")).unwrap();
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
    let archive = Archive::open(Group::Calls, &disk, Path::new("/archive")).unwrap();
    store.write(&[call(1, CallState::Completed)], Some(at(1))).unwrap();
    plain.set_free(1_000_000 + limits::ARCHIVE_CALL - 1);
    assert!(matches!(archive.write(&store, u64::MAX, 1_000_000), Err(ArchiveError::Floor)));
    assert_eq!(archive.usage().unwrap().segments, 0);
    plain.set_free(1_000_000 + limits::ARCHIVE_CALL);
    assert!(archive.write(&store, u64::MAX, 1_000_000).unwrap());
}

#[test]
fn each_kind_of_records_has_a_file_of_its_own_that_is_deleted_without_those_of_calls() {
    let plain = Simulated::new();
    let disk: Arc<dyn Disk> = Arc::new(plain.clone());
    let path = |name: &str| Path::new("/archive").join(name);
    let calls = Store::open(&disk, Path::new("/store"), at(0)).unwrap();
    calls.write(&[call(1, CallState::Completed)], Some(at(1))).unwrap();
    let of_calls = Archive::open(Group::Calls, &disk, Path::new("/archive")).unwrap();
    assert!(of_calls.write(&calls, u64::MAX, 0).unwrap());
    let archive = Archive::open(Group::Others, &disk, Path::new("/archive")).unwrap();
    let records = [
        (RecordKind::Registration, vec![registration(3, 9, RegistrationState::Failed)]),
        (RecordKind::Subscription, vec![subscription(4, SubscriptionState::Active)]),
        (RecordKind::Exchange, vec![exchange(5, "OPTIONS", &[("200", 3), ("202", 1), ("503", 2)], 7)]),
        (RecordKind::Stream, vec![stream(6, 77, Some(4.25), 10), stream(7, 78, None, 0)]),
    ];
    for (kind, records) in records {
        let store = Store::open_records(kind, &disk, &Path::new("/records").join(kind.plural()), at(0)).unwrap();
        let kept: Vec<_> = records.into_iter().map(|record| KeptRecord::new(record, None, true)).collect();
        store.write(&kept, Some(at(9))).unwrap();
        assert!(archive.write_records(kind, &store, u64::MAX, 0).unwrap());
        assert!(!archive.write_records(kind, &store, u64::MAX, 0).unwrap(), "once");
    }
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (path, bytes) in plain.contents().into_iter().filter(|(path, _)| path.starts_with("/archive")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        files.insert(name.split_once("-2023-11-14T22-").expect("the hour").0.to_owned(), rows(bytes));
    }
    assert_eq!(files.values().map(Vec::len).sum::<usize>(), 7);
    let phone = &files["registrations"][0];
    assert_eq!((phone["number"].as_str(), phone["state"].as_str()), (Some("35121000003"), Some("failed")));
    assert_eq!((phone["final_status"].as_i64(), phone["requests"].as_i64()), (Some(403), Some(2)));
    assert_eq!(phone["row"], phone["start"]);
    let lamp = &files["subscriptions"][0];
    assert_eq!(
        (lamp["callee"].as_str(), lamp["event"].as_str(), lamp["notifies"].as_i64()),
        (Some("lamp"), Some("dialog"), Some(3))
    );
    let probe = &files["exchanges"][0];
    assert_eq!(
        (probe["succeeded"].as_i64(), probe["refused"].as_i64(), probe["unanswered"].as_i64()),
        (Some(4), Some(2), Some(7))
    );
    assert_eq!(
        (probe["results"].as_str(), probe["method"].as_str()),
        (Some(r#"{"200":3,"202":1,"503":2}"#), Some("OPTIONS"))
    );
    let streams = &files["streams_without_call"];
    assert_eq!(
        (streams[0]["mos"].as_f64(), streams[0]["ssrc"].as_i64(), streams[1]["mos"].is_null()),
        (Some(4.25), Some(77), true)
    );
    let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&streams[0]), names(&files["streams"][0]), "one query reads both tables");
    let whole: OtherRecord = serde_json::from_str(&format!(
        r#"{{"type":"exchange",{}"#,
        probe["record"].as_str().unwrap().strip_prefix('{').unwrap()
    ))
    .unwrap();
    assert_eq!(whole, exchange(5, "OPTIONS", &[("200", 3), ("202", 1), ("503", 2)], 7));

    assert_eq!((archive.usage().unwrap().segments, of_calls.usage().unwrap().segments), (4, 2));
    // What one group left half written is no business of the other.
    disk.open(&path("calls-2023-11-14T22-0000000000000009.parquet.part"), How::Emptied).unwrap();
    disk.open(&path("exchanges-2023-11-14T22-0000000000000009.parquet.part"), How::Emptied).unwrap();
    drop(Archive::open(Group::Others, &disk, Path::new("/archive")).unwrap());
    let parts: Vec<_> = plain
        .contents()
        .into_keys()
        .filter(|path| path.extension().is_some_and(|extension| extension == "part"))
        .collect();
    assert_eq!(parts, [path("calls-2023-11-14T22-0000000000000009.parquet.part")]);
    assert!(archive.delete_oldest().unwrap().is_some_and(|bytes| bytes > 1000));
    assert_eq!((archive.usage().unwrap().segments, of_calls.usage().unwrap().segments), (0, 2));
}

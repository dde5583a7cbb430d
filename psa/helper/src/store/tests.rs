//! Tests of the store: it comes back as it was, or as the export was, or says that it is lost.

use super::*;
use std::io::{Seek, SeekFrom, Write};

fn filled(folder: &Path) -> Disk {
    let disk = Disk::new(folder);
    let (store, opened) = Durable::open(&disk, folder).unwrap();
    assert_eq!(opened, Opened::Made);
    for n in 0..40_u32 {
        store.write(Batch::default().put(&format!("generation/{n:03}"), &vec![n; 100]).unwrap()).unwrap();
    }
    store.write(Batch::default().put("session/x", &1_u32).unwrap()).unwrap();
    disk
}

fn is_whole(store: &Durable) -> bool {
    let all = store.scan::<Vec<u32>>("generation/").unwrap();
    all.len() == 40 && all.iter().zip(0..40_u32).all(|((_, value), n)| *value == vec![n; 100])
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let (store, opened) = Durable::open(&disk, folder.path()).unwrap();
    assert_eq!(opened, Opened::AsItWas);
    assert!(is_whole(&store));
    assert_eq!(store.get::<u32>("session/x").unwrap(), Some(1));
    store.write(Batch::default().remove("generation/000").put("b", &2_u32).unwrap()).unwrap();
    assert_eq!(store.get::<Vec<u32>>("generation/000").unwrap(), None);
    assert_eq!(store.get::<u32>("b").unwrap(), Some(2));
}

#[test]
fn a_value_with_fields_is_the_same_in_the_store_and_in_the_export() {
    #[derive(serde::Serialize)]
    struct Unsorted {
        z: u8,
        a: u8,
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let (store, _) = Durable::open(&disk, folder.path()).unwrap();
    store.write(Batch::default().put("fields", &Unsorted { z: 1, a: 2 }).unwrap()).unwrap();
    drop(store);
    assert_eq!(Durable::open(&disk, folder.path()).unwrap().1, Opened::AsItWas);
}

#[test]
fn two_helpers_do_not_use_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let _first = Durable::open(&disk, folder.path()).unwrap();
    assert!(matches!(Durable::open(&disk, folder.path()), Err(StoreError::Busy)));
    assert!(!folder.path().join("store-broken-1").exists());
}

#[test]
fn a_store_that_is_opened_again_at_once_is_not_taken_for_broken() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    for _ in 0..50 {
        let (store, opened) = Durable::open(&disk, folder.path()).unwrap();
        assert_eq!(opened, Opened::AsItWas);
        store.write(Batch::default().put("x", &1_u32).unwrap()).unwrap();
    }
}

#[test]
fn an_export_that_is_one_change_behind_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let export = folder.path().join("export.json");
    let behind = fs::read(&export).unwrap();
    let (store, _) = Durable::open(&disk, folder.path()).unwrap();
    store.write(Batch::default().put("last", &7_u32).unwrap()).unwrap();
    drop(store);
    fs::write(&export, behind).unwrap();
    let (store, opened) = Durable::open(&disk, folder.path()).unwrap();
    assert_eq!((opened, store.get::<u32>("last").unwrap()), (Opened::AsItWas, Some(7)));
    assert!(fs::read_to_string(&export).unwrap().contains("last"));
}

#[test]
fn a_store_of_another_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let (store, _) = Durable::open(&disk, folder.path()).unwrap();
    store.write(Batch::default().put(FORMAT_KEY, &2_u32).unwrap()).unwrap();
    drop(store);
    assert!(matches!(Durable::open(&disk, folder.path()), Err(StoreError::OtherFormat(2))));
    assert!(!folder.path().join("store-broken-1").exists());
}

/// Damages the store, opens it, and wants the export's content and the broken folder kept.
fn comes_back_after(damage: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    damage(&folder.path().join("store"));
    let (store, opened) = Durable::open(&disk, folder.path()).unwrap();
    let broken = folder.path().join("store-broken-1");
    assert_eq!(opened, Opened::FromExport { broken: broken.clone() });
    assert!(broken.join("db").exists() && is_whole(&store));
    assert_eq!(store.get::<u32>("session/x").unwrap(), None, "sessions are not worth keeping");
    drop(store);
    assert_eq!(Durable::open(&disk, folder.path()).unwrap().1, Opened::AsItWas);
}

#[test]
fn an_emptied_database_comes_back_from_the_export() {
    comes_back_after(|store| fs::write(store.join("db"), b"").unwrap());
}

#[test]
fn a_database_full_of_noise_comes_back_from_the_export() {
    comes_back_after(|store| {
        let length = fs::metadata(store.join("db")).unwrap().len();
        let mut file = fs::OpenOptions::new().write(true).open(store.join("db")).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(&vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
    });
}

#[test]
fn a_database_that_ends_the_process_is_set_aside_at_the_third_start() {
    comes_back_after(|store| fs::write(store.parent().unwrap().join("opening"), b"xx").unwrap());
}

#[test]
fn a_single_crash_while_opening_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    fs::write(folder.path().join("opening"), b"x").unwrap();
    assert_eq!(Durable::open(&disk, folder.path()).unwrap().1, Opened::AsItWas);
    assert!(!folder.path().join("opening").exists());
}

#[test]
fn a_truncated_or_flipped_database_never_gives_a_wrong_value() {
    let template = tempfile::tempdir().unwrap();
    filled(template.path());
    let length = fs::metadata(template.path().join("store/db")).unwrap().len();
    for n in 0..24_u64 {
        let folder = tempfile::tempdir().unwrap();
        copy(template.path(), folder.path());
        let at = length.saturating_mul(n) / 24;
        let mut file = fs::OpenOptions::new().write(true).open(folder.path().join("store/db")).unwrap();
        if n % 2 == 0 {
            file.set_len(at).unwrap();
        } else {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[0xFF; 64]).unwrap();
        }
        let (store, opened) = Durable::open(&Disk::new(folder.path()), folder.path()).unwrap();
        assert!(is_whole(&store), "{n}: {opened:?}");
    }
}

#[test]
fn a_damaged_export_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = filled(folder.path());
    let export = folder.path().join("export.json");
    let text = fs::read_to_string(&export).unwrap().replacen("39", "38", 1);
    fs::write(&export, text).unwrap();
    fs::write(folder.path().join("store/db"), b"").unwrap();
    assert!(matches!(Durable::open(&disk, folder.path()).unwrap().1, Opened::Lost { .. }));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

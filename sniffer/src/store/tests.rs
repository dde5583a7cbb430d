use sniffer_core::time::Timestamp;

use super::*;

fn call(second: u64, state: CallState) -> CallSummary {
    let start = Timestamp::from_parts(second, 0);
    CallSummary {
        id: CallKey::new(start, "x"),
        call_id: "x".into(),
        from: "sip:a@x".into(),
        to: "sip:b@x".into(),
        start,
        answered: None,
        end: None,
        state,
        final_status: None,
        lost_here: false,
        caller_to_callee: None,
        callee_to_caller: None,
    }
}

fn seconds(page: &Page) -> Vec<i64> {
    page.calls.iter().map(|call| call.start.as_nanos() / 1_000_000_000).collect()
}

#[test]
fn calls_survive_a_reopening_and_come_newest_first_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 100).unwrap();
    for second in 1..=10 {
        store.put(&call(second, CallState::Completed)).unwrap();
    }
    store.flush().unwrap();
    drop(store);
    let store = Store::open(folder.path(), 100).unwrap();
    assert!(!store.lost_calls());
    let first = store.page(4, None).unwrap();
    assert_eq!((seconds(&first), first.more), (vec![10, 9, 8, 7], true));
    let last = store.page(6, Some(first.calls[3].id)).unwrap();
    assert_eq!((seconds(&last), last.more), (vec![6, 5, 4, 3, 2, 1], false));
}

#[test]
fn a_call_in_progress_is_interrupted_by_a_restart_and_an_ended_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 100).unwrap();
    store.put(&call(1, CallState::InCall)).unwrap();
    store.put(&call(2, CallState::InCall)).unwrap();
    store.put(&call(2, CallState::Completed)).unwrap();
    store.flush().unwrap();
    drop(store);
    let page = Store::open(folder.path(), 100).unwrap().page(9, None).unwrap();
    let states: Vec<_> = page.calls.iter().map(|call| (call.state, call.lost_here)).collect();
    assert_eq!(states, [(CallState::Completed, false), (CallState::Interrupted, true)]);
}

#[test]
fn the_oldest_calls_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 3).unwrap();
    for second in 1..=10 {
        store.put(&call(second, CallState::Completed)).unwrap();
    }
    assert_eq!(store.retain(store.count()).unwrap(), 3);
    assert_eq!(seconds(&store.page(9, None).unwrap()), [10, 9, 8]);
}

#[test]
fn a_damaged_value_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 100).unwrap();
    store.put(&call(1, CallState::Completed)).unwrap();
    store.put(&call(2, CallState::Completed)).unwrap();
    let key = call(1, CallState::Completed).id.to_bytes();
    let mut value = store.calls.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    store.calls.insert(key, value).unwrap();
    let page = store.page(9, None).unwrap();
    assert_eq!((seconds(&page), page.damaged), (vec![2], 1));
}

#[test]
fn another_format_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 100).unwrap();
    store.database.open_tree("meta").unwrap().insert("format", "callward calls 99").unwrap();
    store.flush().unwrap();
    drop(store);
    for _ in 0..2 {
        assert!(matches!(Store::open(folder.path(), 100), Err(StoreError::Format { .. })));
    }
}

#[test]
fn a_cut_or_damaged_database_opens_or_says_so_and_its_folder_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 1000).unwrap();
    for second in 1..=200 {
        store.put(&call(second, CallState::Completed)).unwrap();
    }
    store.flush().unwrap();
    drop(store);
    let whole = fs::read(folder.path().join("db")).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for part in 0..16 {
        let damaged = tempfile::tempdir().unwrap();
        fs::create_dir(damaged.path().join("blobs")).unwrap();
        for name in ["conf", "mark"] {
            fs::copy(folder.path().join(name), damaged.path().join(name)).unwrap();
        }
        let mut bytes = whole.clone();
        if part % 2 == 0 {
            bytes.truncate(whole.len() * part / 16);
        } else {
            let at = whole.len() * part / 16;
            bytes[at..at + 64].fill(0x5a);
        }
        fs::write(damaged.path().join("db"), &bytes).unwrap();
        match Store::open(damaged.path(), 1000) {
            Ok(store) => {
                let page = store.page(1000, None).unwrap();
                assert!(page.calls.iter().all(|call| call.call_id == "x"));
                // sled keeps what lies before the damage and forgets the rest without a word: the mark tells.
                assert_eq!(store.lost_calls(), page.calls.len() < 200, "part {part}");
                opened += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("folder") || error.to_string().contains("database"), "{error}");
                refused += 1;
            }
        }
        assert!(damaged.path().join("db").exists());
    }
    assert_eq!(opened + refused, 16);
    // A file in the place of the folder.
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(Store::open(file.path(), 1), Err(StoreError::Folder { .. })));
}

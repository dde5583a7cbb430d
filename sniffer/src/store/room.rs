//! How large the database's file becomes: bounded by what is kept, and smaller again after much was deleted.

use sniffer_core::{query::CallFilter, record::CallState, time::Timestamp};

use super::{
    retain::Bounds,
    tests::{at, call, open},
    *,
};
use crate::{disk::simulated::Simulated, limits};

fn shared(disk: &Simulated) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn write(store: &Store, from: u64, to: u64) {
    for first in (from..to).step_by(500) {
        let batch: Vec<_> = (first..to.min(first + 500)).map(|second| call(second, CallState::Completed)).collect();
        store.write(&batch, Some(at(first))).unwrap();
    }
}

fn seconds(store: &Store) -> Vec<u64> {
    let found = store.search(&CallFilter::default(), 10_000, None).unwrap();
    found.calls.iter().map(|call| call.start.as_micros() / 1_000_000 - 1_700_000_000).collect()
}

/// Fills a store with four times what fits, deletes as the keeper does, and gives how much of the disk its file takes then.
fn taken_at_most(file: u64, change: impl Fn(u64, &mut Kept)) -> u64 {
    let disk = Simulated::new();
    let store = open(&shared(&disk)).unwrap();
    let bounds = Bounds { calls: u64::MAX, bytes: file * 10 / limits::STORE_FILE_TENTHS, since: Timestamp::default() };
    let (mut first, mut written) = (0, 0);
    while written < bounds.bytes * 4 {
        let before = store.bytes();
        for batch in (first..first + 1500).step_by(500) {
            let mut calls: Vec<_> = (batch..batch + 500).map(|second| call(second, CallState::Completed)).collect();
            (batch..).zip(&mut calls).for_each(|(second, call)| change(second, call));
            store.write(&calls, Some(at(batch))).unwrap();
        }
        first += 1500;
        written += store.bytes() - before;
        let todo = store.unarchived(u64::MAX).unwrap().unwrap();
        store.archived(&todo).unwrap();
        while store.retain(&bounds).unwrap().0 > 0 {}
    }
    let (values, count) = (store.bytes(), store.count().unwrap());
    let taken = store.file_bytes();
    println!("{count} calls, values of {values} octets, {taken} on the disk: {} tenths", taken * 10 / values);
    assert!(values > bounds.bytes * 9 / 10 && count > 3000, "{count} calls of {values} octets");
    taken
}

/// A call without media: its value is small, and its entries are as many.
fn signalling_only(call: &mut Kept) {
    (call.summary.caller_to_callee, call.summary.callee_to_caller) = (None, None);
    let detail = call.detail.as_mut().unwrap();
    detail.streams.clear();
    detail.record.streams = 0;
}

#[test]
fn a_bound_of_bytes_bounds_the_file() {
    let file = 12_000_000;
    let taken = taken_at_most(file, |_, _| {});
    assert!(taken <= file, "{taken} octets");
}

#[test]
fn a_bound_of_bytes_bounds_the_file_of_calls_without_media_too() {
    let file = 12_000_000;
    let taken = taken_at_most(file, |_, call| signalling_only(call));
    assert!(taken <= file, "{taken} octets");
}

#[test]
fn a_bound_of_bytes_bounds_the_file_of_calls_whose_numbers_are_as_long_as_the_index_takes() {
    let file = 12_000_000;
    let taken = taken_at_most(file, |second, call| {
        signalling_only(call);
        let uri = |party: u64| {
            let seed = (second * 2 + party).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("sip:{seed:020}{:020}{:020}9999@192.0.2.1", seed.rotate_left(20), seed.rotate_left(40))
        };
        (call.summary.from, call.summary.to) = (uri(0), uri(1));
        let record = &mut call.detail.as_mut().unwrap().record;
        (record.from, record.to) = (call.summary.from.clone(), call.summary.to.clone());
    });
    assert!(taken <= file, "{taken} octets");
}

/// A store of which most was deleted, closed.
fn emptied() -> (Simulated, u64) {
    let disk = Simulated::new();
    let store = open(&shared(&disk)).unwrap();
    write(&store, 0, 4000);
    let bounds = Bounds { calls: 100, bytes: u64::MAX, since: Timestamp::default() };
    while store.retain(&bounds).unwrap().0 > 0 {}
    let before = store.file_bytes();
    store.close();
    (disk, before)
}

#[test]
fn after_much_was_deleted_the_next_start_makes_the_file_smaller() {
    let (disk, before) = emptied();
    let store = open(&shared(&disk)).unwrap();
    assert!(store.file_bytes() * 4 < before, "{before}, then {}", store.file_bytes());
    assert_eq!(seconds(&store), (3900..4000).rev().collect::<Vec<_>>());
    write(&store, 4000, 4010);
    assert_eq!(seconds(&store).len(), 110);
}

#[test]
fn a_power_cut_while_the_file_is_made_smaller_loses_nothing() {
    let (closed, before) = emptied();
    let whole = closed.after_cut(1);
    let begin = whole.steps();
    drop(open(&shared(&whole)).unwrap());
    let steps = whole.steps() - begin;
    assert!(steps > 50, "{steps} steps are too few for a test");
    let mut cuts = 0;
    // Every seventh: each step is a write of a page, and they are alike.
    for cut in (0..steps).step_by(7) {
        let disk = closed.after_cut(1);
        disk.cut_after(disk.steps() + cut);
        drop(open(&shared(&disk)));
        let after = disk.after_cut(cut * 31 + 7);
        let store = open(&shared(&after)).unwrap_or_else(|error| panic!("cut {cut}: {error:?}"));
        assert_eq!(seconds(&store), (3900..4000).rev().collect::<Vec<_>>(), "cut {cut}");
        assert_eq!(store.damaged(), 0);
        assert!(store.file_bytes() * 4 < before, "cut {cut}: made smaller after all");
        cuts += 1;
    }
    println!("{cuts} power cuts at {steps} steps");
}

#[test]
fn a_call_whose_end_was_lost_is_ended_and_others_stay() {
    let disk = Simulated::new();
    let store = open(&shared(&disk)).unwrap();
    let calls = [call(1, CallState::InCall), call(2, CallState::InCall), call(3, CallState::Completed)];
    store.write(&calls, None).unwrap();
    let ids: Vec<_> = [1, 3, 9].iter().map(|second| call(*second, CallState::InCall).summary.id).collect();
    store.interrupt(&ids, at(0)).unwrap();
    let states: Vec<_> = store.page(9, None).unwrap().calls.iter().map(|call| (call.state, call.lost_here)).collect();
    assert_eq!(states, [(CallState::Completed, false), (CallState::InCall, false), (CallState::Interrupted, true)]);
}

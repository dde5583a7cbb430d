//! Records for tests, here and in other modules, and what the store does with them.

use sniffer_core::{
    query::{Comparison, NumberFilter, Party},
    record::{ExchangeRecord, RegistrationDetails, RegistrationRecord, SlotRecord, StreamRecord, SubscriptionRecord},
};

use std::sync::Arc;

use super::{
    super::tests::{at, disk},
    *,
};
use crate::{
    disk::{Disk, simulated::Simulated},
    store::retain::Bounds,
};

/// A registration that began at a second and was seen last at another.
pub fn registration(second: u64, last: u64, state: RegistrationState) -> OtherRecord {
    OtherRecord::Registration(Box::new(RegistrationRecord {
        call_id: format!("reg-{second}@x"),
        aor: format!("sip:+35121{second:06}@example.org"),
        contact: Some(format!("sip:line{second}@192.0.2.9:5062")),
        state,
        final_status: Some(if state == RegistrationState::Failed { 403 } else { 200 }),
        start: at(second),
        last: at(last),
        requests: 2,
        details: Box::new(RegistrationDetails {
            number: Some(format!("+35121{second:06}")),
            src: Some(format!("192.0.2.{}:5060", second % 200)),
            dst: Some("[2001:db8::1]:5060".into()),
            ..RegistrationDetails::default()
        }),
    }))
}

/// A subscription.
pub fn subscription(second: u64, state: SubscriptionState) -> OtherRecord {
    OtherRecord::Subscription(Box::new(SubscriptionRecord {
        call_id: format!("sub-{second}@x"),
        method: "SUBSCRIBE".into(),
        from: format!("sip:{second}@example.org"),
        to: "sip:lamp@example.org".into(),
        event: Some("dialog".into()),
        refer_to: None,
        user_agent: None,
        src: "192.0.2.4:5060".into(),
        dst: "192.0.2.1:5060".into(),
        state,
        final_status: Some(202),
        outcome: None,
        reason: None,
        start: at(second),
        last: at(second + 9),
        expires_at: None,
        expired: false,
        requests: 1,
        notifies: 3,
        retransmissions: 0,
        copies: 0,
    }))
}

/// An exchange with these final answers.
pub fn exchange(second: u64, method: &str, results: &[(&str, u64)], unanswered: u32) -> OtherRecord {
    OtherRecord::Exchange(Box::new(ExchangeRecord {
        method: method.into(),
        from: "sip:probe@192.0.2.3".into(),
        to: format!("sip:{second}@example.org"),
        src: "192.0.2.3:5060".into(),
        dst: "192.0.2.1:5060".into(),
        call_id: format!("ex-{second}@x"),
        event: None,
        user_agent: Some("probe".into()),
        start: at(second),
        last: at(second + 60),
        requests: 9,
        unanswered,
        retransmissions: 0,
        copies: 0,
        results: results.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect(),
        response_ms_mean: Some(1.25),
        response_ms_max: Some(7.5),
    }))
}

/// A stream without a call.
pub fn stream(second: u64, ssrc: u32, mos: Option<f64>, lost: u64) -> OtherRecord {
    OtherRecord::Stream(Box::new(StreamRecord {
        ssrc,
        src: "192.0.2.7:4000".into(),
        dst: format!("192.0.2.{}:5000", second % 200),
        codec: Some("PCMA".into()),
        packets: 1000 - lost,
        expected: 1000,
        lost,
        mos,
        start: at(second),
        end: at(second + 20),
        timeline: vec![SlotRecord::default(); 2],
        ..StreamRecord::default()
    }))
}

fn store(kind: RecordKind, disk: &Arc<dyn Disk>) -> Store {
    Store::open_records(kind, disk, std::path::Path::new("/records"), at(0)).unwrap()
}

fn keep(store: &Store, records: impl IntoIterator<Item = OtherRecord>, is_last: bool) {
    let kept: Vec<_> = records.into_iter().map(|record| KeptRecord::new(record, None, is_last)).collect();
    store.write(&kept, Some(at(0))).unwrap();
}

/// The seconds in which the rows found begin, newest first.
fn found(store: &Store, filter: &RecordFilter) -> Vec<u64> {
    let (mut rows, mut before) = (Vec::new(), None);
    loop {
        // Small pages: each goes on where the one before ended.
        let page = store.search_records(filter, 3, before).unwrap();
        rows.extend(page.rows.iter().map(|row| row.id.start().as_micros() / 1_000_000 - 1_700_000_000));
        before = page.next;
        if before.is_none() {
            return rows;
        }
    }
}

fn number(text: &str, how: Comparison, party: Party) -> Option<NumberFilter> {
    Some(NumberFilter { text: text.into(), how, party })
}

#[test]
fn registrations_are_found_by_each_of_their_keys_also_when_they_are_in_runs() {
    let store = store(RecordKind::Registration, &disk());
    // More than a run holds in tests: some are in pages, some in memory.
    for first in (0..1200).step_by(100) {
        let state = |second| if second % 5 == 0 { RegistrationState::Failed } else { RegistrationState::Registered };
        keep(&store, (first..first + 100).map(|second| registration(second, second + 30, state(second))), true);
    }
    let all = RecordFilter::of(RecordKind::Registration);
    let by = |change: &dyn Fn(&mut RecordFilter)| {
        let mut filter = all.clone();
        change(&mut filter);
        found(&store, &filter)
    };
    assert_eq!(by(&|_| ()), (0..1200).rev().collect::<Vec<_>>());
    for second in [3, 1190] {
        assert_eq!(by(&|all| all.call_id = Some(format!("reg-{second}@x"))), [second]);
        let whole = format!("+351 21 {second:06}");
        assert_eq!(by(&|all| all.number = number(&whole, Comparison::Exact, Party::Caller)), [second]);
        assert_eq!(by(&|all| all.number = number(&whole, Comparison::Exact, Party::Callee)), [0_u64; 0]);
        let contact = format!("LINE{second}");
        assert_eq!(by(&|all| all.number = number(&contact, Comparison::Exact, Party::Callee)), [second]);
        assert_eq!(
            by(&|all| all.number = number(&format!("{second:06}"), Comparison::Suffix, Party::Either)),
            [second]
        );
    }
    assert_eq!(by(&|all| all.address = Some("192.0.2.7".parse().unwrap())), [1007, 807, 607, 407, 207, 7]);
    assert_eq!(by(&|all| all.address = Some("2001:db8::1".parse().unwrap())).len(), 1200);
    let failed = by(&|all| all.registration_states = vec![RegistrationState::Failed]);
    assert_eq!(failed, (0..1200).rev().filter(|second| second % 5 == 0).collect::<Vec<_>>());
    assert_eq!(by(&|all| all.codes = Some((400, 499))), failed);
    assert_eq!(by(&|all| (all.since, all.until) = (Some(at(10)), Some(at(13)))), [12, 11, 10]);
    assert_eq!(
        by(&|all| all.subscription_states = vec![SubscriptionState::Failed]),
        [0_u64; 0],
        "another kind's state"
    );
    assert_eq!(store.damaged(), 0);
}

#[test]
fn exchanges_and_subscriptions_are_found_by_method_answer_and_want_of_one() {
    let store = store(RecordKind::Exchange, &disk());
    keep(
        &store,
        [
            exchange(1, "OPTIONS", &[("200", 9)], 0),
            exchange(2, "OPTIONS", &[("200", 3), ("483", 2)], 4),
            exchange(3, "MESSAGE", &[("202", 1)], 0),
            exchange(4, "NONSENSE", &[], 9),
        ],
        true,
    );
    let by = |change: &dyn Fn(&mut RecordFilter)| {
        let mut filter = RecordFilter::of(RecordKind::Exchange);
        change(&mut filter);
        found(&store, &filter)
    };
    assert_eq!(by(&|all| all.method = Some("OPTIONS".into())), [2, 1]);
    assert_eq!(by(&|all| all.method = Some("NONSENSE".into())), [4]);
    assert_eq!(by(&|all| all.codes = Some((400, 499))), [2], "one of several answers");
    assert_eq!(by(&|all| all.codes = Some((200, 200))), [2, 1]);
    assert_eq!(by(&|all| all.unanswered = true), [4, 2]);
    assert_eq!(by(&|all| all.number = number("probe", Comparison::Exact, Party::Caller)), [4, 3, 2, 1]);
    let store = super::tests::store(RecordKind::Subscription, &disk());
    keep(&store, [subscription(1, SubscriptionState::Active), subscription(2, SubscriptionState::Terminated)], true);
    let mut filter = RecordFilter::of(RecordKind::Subscription);
    filter.subscription_states = vec![SubscriptionState::Active, SubscriptionState::Pending];
    assert_eq!(found(&store, &filter), [1]);
    filter.number = number("lamp", Comparison::Prefix, Party::Callee);
    assert_eq!(found(&store, &filter), [1]);
}

#[test]
fn streams_are_found_by_source_address_and_quality_and_lists_leave_their_time_line_out() {
    let store = store(RecordKind::Stream, &disk());
    keep(&store, [stream(1, 77, Some(4.4), 0), stream(2, 78, Some(2.1), 200), stream(3, 77, None, 30)], true);
    let by = |change: &dyn Fn(&mut RecordFilter)| {
        let mut filter = RecordFilter::of(RecordKind::Stream);
        change(&mut filter);
        found(&store, &filter)
    };
    assert_eq!(by(&|all| all.ssrc = Some(77)), [3, 1]);
    assert_eq!(by(&|all| all.mos_below = Some(3.0)), [2]);
    assert_eq!(by(&|all| all.loss_above = Some(2.5)), [3, 2]);
    assert_eq!(by(&|all| all.address = Some("192.0.2.2".parse().unwrap())), [2]);
    let row = store.search_records(&RecordFilter::of(RecordKind::Stream), 1, None).unwrap().rows.remove(0);
    let slots = |record: &OtherRecord| match record {
        OtherRecord::Stream(one) => one.timeline.len(),
        OtherRecord::Registration(_) | OtherRecord::Subscription(_) | OtherRecord::Exchange(_) => panic!("no stream"),
    };
    assert_eq!((slots(&row.record), slots(&store.record(row.id).unwrap().unwrap().0.record)), (0, 2));
}

#[test]
fn what_goes_on_has_one_row_a_day_which_is_written_again_and_archived_when_it_ends() {
    let store = store(RecordKind::Registration, &disk());
    let day = limits::RECORD_ROW.as_secs();
    let all = RecordFilter::of(RecordKind::Registration);
    let told = |last, state, is_last| {
        let kept = KeptRecord::new(registration(5, last, state), None, is_last);
        store.write(&[kept], Some(at(last))).unwrap();
    };
    let archived = || {
        let mut keys = Vec::new();
        while let Some(todo) = store.unarchived(u64::MAX).unwrap() {
            store.archived(&todo).unwrap();
            keys.extend(todo.calls.iter().map(|key| key.start().as_micros() / 1_000_000 - 1_700_000_000));
        }
        keys
    };
    told(10, RegistrationState::Registered, false);
    told(4000, RegistrationState::Failed, false);
    told(8000, RegistrationState::Registered, false);
    assert_eq!((found(&store, &all), archived()), (vec![5], vec![]), "one row, and it goes on");
    told(day + 50, RegistrationState::Registered, false);
    told(2 * day + 50, RegistrationState::Registered, false);
    assert_eq!(found(&store, &all), [2 * day + 5, day + 5, 5]);
    assert_eq!(archived(), [5, day + 5]);
    told(2 * day + 60, RegistrationState::Unregistered, true);
    assert_eq!(archived(), [2 * day + 5]);
    told(2 * day + 60, RegistrationState::Unregistered, true);
    assert_eq!((store.count().unwrap(), archived()), (3, vec![]), "the same again is nothing");
    let mut failed = all.clone();
    failed.registration_states = vec![RegistrationState::Failed];
    assert_eq!(found(&store, &failed), [0_u64; 0], "it is found as what it became");
}

#[test]
fn a_row_that_is_written_again_costs_the_index_nothing_unless_it_is_found_by_something_else() {
    let store = store(RecordKind::Registration, &disk());
    let count = || store.0.index.read().unwrap().fresh_calls;
    keep(&store, [registration(5, 10, RegistrationState::Registered)], false);
    for last in 11..40 {
        keep(&store, [registration(5, last, RegistrationState::Registered)], false);
    }
    assert_eq!(count(), 1);
    keep(&store, [registration(5, 50, RegistrationState::Failed)], false);
    assert_eq!((count(), store.count().unwrap()), (2, 2), "in the index once more; one row and one that goes on");
}

#[test]
fn the_oldest_rows_go_and_a_database_of_another_kind_is_refused() {
    let disk = disk();
    let store = store(RecordKind::Registration, &disk);
    keep(&store, (0..1200).map(|second| registration(second, second, RegistrationState::Registered)), true);
    let bounds = Bounds { calls: u64::MAX, bytes: store.bytes() / 4, since: at(0) };
    while store.retain(&bounds).unwrap().0 > 0 {}
    let left = found(&store, &RecordFilter::of(RecordKind::Registration));
    assert!((250..=300).contains(&left.len()) && left[0] == 1199 && left.is_sorted_by(|a, b| a > b), "{}", left.len());
    drop(store);
    disk.rename("/records/registrations.redb".as_ref(), "/records/exchanges.redb".as_ref()).unwrap();
    let opened = Store::open_records(RecordKind::Exchange, &disk, "/records".as_ref(), at(0));
    assert!(matches!(opened, Err(StoreError::Format { .. })), "{opened:?}");
}

/// Rows of a phone that goes on, and of exchanges that end. Returns the seconds that were said to be kept.
fn live(disk: &Arc<dyn Disk>, kept: &mut Vec<u64>) -> Result<(), StoreError> {
    let store = Store::open_records(RecordKind::Registration, disk, std::path::Path::new("/records"), at(0))?;
    for step in 0..5_u64 {
        let phones = [
            KeptRecord::new(registration(1, step * 50_000, RegistrationState::Registered), None, false),
            KeptRecord::new(registration(step * 10 + 3, step * 10 + 4, RegistrationState::Failed), None, true),
        ];
        store.write(&phones, Some(at(step * 50_000)))?;
        kept.extend([1 + step * 50_000 / 86_400 * 86_400, step * 10 + 3]);
        if step == 3 {
            let todo = store.unarchived(u64::MAX)?.unwrap();
            store.archived(&todo)?;
        }
    }
    Ok(())
}

#[test]
fn after_a_power_cut_at_any_step_rows_that_were_kept_are_there_and_each_is_archived() {
    let shared = |disk: &Simulated| -> Arc<dyn Disk> { Arc::new(disk.clone()) };
    let whole = Simulated::new();
    live(&shared(&whole), &mut Vec::new()).unwrap();
    let steps = whole.steps();
    assert!(steps > 100, "{steps} steps are too few for a test");
    for cut in 0..=steps {
        let disk = Simulated::new();
        disk.cut_after(cut);
        let mut kept = Vec::new();
        let ended = live(&shared(&disk), &mut kept);
        assert!(ended.is_err() || cut + 20 > steps, "cut {cut}");
        let store = store(RecordKind::Registration, &shared(&disk.after_cut(cut * 31 + 5)));
        let rows = found(&store, &RecordFilter::of(RecordKind::Registration));
        for second in &kept {
            assert!(rows.contains(second), "cut {cut}: {second} is gone, {rows:?} are there");
        }
        assert_eq!(store.damaged(), 0);
        // The hour of the third step was archived before, or is still to be.
        let mut todo = Vec::new();
        while let Some(hour) = store.unarchived(u64::MAX).unwrap() {
            store.archived(&hour).unwrap();
            todo.extend(hour.calls.iter().map(|key| key.start().as_micros() / 1_000_000 - 1_700_000_000));
        }
        todo.sort_unstable();
        todo.dedup();
        let done: Vec<_> = rows.iter().filter(|second| !todo.contains(second)).collect();
        // One hour at most was archived: the phone's first row goes on then, and the first failure ended in it.
        assert!(done.iter().all(|second| **second == 3), "cut {cut}: {done:?} are archived nowhere");
    }
}

//! Searches while many runs reach over the time that is searched: long calls end among short ones.

use sniffer_core::{
    query::{Comparison, Party},
    record::CallState,
};

use super::{
    Run,
    tests::{all, at, call, completed, disk, number, open},
};
use crate::limits;

fn many() -> u64 {
    u64::try_from(limits::STORE_RUN).unwrap()
}

#[test]
fn a_search_gets_on_although_the_runs_that_reach_over_its_time_are_all_its_work() {
    let store = open(&disk()).unwrap();
    let (wide, middle, late) = (6, 50_000, 90_000);
    // Each of these runs has old calls and a new one: a page before that is asked for reads them all.
    for run in 0..wide {
        let calls = (run * many()..(run + 1) * many() - 1).chain([late + run]);
        store.write(&completed(calls), Some(at(0))).unwrap();
    }
    store.write(&completed(middle..middle + many()), Some(at(0))).unwrap();
    let found = all(&store, &number("35121", Comparison::Prefix, Party::Either), 700);
    let truth: Vec<u64> = (late..late + wide)
        .rev()
        .chain((middle..middle + many()).rev())
        .chain((0..wide * many()).rev().filter(|second| second % many() != many() - 1))
        .collect();
    assert_eq!(found, truth);
}

#[test]
fn one_long_call_does_not_make_a_run_of_short_ones_reach_over_hours() {
    let store = open(&disk()).unwrap();
    let hours = 20_000;
    for run in 0..3 {
        let begin = hours + run * many();
        let short = begin + 1..begin + many();
        store.write(&completed([run].into_iter().chain(short)), Some(at(0))).unwrap();
    }
    let moment = call(hours / 2, CallState::Completed).summary.id.to_bytes();
    let index = store.0.index.read().unwrap();
    let is_reaching = |run: &&Run| run.oldest <= moment;
    let (reaching, others): (Vec<&Run>, Vec<&Run>) = index.runs.iter().partition(is_reaching);
    assert_eq!((reaching.len(), others.len()), (3, 3));
    let few = many() / u64::try_from(limits::STORE_RUN_OLD).unwrap();
    for run in reaching {
        let newest = super::retain::start_of(run.newest);
        assert!((0..3).any(|run| newest < at(hours + run * many() + few)), "few calls are in it");
    }
    drop(index);
    assert_eq!(all(&store, &number("351210", Comparison::Prefix, Party::Caller), 99).len(), 3 * limits::STORE_RUN);
}

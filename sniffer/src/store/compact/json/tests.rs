use sniffer_core::record::{CallRecord, HoldRecord, ReasonRecord, Who};

use super::*;
use crate::store::{
    compact::tests::{full, written},
    tests::template,
};

/// What serde_json writes, and what comes of the octets.
fn both_texts(record: &impl Serialize, shape: &Shape) -> (String, String) {
    let bytes = written(record);
    let mut text = Vec::new();
    assert_eq!(json(&bytes, 0, shape, &mut text).unwrap(), bytes.len());
    (String::from_utf8(text).unwrap(), serde_json::to_string(record).unwrap())
}

#[test]
fn the_octets_of_a_call_give_the_json_that_the_call_gives() {
    let (_, detail) = full();
    let mut records = vec![CallRecord::default(), template().record, detail.record.clone()];
    let mut odd = detail.record;
    odd.call_id = "quote \" backslash \\ tab \t null \0 delete \x7f line \n caf\u{e9} \u{2028}".into();
    odd.details.caller.name = Some(String::new());
    odd.details.reason = Some(ReasonRecord::default());
    odd.details.holds = vec![HoldRecord { by: Who::Caller, start: Timestamp::from_nanos(-1), end: None }; 2];
    odd.details.setup_ms = Some(1.0 / 3.0);
    odd.details.held_ms = f64::INFINITY;
    odd.details.rounds = vec![401, 200];
    records.push(odd);
    for record in records {
        let (ours, theirs) = both_texts(&record, Shape::of_calls());
        assert_eq!(ours, theirs);
    }
}

#[test]
fn figures_and_times_are_written_as_the_library_writes_them() {
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 20
    };
    let figures: Vec<f64> = (0..60_000_u32)
        .map(f64::from)
        .chain((0..20_000).map(|_| f64::from(u32::try_from(next() >> 12).unwrap())))
        .map(|parts| parts / 10_000.0)
        .collect();
    let (ours, theirs) = both_texts(&figures, &Shape::default());
    assert_eq!(ours, theirs);
    let numbers: Vec<i64> =
        (0..63).map(|bit| 1_i64 << bit).flat_map(|one| [one, one - 1, -one]).chain([i64::MIN]).collect();
    let (ours, theirs) = both_texts(&numbers, &Shape::default());
    assert_eq!(ours, theirs);
    let times: Vec<_> = (0..2000)
        .map(|_| Timestamp::from_nanos(i64::try_from(next() << 19).unwrap()))
        .chain([Timestamp::default(), Timestamp::NEVER, Timestamp::from_nanos(-5)])
        .collect();
    let (ours, theirs) = both_texts(&times, &Shape::default());
    assert_eq!(ours, theirs);
    let keys: Vec<_> = (0..9).map(|key| CallKey::from_bytes([key * 29; 16])).collect();
    let (ours, theirs) = both_texts(&keys, &Shape::default());
    assert_eq!(ours, theirs);
}

#[test]
fn a_field_of_another_version_is_kept_and_one_that_is_absent_is_the_default() {
    #[derive(Serialize)]
    struct Old {
        call_id: &'static str,
        forks: u32,
        a_field_of_tomorrow: u32,
    }
    let bytes = written(&Old { call_id: "x", forks: 7, a_field_of_tomorrow: 8 });
    let mut text = Vec::new();
    json(&bytes, 0, Shape::of_calls(), &mut text).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((value["call_id"].as_str(), value["forks"].as_u64()), (Some("x"), Some(7)));
    assert_eq!((value["a_field_of_tomorrow"].as_u64(), value["messages"].as_u64()), (Some(8), Some(0)));
    assert!(value["user_agent"].is_null() && value["callee"]["number"].is_null());
    let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    let default = serde_json::to_value(CallRecord::default()).unwrap();
    assert_eq!(names.len(), default.as_object().unwrap().len() + 1);
}

#[test]
fn any_octets_give_json_or_an_error() {
    let bytes = written(&full().1.record);
    let mut random = 3_u64;
    for _ in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut damaged = bytes.clone();
        let place = usize::try_from(random >> 33).unwrap() % damaged.len();
        damaged[place] = u8::try_from((random >> 20) & 0xff).unwrap();
        let mut text = Vec::new();
        if json(&damaged, 0, Shape::of_calls(), &mut text).is_ok() {
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }
}

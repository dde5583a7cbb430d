//! What the store of calls reads back: values and pages of the index, damaged and not, and the index of calls that the
//! engine makes.

use std::hint::black_box;

use sniffer::store::{
    entries::Entries,
    index,
    value::{self, Detail, Head, Kept},
};
use sniffer_core::{
    decode::LinkType,
    engine::{EndedCall, Engine, Event, FrameMeta},
    query::{CallFilter, CallKey},
    search::{Comparison, NumberFilter, Party},
    time::Timestamp,
};

use super::super::core::{Input, script, small};

/// The first byte says what follows: octets as they may lie on a damaged disk, without or with a checksum that is right,
/// or a script of which an engine makes calls.
pub fn store(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => octets(input.rest()),
        1 => {
            let rest = input.rest();
            octets(&[&crc32fast::hash(rest).to_be_bytes(), rest].concat());
        }
        _ => {
            let (place, change) = (usize::from(input.word()), input.byte());
            calls(&mut input).iter().for_each(|call| kept(call, place, change));
        }
    }
}

/// Values and pages to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let scripts = super::super::seeds::scripts();
    let values = scripts.iter().flat_map(|script| calls(&mut Input::new(script))).take(6);
    let values = values.filter_map(|call| value::encode(&of(&call)));
    let values: Vec<_> = values.map(|value| [&[1], value.get(4..).unwrap_or_default()].concat()).collect();
    values.into_iter().chain(super::super::seeds::prefixed(&[2, 0, 9, 1], scripts)).collect()
}

/// Calls of an engine with small tables.
fn calls(input: &mut Input<'_>) -> Vec<EndedCall> {
    let mut engine = Engine::new(small());
    for frame in script(input, true) {
        let meta = FrameMeta { time: Timestamp::from_nanos(frame.at), vlan: None };
        engine.frame(LinkType::RawIp, meta, &frame.bytes);
    }
    engine.finish();
    let mut calls = Vec::new();
    while let Some(event) = engine.next_event() {
        if let Event::Call(call) = event {
            calls.push(*call);
        }
    }
    calls
}

fn octets(bytes: &[u8]) {
    if let Some(entries) = index::read_page(bytes) {
        for (entry, head) in &entries {
            black_box((index::key_of(entry), head.to_bytes()));
        }
    }
    let mut text = Vec::new();
    if value::written(bytes, &mut text).is_some_and(|written| written.has_record) {
        serde_json::from_slice::<serde::de::IgnoredAny>(&text).expect("what is written is JSON");
    }
    let Some((row, Some(detail))) = value::whole(bytes) else { return };
    // What can be read can be kept again, and is the same then. As text, since no number is the same as itself.
    let before = format!("{row:?} {detail:?}");
    let kept = Kept { summary: row.summary, detail: Some(detail), packets: row.packets, is_last: true };
    if let Some(again) = value::encode(&kept).and_then(|bytes| value::whole(&bytes)) {
        assert_eq!(format!("{:?} {:?}", again.0, again.1.expect("the details are kept")), before);
    }
}

fn of(call: &EndedCall) -> Kept {
    let detail = Detail { record: call.record.clone(), streams: call.streams.clone() };
    Kept { summary: call.summary.clone(), detail: Some(detail), packets: None, is_last: true }
}

/// A call is read back as it was, and found by what it has.
fn kept(call: &EndedCall, place: usize, change: u8) {
    let mut bytes = value::encode(&of(call)).expect("a call is within the bounds of a value");
    let (row, detail) = value::whole(&bytes).expect("what was written is read");
    let detail = detail.expect("the details are there");
    assert_eq!((&row.summary, &detail.record, &detail.streams), (&call.summary, &call.record, &call.streams));
    let mut text = Vec::new();
    assert!(value::written(&bytes, &mut text).is_some_and(|written| written.has_record));
    let json = serde_json::to_vec(&call.record).expect("a record can be written");
    assert_eq!(text, json, "the archive has what is printed");
    damage(&mut bytes, place, change);
    assert!(change == 0 || value::row(&bytes).is_none(), "a changed octet is not seen");
    let head = Head::of(&call.summary);
    assert_eq!(Head::from_bytes(head.to_bytes()), head);
    assert!(head.may_fit(&CallFilter::default()), "everything fits a filter of nothing");
    let mut all = Entries::default();
    index::entries(&mut all, &call.summary, head, &call.streams, &[]);
    all.sort();
    let entries: Vec<_> = all.iter().map(|(entry, head)| (entry.to_vec(), head)).collect();
    assert!(entries.is_sorted_by(|one, other| one.0 < other.0), "in order, each once");
    for filter in filters(call) {
        let probes = index::probes(&filter);
        assert!(
            probes.iter().any(|probe| entries.iter().any(|(entry, _)| probe.fits(entry))),
            "not found by {filter:?}"
        );
    }
    let mut read = Vec::new();
    for (first, mut page) in index::pages(all.iter()) {
        let of_page = index::read_page(&page).expect("what was written is read");
        assert_eq!(of_page.first().map(|(entry, _)| entry), Some(&first));
        assert!(
            of_page.iter().all(|(entry, _)| index::key_of(entry).map(CallKey::from_bytes) == Some(call.summary.id))
        );
        read.extend(of_page);
        damage(&mut page, place, change);
        assert!(change == 0 || index::read_page(&page).is_none(), "a changed octet is not seen");
    }
    assert_eq!(read, entries, "the index is read back as it was");
}

fn damage(bytes: &mut [u8], place: usize, change: u8) {
    let length = bytes.len().max(1);
    bytes.iter_mut().skip(place % length).take(1).for_each(|byte| *byte ^= change);
}

fn filters(call: &EndedCall) -> Vec<CallFilter> {
    let by_number = |text: &str, party| {
        let number = NumberFilter { text: text.to_owned(), how: Comparison::Exact, party };
        CallFilter { number: Some(number), ..CallFilter::default() }
    };
    let addresses = call.streams.iter().filter_map(|stream| stream.src.parse::<std::net::SocketAddr>().ok());
    let mut filters = vec![
        CallFilter::default(),
        CallFilter { call_id: Some(call.summary.call_id.clone()), ..CallFilter::default() },
        by_number(&call.summary.from, Party::Caller),
        by_number(&call.summary.to, Party::Callee),
    ];
    filters.extend(addresses.map(|one| CallFilter { address: Some(one.ip()), ..CallFilter::default() }).take(1));
    filters
}

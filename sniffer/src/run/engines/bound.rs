//! What waits for the owner of signalling is bounded, in pieces and in bytes; what finds no room is counted and marks the
//! calls of that time.

use sniffer_core::{
    decode::Endpoint,
    drops::Reason,
    engine::{EndedCall, Learnt, Output, Side},
};

use super::{
    tests::{at, frame},
    *,
};

fn message(call: &str, start: &str, cseq: &str, body: usize) -> Vec<u8> {
    let text = format!(
        "{start}\r\nCall-ID: {call}\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\nContent-Length: {body}\r\n\r\n{:body$}",
        ""
    );
    frame(2, 5060, text.as_bytes())
}

/// A reader's turn with one frame.
fn take(engines: &Engines, millis: i64, bytes: &[u8]) {
    let meta = FrameMeta { time: at(millis), vlan: None };
    engines.burst(0, |turn| turn.frame(LinkType::RawIp, meta, bytes)).unwrap();
}

/// Everything that was seen until then goes to its place.
fn settle(engines: &Engines, millis: i64, ended: &mut Vec<EndedCall>) {
    let events = engines.drain(at(millis), &mut |_, _| {});
    ended.extend(events.into_iter().filter_map(|event| match event {
        Event::Call(call) => Some(*call),
        Event::Adopted { .. }
        | Event::Stream { .. }
        | Event::Registration { .. }
        | Event::Subscription { .. }
        | Event::Exchange { .. } => None,
    }));
}

fn call(engines: &Engines, millis: i64, name: &str) {
    take(engines, millis, &message(name, "INVITE sip:b@x SIP/2.0", "1 INVITE", 0));
    take(engines, millis + 10, &message(name, "SIP/2.0 200 OK", "1 INVITE", 0));
}

fn bye(engines: &Engines, millis: i64, name: &str) {
    take(engines, millis, &message(name, "BYE sip:b@x SIP/2.0", "2 BYE", 0));
    take(engines, millis + 10, &message(name, "SIP/2.0 200 OK", "2 BYE", 0));
}

/// So many messages with so much in each, while the owner of signalling does not look.
fn flood(count: u32, body: usize) {
    let engines = Engines::new(Settings::default(), 2);
    let mut ended = Vec::new();
    call(&engines, 0, "before");
    bye(&engines, 1000, "before");
    settle(&engines, 20_000, &mut ended);
    call(&engines, 20_000, "during");
    let Kind::Many(many) = &engines.kind else { panic!("several workers") };
    let mut most = 0;
    for n in 0..count {
        take(
            &engines,
            21_000 + i64::from(n) / 20,
            &message(&n.to_string(), "OPTIONS sip:b@x SIP/2.0", "1 OPTIONS", body),
        );
        let inbox = lock(&many.inbox);
        assert!(inbox.mail.len() <= limits::OWNER_INBOX + 1, "{}", inbox.mail.len());
        most = most.max(inbox.bytes);
    }
    // The one that fills it is in it.
    assert!(most < limits::OWNER_INBOX_BYTES + body + 1000, "{most}");
    settle(&engines, 40_000, &mut ended);
    bye(&engines, 60_000, "during");
    call(&engines, 70_000, "after");
    bye(&engines, 71_000, "after");
    settle(&engines, 72_000, &mut ended);
    settle(&engines, 200_000, &mut ended);
    let counters = engines.figures().counters;
    let full = counters.dropped.get(Reason::SignallingFull);
    assert!(full > 100, "{full}");
    assert_eq!((counters.received, counters.dropped.total()), (counters.delivered + full, full));
    assert_eq!(counters.lost_by_capture, full, "what was not handed over was lost here");
    let marks: Vec<_> = ended
        .iter()
        .map(|call| (call.record.call_id.as_str(), call.record.lost_here, call.record.lost_here_packets))
        .collect();
    assert_eq!(marks, [("before", false, 0), ("during", true, full), ("after", false, 0)]);
}

#[test]
fn more_messages_than_the_inbox_holds_mark_the_calls_of_that_time_and_no_others() {
    flood(u32::try_from(limits::OWNER_INBOX + sniffer_core::limits::WORKER_MESSAGES).unwrap() + 200, 0);
}

#[test]
fn more_bytes_than_the_inbox_holds_mark_the_calls_of_that_time_and_no_others() {
    flood(1000, 60_000);
}

#[test]
fn a_place_of_media_that_a_worker_was_not_told_of_marks_its_call_and_no_other() {
    let engines = Engines::new(Settings::default(), 2);
    let mut ended = Vec::new();
    for (millis, name) in [(0, "one"), (100, "other")] {
        call(&engines, millis, name);
        settle(&engines, millis + 50, &mut ended);
    }
    let Kind::Many(many) = &engines.kind else { panic!("several workers") };
    let (mut serials, full) = (engines.states(), limits::WORKER_MAIL);
    serials.sort_unstable_by_key(|(serial, _)| *serial);
    let endpoint = Endpoint { address: [192, 0, 2, 1].into(), port: 4000 };
    let learnt = Learnt { call: serials[0].0, side: Side::Caller, endpoint };
    lock(&many.desks[1].mail).extend(std::iter::repeat_n(ToMedia::Learn(learnt), full));
    lock(&many.inbox).push(Mail::Output(ToOwner::Media(Output::Learnt(learnt))));
    engines.pump(at(300), Duration::ZERO, &mut |_, _| {});
    assert_eq!(lock(&many.desks[1].mail).len(), full, "there was no room");
    for (millis, name) in [(1000, "one"), (1100, "other")] {
        bye(&engines, millis, name);
    }
    settle(&engines, 200_000, &mut ended);
    settle(&engines, 300_000, &mut ended);
    let mut marks: Vec<_> = ended.iter().map(|call| (call.record.call_id.as_str(), call.record.lost_here)).collect();
    marks.sort_unstable();
    assert_eq!(marks, [("one", true), ("other", false)]);
}

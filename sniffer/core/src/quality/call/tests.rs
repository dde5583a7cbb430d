use super::*;
use crate::{
    record::CallState,
    rtcp::{Item, ReportBlock, SenderReport},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn call(seconds: i64) -> CallRecord {
    CallRecord {
        start: at(0),
        answered: Some(at(5000)),
        end: Some(at(5000 + seconds * 1000)),
        state: CallState::Completed,
        ..CallRecord::default()
    }
}

fn stream(direction: Direction, start: i64, sound: u64) -> StreamRecord {
    StreamRecord {
        ssrc: if direction == Direction::CallerToCallee { 1 } else { 2 },
        src: if direction == Direction::CallerToCallee { "192.0.2.1:4000" } else { "192.0.2.2:4000" }.to_owned(),
        dst: if direction == Direction::CallerToCallee { "192.0.2.2:4000" } else { "192.0.2.1:4000" }.to_owned(),
        direction: Some(direction),
        start: at(start),
        end: at(15_000),
        packets: 500,
        sound_packets: sound,
        clock_rate: Some(8000),
        ..StreamRecord::default()
    }
}

use Direction::{CalleeToCaller, CallerToCallee};

fn judged(mut call: CallRecord, mut streams: Vec<StreamRecord>) -> (Option<Direction>, Option<f64>) {
    fill(&mut call, &mut streams, None);
    (call.one_way_audio, call.silence_at_start_ms)
}

#[test]
fn a_direction_without_packets_or_with_comfort_noise_only_is_one_way_audio() {
    let caller = || stream(CallerToCallee, 5100, 500);
    assert_eq!(judged(call(10), vec![caller()]).0, Some(CalleeToCaller));
    assert_eq!(judged(call(10), vec![caller(), stream(CalleeToCaller, 5100, 0)]).0, Some(CalleeToCaller));
    assert_eq!(judged(call(10), vec![stream(CalleeToCaller, 5100, 500)]).0, Some(CallerToCallee));
    assert_eq!(judged(call(10), vec![caller(), stream(CalleeToCaller, 5100, 400)]).0, None);
}

#[test]
fn what_cannot_be_judged_is_not() {
    let caller = || stream(CallerToCallee, 5100, 500);
    assert_eq!(judged(call(10), vec![]).0, None, "no media seen at all");
    assert_eq!(judged(CallRecord { answered: None, ..call(10) }, vec![caller()]).0, None, "never answered");
    let short = StreamRecord { end: at(7000), ..caller() };
    assert_eq!(judged(call(2), vec![short]).0, None, "two seconds");
    let unknown = StreamRecord { clock_rate: None, ..stream(CalleeToCaller, 5100, 0) };
    assert_eq!(judged(call(10), vec![caller(), unknown]).0, None, "a codec that nothing is known of");
}

#[test]
fn silence_at_the_start_is_that_of_the_direction_that_came_last() {
    let streams = vec![stream(CallerToCallee, 4000, 500), stream(CalleeToCaller, 6250, 500)];
    assert_eq!(judged(call(10), streams).1, Some(1250.0));
    assert_eq!(judged(call(10), vec![stream(CallerToCallee, 4000, 500)]).1, None);
}

#[test]
fn both_halves_make_the_round_trip_and_the_far_end_s_view_stands_beside_ours() {
    let mut session = Session::default();
    let sent = |ssrc, ntp_middle| Item::Sender(SenderReport { ssrc, ntp_middle, packets: 300 });
    let report = |ssrc, last_sender_report| {
        let delay = 32_768;
        let (fraction_lost, lost, highest, jitter) = (64, 12, 300, 160);
        Item::Report(ReportBlock { reporter: 9, ssrc, fraction_lost, lost, highest, jitter, last_sender_report, delay })
    };
    let (there, back) =
        (([192, 0, 2, 1].into(), [192, 0, 2, 2].into()), ([192, 0, 2, 2].into(), [192, 0, 2, 1].into()));
    session.on(at(6000), there, sent(1, 11));
    session.on(at(6560), back, report(1, 11));
    session.on(at(7000), back, sent(2, 22));
    session.on(at(7520), there, report(2, 22));
    let (mut call, mut streams) = (call(10), [stream(CallerToCallee, 5100, 500), stream(CalleeToCaller, 5100, 500)]);
    fill(&mut call, &mut streams, Some(&session));
    for stream in &streams {
        assert_eq!((stream.round_trip_ms, stream.round_trip_ms_max), (Some(80.0), Some(80.0)));
    }
    let rtcp = streams[0].rtcp.as_ref().unwrap();
    assert_eq!((rtcp.round_trip_receiver_ms, rtcp.sent_packets), (Some(60.0), Some(300)));
    assert_eq!((rtcp.lost, rtcp.fraction_lost_max, rtcp.jitter_ms_max), (Some(12), Some(0.25), Some(20.0)));
}

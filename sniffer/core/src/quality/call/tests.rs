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
    fill(&mut call, &mut streams, None, &[]);
    (call.one_way_audio, call.silence_at_start_ms)
}

/// The direction without sound and for how long, where SDP wanted none of the callee's from one second to another.
fn judged_with(
    quiet: Option<(i64, i64)>,
    mut call: CallRecord,
    mut streams: Vec<StreamRecord>,
) -> Option<(Direction, f64)> {
    let quiet = quiet.map(|(start, end)| Quiet {
        direction: CalleeToCaller,
        start: at(start * 1000),
        end: (end < 100).then(|| at(end * 1000)),
    });
    fill(&mut call, &mut streams, None, quiet.as_slice());
    Some((call.one_way_audio?, call.one_way_audio_ms?))
}

#[test]
fn a_direction_that_sdp_wants_silent_is_no_one_way_audio() {
    let caller = || vec![stream(CallerToCallee, 5100, 500)];
    assert_eq!(judged_with(None, call(10), caller()), Some((CalleeToCaller, 10_000.0)));
    assert_eq!(judged_with(Some((1, 100)), call(10), caller()), None, "announced as sendonly and recvonly");
    assert_eq!(judged_with(Some((6, 100)), call(10), caller()), None, "held after a second");
    assert_eq!(judged_with(Some((12, 100)), call(10), caller()), Some((CalleeToCaller, 7000.0)), "held too late");
    assert_eq!(judged_with(Some((1, 6)), call(10), caller()), Some((CalleeToCaller, 9000.0)), "held before");
}

#[test]
fn a_direction_that_falls_silent_in_mid_call_is_one_way_audio() {
    let streams = |end: i64, gap: f64| {
        let stops = StreamRecord { end: at(end), delta_ms_max: Some(gap), ..stream(CalleeToCaller, 5100, 500) };
        vec![StreamRecord { end: at(65_000), ..stream(CallerToCallee, 5100, 3000) }, stops]
    };
    assert_eq!(judged_with(None, call(60), streams(35_000, 40.0)), Some((CalleeToCaller, 30_000.0)));
    assert_eq!(judged_with(None, call(60), streams(60_000, 40.0)), None, "five seconds may be a pause");
    assert_eq!(judged_with(None, call(60), streams(35_000, 20_000.0)), None, "its pauses are as long as that");
    assert_eq!(judged_with(Some((36, 60)), call(60), streams(35_000, 40.0)), None, "held in the meantime");
    let mut video = streams(35_000, 40.0);
    let moving = StreamRecord { codec: Some("H264".to_owned()), end: at(65_000), ..stream(CalleeToCaller, 5100, 900) };
    video.push(moving);
    assert_eq!(judged_with(None, call(60), video), Some((CalleeToCaller, 30_000.0)), "pictures are no sound");
}

#[test]
fn a_phone_that_goes_on_sending_after_the_bye_makes_no_call_one_way() {
    let streams = |end: i64| {
        vec![
            StreamRecord { end: at(end), ..stream(CallerToCallee, 5100, 3000) },
            StreamRecord { end: at(64_990), ..stream(CalleeToCaller, 5100, 3000) },
        ]
    };
    assert_eq!(judged_with(None, call(60), streams(90_000)), None);
    assert_eq!(
        judged_with(None, CallRecord { end: None, ..call(60) }, streams(90_000)).map(|one| one.0),
        Some(CalleeToCaller)
    );
    let alone = vec![StreamRecord { end: at(30_000), ..stream(CallerToCallee, 5100, 1000) }];
    assert_eq!(judged_with(None, call(2), alone), None, "two seconds");
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
    let mut one_side = call(10);
    one_side.details.sides_seen = SidesSeen::Caller;
    assert_eq!(judged(one_side, vec![caller()]).0, None, "a mirror of one direction");
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
    fill(&mut call, &mut streams, Some(&session), &[]);
    for stream in &streams {
        assert_eq!((stream.round_trip_ms, stream.round_trip_ms_max), (Some(80.0), Some(80.0)));
    }
    let rtcp = streams[0].rtcp.as_ref().unwrap();
    assert_eq!((rtcp.round_trip_receiver_ms, rtcp.sent_packets), (Some(60.0), Some(300)));
    assert_eq!((rtcp.lost, rtcp.fraction_lost_max, rtcp.jitter_ms_max), (Some(12), Some(0.25), Some(20.0)));
}

/// Of a direction with silence descriptors: codec, packets, those with sound, and when it ended.
fn pausing(codec: &str, packets: u64, sound: u64, end: i64) -> StreamRecord {
    StreamRecord {
        codec: Some(codec.to_owned()),
        packets,
        silence_packets: packets - sound,
        silent_at_end: true,
        end: at(end),
        delta_ms_max: Some(400.0),
        ..stream(CalleeToCaller, 5100, sound)
    }
}

#[test]
fn who_listens_and_says_so_with_silence_descriptors_makes_no_call_one_way() {
    let with = |other: StreamRecord| {
        let caller = StreamRecord { end: at(65_000), ..stream(CallerToCallee, 5100, 3000) };
        judged_with(None, call(60), vec![caller, other]).map(|one| one.0)
    };
    assert_eq!(with(pausing("G729", 520, 500, 20_000)), None, "a pause after speech that needs no other descriptor");
    assert_eq!(with(pausing("G729", 3, 0, 9000)), None, "nothing but descriptors");
    assert_eq!(with(pausing("PCMU", 1, 0, 5100)), None, "comfort noise is announced once");
    assert_eq!(with(pausing("AMR", 350, 0, 64_900)), None, "descriptors to the end");
    assert_eq!(with(pausing("AMR", 520, 500, 20_000)), Some(CalleeToCaller), "descriptors that ceased");
    assert_eq!(with(StreamRecord { silent_at_end: false, ..pausing("G729", 520, 500, 20_000) }), Some(CalleeToCaller));
    assert_eq!(with(pausing("PCMU", 2990, 0, 64_900)), Some(CalleeToCaller), "noise for each packet of speech");
}

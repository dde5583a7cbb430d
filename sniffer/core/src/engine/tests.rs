use std::time::Duration;

use super::*;
use crate::{
    drops::Reason,
    limits,
    record::{CallState, Direction, RegistrationState},
};

/// A scene of two phones: messages and packets in raw IP frames, one every `step`.
struct Scene {
    engine: Engine,
    now_ms: i64,
}

const ALICE: (u8, u16) = (1, 4000);
const BOB: (u8, u16) = (2, 5000);

impl Scene {
    fn new() -> Self {
        Self { engine: Engine::new(Settings::default()), now_ms: 1_000_000 }
    }

    fn datagram(&mut self, source: (u8, u16), destination: (u8, u16), payload: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(payload.len() + 28).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source.0, 192, 0, 2, destination.0]);
        packet.extend(source.1.to_be_bytes());
        packet.extend(destination.1.to_be_bytes());
        packet.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        let time = Timestamp::from_nanos(self.now_ms * 1_000_000);
        self.engine.frame(LinkType::RawIp, FrameMeta { time, vlan: None }, &packet);
    }

    /// `first` is a request line without its version, or a status line's rest.
    fn sip(&mut self, from_caller: bool, first: &str, cseq: &str, to_tag: &str, body: &str) {
        self.now_ms += 10;
        let start = match first.as_bytes()[0] {
            b'1'..=b'6' => format!("SIP/2.0 {first}"),
            _ => format!("{first} SIP/2.0"),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{start}\r\nCall-ID: c1\r\nFrom: <sip:alice@x>;tag=a\r\nTo: <sip:bob@x>{to_tag}\r\nCSeq: {cseq}\r\n{kind}\r\n{body}"
        );
        let (source, destination) = if from_caller { ((1, 5060), (2, 5060)) } else { ((2, 5060), (1, 5060)) };
        self.datagram(source, destination, text.as_bytes());
    }

    fn invite(&mut self, cseq: u32) {
        self.sip(true, "INVITE sip:bob@x", &format!("{cseq} INVITE"), "", &sdp(ALICE, 0));
    }

    fn answer(&mut self, status: &str, cseq: u32) {
        let body = if status.starts_with('2') { sdp(BOB, 0) } else { String::new() };
        self.sip(false, status, &format!("{cseq} INVITE"), ";tag=b", &body);
    }

    fn rtp(&mut self, source: (u8, u16), destination: (u8, u16), ssrc: u32, count: u16) {
        for n in 0..count {
            self.now_ms += 20;
            let mut packet = vec![0x80, 0];
            packet.extend(n.to_be_bytes());
            packet.extend((u32::from(n) * 160).to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.extend([0xff; 160]);
            self.datagram(source, destination, &packet);
        }
    }

    fn end(&mut self) -> (Vec<EndedCall>, Vec<StreamRecord>) {
        self.engine.finish();
        let (mut calls, mut streams) = (Vec::new(), Vec::new());
        while let Some(event) = self.engine.next_event() {
            match event {
                Event::Call(call) => calls.push(*call),
                Event::Stream { record, .. } => streams.push(*record),
                Event::Registration(_) | Event::Subscription(_) | Event::Exchange(_) | Event::Adopted { .. } => {}
            }
        }
        let counters = self.engine.counters();
        assert_eq!(counters.waiting, 0);
        assert_eq!(counters.received, counters.delivered + counters.dropped.total());
        (calls, streams)
    }
}

fn sdp(endpoint: (u8, u16), payload_type: u8) -> String {
    format!("v=0\r\nc=IN IP4 192.0.2.{}\r\nm=audio {} RTP/AVP {payload_type}\r\n", endpoint.0, endpoint.1)
}

fn only(calls: &[EndedCall]) -> &EndedCall {
    assert_eq!(calls.len(), 1);
    &calls[0]
}

#[test]
fn a_call_with_media_both_ways_is_one_record_with_two_streams() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("180 Ringing", 1);
    scene.answer("200 OK", 1);
    scene.sip(true, "ACK sip:bob@x", "1 ACK", ";tag=b", "");
    scene.rtp(ALICE, BOB, 11, 100);
    scene.rtp(BOB, ALICE, 22, 60);
    scene.sip(true, "BYE sip:bob@x", "2 BYE", ";tag=b", "");
    scene.sip(false, "200 OK", "2 BYE", ";tag=b", "");
    let (calls, streams) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.state, call.record.final_status), (CallState::Completed, Some(200)));
    assert_eq!(call.record.answered.unwrap().to_string(), "1970-01-01T00:16:40.030000Z");
    assert!(call.record.end > call.record.answered && !call.record.lost_here);
    assert_eq!((call.record.streams, call.streams.len(), streams.len()), (2, 2, 0));
    let there = call.summary.caller_to_callee.as_ref().unwrap();
    assert_eq!((there.packets, there.lost, there.codec.as_deref(), there.mos), (100, 0, Some("PCMU"), Some(4.409)));
    assert_eq!(call.summary.callee_to_caller.as_ref().unwrap().packets, 60);
    assert_eq!(call.streams[1].direction, Some(Direction::CalleeToCaller));
    assert_eq!(call.streams[1].call_id.as_deref(), Some("c1"));
}

#[test]
fn an_authentication_round_is_the_same_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.sip(true, "ACK sip:bob@x", "1 ACK", ";tag=p", "");
    scene.invite(2);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.answer("200 OK", 2);
    let (calls, _) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.state, call.record.final_status), (CallState::InCall, Some(200)));
    assert_eq!(call.record.end, None);
}

#[test]
fn final_answers_give_the_state_and_the_first_end_stays() {
    for (status, state) in [
        ("486 Busy Here", CallState::Busy),
        ("600 Busy Everywhere", CallState::Busy),
        ("480 Temporarily Unavailable", CallState::NoAnswer),
        ("408 Request Timeout", CallState::NoAnswer),
        ("302 Moved", CallState::Redirected),
        ("603 Decline", CallState::Declined),
        ("503 Unavailable", CallState::Failed),
        ("401 Unauthorized", CallState::Failed),
        ("487 Terminated", CallState::Cancelled),
    ] {
        let mut scene = Scene::new();
        scene.invite(1);
        scene.answer(status, 1);
        let first_end = scene.now_ms;
        scene.answer(status, 1);
        let (calls, _) = scene.end();
        let record = &only(&calls).record;
        assert_eq!(record.state, state, "{status}");
        assert_eq!(record.end.unwrap().as_nanos(), first_end * 1_000_000);
        assert_eq!(record.final_status, status[..3].parse().ok());
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_wins_and_a_487_does_not() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.sip(true, "CANCEL sip:bob@x", "1 CANCEL", "", "");
    scene.sip(false, "200 OK", "1 CANCEL", ";tag=b", "");
    scene.answer("487 Request Terminated", 1);
    assert_eq!(only(&scene.end().0).record.state, CallState::Cancelled);

    let mut scene = Scene::new();
    scene.invite(1);
    scene.sip(true, "CANCEL sip:bob@x", "1 CANCEL", "", "");
    scene.answer("200 OK", 1);
    let (calls, _) = scene.end();
    assert_eq!((only(&calls).record.state, only(&calls).record.end), (CallState::InCall, None));
}

#[test]
fn credentials_that_took_a_minute_to_type_are_the_same_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.now_ms += 60_000;
    scene.invite(2);
    scene.answer("403 Forbidden", 2);
    assert_eq!(only(&scene.end().0).record.final_status, Some(403));
}

#[test]
fn a_re_invite_and_its_refusal_change_nothing_of_the_answer() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("200 OK", 1);
    scene.sip(true, "INVITE sip:bob@x", "2 INVITE", ";tag=b", &sdp((1, 4100), 0));
    scene.answer("488 Not Acceptable Here", 2);
    scene.rtp(BOB, (1, 4100), 5, 3);
    let (calls, _) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.state, call.record.final_status, call.record.streams), (CallState::InCall, Some(200), 1));
}

#[test]
fn rtp_that_overtakes_its_sdp_is_adopted_whole() {
    let mut scene = Scene::new();
    scene.rtp(BOB, ALICE, 22, 100);
    assert_eq!(scene.engine.counters().waiting, 100);
    scene.invite(1);
    scene.answer("200 OK", 1);
    scene.rtp(BOB, ALICE, 22, 100);
    let (calls, _) = scene.end();
    // The second hundred repeats the numbers of the first: copies, which is what proves that both are one stream.
    assert_eq!((only(&calls).streams[0].packets, only(&calls).streams[0].duplicates), (200, 100));
}

#[test]
fn rtp_that_nobody_announces_is_counted_as_dropped_after_its_wait() {
    let mut scene = Scene::new();
    scene.rtp(BOB, ALICE, 22, 100);
    scene.now_ms += 6000;
    let now = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.engine.advance(now);
    assert_eq!(scene.engine.counters().waiting, 0);
    assert_eq!(scene.engine.counters().dropped.get(Reason::NoSignalling), 100);
    scene.invite(1);
    let (calls, streams) = scene.end();
    assert_eq!((only(&calls).record.streams, streams.len()), (0, 0));
}

#[test]
fn rtp_without_signalling_is_a_stream_of_its_own_only_when_asked_for() {
    let mut scene = Scene::new();
    scene.engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
    scene.rtp(BOB, ALICE, 22, 100);
    scene.rtp(BOB, ALICE, 33, 3);
    let (calls, streams) = scene.end();
    assert_eq!((calls.len(), streams.len()), (0, 1));
    assert_eq!((streams[0].ssrc, streams[0].packets, streams[0].call_id.as_deref()), (22, 100, None));
    assert_eq!(scene.engine.counters().dropped.get(Reason::NoSignalling), 3);
}

#[test]
fn rtp_from_an_announced_endpoint_to_another_place_belongs_to_the_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.rtp(ALICE, (9, 9000), 11, 10);
    let (calls, _) = scene.end();
    assert_eq!(only(&calls).streams[0].direction, Some(Direction::CallerToCallee));
}

#[test]
fn the_next_call_on_the_same_addresses_has_streams_of_its_own() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.invite(1);
        scene.answer("200 OK", 1);
        scene.rtp(ALICE, BOB, 11, 50);
        scene.sip(true, "BYE sip:bob@x", "2 BYE", ";tag=b", "");
    }
    let (calls, _) = scene.end();
    let packets: Vec<_> = calls.iter().map(|call| call.streams[0].packets).collect();
    assert_eq!(packets, [50, 50, 50]);
    assert!(calls.iter().all(|call| call.streams.len() == 1 && call.streams[0].duplicates == 0));
}

#[test]
fn a_silent_call_times_out_by_the_packets_time_and_media_keeps_it_alive() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("200 OK", 1);
    for _ in 0..20 {
        scene.now_ms += 60_000;
        scene.rtp(ALICE, BOB, 11, 1);
    }
    assert!(scene.engine.next_event().is_none(), "twenty minutes of media");
    let last = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.engine.advance(last.after(limits::CALL_IDLE));
    let Some(Event::Call(call)) = scene.engine.next_event() else { panic!("the call is over") };
    assert_eq!((call.record.state, call.record.end), (CallState::TimedOut, Some(last)));
    assert_eq!(scene.engine.worker.media_sizes(), media::MediaSizes::default());
    assert_eq!(scene.engine.owner.signalling_sizes(), (0, 0, 0, 0));
}

#[test]
fn an_ended_call_is_reported_after_its_retransmissions() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("486 Busy Here", 1);
    let end = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.engine.advance(end.after(limits::CALL_LINGER));
    assert!(matches!(scene.engine.next_event(), Some(Event::Call(_))));
}

#[test]
fn packets_lost_by_the_capture_mark_the_calls_of_that_time_also_those_that_ended_meanwhile() {
    let mut scene = Scene::new();
    let time = |scene: &Scene| Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.invite(1);
    scene.answer("486 Busy Here", 1);
    scene.now_ms += 5000;
    scene.engine.lost(time(&scene).before(Duration::from_secs(1)), time(&scene), 3);
    scene.now_ms += 1000;
    let (calls, _) = scene.end();
    assert_eq!((only(&calls).record.lost_here, only(&calls).record.lost_here_packets), (false, 0), "it was over");

    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("200 OK", 1);
    let before = time(&scene);
    scene.rtp(ALICE, BOB, 11, 100);
    scene.sip(true, "BYE sip:bob@x", "2 BYE", ";tag=b", "");
    scene.now_ms += 10_000;
    scene.engine.lost(before, time(&scene), 3);
    scene.engine.lost(before, time(&scene), 4);
    let (calls, _) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.lost_here, call.record.lost_here_packets, call.summary.lost_here), (true, 7, true));
    assert!(call.streams[0].lost_here && call.streams[0].mos.is_some());
    assert_eq!(scene.engine.counters().lost_by_capture, 7);
}

#[test]
fn a_packet_that_a_sink_lost_marks_its_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    let serial = scene.engine.tracked().next().unwrap().serial;
    scene.engine.lost_of(serial, 1);
    assert!(only(&scene.end().0).record.lost_here);
}

#[test]
fn a_frame_says_whose_it_was_and_where_its_media_begins() {
    let mut scene = Scene::new();
    let time = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.rtp(BOB, ALICE, 22, 1);
    scene.invite(1);
    let Some(Event::Adopted { stream, call }) = scene.engine.next_event() else { panic!("it is adopted") };
    let mut packet = vec![0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1];
    packet.extend([BOB.1.to_be_bytes(), ALICE.1.to_be_bytes()].concat());
    packet.extend([0, 30, 0, 0, 0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 22, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let meta = FrameMeta { time, vlan: None };
    let used = scene.engine.frame(LinkType::RawIp, meta, &packet);
    assert_eq!(
        used,
        FrameUse { kind: FrameKind::Rtp, owner: Some(call), stream: Some(stream), keep: 40, is_held: false }
    );
    let used = scene.engine.frame(LinkType::RawIp, meta, &[0x45]);
    assert_eq!(used, FrameUse { keep: 1, ..FrameUse::default() });
}

#[test]
fn a_flood_of_ssrcs_to_an_announced_port_is_bounded_and_marks_the_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    for ssrc in 0..500 {
        scene.rtp(BOB, ALICE, ssrc, 1);
    }
    assert_eq!(scene.engine.worker.media_sizes().streams, limits::STREAMS_PER_CALL);
    let (calls, _) = scene.end();
    assert!(only(&calls).record.lost_here);
    assert_eq!(
        scene.engine.counters().dropped.get(Reason::TooManyStreams),
        500 - u64::try_from(limits::STREAMS_PER_CALL).unwrap()
    );
}

#[test]
fn a_flood_of_unannounced_rtp_is_bounded() {
    let mut scene = Scene::new();
    let extra = 100;
    for ssrc in 0..u32::try_from(limits::PENDING_STREAMS).unwrap() + extra {
        scene.rtp(BOB, ALICE, ssrc, 1);
        scene.now_ms -= 20;
    }
    assert_eq!(scene.engine.worker.media_sizes().streams, limits::PENDING_STREAMS);
    assert_eq!(scene.engine.counters().dropped.get(Reason::PendingFull), u64::from(extra));
    scene.end();
    assert_eq!(scene.engine.worker.media_sizes(), media::MediaSizes::default());
}

#[test]
fn a_flood_of_challenged_invites_does_not_pile_up_timers() {
    let mut scene = Scene::new();
    for cseq in 1..2000 {
        scene.invite(cseq);
        scene.answer("401 Unauthorized", cseq);
    }
    let timers = scene.engine.owner.signalling_sizes().3;
    assert!(timers < 10, "{timers} timers");
    assert_eq!(scene.engine.counters().calls, 1);
}

#[test]
fn a_registration_is_followed_from_challenge_to_removal() {
    let mut scene = Scene::new();
    let register = |scene: &mut Scene, cseq: u32, expires: u32, status: &str| {
        scene.sip(
            true,
            "REGISTER sip:x",
            &format!("{cseq} REGISTER\r\nContact: <sip:alice@192.0.2.1>;expires={expires}"),
            "",
            "",
        );
        scene.sip(false, status, &format!("{cseq} REGISTER"), ";tag=r", "");
    };
    register(&mut scene, 1, 60, "401 Unauthorized");
    assert_eq!(scene.engine.tracked_registrations()[0].state, RegistrationState::Challenged);
    register(&mut scene, 2, 60, "200 OK");
    register(&mut scene, 2, 60, "200 OK");
    let record = &scene.engine.tracked_registrations()[0];
    assert_eq!((record.state, record.requests, record.aor.as_str()), (RegistrationState::Registered, 2, "sip:bob@x"));
    assert_eq!(record.contact.as_deref(), Some("sip:alice@192.0.2.1"));
    register(&mut scene, 3, 0, "200 OK");
    register(&mut scene, 3, 0, "200 OK");
    assert_eq!(scene.engine.tracked_registrations()[0].state, RegistrationState::Unregistered);
    assert_eq!((scene.engine.counters().registrations, scene.engine.counters().calls), (1, 0));
}

/// A call whose sides announce places that are not those their media shows on the wire.
fn call_with(scene: &mut Scene, caller: &str, callee: &str) {
    let sdp = |media: &str| format!("v=0\r\nc=IN IP4 10.0.0.1\r\n{media}\r\n");
    scene.sip(true, "INVITE sip:bob@x", "1 INVITE", "", &sdp(caller));
    scene.sip(false, "200 OK", "1 INVITE", ";tag=b", &sdp(callee));
}

#[test]
fn media_behind_a_nat_is_learnt_from_the_first_packet_to_an_announced_port() {
    let mut scene = Scene::new();
    // The caller announces an address of its own network; the callee 192.0.2.2:5000, and answers from another port.
    call_with(&mut scene, "m=audio 4000 RTP/AVP 0", "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 192.0.2.2");
    scene.rtp((77, 61_000), BOB, 11, 50);
    scene.rtp((2, 5002), (77, 61_000), 22, 50);
    // The place teaches nothing of where else it sends.
    scene.rtp((77, 61_000), (9, 9000), 33, 5);
    let (calls, _) = scene.end();
    let streams: Vec<_> = only(&calls).streams.iter().map(|one| (one.ssrc, one.packets, one.direction)).collect();
    assert_eq!(streams, [(11, 50, Some(Direction::CallerToCallee)), (22, 50, Some(Direction::CalleeToCaller))]);
    assert_eq!(scene.engine.counters().dropped.get(Reason::NoSignalling), 5);
}

#[test]
fn media_at_the_other_address_of_a_host_belongs_to_the_call_when_it_is_set() {
    for (aliases, expected) in [(vec![("10.0.0.1", "192.0.2.2")], 1), (vec![("192.0.2.2", "10.0.0.1")], 1), (vec![], 0)]
    {
        let nat_aliases = aliases.iter().map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect();
        let mut scene = Scene::new();
        scene.engine = Engine::new(Settings { nat_aliases, ..Settings::default() });
        scene.rtp((9, 9000), BOB, 11, 10);
        call_with(&mut scene, "m=audio 5000 RTP/AVP 0", "m=audio 0 RTP/AVP 0");
        scene.rtp((9, 9000), BOB, 11, 10);
        assert_eq!(only(&scene.end().0).streams.len(), expected);
    }
}

#[test]
fn media_at_an_ice_candidate_belongs_to_the_call_from_and_to_it() {
    let mut scene = Scene::new();
    let ice = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=candidate:1 1 UDP 2130706431 192.0.2.2 5000 typ host\r\na=rtcp-mux";
    call_with(&mut scene, ice, "m=audio 0 RTP/AVP 0");
    scene.rtp((9, 9000), BOB, 11, 10);
    scene.rtp(BOB, (9, 9100), 22, 10);
    let (calls, _) = scene.end();
    let directions: Vec<_> = only(&calls).streams.iter().map(|one| one.direction).collect();
    assert_eq!(directions, [Some(Direction::CalleeToCaller), Some(Direction::CallerToCallee)]);
    assert_eq!(scene.engine.worker.media_sizes(), media::MediaSizes::default());
}

#[test]
fn a_call_that_never_falls_silent_is_ended_at_its_greatest_age() {
    let mut scene = Scene::new();
    let mut settings = Settings::default();
    settings.timeouts.call_longest = Duration::from_secs(3600);
    scene.engine = Engine::new(settings);
    scene.invite(1);
    scene.answer("200 OK", 1);
    for _ in 0..80 {
        scene.now_ms += 60_000;
        scene.rtp(ALICE, BOB, 11, 1);
    }
    let Some(Event::Call(call)) = scene.engine.next_event() else { panic!("it is over") };
    assert_eq!(call.record.state, CallState::TimedOut);
}

#[test]
fn fax_is_counted_where_it_was_announced_and_nowhere_else() {
    let mut scene = Scene::new();
    let fax = |port: u16| format!("v=0\r\nc=IN IP4 192.0.2.1\r\nm=image {port} udptl t38\r\n");
    scene.invite(1);
    scene.answer("200 OK", 1);
    scene.rtp(BOB, ALICE, 7, 5);
    // One packet before the SDP that announces it, and three after; the second begins like RTP.
    let packet = [0, 7, 1, 0x06, 0, 0];
    scene.datagram(BOB, ALICE, &packet);
    scene.sip(true, "INVITE sip:bob@x", "2 INVITE", ";tag=b", &fax(ALICE.1));
    scene.datagram(BOB, ALICE, &packet);
    scene.datagram(BOB, ALICE, &[&[0x80, 1, 9][..], &[6; 9], &[0, 0]].concat());
    scene.datagram(ALICE, BOB, &packet);
    scene.datagram((9, 4000), (9, 4000), &packet);
    let counters = scene.engine.counters();
    assert_eq!((counters.fax_packets, counters.rtp_packets), (3, 5));
    assert_eq!(counters.dropped.get(Reason::NotVoip), 2);
    let (calls, _) = scene.end();
    assert_eq!((calls.len(), calls[0].streams.len()), (1, 1));
}

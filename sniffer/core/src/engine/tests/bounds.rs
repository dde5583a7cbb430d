//! What was lost here, and what floods may not do.

use super::*;

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
        FrameUse {
            kind: FrameKind::Rtp,
            owner: Some(call),
            other: None,
            stream: Some(stream),
            keep: 40,
            place: 0,
            rtp_at: Some(28),
            is_held: false
        }
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
        // Each between other ends.
        let port = |base: u16| base + u16::try_from(ssrc).unwrap();
        scene.rtp((2, port(5000)), (1, port(20_000)), ssrc, 1);
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

/// A scene with room for so few calls, and a call's messages.
fn crowded(calls: usize) -> Scene {
    let mut settings = Settings::default();
    settings.tables.calls = calls;
    Scene { engine: Engine::new(settings), ..Scene::new() }
}

impl Scene {
    fn of_call(&mut self, call: usize, first: &str, cseq: &str, tag: &str, body: &str) {
        self.now_ms += 10;
        let start = if first.starts_with('2') { format!("SIP/2.0 {first}") } else { format!("{first} SIP/2.0") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{start}\r\nCall-ID: {call}\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>{tag}\r\nCSeq: {cseq}\r\n{kind}\r\n{body}"
        );
        let ends = if first.starts_with('2') { [(2, 5060), (1, 5060)] } else { [(1, 5060), (2, 5060)] };
        self.datagram(ends[0], ends[1], text.as_bytes());
    }

    fn talk(&mut self, call: usize) {
        self.of_call(call, "INVITE sip:b@x", "1 INVITE", "", "");
        self.of_call(call, "200 OK", "1 INVITE", ";tag=b", "");
        self.of_call(call, "ACK sip:b@x", "1 ACK", ";tag=b", "");
    }
}

#[test]
fn a_flood_of_invites_pushes_out_its_own_calls_and_not_those_that_talk() {
    let mut scene = crowded(20);
    for call in 0..10 {
        scene.talk(call);
    }
    for call in 1000..1500 {
        scene.of_call(call, "INVITE sip:b@x", "1 INVITE", "", "");
    }
    for call in 0..10 {
        scene.of_call(call, "BYE sip:b@x", "2 BYE", ";tag=b", "");
    }
    assert_eq!(scene.engine.counters().evicted.calls, 490);
    // A call that has ended goes before the others.
    scene.of_call(2000, "INVITE sip:b@x", "1 INVITE", "", "");
    let (calls, _) = scene.end();
    let talked: Vec<_> = calls.iter().filter(|call| call.record.answered.is_some()).collect();
    assert_eq!(talked.len(), 10);
    assert!(talked.iter().all(|call| call.record.state == CallState::Completed && !call.record.lost_here));
    let evicted = calls.iter().filter(|call| call.record.details.timeout == Some(Timeout::Evicted));
    assert_eq!(evicted.count(), 490);
    assert_eq!(calls.iter().filter(|call| call.record.state == CallState::Trying).count(), 11);
}

#[test]
fn a_call_that_was_pushed_out_says_so_and_has_an_end() {
    let mut scene = crowded(1);
    scene.invite(1);
    scene.answer("200 OK", 1);
    scene.rtp(ALICE, BOB, 11, 120);
    scene.talk(7);
    let Some(Event::Call(call)) = std::iter::from_fn(|| scene.engine.next_event()).last() else { panic!("it is told") };
    let record = &call.record;
    assert_eq!((record.state, record.details.timeout), (CallState::Interrupted, Some(Timeout::Evicted)));
    assert!(record.lost_here && call.summary.lost_here);
    assert_eq!(record.end, Some(call.streams[0].end), "its last packet");
    assert_eq!(record.details.duration_ms, Some(2400.0));
    assert_eq!((call.summary.state, call.summary.end), (CallState::Interrupted, record.end));
}

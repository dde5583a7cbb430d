//! Whose media is.

use super::*;

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

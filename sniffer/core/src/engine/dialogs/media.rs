//! Whose media it is where two calls have to do with it, and what tells that a call lives.

use super::{Scene, Settings};
use crate::record::{CallState, Direction, StreamRecord};

const PHONES: [(u8, u16); 2] = [(1, 4000), (2, 5000)];
const RTP: u8 = 0;

fn sdp(place: (u8, u16), media: &str) -> String {
    format!("v=0\r\nc=IN IP4 192.0.2.{}\r\nm={}\r\n", place.0, media.replace("PORT", &place.1.to_string()))
}

fn audio(place: (u8, u16)) -> String {
    sdp(place, "audio PORT RTP/AVP 0")
}

impl Scene {
    /// Packets of a stream, 20 ms apart, of so many seconds.
    pub(super) fn speech(&mut self, ends: [(u8, u16); 2], ssrc: u8, first: u16, seconds: u16) {
        for n in first..first + seconds * 50 {
            self.now_ms += 20;
            let [high, low] = n.to_be_bytes();
            let packet = [&[0x80, RTP, high, low, 0, 0, high, low, 0, 0, 0, ssrc][..], &[0x55; 160]].concat();
            self.frame(ends, &packet);
        }
    }

    /// A sender report of one source.
    fn sender_report(&mut self, ends: [(u8, u16); 2], ssrc: u8) {
        let mut packet = vec![0x80, 200, 0, 6, 0, 0, 0, ssrc];
        packet.extend([0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 160]);
        self.now_ms += 10;
        self.frame(ends, &packet);
    }
}

fn turned([source, destination]: [(u8, u16); 2]) -> [(u8, u16); 2] {
    [destination, source]
}

#[test]
fn media_past_a_back_to_back_user_agent_is_one_leg_s_in_both_directions() {
    let mut scene = Scene::new();
    let legs = [("a", [(1, 5060), (9, 5060)]), ("b", [(9, 5060), (2, 5060)])];
    for (name, ends) in legs {
        scene.leg(name, ends, "sip:100@a.example", "sip:200@b.example");
        scene.tell("> INVITE 1 x -", "", &audio(PHONES[0]));
    }
    for (name, ends) in [legs[1], legs[0]] {
        scene.leg(name, ends, "sip:100@a.example", "sip:200@b.example");
        scene.tell("< 200 1 INVITE x y", "", &audio(PHONES[1]));
        scene.say("> ACK 1 x y");
    }
    scene.speech(PHONES, 1, 0, 8);
    scene.speech(turned(PHONES), 2, 0, 8);
    // The second leg has the port that one of them goes to, and the first the other's.
    scene.sender_report([(1, 4001), (2, 5001)], 1);
    scene.sender_report([(2, 5001), (1, 4001)], 2);
    for (name, ends) in legs {
        scene.leg(name, ends, "sip:100@a.example", "sip:200@b.example");
        scene.say("> BYE 2 x y");
    }
    let (calls, streams) = scene.end_with_streams();
    let figures: Vec<_> = calls.iter().map(|call| (call.call_id.as_str(), call.streams, call.one_way_audio)).collect();
    assert_eq!(figures, [("a", 0, None), ("b", 2, None)]);
    let directions: Vec<_> = streams.iter().map(|stream| stream.direction.unwrap()).collect();
    assert_eq!(directions, [Direction::CallerToCallee, Direction::CalleeToCaller]);
    let reports = streams.iter().map(|stream| stream.rtcp.as_ref().map(|rtcp| rtcp.sender_reports));
    assert_eq!(reports.collect::<Vec<_>>(), [Some(1), Some(1)]);
}

#[test]
fn a_port_that_a_dead_call_still_has_serves_the_next_call() {
    let mut scene = Scene::new();
    for (name, gateway) in [("old", (2, 5000)), ("new", (2, 6000))] {
        scene.leg(name, [(1, 5060), (2, 5060)], "sip:100@a.example", "sip:200@b.example");
        scene.tell("> INVITE 1 x -", "", &audio(PHONES[0]));
        scene.tell("< 200 1 INVITE x y", "", &audio(gateway));
        scene.say("> ACK 1 x y");
        scene.speech([(1, 4000), gateway], if name == "old" { 1 } else { 3 }, 0, 6);
        scene.speech([gateway, (1, 4000)], if name == "old" { 2 } else { 4 }, 0, 6);
    }
    scene.say("> BYE 2 x y");
    let (mut calls, _) = scene.end_with_streams();
    calls.sort_by_key(|call| call.start);
    let figures: Vec<_> = calls.iter().map(|call| (call.call_id.as_str(), call.streams, call.one_way_audio)).collect();
    assert_eq!(figures, [("old", 2, None), ("new", 2, None)]);
}

#[test]
fn rtcp_between_two_calls_is_told_to_the_call_whose_stream_it_is_about() {
    let mut scene = Scene::new();
    // A relay at .9 has a leg with each phone.
    for (name, ends, offer, answer) in
        [("a", [(1, 5060), (9, 5060)], (1, 4000), (9, 7000)), ("b", [(9, 5060), (2, 5060)], (9, 8000), (2, 5000))]
    {
        scene.leg(name, ends, "sip:100@a.example", "sip:200@b.example");
        scene.tell("> INVITE 1 x -", "", &audio(offer));
        scene.tell("< 200 1 INVITE x y", "", &audio(answer));
        scene.say("> ACK 1 x y");
    }
    scene.speech([(9, 8000), (2, 5000)], 5, 0, 2);
    scene.sender_report([(9, 8001), (2, 5001)], 5);
    // Of this stream leg b knows one end and leg a the other: it is b's, to which it goes.
    scene.speech([(9, 7000), (2, 5000)], 6, 0, 2);
    scene.sender_report([(9, 7001), (2, 5001)], 6);
    // Of nobody's stream, between places that nobody announced.
    scene.sender_report([(7, 1000), (8, 1000)], 9);
    let summary = scene.engine.summary();
    assert_eq!((summary.rtcp_packets, summary.dropped["track"]["no_signalling"]), (2, 1));
    let (_, streams) = scene.end_with_streams();
    let reports = |ssrc| {
        streams.iter().find(|one: &&StreamRecord| one.ssrc == ssrc).unwrap().rtcp.as_ref().map(|one| one.sender_reports)
    };
    assert_eq!((reports(5), reports(6)), (Some(1), Some(1)));
}

#[test]
fn what_rtcp_says_of_a_stream_before_its_sdp_comes_is_the_call_s() {
    let mut scene = Scene::new();
    scene.speech(PHONES, 1, 0, 1);
    scene.sender_report([(1, 4001), (2, 5001)], 1);
    scene.tell("> INVITE 7 a b", "", &audio(PHONES[0]));
    scene.tell("< 200 7 INVITE a b", "", &audio(PHONES[1]));
    scene.now_ms += 1000;
    scene.sender_report([(1, 4001), (2, 5001)], 1);
    let (_, streams) = scene.end_with_streams();
    assert_eq!(streams.iter().map(|one| one.rtcp.as_ref().unwrap().sender_reports).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_stream_that_was_taken_for_one_without_a_call_is_adopted_when_its_sdp_comes() {
    let mut scene = Scene::with(Settings { rtp_without_sip: true, ..Settings::default() });
    scene.speech(PHONES, 1, 0, 10);
    scene.tell("> INVITE 7 a b", "", &audio(PHONES[0]));
    scene.tell("< 200 7 INVITE a b", "", &audio(PHONES[1]));
    scene.speech(PHONES, 1, 500, 10);
    scene.say("> BYE 8 a b");
    let summary = scene.engine.summary();
    assert_eq!((summary.packets, summary.delivered, summary.streams, summary.rtp_packets), (1003, 1003, 1, 1000));
    let (calls, streams) = scene.end_with_streams();
    assert_eq!((calls[0].streams, streams.len()), (1, 1));
    assert_eq!((streams[0].packets, streams[0].call_id.as_deref()), (1000, Some("c1")));
}

#[test]
fn fax_and_rtcp_keep_a_call_alive() {
    for is_fax in [true, false] {
        let mut scene = Scene::new();
        scene.tell("> INVITE 1 a -", "", &audio(PHONES[0]));
        scene.tell("< 200 1 INVITE a b", "", &audio(PHONES[1]));
        scene.say("> ACK 1 a b");
        scene.speech(PHONES, 1, 0, 2);
        if is_fax {
            scene.tell("> INVITE 2 a b", "", &sdp(PHONES[0], "image PORT udptl t38"));
            scene.tell("< 200 2 INVITE a b", "", &sdp(PHONES[1], "image PORT udptl t38"));
        }
        for _ in 0..15 * 60 {
            scene.wait(1);
            if is_fax {
                scene.frame(PHONES, &[0, 7, 1, 0x06, 0, 0]);
            } else {
                scene.sender_report([(1, 4001), (2, 5001)], 1);
            }
        }
        assert_eq!(scene.engine.calls_in_progress(), 1, "fax: {is_fax}");
        scene.say("> BYE 3 a b");
        let (calls, _) = scene.end_with_streams();
        assert_eq!((calls.len(), calls[0].state), (1, CallState::Completed));
    }
}

#[test]
fn a_call_that_has_fallen_silent_gives_both_its_ports_to_the_next() {
    for (silence, streams) in [(1, [4, 0]), (4, [2, 2])] {
        let mut scene = Scene::new();
        for (name, ssrc) in [("old", 1), ("new", 3)] {
            scene.leg(name, [(1, 5060), (2, 5060)], "sip:100@a.example", "sip:200@b.example");
            scene.tell("> INVITE 1 x -", "", &audio(PHONES[0]));
            scene.tell("< 200 1 INVITE x y", "", &audio(PHONES[1]));
            scene.say("> ACK 1 x y");
            for _ in 0..6 {
                scene.speech(PHONES, ssrc, 0, 1);
                scene.speech(turned(PHONES), ssrc + 1, 0, 1);
            }
            scene.wait(silence);
        }
        let (mut calls, _) = scene.end_with_streams();
        calls.sort_by_key(|call| call.start);
        assert_eq!(calls.iter().map(|call| call.streams).collect::<Vec<_>>(), streams, "{silence} s of silence");
    }
}

/// A telephone that sends from another port than it announces, as symmetric RTP does, calls twice within the time for
/// which the first call is still watched.
#[test]
fn a_port_that_was_learnt_of_a_call_that_has_ended_is_the_next_call_s() {
    for ssrc in [1, 3] {
        let mut scene = Scene::new();
        for (name, ssrc) in [("first", 1), ("second", ssrc)] {
            scene.leg(name, [(1, 5060), (2, 5060)], "sip:100@a.example", "sip:200@b.example");
            scene.tell("> INVITE 1 x -", "", &audio((1, 4444)));
            scene.tell("< 200 1 INVITE x y", "", &audio(PHONES[1]));
            scene.say("> ACK 1 x y");
            scene.speech(PHONES, ssrc, 0, 2);
            scene.say("> BYE 2 x y");
            scene.say("< 200 2 BYE x y");
            scene.wait(6);
        }
        let (calls, streams) = scene.end_with_streams();
        let figures: Vec<_> = calls.iter().map(|call| (call.call_id.as_str(), call.streams)).collect();
        assert_eq!(figures, [("first", 1), ("second", 1)], "{ssrc}");
        assert!(streams.iter().all(|stream| stream.packets == 100), "{ssrc}");
    }
}

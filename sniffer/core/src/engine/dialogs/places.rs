//! Where media of a call is found although no SDP names the place as packets have it.

use super::Scene;
use crate::record::{Direction, MediaKind};

const PHONES: [(u8, u16); 2] = [(1, 4000), (2, 5000)];

fn turned([source, destination]: [(u8, u16); 2]) -> [(u8, u16); 2] {
    [destination, source]
}

/// One call, with these bodies in its INVITE and its answer.
fn call(scene: &mut Scene, offer: &str, answer: &str) {
    scene.tell("> INVITE 1 x -", "", offer);
    scene.tell("< 200 1 INVITE x y", "", answer);
    scene.say("> ACK 1 x y");
}

fn audio(address: &str, port: u16) -> String {
    format!("v=0\r\nc=IN IP4 {address}\r\nm=audio {port} RTP/AVP 0\r\n")
}

/// SSRC, direction and packets of each stream of the calls.
fn streams(scene: &mut Scene) -> Vec<(u32, Option<Direction>, u64)> {
    let (_, streams) = scene.end_with_streams();
    let ours = streams.iter().filter(|stream| stream.call_id.is_some());
    ours.map(|stream| (stream.ssrc, stream.direction, stream.packets)).collect()
}

const BOTH: [(u32, Option<Direction>, u64); 2] =
    [(1, Some(Direction::CallerToCallee), 50), (2, Some(Direction::CalleeToCaller), 50)];

/// A server in a cloud announces the address by which the world knows it, and a phone at home its own; a capture beside
/// either of them shows neither.
#[test]
fn media_is_found_where_the_message_was_seen_when_a_nat_lies_before_the_announced_address() {
    for (offer, answer) in [("10.9.9.9", "172.16.0.2"), ("10.9.9.9", "192.0.2.2"), ("192.0.2.1", "100.64.7.7")] {
        let mut scene = Scene::new();
        call(&mut scene, &audio(offer, 4000), &audio(answer, 5000));
        scene.speech(PHONES, 1, 0, 1);
        scene.speech(turned(PHONES), 2, 0, 1);
        assert_eq!(streams(&mut scene), BOTH, "{offer} {answer}");
    }
    // Two public addresses are two hosts: a proxy passes on what a phone announces.
    let mut scene = Scene::new();
    call(&mut scene, &audio("203.0.113.1", 4000), &audio("203.0.113.2", 5000));
    scene.speech(PHONES, 1, 0, 1);
    assert_eq!(streams(&mut scene), []);
}

#[test]
fn media_on_its_way_to_and_from_a_turn_server_is_the_call_s() {
    let mut scene = Scene::new();
    let ice = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 9000 RTP/AVP 0\r\na=candidate:1 1 UDP 9 192.0.2.1 4000 typ host\r\n\
               a=candidate:2 1 UDP 5 192.0.2.9 9000 typ relay raddr 192.0.2.1 rport 4000\r\n";
    call(&mut scene, ice, &audio("192.0.2.2", 5000));
    let turn = [(1, 4000), (9, 3478)];
    for n in 0..50_u8 {
        scene.now_ms += 20;
        let packet = |ssrc: u8| [&[0x80, 0, 0, n, 0, 0, 0, n, 0, 0, 0, ssrc][..], &[0x55; 160]].concat();
        scene.frame(turn, &[&[0x40, 1, 0, 172][..], &packet(1)].concat());
        let head = [&[0, 0x17, 0, 176, 0x21, 0x12, 0xa4, 0x42][..], &[n; 12], &[0, 0x13, 0, 172]].concat();
        scene.frame(turned(turn), &[head, packet(2)].concat());
        // Between the relay and the other phone it is plain.
        scene.frame([(9, 9000), (2, 5000)], &packet(3));
    }
    // A channel with keys, and one with anything.
    scene.frame(turn, &[0x40, 1, 0, 4, 22, 0xfe, 0xfd, 0]);
    scene.frame(turn, &[0x40, 1, 0, 4, 1, 2, 3, 4]);
    assert_eq!(scene.engine.summary().dropped["classify"]["turn_channel"], 2);
    let relayed = (3, Some(Direction::CallerToCallee), 50);
    let mut found = streams(&mut scene);
    found.sort_unstable_by_key(|stream| stream.0);
    assert_eq!(found, [BOTH[0], BOTH[1], relayed]);
}

#[test]
fn candidates_that_follow_in_info_are_places_of_the_call() {
    let mut scene = Scene::new();
    let nowhere = "v=0\r\nc=IN IP4 0.0.0.0\r\na=ice-options:trickle\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n";
    call(&mut scene, nowhere, nowhere);
    let kind = "Content-Type: application/trickle-ice-sdpfrag\r\n";
    let more = |place: &str| {
        format!("m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 UDP 9 {place} typ host\r\na=end-of-candidates\r\n")
    };
    scene.tell("> INFO 2 x y", kind, &more("192.0.2.1 4000"));
    scene.tell("< INFO 3 y x", kind, &more("192.0.2.2 5000"));
    scene.speech(PHONES, 1, 0, 1);
    scene.speech(turned(PHONES), 2, 0, 1);
    let (calls, streams) = scene.end_with_streams();
    assert_eq!((calls.len(), calls[0].streams, streams.len()), (1, 2, 2));
    assert_eq!((calls[0].details.infos, calls[0].details.holds.len()), (2, 0), "it is no offer");
}

/// The first call's BYE is lost, and the same phones use the same ports again while it still seems to live.
#[test]
fn of_two_calls_that_announce_the_same_places_the_last_has_the_media() {
    let mut scene = Scene::new();
    scene.leg("old", [(1, 5060), (2, 5060)], "sip:100@a.example", "sip:200@b.example");
    call(&mut scene, &audio("192.0.2.1", 4000), &audio("192.0.2.2", 5000));
    for _ in 0..5 {
        scene.speech(PHONES, 1, 0, 1);
        scene.speech(turned(PHONES), 2, 0, 1);
    }
    scene.wait(1);
    scene.leg("new", [(1, 5060), (2, 5060)], "sip:100@a.example", "sip:200@b.example");
    scene.tell("> INVITE 1 v -", "", &audio("192.0.2.1", 4000));
    // It rings for a while: the old call has the caller's place, and the new one gets the callee's.
    scene.wait(8);
    scene.tell("< 200 1 INVITE v w", "", &audio("192.0.2.2", 5000));
    scene.say("> ACK 1 v w");
    scene.speech(PHONES, 3, 0, 1);
    scene.speech(turned(PHONES), 4, 0, 1);
    scene.say("> BYE 2 v w");
    let (mut calls, _) = scene.end_with_streams();
    calls.sort_by_key(|call| call.start);
    let figures: Vec<_> = calls.iter().map(|call| (call.call_id.as_str(), call.streams, call.one_way_audio)).collect();
    assert_eq!(figures, [("old", 2, None), ("new", 2, None)]);
}

#[test]
fn text_and_camera_control_are_no_speech_and_pictures_are_known_by_their_m_line() {
    let mut scene = Scene::new();
    let body = |host: u8, port: u16| {
        let [text, camera, video] = [2, 4, 6].map(|more| port + more);
        format!(
            "v=0\r\nc=IN IP4 192.0.2.{host}\r\nm=audio {port} RTP/AVP 0\r\n\
             m=text {text} RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n\
             m=application {camera} RTP/AVP 99\r\na=rtpmap:99 H224/4800\r\n\
             m=video {video} RTP/AVP 100\r\na=rtpmap:100 x-pictures/90000\r\n"
        )
    };
    call(&mut scene, &body(1, 4000), &body(2, 5000));
    // Speech comes from the caller only; all else from both.
    for n in 0..500_u16 {
        scene.now_ms += 20;
        let packet = |kind: u8, ssrc: u8| {
            let n = n.to_be_bytes();
            [&[0x80, kind, n[0], n[1], 0, 0, n[0], n[1], 0, 0, 0, ssrc][..], &[0x55; 40]].concat()
        };
        scene.frame([(1, 4000), (2, 5000)], &packet(0, 1));
        for (more, kind) in [(2, 98), (4, 99), (6, 100)] {
            scene.frame([(1, 4000 + more), (2, 5000 + more)], &packet(kind, kind));
            scene.frame([(2, 5000 + more), (1, 4000 + more)], &packet(kind, kind));
        }
    }
    scene.say("> BYE 2 x y");
    let (calls, streams) = scene.end_with_streams();
    assert_eq!(calls[0].one_way_audio, Some(Direction::CalleeToCaller));
    let kind = |ssrc: u32| streams.iter().find(|stream| stream.ssrc == ssrc).unwrap().media;
    let kinds = [1, 98, 99, 100].map(kind);
    assert_eq!(kinds, [MediaKind::Audio, MediaKind::Text, MediaKind::Other, MediaKind::Video].map(Some));
    assert!(streams.iter().all(|stream| stream.late_fixed_50.is_some() == (stream.ssrc == 1)));
}

#[test]
fn a_name_instead_of_an_address_is_the_host_that_the_message_came_from() {
    for (connection, expected) in
        [("c=IN IP4 phone.example.com\r\n", 1), ("", 1), ("c=IN IP4 0.0.0.0\r\n", 0), ("c=IN IP4 203.0.113.9\r\n", 0)]
    {
        let mut scene = Scene::new();
        let offer = format!("v=0\r\no=- 1 1 IN IP4 phone.example.com\r\n{connection}m=audio 4000 RTP/AVP 0\r\n");
        call(&mut scene, &offer, &audio("203.0.113.7", 5000));
        scene.speech(turned(PHONES), 2, 0, 1);
        assert_eq!(streams(&mut scene).len(), expected, "{connection}");
    }
}

/// RFC 3261, section 13.2.1; RFC 3262, section 5; RFC 3311, section 5: a place counts in whatever message it comes.
#[test]
fn offers_and_answers_are_found_in_every_message_that_may_carry_them() {
    let (caller, callee) = (audio("192.0.2.1", 4000), audio("192.0.2.2", 5000));
    let isup = format!(
        "--b\r\nContent-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x00I\r\n--b\r\n\
         Content-Type: application/sdp\r\n\r\n{caller}--b--\r\n"
    );
    let in_parts = ("Content-Type: multipart/mixed;boundary=b\r\n", isup.as_str());
    let plain = |body: &'static str| ("", body);
    let (none, caller, callee): (_, (&str, &str), (&str, &str)) = (plain(""), ("", &caller), ("", &callee));
    let elsewhere = audio("203.0.113.7", 7000);
    let elsewhere = ("", elsewhere.as_str());
    let ways: [&[(&str, (&str, &str))]; 7] = [
        &[("> INVITE 1 x -", caller), ("< 200 1 INVITE x y", callee), ("> ACK 1 x y", none)],
        &[("> INVITE 1 x -", none), ("< 200 1 INVITE x y", callee), ("> ACK 1 x y", caller)],
        &[
            ("> INVITE 1 x -", none),
            ("< 183 1 INVITE x y", callee),
            ("> PRACK 2 x y", caller),
            ("< 200 2 PRACK x y", none),
            ("< 200 1 INVITE x y", none),
        ],
        &[
            ("> INVITE 1 x -", elsewhere),
            ("< 183 1 INVITE x y", elsewhere),
            ("> PRACK 2 x y", caller),
            ("< 200 2 PRACK x y", callee),
            ("< 200 1 INVITE x y", none),
        ],
        &[
            ("> INVITE 1 x -", elsewhere),
            ("< 200 1 INVITE x y", elsewhere),
            ("< UPDATE 7 y x", callee),
            ("> 200 7 UPDATE y x", caller),
        ],
        // Two who ring, each with early media of his own, and the second answers at another place.
        &[
            ("> INVITE 1 x -", caller),
            ("< 183 1 INVITE x z", elsewhere),
            ("< 183 1 INVITE x y", elsewhere),
            ("< 200 1 INVITE x y", callee),
        ],
        &[("> INVITE 1 x -", in_parts), ("< 200 1 INVITE x y", callee)],
    ];
    for (number, way) in ways.iter().enumerate() {
        let mut scene = Scene::new();
        for (line, (headers, body)) in *way {
            scene.tell(line, headers, body);
        }
        scene.speech(PHONES, 1, 0, 1);
        scene.speech(turned(PHONES), 2, 0, 1);
        assert_eq!(streams(&mut scene), BOTH, "way {number}");
    }
}

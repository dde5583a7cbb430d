//! TCP connections.

use super::*;

pub(super) const SYN: u8 = 0x02;
const FIN: u8 = 0x11;
const RST: u8 = 0x04;
const DATA: u8 = 0x18;

pub(super) fn segment(source: u16, destination: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = source.to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// A segment of the direction that the tests use.
fn frame(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    ipv4(6, 0, 0, &segment(40_000, 5060, sequence, flags, payload))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

#[test]
fn messages_in_any_segments_in_any_order_with_repetitions_come_out_the_same() {
    let mut random = Random(0x7c90_0001);
    for round in 0..300 {
        let mut messages = Vec::new();
        for n in 0..=random.below(6) {
            messages.push(message(n, random.below(1200)));
        }
        let stream = messages.concat();
        // Half of the connections pass the end of the numbers.
        let begin = match round % 2 {
            0 => u32::MAX - length(&stream) / 2,
            _ => u32::try_from(random.below(1 << 31)).unwrap(),
        };
        let mut frames = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            let size = (1 + random.below(700)).min(stream.len() - at);
            // A repetition may begin earlier and end later than what was sent before.
            let from = at - random.below(at.min(100) + 1);
            let to = (at + size + random.below(100)).min(stream.len());
            let sequence = |at: usize| begin.wrapping_add(1).wrapping_add(u32::try_from(at).unwrap());
            frames.push(frame(sequence(at), DATA, &stream[at..at + size]));
            match random.below(4) {
                0 => frames.push(frame(sequence(from), DATA, &stream[from..to])),
                1 => frames.push(frames[random.below(frames.len())].clone()),
                _ => {}
            }
            at += size;
        }
        frames.push(frame(begin.wrapping_add(1).wrapping_add(length(&stream)), FIN, b""));
        if round % 3 != 0 {
            random.shuffle(&mut frames);
        }
        let mut scene = Scene::new();
        assert_eq!(scene.packet(&frame(begin, SYN, b"")), Err(Reason::TcpEmpty));
        for frame in &frames {
            if let Err(reason) = scene.packet(frame) {
                assert!(matches!(reason, Reason::TcpEmpty | Reason::TcpRepeated), "{reason:?}");
            }
        }
        assert_eq!(scene.payloads(), messages.iter().map(Vec::as_slice).collect::<Vec<_>>(), "round {round}");
        scene.finish();
        assert_eq!((scene.ingress.bytes(), scene.ingress.joined().tcp_holes), (0, 0));
        // The same once more, as another source delivers it, says nothing new.
        for frame in &frames {
            assert!(scene.packet(frame).is_err());
        }
        assert_eq!(scene.out.len(), messages.len());
    }
}

#[test]
fn a_connection_that_is_joined_in_the_middle_gives_the_messages_that_begin_after_it() {
    let mut random = Random(0x7c90_0002);
    let messages: Vec<_> = (0..5).map(|n| message(n, 300)).collect();
    let stream = messages.concat();
    for _ in 0..200 {
        let start = random.below(messages[0].len() + messages[1].len());
        let first_whole = usize::from(start > 0) + usize::from(start > messages[0].len());
        let mut scene = Scene::new();
        let mut at = start;
        while at < stream.len() {
            let size = (1 + random.below(500)).min(stream.len() - at);
            assert!(scene.packet(&frame(u32::try_from(at).unwrap(), DATA, &stream[at..at + size])).is_ok());
            at += size;
        }
        let expected: Vec<_> = messages[first_whole..].iter().map(Vec::as_slice).collect();
        assert_eq!(scene.payloads(), expected, "from {start}");
        scene.finish();
    }
}

#[test]
fn a_hole_costs_the_message_it_is_in_and_is_given_up_after_three_seconds() {
    let messages: Vec<_> = (0..4).map(|n| message(n, 100)).collect();
    let mut scene = Scene::new();
    assert!(scene.packet(&frame(0, SYN, b"")).is_err());
    let mut sequence = 1;
    for (n, message) in messages.iter().enumerate() {
        let (head, body) = message.split_at(150);
        if n != 1 {
            assert!(scene.packet(&frame(sequence, DATA, head)).is_ok());
        }
        assert!(scene.packet(&frame(sequence + 150, DATA, body)).is_ok());
        sequence += length(message);
    }
    assert_eq!(scene.payloads(), [messages[0].as_slice()]);
    scene.wait(2);
    assert_eq!(scene.out.len(), 1);
    scene.wait(1);
    assert_eq!(scene.payloads(), [&messages[0][..], &messages[2], &messages[3]]);
    assert_eq!(scene.ingress.joined().tcp_holes, 1);
    // What comes late is no news.
    assert_eq!(scene.packet(&frame(1 + length(&messages[0]), DATA, &messages[1][..150])), Err(Reason::TcpRepeated));
    scene.finish();
}

/// RFC 6298 lets a retransmission take a second and more: each hole has three of its own.
#[test]
fn a_hole_that_opened_while_another_was_waited_for_has_its_own_time() {
    let messages: Vec<_> = (0..5).map(|n| message(n, 100)).collect();
    let mut scene = Scene::new();
    assert!(scene.packet(&frame(0, SYN, b"")).is_err());
    let mut at = vec![1];
    messages.iter().for_each(|message| at.push(at.last().unwrap() + length(message)));
    let send = |scene: &mut Scene, n: usize| assert!(scene.packet(&frame(at[n], DATA, &messages[n])).is_ok());
    // The first is missing; two seconds later the fourth is too; then the first comes.
    for n in [1, 2] {
        send(&mut scene, n);
    }
    scene.wait(2);
    for n in [4, 0] {
        send(&mut scene, n);
    }
    scene.wait(2);
    send(&mut scene, 3);
    assert_eq!(scene.payloads(), messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(scene.ingress.joined().tcp_holes, 0);
    scene.finish();
}

#[test]
fn connections_that_are_forgotten_for_want_of_room_are_counted_and_those_in_use_stay() {
    let mut scene = Scene::with(Settings { tcp_flows: 100, ..Settings::default() });
    let to = |port, sequence, bytes: &[u8]| ipv4(6, 0, 0, &segment(port, 5060, sequence, DATA, bytes));
    let half = message(1, 100);
    let (first, second) = half.split_at(90);
    for port in 1000..1090 {
        assert!(scene.packet(&to(port, 1, first)).is_ok());
    }
    for stranger in 0..500 {
        assert!(scene.packet(&to(2000 + stranger, 1, first)).is_ok());
        // Phones are heard of now and then.
        if stranger % 10 == 0 {
            for port in 1000..1090 {
                assert_eq!(scene.packet(&to(port, 1, first)), Err(Reason::TcpRepeated));
            }
        }
    }
    for port in 1000..1090 {
        assert!(scene.packet(&to(port, 91, second)).is_ok());
    }
    assert_eq!((scene.out.len(), scene.ingress.evicted()), (90, [490, 0]));
    scene.finish();
}

#[test]
fn too_much_behind_a_hole_gives_it_up_at_once() {
    let mut scene = Scene::new();
    assert!(scene.packet(&frame(0, SYN, b"")).is_err());
    let first = message(0, 10);
    assert!(scene.packet(&frame(1, DATA, &first)).is_ok());
    let mut sequence = 1 + length(&first) + 1000;
    for n in 0..=limits::TCP_SEGMENTS {
        let next = message(n + 1, 10);
        assert!(scene.packet(&frame(sequence, DATA, &next)).is_ok());
        sequence += length(&next);
    }
    assert_eq!(scene.out.len(), limits::TCP_SEGMENTS + 2);
    assert_eq!(scene.ingress.tally().waiting, 0);
    scene.finish();
}

#[test]
fn what_is_not_sip_is_given_up_early_and_keeps_nothing() {
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3].repeat(20);
    let http = b"POST /index.html HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nbody".to_vec();
    for (port, payload) in [(443, &tls), (5061, &tls), (80, &http), (5060, &http)] {
        let mut scene = Scene::new();
        let to = |sequence, flags, bytes: &[u8]| ipv4(6, 0, 0, &segment(40_000, port, sequence, flags, bytes));
        assert_eq!(scene.packet(&to(7, SYN, b"")), Err(Reason::TcpEmpty));
        for n in 0..200_u32 {
            let _outcome = scene.packet(&to(8 + n * length(payload), DATA, payload));
        }
        scene.finish();
        assert!(scene.lost(Reason::Tcp) >= 199, "port {port}: {}", scene.lost(Reason::Tcp));
        assert_eq!((scene.out.len(), scene.ingress.bytes()), (0, 0), "port {port}");
    }
    // SIP on a connection that seemed to be something else is found all the same.
    let mut scene = Scene::new();
    assert!(scene.packet(&frame(7, SYN, b"")).is_err());
    assert_eq!(scene.packet(&frame(8, DATA, &tls)), Err(Reason::Tcp));
    assert!(scene.packet(&frame(8 + length(&tls), DATA, &message(1, 20))).is_ok());
    assert_eq!(scene.payloads(), [message(1, 20).as_slice()]);
}

#[test]
fn both_directions_keep_alives_resets_and_ports_that_are_used_again() {
    let mut scene = Scene::new();
    let back = |sequence, flags, bytes: &[u8]| {
        let mut packet = ipv4(6, 0, 0, &segment(5060, 40_000, sequence, flags, bytes));
        (packet[15], packet[19]) = (2, 1);
        packet
    };
    let (one, two, three) = (message(1, 10), message(2, 10), message(3, 10));
    assert!(scene.packet(&frame(100, SYN, b"")).is_err());
    assert!(scene.packet(&frame(101, DATA, &one)).is_ok());
    let end = 101 + length(&one);
    assert_eq!(scene.packet(&frame(end, DATA, b"\r\n\r\n")), Err(Reason::KeepAlive));
    // TCP's own keep-alive repeats the last byte.
    assert_eq!(scene.packet(&frame(end + 3, DATA, b"\n")), Err(Reason::TcpRepeated));
    // A reset while half a message and a segment behind a hole wait.
    assert!(scene.packet(&frame(end + 4, DATA, &two[..60])).is_ok());
    assert!(scene.packet(&frame(end + 1000, DATA, &three)).is_ok());
    assert_eq!(scene.packet(&back(5, RST, b"")), Err(Reason::TcpEmpty));
    assert_eq!(scene.payloads(), [&one[..], &three]);
    assert_eq!(scene.ingress.bytes(), 0);
    // The same ports with other numbers.
    assert!(scene.packet(&frame(0x8000_0000, SYN, b"")).is_err());
    assert!(scene.packet(&frame(0x8000_0001, DATA, &two)).is_ok());
    assert_eq!(scene.out.len(), 3);
    scene.finish();
}

#[test]
fn a_segment_that_the_capture_cut_is_a_hole() {
    let mut scene = Scene::new();
    let messages: Vec<_> = (0..3).map(|n| message(n, 400)).collect();
    let mut sequence = 1;
    assert!(scene.packet(&frame(0, SYN, b"")).is_err());
    for (n, message) in messages.iter().enumerate() {
        let packet = frame(sequence, DATA, message);
        let cut = if n == 1 { 100 } else { packet.len() };
        let _outcome = scene.packet(&packet[..cut]);
        sequence += length(message);
    }
    assert_eq!(scene.payloads(), [&messages[0][..], &messages[2]]);
    scene.finish();
}

#[test]
fn a_frame_that_waits_for_a_verdict_without_a_byte_kept_is_settled_at_the_end() {
    // The length of the IP packet says more than there is.
    let mut cut = frame(0, SYN, b"");
    cut[2..4].copy_from_slice(&2000_u16.to_be_bytes());
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&cut), Ok(Taken::Waiting));
    assert_eq!((scene.ingress.tally().waiting, scene.ingress.bytes()), (1, 0));
    scene.wait(3600);
    scene.finish();
    assert_eq!(scene.lost(Reason::Tcp), 1);
    // A reset settles it too.
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&cut), Ok(Taken::Waiting));
    assert!(scene.packet(&frame(1980, RST, b"")).is_err());
    assert_eq!((scene.ingress.tally().waiting, scene.lost(Reason::Tcp)), (0, 1));
    scene.finish();
}

#[test]
fn a_flood_of_connections_that_look_like_sip_stays_within_the_memory() {
    let settings = Settings { memory_bytes: 200_000, hash_seed: 1, ..Settings::default() };
    let mut scene = Scene::with(settings);
    let half = message(1, 2000);
    for n in 0..20_000_u32 {
        let port = 1024 + u16::try_from(n % 60_000).unwrap();
        let bytes = if n % 2 == 0 { &half[..600] } else { &half[..] };
        let sequence = if n % 3 == 0 { 500 } else { 1 };
        if n % 3 == 0 {
            let _outcome = scene.packet(&ipv4(6, 0, 0, &segment(port, 5060, 0, SYN, b"")));
        }
        let _outcome = scene.packet(&ipv4(6, 0, 0, &segment(port, 5060, sequence, DATA, bytes)));
        assert!(scene.ingress.bytes() <= settings.memory_bytes);
    }
    assert!(scene.out.len() > 5000);
    scene.finish();
    assert_eq!(scene.ingress.bytes(), 0);
}

#[test]
fn sip_over_a_websocket_comes_out_of_both_directions() {
    let mut scene = Scene::new();
    let back = |sequence, bytes: &[u8]| ipv4(6, 0, 0, &segment(80, 40_000, sequence, DATA, bytes));
    let to = |sequence, flags, bytes: &[u8]| ipv4(6, 0, 0, &segment(40_000, 80, sequence, flags, bytes));
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    let message = message(1, 50);
    let size = u16::try_from(message.len()).unwrap().to_be_bytes();
    let key = [1, 2, 3, 4];
    let masked: Vec<u8> = message.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let sent = [&[0x81, 0xfe, size[0], size[1]][..], &key, &masked].concat();
    let answered = [&[0x81, 126, size[0], size[1]][..], &message].concat();
    assert!(scene.packet(&to(0, SYN, b"")).is_err());
    assert!(scene.packet(&ipv4(6, 0, 0, &segment(80, 40_000, 0, SYN, b""))).is_err());
    assert!(scene.packet(&to(1, DATA, request)).is_ok());
    assert!(scene.packet(&back(1, response)).is_ok());
    assert!(scene.packet(&to(1 + length(request), DATA, &sent)).is_ok());
    assert!(scene.packet(&back(1 + length(response), &answered)).is_ok());
    let whole = (Transport::WebSocket, message);
    assert_eq!(scene.out, [whole.clone(), whole]);
    scene.finish();
}

#[test]
fn rtp_over_tcp_is_told_apart() {
    let mut scene = Scene::new();
    let to = |sequence, flags, bytes: &[u8]| ipv4(6, 0, 0, &segment(40_000, 50_000, sequence, flags, bytes));
    let packet = |n: u8| [&[0, 172, 0x80, 0, 0, n, 0, 0, 0, n, 0, 0, 0, 9][..], &[0x55; 160]].concat();
    assert!(scene.packet(&to(0, SYN, b"")).is_err());
    let two = [packet(1), packet(2)].concat();
    assert_eq!(scene.packet(&to(1, DATA, &two)), Err(Reason::RtpOverTcp));
    let cut = [&packet(3)[..], &packet(4)[..100]].concat();
    assert_eq!(scene.packet(&to(1 + length(&two), DATA, &cut)), Err(Reason::RtpOverTcp));
    // Bytes of anything, of which a fourth begins so; and a second packet of another source.
    assert_eq!(scene.packet(&to(3000, DATA, &packet(3)[..100])), Err(Reason::Tcp));
    let mut other = [packet(5), packet(6)].concat();
    other[174 + 10] = 1;
    assert_eq!(scene.packet(&to(4000, DATA, &other)), Err(Reason::Tcp));
    for bytes in [&[0, 172, 0x40, 0, 0, 1, 0, 0, 0, 1][..], &[0, 4, 0x80, 0, 0, 1], &[0x16, 3, 1, 0, 4, 1]] {
        assert_eq!(scene.packet(&to(5000, DATA, bytes)), Err(Reason::Tcp), "{bytes:?}");
    }
    scene.finish();
}

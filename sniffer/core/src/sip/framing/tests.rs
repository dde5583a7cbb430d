//! Messages out of streams.

mod websocket;

use super::*;

const OPTIONS: &str = "OPTIONS sip:x SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\n";

/// A message with a body.
fn message(number: usize, length_header: &str, body: &str) -> String {
    let length = if length_header.is_empty() { String::new() } else { format!("{length_header} {}\r\n", body.len()) };
    format!("{}X: {number}\r\n{length}\r\n{body}", OPTIONS.replace(": 1\r\n", &format!(": {number}@x\r\n")))
}

type Got = (String, Carrier, bool);

fn drain(framer: &mut Framer) -> Vec<Got> {
    let mut got = Vec::new();
    while let Some(frame) = framer.next() {
        got.push((String::from_utf8_lossy(frame.bytes).into_owned(), frame.carrier, frame.cut));
    }
    got
}

/// The messages of a stream that comes in pieces of the given sizes, again and again.
fn framed(framer: &mut Framer, bytes: &[u8], sizes: &[usize]) -> Vec<Got> {
    let mut got = Vec::new();
    let mut rest = bytes;
    for &size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        framer.push(piece);
        got.extend(drain(framer));
        assert!(framer.buffered() <= 2 * (limits::SIP_STREAM_BYTES + bytes.len().min(size)));
        rest = after;
        if rest.is_empty() {
            return got;
        }
    }
    got
}

fn texts(got: &[Got]) -> Vec<&str> {
    got.iter().map(|(text, _, _)| text.as_str()).collect()
}

/// A frame of a WebSocket.
fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(mask | u8::try_from(length).unwrap()),
        length @ ..0x1_0000 => {
            bytes.push(mask | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(mask | 127);
            bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    let key = key.inspect(|key| bytes.extend(key)).unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

const CLIENT: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: foo, sip\r\n\r\n";
const SERVER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sip\r\n\r\n";

/// Messages of every kind one after the other, with keep-alives, and what they are.
fn plain_stream() -> (Vec<u8>, Vec<String>) {
    let messages = [
        message(1, "Content-Length:", ""),
        message(2, "l :", "v=0\r\nOPTIONS sip:not-a-message SIP/2.0\r\n"),
        message(3, "CONTENT-LENGTH:", "\r\n\r\n"),
        message(4, "", ""),
        message(5, "Content-Length:\r\n ", &"x".repeat(5000)),
    ];
    let mut stream = b"\r\n\r\n".to_vec();
    for message in &messages {
        stream.extend(message.as_bytes());
        stream.extend(b"\r\n\r\n");
    }
    (stream, messages.to_vec())
}

fn socket_stream(handshake: &[u8], key: Option<[u8; 4]>) -> (Vec<u8>, Vec<String>) {
    let messages = [
        message(1, "Content-Length:", "abc"),
        message(2, "", ""),
        message(3, "l:", &"y".repeat(70_000)),
        message(4, "l:", &"z".repeat(300)),
    ];
    let mut stream = handshake.to_vec();
    stream.extend(frame(0x81, messages[0].as_bytes(), key));
    stream.extend(frame(0x81, b"\r\n\r\n", key));
    let (head, tail) = messages[1].as_bytes().split_at(40);
    stream.extend(frame(0x01, head, key));
    stream.extend(frame(0x89, b"ping", key));
    stream.extend(frame(0x00, b"", key));
    stream.extend(frame(0x80, tail, key));
    stream.extend(frame(0x82, messages[2].as_bytes(), key));
    stream.extend(frame(0x8a, b"", key));
    stream.extend(frame(0x81, messages[3].as_bytes(), key));
    stream.extend(frame(0x88, &[3, 0xe8], key));
    (stream, messages.to_vec())
}

#[test]
fn messages_come_out_of_a_stream_however_it_is_cut() {
    let (stream, messages) = plain_stream();
    for sizes in [&[1][..], &[2], &[3], &[7], &[1460], &[100_000], &[1, 50, 3, 700], &[13, 1]] {
        let mut framer = Framer::new();
        let got = framed(&mut framer, &stream, sizes);
        assert_eq!(texts(&got), messages, "{sizes:?}");
        assert!(got.iter().all(|(_, carrier, cut)| *carrier == Carrier::Tcp && !cut));
        assert_eq!((framer.verdict(), framer.skipped()), (Verdict::Sip, 0));
        assert!(framer.buffered() <= limits::SIP_STREAM_IDLE_BYTES, "an idle stream keeps next to nothing");
    }
    for at in 0..stream.len().min(800) {
        let (left, right) = stream.split_at(at);
        let mut framer = Framer::new();
        framer.push(left);
        let mut got = drain(&mut framer);
        framer.push(right);
        got.extend(drain(&mut framer));
        assert_eq!(texts(&got), messages, "cut at {at}");
    }
}

#[test]
fn after_a_hole_the_next_whole_message_is_found() {
    let (stream, messages) = plain_stream();
    for (sizes, from) in [(&[1][..], 5), (&[300], 30), (&[50_000], 8)] {
        let mut framer = Framer::new();
        framer.hole();
        assert_eq!(texts(&framed(&mut framer, &stream[from..], sizes)), messages[1..], "{from}");
        assert_eq!(framer.verdict(), Verdict::Sip);
        assert!(framer.skipped() > 0);
    }
    // In the middle of the second's body a line looks like a start line: it has no headers.
    let mut framer = Framer::new();
    framer.hole();
    let body = stream.windows(3).position(|part| part == b"v=0").unwrap();
    assert_eq!(texts(&framed(&mut framer, &stream[body..], &[64])), messages[2..]);
}

#[test]
fn a_hole_in_a_body_gives_the_message_as_it_is() {
    let whole = message(7, "l:", &"x".repeat(100));
    let mut framer = Framer::new();
    framer.push(&whole.as_bytes()[..whole.len() - 40]);
    assert_eq!(drain(&mut framer), []);
    framer.hole();
    framer.push(format!("xxx\r\n{whole}").as_bytes());
    let got = drain(&mut framer);
    assert_eq!((got.len(), got[0].0.len(), got[0].2), (2, whole.len() - 40, true));
    assert_eq!((got[1].0.as_str(), got[1].2), (whole.as_str(), false));
    // A hole in the head costs the message.
    let mut framer = Framer::new();
    framer.push(&whole.as_bytes()[..30]);
    framer.hole();
    framer.hole();
    assert_eq!(drain(&mut framer), []);
    // Two holes without a question in between lose what is between them and nothing before.
    framer.push(&whole.as_bytes()[..whole.len() - 40]);
    assert_eq!(drain(&mut framer), []);
    framer.hole();
    framer.push(b"lost");
    framer.hole();
    assert_eq!(drain(&mut framer)[0].0.len(), whole.len() - 40);
}

#[test]
fn a_body_without_a_length_ends_where_the_next_message_begins() {
    let typed = OPTIONS.to_owned() + "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n";
    let damaged = typed.replace("Content-Type", "l: -1\r\nContent-Type");
    let last = message(2, "l:", "");
    for size in [1, 40, 5000] {
        let mut framer = Framer::new();
        let stream = format!("{typed}{damaged}{last}{typed}");
        let mut got = framed(&mut framer, stream.as_bytes(), &[size]);
        framer.hole();
        got.extend(drain(&mut framer));
        assert_eq!(texts(&got), [&typed, &damaged, &last, &typed], "{size}");
    }
}

#[test]
fn a_long_body_is_cut_and_the_next_message_found() {
    let long = message(1, "l:", &"x".repeat(3 * limits::SIP_STREAM_BYTES));
    let next = message(2, "l:", "");
    let mut framer = Framer::new();
    let got = framed(&mut framer, format!("{long}{next}").as_bytes(), &[1460]);
    assert_eq!((got[0].0.len(), got[0].2, got[1].0.as_str()), (limits::SIP_STREAM_BYTES, true, next.as_str()));
    // The same in a WebSocket.
    let stream = [SERVER, &frame(0x81, long.as_bytes(), None), &frame(0x81, next.as_bytes(), None)].concat();
    let got = framed(&mut Framer::new(), &stream, &[1460]);
    assert_eq!((got[0].0.len(), got[0].2, got[1].0.as_str()), (limits::SIP_STREAM_BYTES, true, next.as_str()));
    // A length that cannot be meant does not swallow what follows.
    let mad = format!("{OPTIONS}l: 999999999\r\n\r\n");
    let got = framed(&mut Framer::new(), format!("{mad}{next}").as_bytes(), &[1460]);
    assert_eq!(texts(&got), [&mad, &next]);
}

#[test]
fn a_wrong_length_costs_no_more_than_its_neighbour() {
    let short = message(1, "l:", "").replace("l: 0", "l: 0\r\nContent-Type: text/plain") + "surplus\r\n";
    let next = message(2, "l:", "");
    let mut framer = Framer::new();
    let got = framed(&mut framer, format!("{short}{next}{next}").as_bytes(), &[11]);
    assert_eq!(texts(&got), [&short.replace("surplus\r\n", ""), &next, &next]);
    assert_eq!(framer.skipped(), 9);
}

#[test]
fn other_protocols_are_given_up_early_and_keep_nothing() {
    for (bytes, at_most) in [
        (&b"\x16\x03\x01\x02\x00\x01"[..], 1),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 21),
        (b"POST /x HTTP/1.1\r\nHost: x\r\n\r\n", 18),
        (b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 28),
        (b"HTTP/1.1 200 OK\r\n\r\n", 17),
        (b"OPTIONS rtsp://x RTSP/1.0\r\n", 27),
        (b"SIP/7.0 200 OK\r\n", 5),
        (b"{\"json\": 1}", 1),
    ] {
        let mut framer = Framer::new();
        let mut used = 0;
        while framer.verdict() == Verdict::Open && used < bytes.len() {
            framer.push(&bytes[used..=used]);
            assert!(framer.next().is_none());
            used += 1;
        }
        assert_eq!(framer.verdict(), Verdict::Other, "{bytes:?}");
        assert!(used <= at_most, "{bytes:?}: {used}");
        framer.push(&[0; 1000]);
        assert!(framer.next().is_none());
        assert_eq!(framer.buffered(), 0);
        assert_eq!(framer.skipped(), 1000 + u64::try_from(used).unwrap());
    }
}

#[test]
fn a_stream_seen_from_its_middle_without_any_message_is_given_up() {
    let mut framer = Framer::new();
    framer.hole();
    let noise: Vec<u8> = (0..limits::SIP_SEARCH_BYTES + 2000).map(|at| ((at * 7919) >> 3).to_le_bytes()[0]).collect();
    assert_eq!(framed(&mut framer, &noise, &[1460]), []);
    assert_eq!((framer.verdict(), framer.buffered()), (Verdict::Other, 0));
}

#[test]
fn no_bytes_with_no_holes_upset_the_framer_and_cuts_do_not_matter() {
    let (plain, _) = plain_stream();
    let seeds = [plain, socket_stream(CLIENT, Some([5, 6, 7, 8])).0, socket_stream(SERVER, None).0];
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit.max(1)).unwrap()).unwrap()
    };
    let mut found = 0;
    for round in 0..400 {
        let mut stream = seeds[round % seeds.len()].clone();
        stream.truncate(20_000);
        for _ in 0..random(6) {
            let at = random(stream.len());
            match random(4) {
                0 => stream[at] = u8::try_from(random(256)).unwrap(),
                1 => {
                    stream.remove(at);
                }
                2 => stream.insert(at, [b'\n', 0, 0x81, b' ', 0xff][random(5)]),
                _ => {
                    let end = (at + random(200)).min(stream.len());
                    stream.drain(at..end);
                }
            }
        }
        let begins_in_the_middle = random(2) == 0;
        let start = || {
            let mut framer = Framer::new();
            if begins_in_the_middle {
                framer.hole();
            }
            framer
        };
        let (mut whole, mut pieces) = (start(), start());
        let sizes: Vec<usize> = (0..8).map(|_| 1 + random(900)).collect();
        let mut left = framed(&mut whole, &stream, &[stream.len()]);
        let mut right = framed(&mut pieces, &stream, &sizes);
        whole.hole();
        pieces.hole();
        left.extend(drain(&mut whole));
        right.extend(drain(&mut pieces));
        assert_eq!(left, right, "round {round}");
        assert_eq!((whole.verdict(), whole.skipped()), (pieces.verdict(), pieces.skipped()), "round {round}");
        found += left.len();
    }
    assert!(found > 500, "{found}");
}

#[test]
fn a_stream_of_nothing_but_start_lines_takes_no_quadratic_time() {
    // Each line may begin a message whose head ends far away, or nowhere: looked for from each of them anew it would be
    // four thousand times the stream.
    let lines = "INVITE sip:x SIP/2.0\r\n".repeat(100_000);
    let mut framer = Framer::new();
    framer.push(OPTIONS.as_bytes());
    framer.push(b"Content-Length: 0\r\n\r\n");
    assert_eq!(drain(&mut framer).len(), 1);
    framer.hole();
    let searched = || line::SEARCHED.with(std::cell::Cell::get);
    let before = searched();
    for piece in lines.as_bytes().chunks(40) {
        framer.push(piece);
        assert_eq!(drain(&mut framer), []);
        assert!(searched() - before < 4 * lines.len(), "{} octets of {}", searched() - before, lines.len());
    }
    assert!(framer.buffered() <= 4 * limits::SIP_STREAM_BYTES);
    framer.push(format!("\r\n{}", message(7, "Content-Length:", "")).as_bytes());
    assert_eq!(drain(&mut framer).len(), 1, "what follows is found");
}

#[test]
fn a_method_that_is_too_long_is_none_in_pieces_and_in_one() {
    let text = OPTIONS.replace("OPTIONS sip", &format!("{} sip", "M".repeat(65)));
    for sizes in [[1], [70], [1000]] {
        let mut framer = Framer::new();
        assert_eq!(framed(&mut framer, format!("{text}Content-Length: 0\r\n\r\n").as_bytes(), &sizes), [], "{sizes:?}");
        assert_eq!(framer.verdict(), Verdict::Other, "{sizes:?}");
    }
}

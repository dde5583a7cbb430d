//! Messages out of WebSockets.

use super::*;

#[test]
fn messages_come_out_of_a_websocket_however_it_is_cut() {
    for (handshake, key) in [(CLIENT, Some([1, 0xfe, 3, 0x80])), (SERVER, None)] {
        let (stream, messages) = socket_stream(handshake, key);
        for sizes in [&[1][..], &[5], &[1460], &[200_000], &[1, 700]] {
            let mut framer = Framer::new();
            let got = framed(&mut framer, &stream, sizes);
            assert_eq!(texts(&got), messages, "{sizes:?}");
            assert!(got.iter().all(|(_, carrier, cut)| *carrier == Carrier::WebSocket && !cut));
            assert_eq!((framer.verdict(), framer.skipped()), (Verdict::Sip, 0));
        }
    }
}

#[test]
fn a_websocket_is_found_in_the_middle() {
    for key in [Some([9, 8, 7, 6]), None] {
        let (stream, messages) = socket_stream(b"", key);
        let mut framer = Framer::new();
        framer.hole();
        assert_eq!(texts(&framed(&mut framer, &stream, &[999])), messages);
        // The first message has lost its beginning, and so the second is the first that is found.
        for size in [1, 64, 9999] {
            let mut framer = Framer::new();
            framer.hole();
            assert_eq!(texts(&framed(&mut framer, &stream[10..], &[size])), messages[1..], "{key:?} {size}");
            assert!(framer.skipped() > 0);
        }
    }
}

#[test]
fn a_hole_in_a_websocket_costs_the_message_it_is_in() {
    let (stream, messages) = socket_stream(SERVER, None);
    let at = SERVER.len() + messages[0].len() + 2 + 6 + 2 + 20;
    let mut framer = Framer::new();
    let mut got = framed(&mut framer, &stream[..at], &[500]);
    framer.hole();
    got.extend(drain(&mut framer));
    got.extend(framed(&mut framer, &stream[at + 5..], &[500]));
    assert_eq!(texts(&got), [&messages[0], &messages[2], &messages[3]]);
    // A hole after the head gives what is there.
    let mut framer = Framer::new();
    let at = stream.len() - 100;
    assert_eq!(framed(&mut framer, &stream[..at], &[5000]).len(), 3);
    framer.hole();
    let got = drain(&mut framer);
    assert_eq!((got.len(), got[0].2), (1, true));
    assert!(messages[3].starts_with(&got[0].0) && got[0].0.len() > 200);
}

#[test]
fn a_websocket_of_another_protocol_is_given_up() {
    for handshake in [
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
    ] {
        let mut framer = Framer::new();
        assert_eq!(framed(&mut framer, handshake.as_bytes(), &[10]), []);
        assert_eq!(framer.verdict(), Verdict::Other);
    }
    // Without a subprotocol the first message tells.
    let handshake = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    let sip = frame(0x81, OPTIONS.as_bytes(), Some([1, 2, 3, 4]));
    for (message, verdict) in [(sip, Verdict::Sip), (frame(0x81, b"{\"json\": 1}", None), Verdict::Other)] {
        let mut framer = Framer::new();
        framer.push(handshake);
        assert!(framer.next().is_none() && framer.verdict() == Verdict::Open);
        framer.push(&message);
        assert_eq!((framer.next().is_some(), framer.verdict()), (verdict == Verdict::Sip, verdict));
    }
}

#[test]
fn compressed_messages_are_passed_over_and_counted() {
    let next = message(2, "l:", "");
    let stream = [SERVER, &frame(0xc1, &[0xaa; 50], None), &frame(0x81, next.as_bytes(), None)].concat();
    let mut framer = Framer::new();
    assert_eq!(texts(&framed(&mut framer, &stream, &[33])), [&next]);
    assert_eq!(framer.skipped(), 50);
}

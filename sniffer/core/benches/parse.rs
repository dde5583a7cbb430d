//! What one SIP message costs: nanoseconds for each of the usual ones, parsed and with what the engine asks of it.
//! `cargo bench -p sniffer-core --bench parse`
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::as_conversions,
    reason = "a benchmark reads the clock and prints figures"
)]

use std::{hint::black_box, time::Instant};

use sniffer_core::{
    sdp,
    sip::{self, Header, fields, framing::Framer},
};

const SDP: &str = "v=0\r\no=- 3836723 3836723 IN IP4 192.0.2.10\r\ns=call\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
m=audio 16384 RTP/AVP 8 0 9 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

const INVITE: &str = "INVITE sip:+4930123456@198.51.100.7:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKPj3c7a1f0e9d5b4c2a8e6f\r\n\
Via: SIP/2.0/UDP 192.0.2.44:5060;received=203.0.113.9;branch=z9hG4bK-524287-1---a1b2c3d4e5f60718\r\n\
Record-Route: <sip:192.0.2.10;lr;ftag=8f3a>\r\n\
Max-Forwards: 69\r\n\
From: \"Reception Desk\" <sip:+4930987654@example.com;user=phone>;tag=8f3a5b7c9d1e\r\n\
To: <sip:+4930123456@example.com;user=phone>\r\n\
Contact: <sip:4930987654@192.0.2.44:5060;transport=udp>\r\n\
Call-ID: 7d3e9a1c-5b2f-4e8d-9c6a-1f0b3d5e7a9c@192.0.2.44\r\n\
CSeq: 21841 INVITE\r\n\
Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS\r\n\
Supported: replaces, 100rel, timer, norefersub\r\n\
Session-Expires: 1800\r\nMin-SE: 90\r\n\
User-Agent: Example PBX 18.9\r\n\
P-Asserted-Identity: <sip:+4930987654@example.com>\r\n\
Content-Type: application/sdp\r\nContent-Length: ";

const OK: &str = "SIP/2.0 200 OK\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;rport=5060;received=192.0.2.10;branch=z9hG4bKPj3c7a1f0e9d5b4c2a8e6f\r\n\
Record-Route: <sip:192.0.2.10;lr;ftag=8f3a>\r\n\
From: \"Reception Desk\" <sip:+4930987654@example.com;user=phone>;tag=8f3a5b7c9d1e\r\n\
To: <sip:+4930123456@example.com;user=phone>;tag=a9c1\r\n\
Call-ID: 7d3e9a1c-5b2f-4e8d-9c6a-1f0b3d5e7a9c@192.0.2.44\r\n\
CSeq: 21841 INVITE\r\n\
Contact: <sip:+4930123456@198.51.100.7:5060>\r\n\
Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: timer\r\n\
Content-Type: application/sdp\r\nContent-Length: ";

const ACK: &str = "ACK sip:+4930123456@198.51.100.7:5060 SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKPj9988\r\nMax-Forwards: 69\r\n\
From: \"Reception Desk\" <sip:+4930987654@example.com;user=phone>;tag=8f3a5b7c9d1e\r\n\
To: <sip:+4930123456@example.com;user=phone>;tag=a9c1\r\n\
Call-ID: 7d3e9a1c-5b2f-4e8d-9c6a-1f0b3d5e7a9c@192.0.2.44\r\nCSeq: 21841 ACK\r\nContent-Length: 0\r\n\r\n";

/// Runs a piece of work for half a second in short slices, and prints the mean of the quickest: on a machine that does
/// other things too, most slices are interrupted, and some are not.
fn measure(name: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 100;
    let (mut best, begin) = (f64::INFINITY, Instant::now());
    while begin.elapsed().as_millis() < 500 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(ROUNDS));
    }
    println!("{name:<44} {best:>8.0} ns");
}

fn main() {
    let with_sdp = |head: &str| format!("{head}{}\r\n\r\n{SDP}", SDP.len());
    let messages = [("INVITE with SDP", with_sdp(INVITE)), ("200 with SDP", with_sdp(OK)), ("ACK", ACK.to_owned())];
    for (name, text) in &messages {
        let bytes = text.as_bytes();
        measure(&format!("{name}, {} bytes: parse", bytes.len()), || {
            black_box(sip::looks_like_sip(black_box(bytes)));
            black_box(sip::parse(black_box(bytes)).is_ok());
        });
        measure(&format!("{name}: parse, tags, branch, identity"), || {
            let Ok(message) = sip::parse(black_box(bytes)) else { return };
            let via = message.first(Header::Via).and_then(sip::Via::parse).and_then(|via| via.branch());
            black_box((fields::tag(message.from), fields::tag(message.to), via));
            black_box((message.first(Header::PAssertedIdentity), message.first(Header::Diversion)));
        });
        measure(&format!("{name}: parse and SDP"), || {
            let Ok(message) = sip::parse(black_box(bytes)) else { return };
            black_box(message.sdp().map(sdp::describe));
        });
    }
    let from = sip::NameAddr::parse(b"\"Reception Desk\" <sip:+4930987654@example.com;user=phone>;tag=8f3a5b7c9d1e");
    measure("From: URI and number", || {
        black_box(black_box(from).parsed_uri().and_then(|uri| uri.number()));
    });
    let stream = messages.iter().map(|(_, text)| text.as_str()).collect::<String>();
    measure("three messages out of a TCP stream", || {
        let mut framer = Framer::new();
        for piece in stream.as_bytes().chunks(1460) {
            framer.push(piece);
            while let Some(frame) = framer.next() {
                black_box(frame.bytes);
            }
        }
    });
}

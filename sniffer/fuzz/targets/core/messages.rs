//! SIP messages made from an input: valid ones of every kind, with few values of each field, so that they meet; now and
//! then a field that no one would write.

use std::fmt::Write;

use super::input::Input;

const METHODS: [&str; 16] = [
    "INVITE",
    "INVITE",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "REFER",
    "SUBSCRIBE",
    "NOTIFY",
    "MESSAGE",
    "PUBLISH",
];
const STATUSES: [u16; 24] = [
    100, 180, 183, 183, 200, 200, 200, 202, 302, 401, 407, 408, 422, 480, 481, 486, 487, 491, 500, 503, 600, 603, 604,
    699,
];
const USERS: [&str; 6] = ["+493012345678", "03012345678", "alice", "anonymous", "201", "%61lice;phone-context=+1"];
const HOSTS: [&str; 4] = ["192.0.2.1", "192.0.2.2", "example.org", "[2001:db8::1]"];
const SECONDS: [&str; 6] = ["0", "60", "90", "3600", "4294967296", "-1"];
/// Places that an SDP names: addresses as in the packets, and hold.
const MEDIA: [&str; 5] = ["192.0.2.1", "192.0.2.2", "198.51.100.1", "203.0.113.5", "0.0.0.0"];
const FORMATS: [&str; 6] = [
    "0 8 101\r\na=rtpmap:101 telephone-event/8000",
    "18\r\na=fmtp:18 annexb=no",
    "96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 usedtx=1",
    "97 13\r\na=rtpmap:97 AMR-WB/16000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "9\r\na=rtpmap:9 ODD/1",
    "8",
];

/// What a message has that the script goes on with.
pub struct Text {
    pub bytes: Vec<u8>,
    pub by_caller: bool,
}

/// A message.
pub fn message(input: &mut Input<'_>) -> Text {
    let (kind, names, has) = (input.byte(), input.byte(), input.word());
    let method = METHODS[usize::from(kind >> 1 & 15)];
    let (call, by_caller) = (names % 6, kind & 0x40 == 0);
    let sequence = input.byte();
    let (number, branch) = (u32::from(sequence & 7) + 1, sequence >> 3 & 7);
    let tag = if sequence & 0xc0 == 0 { String::new() } else { format!(";tag=t{}", sequence >> 6) };
    let (user, other) = (USERS[usize::from(names >> 3 & 7) % 6], USERS[usize::from(names >> 6) + 1]);
    let host = HOSTS[usize::from(names & 3)];
    let mut text = String::with_capacity(700);
    if kind & 1 == 0 {
        writeln_to(&mut text, format_args!("{method} sip:{other}@{host} SIP/2.0"));
    } else {
        writeln_to(&mut text, format_args!("SIP/2.0 {} Said", input.pick(&STATUSES)));
    }
    let compact = has & 0x4000 != 0;
    let name = |long: &'static str, short: &'static str| if compact { short } else { long };
    let hop = if has & 0x2000 != 0 { ", SIP/2.0/TCP proxy.example.org;branch=z9hG4bKp" } else { "" };
    writeln_to(&mut text, format_args!("{}: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}{hop}", name("Via", "v")));
    writeln_to(&mut text, format_args!("{}: \"N\" <sip:{user}@{host}>;tag=f{call}", name("From", "f")));
    writeln_to(&mut text, format_args!("{}: <sip:{other}@example.org>{tag}", name("To", "t")));
    writeln_to(&mut text, format_args!("{}: c{call}@x\r\nCSeq: {number} {method}", name("Call-ID", "i")));
    headers(input, has, &mut text);
    let body = body(input, has);
    if has & 0x8000 != 0 {
        let length = usize::from(input.byte());
        let line = String::from_utf8_lossy(input.bytes(length)).into_owned();
        writeln_to(&mut text, format_args!("{line}"));
    }
    if let Some((content, _)) = &body {
        writeln_to(&mut text, format_args!("{}: {content}", name("Content-Type", "c")));
    }
    let body = body.map(|(_, body)| body).unwrap_or_default();
    writeln_to(&mut text, format_args!("{}: {}\r\n", name("Content-Length", "l"), body.len()));
    text.push_str(&body);
    Text { bytes: text.into_bytes(), by_caller }
}

fn writeln_to(text: &mut String, line: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(line).and_then(|()| text.write_str("\r\n"));
    assert!(written.is_ok(), "a string takes everything");
}

/// Headers that some messages have, by the bits of `has`.
fn headers(input: &mut Input<'_>, has: u16, text: &mut String) {
    let call = input.byte();
    if has & 2 != 0 {
        let contact = input.byte();
        for place in 0..=contact & 3 {
            let expires = SECONDS[usize::from(contact >> 2 & 7) % 6];
            writeln_to(text, format_args!("Contact: <sip:a{place}@192.0.2.{}:5060>;expires={expires}", contact >> 5));
        }
    }
    let seconds = SECONDS[usize::from(call >> 4) % 6];
    let other = call % 6;
    let dialog = format_args!("c{other}@x;to-tag=t1;from-tag=f{other}");
    for (bit, line) in [
        (4, format_args!("Expires: {seconds}")),
        (8, format_args!("Replaces: {dialog}")),
        (
            0x10,
            format_args!(
                "Refer-To: <sip:201@example.org?Replaces=c{other}%40x%3Bto-tag%3Dt1>\r\nReferred-By: <sip:b@x>"
            ),
        ),
        (0x20, format_args!("Event: refer;id={other}\r\nSubscription-State: active;expires={seconds}")),
        (0x40, format_args!("Session-Expires: {seconds};refresher=uac\r\nMin-SE: 90")),
        (0x80, format_args!("Require: 100rel\r\nRSeq: {other}\r\nRAck: {other} 1 INVITE")),
        (0x100, format_args!("P-Asserted-Identity: <tel:+1{other}>\r\nRemote-Party-ID: <sip:x@y>;party=calling")),
        (0x200, format_args!("Diversion: <sip:d{other}@x>;reason=busy\r\nHistory-Info: <sip:h@x>;index=1")),
        (0x400, format_args!("Reason: Q.850;cause={other};text=\"over\"")),
        (0x800, format_args!("X-Call-ID: c{other}@x")),
    ] {
        if has & bit != 0 {
            writeln_to(text, line);
        }
    }
}

/// The body with its type.
fn body(input: &mut Input<'_>, has: u16) -> Option<(&'static str, String)> {
    if has & 1 == 0 {
        return (has & 0x1030 == 0x1030).then(|| {
            let status = input.pick(&STATUSES);
            ("message/sipfrag", format!("SIP/2.0 {status} Said\r\n"))
        });
    }
    let (lines, place) = (input.byte(), input.byte());
    let mut sdp = format!("v=0\r\no=- 1 {lines} IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n");
    for line in 0..=lines & 1 {
        let port = [4000, 4001, 4002, 10_000, 0, 4004, 5060, 65_535][usize::from(place & 7)];
        let address = MEDIA[usize::from(place >> 3 & 7) % 5];
        let formats = FORMATS[usize::from(lines >> 1 & 7) % 6];
        let kind = match (place >> 6, line) {
            (3, 0) => format!("m=image {port} udptl t38"),
            _ => format!("m=audio {port} RTP/AVP {formats}"),
        };
        let more = match lines >> 4 & 7 {
            0 => "a=sendonly",
            1 => "a=inactive",
            2 => "a=rtcp-mux",
            3 => "a=candidate:1 1 UDP 1 198.51.100.1 4000 typ host",
            4 => "a=ptime:30",
            5 => "a=fingerprint:sha-256 AA:BB",
            _ => "a=sendrecv",
        };
        writeln_to(&mut sdp, format_args!("{kind}\r\nc=IN IP4 {address}\r\n{more}"));
    }
    if has & 0x1000 == 0 {
        return Some(("application/sdp", sdp));
    }
    let isup = "--b\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n";
    let parts = format!("{isup}--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b--\r\n");
    Some(("multipart/mixed;boundary=b", parts))
}

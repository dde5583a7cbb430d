//! Floods through the program, with its tables as they are by default: the kernel gives it no more memory than is stated
//! in `README.md`, so that what grows beyond it ends the test; and at a bound it is counted what went.

use std::{fs, io::Write, path::Path};

use serde_json::Value;

use crate::files::bounded;

/// Octets of address space that every flood has to do with.
const MEMORY: u64 = 256_000_000;

/// Writes a capture of raw IP packets, so many, a microsecond apart and a second each thousand.
fn capture(file: &Path, count: u32, mut packet: impl FnMut(u32) -> Vec<u8>) {
    let mut out = std::io::BufWriter::new(fs::File::create(file).unwrap());
    let mut word = |number: u32| number.to_le_bytes();
    out.write_all(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101].map(&mut word).concat()).unwrap();
    for n in 0..count {
        let bytes = packet(n);
        let length = u32::try_from(bytes.len()).unwrap();
        out.write_all(&[1_795_000_000 + n / 20_000, n % 20_000 * 50, length, length].map(&mut word).concat()).unwrap();
        out.write_all(&bytes).unwrap();
    }
    out.flush().unwrap();
}

fn ip(protocol: u8, id: u16, place: u16, hosts: (u32, u32), payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(u16::try_from(payload.len() + 20).unwrap().to_be_bytes());
    bytes.extend([id.to_be_bytes(), place.to_be_bytes()].concat());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend([hosts.0.to_be_bytes(), hosts.1.to_be_bytes()].concat());
    bytes.extend(payload);
    bytes
}

fn udp(source: (u32, u16), destination: (u32, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = [source.1.to_be_bytes(), destination.1.to_be_bytes()].concat();
    datagram.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ip(17, 0, 0, (source.0, destination.0), &datagram)
}

fn sip(n: u32, method: &str, more: &str) -> Vec<u8> {
    let text = format!(
        "{method} sip:{n}@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}\r\nFrom: <sip:{n}@example.org>;tag={n}\r\n\
         To: <sip:{n}@example.org>\r\nCall-ID: {n}-0123456789abcdef@host.example.org\r\nCSeq: 1 {method}\r\n{more}"
    );
    udp((0x0a00_0000 + n, 5060), (0xc000_0201, 5060), text.as_bytes())
}

/// Reads a flood within its memory; the summary.
fn flood(name: &str, count: u32, packet: impl FnMut(u32) -> Vec<u8>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flood.pcap");
    capture(&file, count, packet);
    let output = bounded(MEMORY, &["read", "--json", "--rtp-without-sip", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let last = output.stdout.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let summary: Value = serde_json::from_slice(last).unwrap();
    let balance = summary["delivered"].as_u64().unwrap() + crate::captures::dropped(&summary);
    assert_eq!((summary["packets"].as_u64(), balance), (Some(count.into()), count.into()), "{name}: {summary}");
    summary
}

fn evicted(summary: &Value, table: &str) -> u64 {
    summary["evicted"][table].as_u64().unwrap_or(0)
}

#[test]
fn registers_subscribes_and_options_fill_their_tables_and_no_more() {
    for (method, more, table, least) in [
        (
            "REGISTER",
            "Contact: <sip:1@192.0.2.1:5060;transport=udp>;expires=3600\r\nUser-Agent: Phone\r\n\r\n",
            "registrations",
            10_000,
        ),
        (
            "SUBSCRIBE",
            "Event: presence\r\nExpires: 3600\r\nContact: <sip:1@192.0.2.1>\r\n\r\n",
            "subscriptions",
            10_000,
        ),
        ("OPTIONS", "User-Agent: Phone\r\n\r\n", "exchanges", 40_000),
    ] {
        let summary = flood(method, 60_000, |n| sip(n, method, more));
        assert_eq!(evicted(&summary, table), least, "{method}: {summary}");
    }
}

#[test]
fn invites_with_many_media_lines_fill_the_table_of_calls_and_no_more() {
    let media: String = (0..8)
        .map(|line| format!("m=audio {} RTP/AVP 96\r\na=rtpmap:96 x{line:030}/8000\r\n", 4000 + line * 2))
        .collect();
    let summary = flood("INVITE", 52_000, |n| {
        let body = format!("v=0\r\nc=IN IP4 10.{}.{}.{}\r\n{media}", n >> 16, n >> 8 & 255, n & 255);
        sip(n, "INVITE", &format!("Content-Type: application/sdp\r\n\r\n{body}"))
    });
    assert_eq!(summary["calls"], 52_000);
    assert!(evicted(&summary, "calls") >= 2000, "{summary}");
}

#[test]
fn fragments_and_segments_that_wait_for_more_are_bounded_and_counted() {
    let summary = flood("fragments", 180_000, |n| {
        ip(17, u16::try_from(n & 0xffff).unwrap(), 0x2000, (n >> 16, 2), &[0x55; 1400])
    });
    assert!(summary["joined"].get("fragmented_packets").is_none(), "{summary}");
    assert_eq!(crate::captures::dropped(&summary), 180_000, "{summary}");
    let summary = flood("segments", 80_000, |n| {
        let (flow, is_behind) = (n / 2, n % 2 == 1);
        let port = u16::try_from(flow % 60_000 + 1).unwrap();
        let sequence = if is_behind { 5000_u32 } else { 1 };
        let mut segment = [port.to_be_bytes(), 5060_u16.to_be_bytes()].concat();
        segment.extend(sequence.to_be_bytes());
        segment.extend([0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(if is_behind { vec![b'x'; 700] } else { b"OPTIONS sip:x SIP/2.0\r\nVia: ".to_vec() });
        ip(6, 0, 0, (0x0a00_0000 + flow / 60_000, 0xc000_0201), &segment)
    });
    assert!(crate::captures::dropped(&summary) > 0, "{summary}");
}

#[test]
fn random_rtp_and_rtcp_of_nobody_are_bounded_and_counted() {
    let mut state = 1_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let mut random = |head: [u8; 4]| {
        let ports = [next(), next()].map(|number| u16::try_from(number % 50_000 + 10_000).unwrap() & !1);
        let ssrc = next().to_be_bytes();
        let payload = [&head[..], &ssrc, &next().to_be_bytes(), &ssrc, &[0; 12]].concat();
        udp((next(), ports[0]), (next(), ports[1]), &payload)
    };
    let summary = flood("RTP", 120_000, |_| random([0x80, 0, 0, 1]));
    assert!(evicted(&summary, "pending_streams") > 100_000, "{summary}");
    // A sender report without blocks: 28 octets.
    let summary = flood("RTCP", 120_000, |_| random([0x80, 200, 0, 6]));
    assert_eq!(crate::captures::dropped(&summary), 120_000, "{summary}");
}

//! Input that nobody should send: torture messages, fuzzers' seeds and mutations of them give a message or a counted
//! error, never a panic.

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, FrameMeta, Settings},
    sdp, sip,
    time::Timestamp,
};

use crate::captures::{files, folder};

/// A generator with a fixed seed: the same mutations in every run.
pub struct Random(pub u64);

impl Random {
    /// A number below this one.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    /// Changes some octets.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, [0, b'\r', b'\n', b' ', b':', b';', b'<', b'"', 0xff][self.below(9)]),
                2 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                3 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                4 if at < bytes.len() => {
                    bytes.remove(at);
                }
                _ => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let part = bytes[at.min(end)..end].to_vec();
                    bytes.extend(part);
                }
            }
        }
    }
}

/// The example of the RFC's introduction, so that the test has something to mutate where no captures are.
const INVITE: &[u8] = b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bK776\r\n\
Max-Forwards: 70\r\nTo: Bob <sip:bob@biloxi.example.com>\r\nFrom: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
Call-ID: a84b4c76e66710@pc33\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.atlanta.example.com>\r\n\
Content-Type: application/sdp\r\nContent-Length: 97\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\n\
m=audio 4000 RTP/AVP 99\r\na=rtpmap:99 opus/48000/2\r\n";

fn seeds(test: &str) -> Vec<Vec<u8>> {
    let mut seeds = vec![INVITE.to_vec(), vec![0x80; 12]];
    let Some(folder) = folder(test) else { return seeds };
    for part in [
        "torture/rfc4475",
        "torture/rfc5118",
        "torture/libosip2",
        "fuzz/pjsip-sip",
        "fuzz/pjsip-sdp",
        "fuzz/pjsip-rtp",
        "fuzz/pjsip-rtcp",
        "fuzz/pjsip-srtp",
        "fuzz/pjsip-sip-dialog",
        "fuzz/pjsip-stun",
        "fuzz/pjsip-uri",
        "vqrtcpxr",
        "hep",
    ] {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        seeds.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    seeds
}

fn in_udp(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len().min(60_000)).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((length + 28).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0xc4, 0x13, 0xc4]);
    packet.extend((length + 8).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(&payload[..usize::from(length)]);
    packet
}

#[test]
fn torture_messages_and_their_mutations_give_a_message_or_a_counted_error() {
    let seeds = seeds("the torture messages in torture_messages_and_their_mutations_give_a_message_or_a_counted_error");
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let mut engine = Engine::new(Settings { rtp_without_sip: true, hash_seed: 7, ..Settings::default() });
    let mut frames = 0;
    let (mut messages, mut errors) = (0, 0);
    for round in 0..40_000_usize {
        let mut bytes = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            random.mutate(&mut bytes);
        }
        match sip::parse(&bytes) {
            Ok(message) => {
                messages += 1;
                assert!(sdp::parse(message.body).len() <= sniffer_core::limits::SDP_MEDIA);
            }
            Err(_) => errors += 1,
        }
        assert!(sdp::parse(&bytes).len() <= sniffer_core::limits::SDP_MEDIA);
        let mut frame = in_udp(&bytes);
        if random.below(4) == 0 {
            random.mutate(&mut frame);
        }
        // Times jump too, back and forth over hours.
        let time = Timestamp::from_nanos(i64::try_from(random.below(1 << 45)).unwrap());
        engine.frame(LinkType::RawIp, FrameMeta { time, vlan: None }, &frame);
        frames += 1;
        while engine.next_event().is_some() {}
    }
    engine.finish();
    let counters = engine.counters();
    assert_eq!(counters.received, frames);
    assert_eq!(counters.received, counters.delivered + counters.dropped.total());
    assert_eq!(counters.waiting, 0);
    assert!(messages > 100 && errors > 100, "both happen: {messages} {errors}");
}

#[test]
fn the_torture_messages_of_rfc_4475_that_are_valid_are_parsed() {
    let Some(folder) = folder("the_torture_messages_of_rfc_4475_that_are_valid_are_parsed") else { return };
    // RFC 4475, section 3.1.1: valid messages.
    for name in [
        "wsinv",
        "intmeth",
        "esc01",
        "escnull",
        "esc02",
        "lwsdisp",
        "longreq",
        "dblreq",
        "semiuri",
        "transports",
        "mpart01",
        "unreason",
        "noreason",
    ] {
        // Not all of them are in the collection.
        let Ok(bytes) = std::fs::read(folder.join(format!("torture/rfc4475/{name}.dat"))) else { continue };
        assert!(sip::parse(&bytes).is_ok(), "{name}");
    }
    for entry in std::fs::read_dir(folder.join("torture/rfc5118")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(sip::parse(&bytes).is_ok(), "{}", path.display());
    }
}

#[test]
fn mutated_frames_of_real_captures_are_all_accounted_for() {
    let Some(folder) = folder("mutated_frames_of_real_captures_are_all_accounted_for") else { return };
    let mut random = Random(0x0ddb_a115_0ddb_a115);
    for file in files(&folder).iter().filter(|file| file.metadata().unwrap().len() < 100_000) {
        let mut engine = Engine::new(Settings::default());
        let mut capture = sniffer::file::CaptureFile::open(file).unwrap();
        let mut frames = 0;
        while let Ok(Some(packet)) = capture.next_packet() {
            let mut bytes = packet.frame.to_vec();
            random.mutate(&mut bytes);
            engine.frame(packet.link, FrameMeta { time: packet.time, vlan: None }, &bytes);
            frames += 1;
        }
        engine.finish();
        let counters = engine.counters();
        assert_eq!((counters.received, counters.waiting), (frames, 0), "{}", file.display());
        assert_eq!(counters.received, counters.delivered + counters.dropped.total(), "{}", file.display());
    }
}

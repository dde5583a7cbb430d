//! Packets of known streams take a short way through the engine: what becomes of them is what becomes of the same packets
//! where there is no such way.

use super::super::*;
use crate::{decode::LinkType, record::Record};

fn ip(source: u8, ports: (u16, u16), payload: &[u8], id: u16) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut bytes = vec![0x45, 0xb8];
    bytes.extend((length + 28).to_be_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend([0x40, 0, 64, 17, 0, 0, 192, 0, 2, source, 192, 0, 2, 3 - source]);
    bytes.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes(), (length + 8).to_be_bytes(), [0, 0]].concat());
    bytes.extend(payload);
    bytes
}

fn sip(start: &str, cseq: &str, host: u8) -> Vec<u8> {
    let sdp = format!(
        "v=0\r\nc=IN IP4 192.0.2.{host}\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    );
    let text = format!(
        "{start}\r\nCall-ID: c1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\n\
         Content-Type: application/sdp\r\n\r\n{sdp}"
    );
    ip(host, (5060, 5060), text.as_bytes(), 1)
}

/// How packets come: behind tags in Ethernet, with or without one that the card took out, or as they are.
#[derive(Clone, Copy)]
struct Way {
    /// Tags and the type behind them.
    ethernet: Option<&'static [u8]>,
    vlan: Option<u16>,
}

/// Everything that an engine says of these IP packets.
fn outcome(packets: &[(i64, Vec<u8>)], way: Way) -> (Vec<Option<FrameUse>>, Vec<String>, EngineCounters) {
    let mut engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
    let (mut uses, mut said) = (Vec::new(), Vec::new());
    for (millis, packet) in packets {
        let meta = FrameMeta { time: Timestamp::from_nanos(millis * 1_000_000), vlan: way.vlan };
        let used = if let Some(types) = way.ethernet {
            let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], types, packet.as_slice()].concat();
            let begin = 12 + types.len();
            let used = engine.frame(LinkType::Ethernet, meta, &frame);
            let rtp_at = used.rtp_at.map(|at| at - u8::try_from(begin).unwrap());
            FrameUse { keep: used.keep - begin, rtp_at, ..used }
        } else {
            engine.frame(LinkType::RawIp, meta, packet)
        };
        uses.push(Some(used));
        assert_eq!(engine.has_events(), engine.next_event().inspect(|event| said.push(format!("{event:?}"))).is_some());
        said.extend(std::iter::from_fn(|| engine.next_event()).map(|event| format!("{event:?}")));
    }
    engine.finish();
    said.extend(std::iter::from_fn(|| engine.next_event()).map(|event| format!("{event:?}")));
    said.push(format!("{:?}", Record::Summary(engine.summary())));
    (uses, said, engine.counters())
}

#[test]
fn packets_in_ethernet_become_what_they_become_without() {
    let mut state = 5_u64;
    let mut random = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut packets =
        vec![(0, sip("INVITE sip:b@x SIP/2.0", "1 INVITE", 1)), (500, sip("SIP/2.0 200 OK", "1 INVITE", 2))];
    let mut millis = 400_i64;
    for number in 0..3000_u16 {
        let odd = if random(8) == 0 { random(12) } else { 99 };
        let way = u8::try_from(1 + random(2)).unwrap();
        millis += i64::try_from(random(20)).unwrap();
        // RTP with sources or an extension, RTCP, what may be either, IAX2's port, version 1, cut ones, a tunnel's port.
        let first = [0x80, 0x82, 0x90, 0x40, 0x80][usize::try_from(odd.min(4)).unwrap()];
        let second = match odd {
            5 => 200,
            6 => 0x80 | 72,
            7 => 0x80 | 100,
            8 => 101,
            _ => 0,
        };
        let mut rtp = vec![first, second];
        rtp.extend(number.to_be_bytes());
        rtp.extend((u32::from(number) * 160).to_be_bytes());
        rtp.extend([0, 0, 0, way]);
        rtp.extend(vec![7; usize::try_from(random(170)).unwrap()]);
        if odd == 9 {
            rtp.truncate(usize::try_from(random(14)).unwrap());
        }
        let ports = match odd {
            10 => (4569, 4000),
            11 => (4000, 4789),
            _ => (4000, 4000 + 2 * u16::try_from(random(40) / 39).unwrap()),
        };
        packets.push((millis, ip(way, ports, &rtp, number)));
    }
    // No tag, one (IEEE 802.1Q), one behind that which the card took out, two (802.1ad), a priority without a VLAN; and
    // the VLAN that each is in.
    let ways: [(&'static [u8], Option<u16>, Option<u16>); 5] = [
        (&[8, 0], None, None),
        (&[0x81, 0, 0x60, 7, 8, 0], None, Some(7)),
        (&[0x81, 0, 0x60, 7, 8, 0], Some(9), Some(9)),
        (&[0x88, 0xa8, 0x20, 9, 0x81, 0, 0x60, 7, 8, 0], None, Some(9)),
        (&[0x81, 0, 0x60, 0, 8, 0], None, None),
    ];
    for (types, taken_out, vlan) in ways {
        let with = outcome(&packets, Way { ethernet: Some(types), vlan: taken_out });
        let without = outcome(&packets, Way { ethernet: None, vlan });
        for (number, (one, other)) in with.0.iter().zip(&without.0).enumerate() {
            assert_eq!(one, other, "packet {number} behind {types:x?}");
        }
        assert_eq!(with.1, without.1, "{types:x?}");
        assert_eq!(with.2, without.2, "{types:x?}");
        assert!(with.2.rtp_packets > 2000 && with.2.rtcp_packets + with.2.dropped.total() > 50, "{:?}", with.2);
        assert!(vlan.is_none_or(|vlan| with.1.iter().any(|said| said.contains(&format!("vlan: Some({vlan})")))));
    }
}

//! Floods of what has to wait for more, or that belongs to nobody, with the tables as they are by default: whatever comes,
//! memory stays below a bound that is stated in `sniffer/README.md`.

use sniffer_core::{
    drops::Reason,
    engine::{Engine, Settings},
    limits,
    time::Timestamp,
};

use crate::{
    memory::most,
    scene::{Frame, Phones, feed, rtp, udp},
};

const MIB: usize = 1024 * 1024;

/// A packet of any protocol between two hosts.
fn ip(micros: i64, protocol: u8, id: u16, place: u16, hosts: (u32, u32), payload: &[u8]) -> Frame {
    let mut bytes = vec![0x45, 0];
    bytes.extend(u16::try_from(payload.len() + 20).unwrap().to_be_bytes());
    bytes.extend([id.to_be_bytes(), place.to_be_bytes()].concat());
    bytes.extend([64, protocol, 0, 0]);
    bytes.extend([hosts.0.to_be_bytes(), hosts.1.to_be_bytes()].concat());
    bytes.extend(payload);
    Frame { time: Timestamp::from_nanos(micros * 1000), bytes }
}

fn tcp(micros: i64, flow: u32, flags: u8, sequence: u32, payload: &[u8]) -> Frame {
    let port = u16::try_from(flow % 60_000 + 1).unwrap();
    let ports = [port.to_be_bytes(), 5060_u16.to_be_bytes()].concat();
    let segment = [&ports[..], &sequence.to_be_bytes(), &[0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0], payload];
    ip(micros, 6, 0, 0, (0x0a00_0000 + flow / 60_000, 0xc000_0201), &segment.concat())
}

/// Feeds an engine with default tables, and gives the engine and the most memory that it held beyond its beginning.
fn flood(frames: impl Iterator<Item = Frame>) -> (Engine, usize) {
    let mut engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
    let peak = most(|| {
        for frame in frames {
            feed(&mut engine, [frame]);
            while engine.next_event().is_some() {}
        }
    });
    (engine, peak)
}

/// Each frame is counted once, during the flood and when everything has ended.
fn is_accounted_for(mut engine: Engine) {
    let balance = |engine: &Engine| {
        let counters = engine.counters();
        assert_eq!(counters.received, counters.delivered + counters.waiting + counters.dropped.total());
        counters.waiting
    };
    balance(&engine);
    engine.finish();
    while engine.next_event().is_some() {}
    assert_eq!(balance(&engine), 0);
}

#[test]
fn a_flood_of_first_fragments_stays_below_its_limit() {
    let payload = [0x55; 1400];
    let frames = (0..150_000_u32)
        .map(|n| ip(i64::from(n), 17, u16::try_from(n % 65_536).unwrap(), 0x2000, (n / 65_536 + 1, 2), &payload));
    let (engine, peak) = flood(frames);
    println!("fragments: {peak} bytes");
    assert!(peak < 8 * MIB, "{peak} bytes");
    is_accounted_for(engine);
}

#[test]
fn a_flood_of_segments_with_holes_before_them_stays_below_its_limit() {
    let frames = (0..80_000_u32).flat_map(|flow| {
        let at = i64::from(flow) * 3;
        [tcp(at, flow, 0x18, 1, b"OPTIONS sip:x SIP/2.0\r\nVia: "), tcp(at + 1, flow, 0x18, 5000, &[b'x'; 700])]
    });
    let (engine, peak) = flood(frames);
    println!("segments with holes: {peak} bytes");
    assert!(peak < 96 * MIB, "{peak} bytes");
    is_accounted_for(engine);
}

#[test]
fn a_flood_of_connections_that_only_begin_stays_below_its_limit() {
    let (engine, peak) = flood((0..400_000_u32).map(|flow| tcp(i64::from(flow), flow, 2, 7, b"")));
    println!("connections: {peak} bytes");
    assert!(peak < 24 * MIB, "{peak} bytes");
    is_accounted_for(engine);
}

#[test]
fn bodies_of_megabytes_stay_below_their_limit() {
    const FLOWS: u32 = 40;
    let head =
        b"MESSAGE sip:x SIP/2.0\r\nCall-ID: 1@x\r\nCSeq: 1 MESSAGE\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
                 Content-Type: text/plain\r\nContent-Length: 4000000\r\n\r\n";
    let begin = (0..FLOWS).map(|flow| tcp(i64::from(flow), flow, 0x18, 1, head));
    let length = u32::try_from(head.len()).unwrap();
    let body = (0..1000_u32).flat_map(|n| {
        let sequence = 1 + length + n * 1400;
        (0..FLOWS).map(move |flow| tcp(1000 + i64::from(n), flow, 0x18, sequence, &[b'x'; 1400]))
    });
    let (engine, peak) = flood(begin.chain(body));
    println!("bodies: {peak} bytes");
    assert!(peak < 2 * usize::try_from(FLOWS).unwrap() * limits::SIP_STREAM_BYTES, "{peak} bytes");
    assert_eq!(engine.counters().joined.tcp_messages, u64::from(FLOWS), "each came out, cut");
    is_accounted_for(engine);
}

#[test]
fn a_flood_of_chunks_without_an_end_stays_below_its_limit() {
    let chunk = |n: u32| {
        let data = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/SCTP 192.0.2.1;branch=z9hG4bK1\r\n";
        let length = u16::try_from(data.len() + 16).unwrap().to_be_bytes();
        let head = [&[0, 2, length[0], length[1]][..], &n.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
        let mut packet = [&[0x13, 0xc4, 0x13, 0xc4][..], &n.to_be_bytes(), &[0; 4], &head, data].concat();
        packet.resize(packet.len().next_multiple_of(4), 0);
        ip(i64::from(n), 132, 0, 0, (n % 5000, 9), &packet)
    };
    let (engine, peak) = flood((0..150_000).map(chunk));
    println!("chunks: {peak} bytes");
    assert!(peak < 8 * MIB, "{peak} bytes");
    is_accounted_for(engine);
}

#[test]
fn a_flood_of_options_from_everywhere_stays_below_its_limit() {
    let options = |n: u32| {
        let text = format!(
            "OPTIONS sip:{n}@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}\r\nFrom: <sip:{n}@{n}.example.org>;tag=1\r\n\
             To: <sip:{n}@example.org>\r\nCall-ID: {n}@x\r\nCSeq: 1 OPTIONS\r\nUser-Agent: Phone {n}\r\nContent-Length: 0\r\n\r\n"
        );
        udp(i64::from(n) / 10, (n, 5060), (n + 1, 5060), text.as_bytes())
    };
    let (engine, peak) = flood((0..60_000).map(options));
    println!("options: {peak} bytes");
    assert!(peak < 40 * MIB, "{peak} bytes");
    assert!(engine.counters().evicted.exchanges >= 40_000, "the oldest are reported early");
    is_accounted_for(engine);
}

#[test]
fn many_sources_at_one_announced_port_are_bounded_by_their_call() {
    let phones = Phones::new(1);
    let signalling = [phones.invite(0), phones.answer(10), phones.ack(20)].into_iter();
    let media = (0..100_000_u32).map(|ssrc| rtp(30 + i64::from(ssrc) / 100, phones.caller, phones.callee, ssrc, 1));
    let (engine, peak) = flood(signalling.chain(media));
    println!("sources at one port: {peak} bytes");
    assert!(peak < MIB, "{peak} bytes");
    assert_eq!(engine.counters().streams, u64::try_from(limits::STREAMS_PER_CALL).unwrap());
    is_accounted_for(engine);
}

#[test]
fn many_sources_at_one_port_of_nobody_stay_below_their_limit() {
    let media = (0..30_000_u32).map(|ssrc| rtp(i64::from(ssrc) / 1000, (1, 4000), (2, 4000), ssrc, 1));
    let (engine, peak) = flood(media);
    println!("sources at a port of nobody: {peak} bytes");
    assert!(peak < MIB, "{peak} bytes");
    let (counters, waiting) = (engine.counters(), u64::try_from(limits::PENDING_PER_PAIR).unwrap());
    assert_eq!((counters.waiting, counters.evicted.pending_streams), (waiting, 0), "they push out nobody else's");
    assert_eq!(counters.dropped.get(Reason::PendingFull), 30_000 - waiting);
    is_accounted_for(engine);
}

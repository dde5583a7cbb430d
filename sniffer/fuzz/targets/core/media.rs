//! RTP and RTCP: the parsers, the state of a stream with the quality that is made of it, and what RTCP says of a call.

use std::{collections::BTreeSet, hint::black_box};

use sniffer_core::{
    classify,
    decode::{Datagram, Endpoint, Transport},
    quality,
    record::StreamRecord,
    rtcp::{self, session::Session},
    rtp::{
        self,
        stream::{Stream, StreamKey, Timing},
    },
    time::Timestamp,
    udptl,
};

use super::{input::Input, records, run::BEGIN};

const WAY: rtcp::session::Way =
    (std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), std::net::IpAddr::V4(std::net::Ipv4Addr::BROADCAST));

/// The first byte says what follows: a packet as it is, a stream of packets, or RTCP packets with their times.
pub fn media(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => packet(input.rest()),
        1 => session(&mut input),
        _ => stream(&mut input),
    }
}

/// One packet through every parser that looks at datagrams.
fn packet(data: &[u8]) {
    black_box((rtp::has_version_2(data), rtcp::has_rtcp_type(data), rtp::key_exchange(data)));
    if rtp::parse(data).is_some() {
        let length = rtp::header_length(data);
        assert!((12..=data.len()).contains(&length), "a header of {length} in {} bytes", data.len());
        assert!(rtp::payload(data).is_none_or(|payload| payload.len() <= data.len() - 12), "a long payload");
    }
    black_box((rtcp::parse(data).is_ok(), udptl::parse(data).is_some()));
    let place = |port| Endpoint { address: WAY.0, port };
    let (source, destination, transport) = (place(4000), place(4002), Transport::Udp);
    let datagram =
        Datagram { source, destination, vlan: None, dscp: 0, ip_id: None, transport, payload: data, frames: &[] };
    black_box(classify::classify(&datagram).is_ok());
}

/// RTCP of one call, both ways.
fn session(input: &mut Input<'_>) {
    let (mut session, mut now) = (Session::default(), BEGIN);
    let mut sources = BTreeSet::new();
    while !input.is_empty() {
        now = now.saturating_add(input.step());
        let way = if input.byte().is_multiple_of(2) { WAY } else { (WAY.1, WAY.0) };
        let length = usize::from(input.byte());
        black_box(rtcp::walk(input.bytes(length), |item| {
            session.on(Timestamp::from_nanos(now), way, item);
            if let rtcp::Item::Sender(report) = item {
                sources.insert(report.ssrc);
            }
        }))
        .ok();
    }
    let mut both = session.clone();
    both.merge(&session);
    for ssrc in sources {
        for way in [Some(WAY), Some((WAY.1, WAY.0)), None] {
            let Some(source) = session.get(ssrc, way) else { continue };
            for half in [source.receiver_half, source.sender_half] {
                let (mean, max) = (half.mean_ms(), half.max_ms());
                assert!(mean <= max && max.is_none_or(|max| (0.0..=10_000.0).contains(&max)), "{mean:?} of {max:?} ms");
            }
            records::fits(&quality::call::rtcp_record(source, Some(8000)));
            let merged = both.get(ssrc, way).expect("what both know is known");
            assert_eq!(merged.reports, source.reports.saturating_mul(2), "reports add up");
        }
    }
}

/// What a payload type is, and what it becomes once an SDP has named it.
fn codec(payload_type: u8, is_named: bool) -> Option<(&'static str, u32)> {
    match payload_type % 8 {
        0 => Some(("PCMU", 8000)),
        1 => Some(("G729", 8000)),
        2 => Some(("G722", 8000)),
        3 if is_named => Some(("opus", 48_000)),
        4 if is_named => Some(("EVS", 16_000)),
        5 if is_named => Some(("H264", 90_000)),
        6 if is_named => Some(("telephone-event", 8000)),
        7 if is_named => Some(("odd", 1)),
        _ => None,
    }
}

/// A stream: packets with numbers, timestamps and times of every kind.
fn stream(input: &mut Input<'_>) {
    let key = {
        let place = |port| Endpoint { address: WAY.0, port };
        StreamKey { source: place(1), destination: place(2), ssrc: 1 }
    };
    let mut now = BEGIN;
    let mut stream = Stream::new(key, None, Timestamp::from_nanos(now));
    let (mut number, mut timestamp, mut payload_type, mut is_named) = (input.word(), 0_u32, 0_u8, false);
    let mut packets = 0_u64;
    while !input.is_empty() && packets < 4000 {
        let what = input.byte();
        let count = match what % 8 {
            // As it should be, for a while.
            0..=3 => u32::from(input.byte()),
            4 => {
                now = now.saturating_add(input.step());
                1
            }
            5 => {
                // Some numbers ahead or back.
                number = number.wrapping_add(u16::from(input.byte())).wrapping_sub(128);
                1
            }
            6 => {
                (number, payload_type) = (input.word(), input.byte());
                timestamp = timestamp.wrapping_add(u32::from(input.word()) << (what >> 4));
                2
            }
            _ => {
                is_named = true;
                stream.resolve(|payload_type| codec(payload_type, true).map(Timing::of));
                1
            }
        };
        for _ in 0..count {
            let bytes =
                [&[0x80, payload_type & 0x7f][..], &number.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 1]];
            let bytes = [bytes.concat(), vec![0; usize::from(what & 0x30)]].concat();
            let Some(header) = rtp::parse(&bytes) else { return };
            let (time, ip_id) = (Timestamp::from_nanos(now), Some(number & 0xff));
            let packet = rtp::Packet { time, header, bytes: &bytes, dscp: what >> 6, ip_id };
            stream.on(&packet, |payload_type| codec(payload_type, is_named).map(Timing::of));
            number = number.wrapping_add(1);
            timestamp = timestamp.wrapping_add(160);
            now = now.saturating_add(20_000_000 + i64::from(what >> 5) * 700_000);
            packets += 1;
        }
    }
    let Some(sequence) = stream.sequence() else { return };
    assert_eq!((sequence.packets(), sequence.unique() + sequence.duplicates()), (packets, packets), "packets");
    let pattern = sequence.pattern();
    let bins: u64 = pattern.run_bins().iter().map(|&bin| u64::from(bin)).sum();
    assert!(bins <= u64::from(pattern.runs()) && pattern.longest_run() <= pattern.total(), "runs of {pattern:?}");
    assert!(pattern.burst_lost() <= pattern.burst_packets(), "bursts of {pattern:?}");
    let main = stream.main_type().and_then(|main| codec(main.number(), is_named));
    let mut record = StreamRecord { packets, start: stream.first, end: stream.last, ..StreamRecord::default() };
    quality::stream::fill(&mut record, &stream, main);
    records::stream(&record);
}

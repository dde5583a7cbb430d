//! What a packet costs in `Stream::on`, and what a stream takes: `cargo run --release -p sniffer-core --example
//! stream_cost [STREAMS]`. A steady and a damaged load, streams in turn as on a wire.
#![expect(clippy::print_stdout, reason = "it prints its measurement")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use sniffer_core::{
    codec::Media,
    decode::Endpoint,
    rtp::{
        Header, Packet,
        stream::{Stream, StreamKey, Timing},
    },
    time::Timestamp,
};

const PACKETS: u32 = 10_000_000;

fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(100);
    println!("{} bytes inline", size_of::<Stream>());
    for (name, damaged) in [("steady", false), ("jitter, 1 % lost, 1 % twice, 1 % reordered", true)] {
        let started = Instant::now();
        let streams = run(count, damaged);
        let nanos = started.elapsed().as_nanos() / u128::from(PACKETS);
        let heap = streams.iter().map(Stream::heap_bytes).max().unwrap_or(0);
        println!("{count} streams, {name}: {nanos} ns a packet, {heap} bytes on the heap at most");
    }
}

fn run(count: u32, damaged: bool) -> Vec<Stream> {
    let timing = Timing { clock_rate: 8000, media: Media::Audio, silence_octets: 0 };
    let endpoint = |port| Endpoint { address: [192, 0, 2, 1].into(), port };
    let mut streams: Vec<Stream> = (0..count)
        .map(|ssrc| StreamKey { source: endpoint(4000), destination: endpoint(5000), ssrc })
        .map(|key| Stream::new(key, None, Timestamp::default()))
        .collect();
    let mut random = 1_u32;
    let bytes = [0x80; 172];
    for number in 0..PACKETS / count {
        for stream in &mut streams {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (dice, delay) = (random >> 24, i64::from((random >> 12) & 0xfff) * 2000);
            let sequence = match dice {
                0..=2 if damaged => continue,
                3..=5 if damaged => number.saturating_sub(1),
                6..=8 if damaged => number + 1,
                _ => number,
            };
            let header = Header {
                payload_type: 0,
                marker: false,
                sequence: u16::try_from(sequence & 0xffff).unwrap_or(0),
                timestamp: sequence.wrapping_mul(160),
                ssrc: stream.key().ssrc,
            };
            let time = Timestamp::from_nanos(i64::from(number) * 20_000_000 + if damaged { delay } else { 0 });
            let packet = Packet { time, header, bytes: &bytes, dscp: 46, ip_id: Some(7) };
            stream.on(&packet, |_| Some(timing));
        }
    }
    streams
}

//! What the engine takes for the frames of a capture file, file and output left out: `cargo run --release -p sniffer-core
//! --example engine_cost FILE.pcap [ROUNDS]`. The best of all rounds in nanoseconds a frame, and the same without the
//! records of what ended. pcap in this machine's byte order only.
#![expect(clippy::print_stdout, reason = "it prints its measurement")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a file that is no pcap ends it"
)]

use std::time::Instant;

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, FrameMeta, Settings},
    time::Timestamp,
};

fn number(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes[..4].try_into().unwrap())
}

/// The frames of a file with their times.
fn frames(file: &[u8]) -> (LinkType, Vec<(Timestamp, &[u8])>) {
    let is_nano = number(file) == 0xa1b2_3c4d;
    assert!(is_nano || number(file) == 0xa1b2_c3d4, "no pcap in this machine's byte order");
    let link = LinkType::from_number(number(&file[20..]) & 0xffff);
    let (mut rest, mut frames) = (&file[24..], Vec::new());
    while rest.len() >= 16 {
        let (seconds, part, length) = (number(rest), number(&rest[4..]), usize::try_from(number(&rest[8..])).unwrap());
        let nanos = u64::from(part) * if is_nano { 1 } else { 1000 };
        frames.push((Timestamp::from_parts(seconds.into(), nanos), &rest[16..16 + length]));
        rest = &rest[16 + length..];
    }
    (link, frames)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = std::fs::read(arguments.next().expect("FILE.pcap")).expect("a file that can be read");
    let rounds: u32 = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let (link, frames) = frames(&file);
    let count = f64::from(u32::try_from(frames.len()).unwrap());
    let (mut best, mut best_to_end) = (f64::INFINITY, f64::INFINITY);
    let mut events = 0_u64;
    for _ in 0..rounds {
        let started = Instant::now();
        let mut engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
        for &(time, frame) in &frames {
            engine.frame(link, FrameMeta { time, vlan: None }, frame);
            while engine.next_event().is_some() {
                events += 1;
            }
        }
        best = best.min(started.elapsed().as_secs_f64());
        engine.finish();
        while engine.next_event().is_some() {
            events += 1;
        }
        best_to_end = best_to_end.min(started.elapsed().as_secs_f64());
    }
    let (frame, to_end) = (best * 1e9 / count, best_to_end * 1e9 / count);
    println!("{count} frames, {events} events: {frame:.0} ns a frame, {to_end:.0} with what is ended at the end");
}

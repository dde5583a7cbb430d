//! The whole engine: a list of frames with their times.

use sniffer_core::decode::LinkType;

use super::{
    input::Input,
    packets::{Ends, any_chunks, any_fragment, any_segment, udp},
    parsers::link_type,
    run::{Run, small},
};

/// Frames of every kind: as they are, datagrams, segments and chunks made from payloads, RTP made from a sequence.
pub fn engine(data: &[u8]) {
    let (mut input, mut run) = (Input::new(data), Run::new(small()));
    while !input.is_empty() && run.frames < 2000 {
        let kind = input.byte();
        run.now = run.now.saturating_add(input.step());
        match kind % 8 {
            0 | 1 => {
                let link = link_type(input.byte());
                let length = usize::from(input.word()) % 2048;
                run.frame(link, input.bytes(length));
            }
            2 | 3 => {
                let ends = Ends::of(input.byte());
                let length = usize::from(input.word()) % 2048;
                run.frame(LinkType::RawIp, &udp(ends, input.bytes(length)));
            }
            4 => rtp(&mut input, &mut run),
            5 => run.frame(LinkType::RawIp, &any_segment(&mut input)),
            6 => run.frame(LinkType::RawIp, &any_chunks(&mut input)),
            _ => run.frame(LinkType::RawIp, &any_fragment(&mut input)),
        }
    }
    run.end();
}

/// A run of RTP packets with a step in sequence numbers and one in timestamps.
fn rtp(input: &mut Input<'_>, run: &mut Run) {
    let (ends, payload_type, count) = (Ends::of(input.byte()), input.byte(), input.byte() % 32);
    let (mut sequence, step, ticks) = (input.word(), input.word(), input.word());
    let ssrc = input.byte() % 4;
    let mut timestamp = u32::from(sequence) << 8;
    for _ in 0..count {
        let header = [&[0x80, payload_type][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, ssrc]];
        run.frame(LinkType::RawIp, &udp(ends, &[&header.concat(), &[0; 20][..]].concat()));
        sequence = sequence.wrapping_add(if step % 3 == 0 { step } else { 1 });
        timestamp = timestamp.wrapping_add(u32::from(ticks));
        run.now = run.now.saturating_add(20_000_000);
    }
}

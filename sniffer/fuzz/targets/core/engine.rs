//! The whole engine: a list of frames with their times. Whatever comes, each frame is counted once, and nothing is left
//! when everything has ended.

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, Event, FrameMeta, Settings},
    time::Timestamp,
};

use super::{Input, parsers::link_type};

/// Addresses and ports of which two are chosen: few, so that packets meet.
const ADDRESSES: [[u8; 4]; 4] = [[192, 0, 2, 1], [192, 0, 2, 2], [198, 51, 100, 1], [203, 0, 113, 5]];
const PORTS: [u16; 8] = [5060, 5060, 4000, 4001, 4002, 10_000, 80, 4789];

struct Run {
    engine: Engine,
    now: i64,
    frames: u64,
    events: u64,
}

impl Run {
    fn new() -> Self {
        let settings = Settings { rtp_without_sip: true, ..Settings::default() };
        Self { engine: Engine::new(settings), now: 1_795_000_000_000_000_000, frames: 0, events: 0 }
    }

    /// Time goes on by milliseconds, now and then by minutes, and sometimes back.
    fn pass(&mut self, step: u8) {
        let step_ms = match step {
            0..=199 => i64::from(step),
            200..=229 => i64::from(step - 199) * 1000,
            230..=249 => i64::from(step - 229) * 60_000,
            back => -i64::from(back - 249) * 500,
        };
        self.now += step_ms * 1_000_000;
    }

    fn frame(&mut self, link: LinkType, frame: &[u8]) {
        let meta = FrameMeta { time: Timestamp::from_nanos(self.now), vlan: None };
        let used = self.engine.frame(link, meta, frame);
        assert!(used.keep <= frame.len(), "more is kept than there is");
        self.frames += 1;
        self.events();
        // Counting is dear beside a frame.
        if self.frames.is_multiple_of(16) {
            self.balance();
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.engine.next_event() {
            self.events += 1;
            match event {
                Event::Call(call) => {
                    let streams = u64::from(call.record.streams);
                    assert_eq!(streams, u64::try_from(call.streams.len()).unwrap_or(u64::MAX), "streams of a call");
                    assert!(serde_json::to_vec(&call.record).is_ok() && serde_json::to_vec(&call.summary).is_ok());
                    for stream in &call.streams {
                        check(stream);
                    }
                }
                Event::Stream { record, .. } => check(&record),
                Event::Registration(record) => assert!(serde_json::to_vec(&record).is_ok()),
                Event::Subscription(record) => assert!(serde_json::to_vec(&record).is_ok()),
                Event::Exchange(record) => assert!(serde_json::to_vec(&record).is_ok()),
                Event::Adopted { .. } => {}
            }
        }
    }

    fn balance(&self) {
        let counters = self.engine.counters();
        let told = counters.delivered + counters.waiting + counters.dropped.total();
        assert_eq!((counters.received, told), (self.frames, self.frames), "each frame is counted once: {counters:?}");
    }

    fn end(mut self) {
        self.engine.finish();
        self.events();
        self.balance();
        let counters = self.engine.counters();
        assert_eq!(counters.waiting, 0, "something waits although there will be no more frames");
        assert_eq!(self.engine.calls_in_progress() + self.engine.streams_active(), 0, "something is left");
        assert!(serde_json::to_vec(&self.engine.summary()).is_ok());
    }
}

fn check(stream: &sniffer_core::record::StreamRecord) {
    assert!(stream.packets > 0, "a stream without a packet");
    assert!(stream.lost <= stream.expected, "{} lost of {}", stream.lost, stream.expected);
    assert!(stream.duplicates <= stream.packets, "{} duplicates of {}", stream.duplicates, stream.packets);
    for figure in [stream.jitter_ms_max, stream.jitter_ms_mean] {
        assert!(figure.is_none_or(|figure| figure.is_finite() && figure >= 0.0), "a jitter of {figure:?} ms");
    }
    assert!(stream.mos.is_none_or(|mos| (1.0..=4.5).contains(&mos)), "a MOS of {:?}", stream.mos);
    assert!(serde_json::to_vec(stream).is_ok());
}

/// Frames of every kind: as they are, datagrams and segments made from payloads, RTP made from a sequence.
pub fn engine(data: &[u8]) {
    let (mut input, mut run) = (Input::new(data), Run::new());
    while !input.is_empty() && run.frames < 4000 {
        let (kind, step) = (input.byte(), input.byte());
        run.pass(step);
        match kind % 6 {
            0 => {
                let link = link_type(input.byte());
                let length = usize::from(input.word()) % 2048;
                run.frame(link, input.bytes(length));
            }
            1 | 2 => {
                let ends = input.byte();
                let length = usize::from(input.word()) % 2048;
                let payload = input.bytes(length);
                run.frame(LinkType::RawIp, &ip(17, ends, &udp(ends, payload)));
            }
            3 => rtp(&mut input, &mut run),
            4 => segment(&mut input, &mut run),
            _ => fragment(&mut input, &mut run),
        }
    }
    run.end();
}

/// IPv4 fragments alone.
pub fn fragments(data: &[u8]) {
    let (mut input, mut run) = (Input::new(data), Run::new());
    while !input.is_empty() && run.frames < 4000 {
        let step = input.byte();
        run.pass(step);
        fragment(&mut input, &mut run);
    }
    run.end();
}

/// TCP segments alone.
pub fn tcp(data: &[u8]) {
    let (mut input, mut run) = (Input::new(data), Run::new());
    while !input.is_empty() && run.frames < 4000 {
        let step = input.byte();
        run.pass(step);
        segment(&mut input, &mut run);
    }
    run.end();
}

/// A run of RTP packets with a step in sequence numbers and one in timestamps.
fn rtp(input: &mut Input<'_>, run: &mut Run) {
    let (ends, payload_type, count) = (input.byte(), input.byte(), input.byte() % 32);
    let (mut sequence, step, ticks) = (input.word(), input.word(), input.word());
    let ssrc = input.byte() % 4;
    let mut timestamp = u32::from(sequence) << 8;
    for _ in 0..count {
        let header = [&[0x80, payload_type][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, ssrc]];
        run.frame(LinkType::RawIp, &ip(17, ends, &udp(ends, &[&header.concat(), &[0; 20][..]].concat())));
        sequence = sequence.wrapping_add(if step % 3 == 0 { step } else { 1 });
        timestamp = timestamp.wrapping_add(u32::from(ticks));
        run.pass(20);
    }
}

fn segment(input: &mut Input<'_>, run: &mut Run) {
    let (ends, flags) = (input.byte(), input.byte());
    // Numbers near each other, so that segments overlap and follow each other.
    let sequence = u32::from(input.word()).wrapping_sub(500);
    let length = usize::from(input.word()) % 1500;
    let payload = input.bytes(length);
    let (source, target) = ports(ends);
    let header = [
        &source.to_be_bytes()[..],
        &target.to_be_bytes(),
        &sequence.to_be_bytes(),
        &[0, 0, 0, 0, 0x50, flags & 0x1f, 0xff, 0xff, 0, 0, 0, 0],
        payload,
    ];
    run.frame(LinkType::RawIp, &ip(6, ends, &header.concat()));
}

fn fragment(input: &mut Input<'_>, run: &mut Run) {
    let (ends, id, place) = (input.byte(), input.byte() % 4, input.word());
    let length = usize::from(input.word()) % 1024;
    let payload = input.bytes(length);
    let mut packet = ip(17, ends, payload);
    packet[5] = id;
    // More fragments, and an offset of at most 64 KiB.
    packet[6..8].copy_from_slice(&(place & 0x3fff).to_be_bytes());
    run.frame(LinkType::RawIp, &packet);
}

fn ports(ends: u8) -> (u16, u16) {
    let at = |place: u8| PORTS[usize::from(place) % PORTS.len()];
    (at(ends & 7), at(ends >> 3 & 7))
}

fn udp(ends: u8, payload: &[u8]) -> Vec<u8> {
    let (source, target) = ports(ends);
    let length = u16::try_from(payload.len() + 8).unwrap_or(0);
    let header = [source.to_be_bytes(), target.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    [header.as_slice(), payload].concat()
}

fn ip(protocol: u8, ends: u8, payload: &[u8]) -> Vec<u8> {
    let at = |place: u8| ADDRESSES[usize::from(place) % ADDRESSES.len()];
    let length = u16::try_from(payload.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [&head[..], &at(ends >> 6), &at((ends >> 6) + 1 + (ends & 1)), payload].concat()
}

//! All frames of a message that comes in several are given to its call, also where the owner of signalling is elsewhere.

use sniffer_core::{
    decode::LinkType,
    engine::{CallSerial, Engine, Event, FrameKind, FrameMeta, Owner, Settings, ToOwner, Whose, Worker},
    time::Timestamp,
};

fn ip(protocol: u8, id: u16, fragment: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(body.len() + 20).unwrap().to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(body);
    packet
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut datagram = [5060_u16.to_be_bytes(), 5060_u16.to_be_bytes()].concat();
    datagram.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

fn tcp(sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut segment = [40_000_u16.to_be_bytes(), 5060_u16.to_be_bytes()].concat();
    segment.extend(sequence.to_be_bytes());
    segment.extend([0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(6, 0, 0, &segment)
}

pub fn invite(call: &str, transport: &str) -> Vec<u8> {
    format!(
        "INVITE sip:b@example.org SIP/2.0\r\nVia: SIP/2.0/{transport} 192.0.2.1;branch=z9hG4bK{call}\r\nFrom: <sip:a@example.org>;tag=a\r\n\
         To: <sip:b@example.org>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\nSubject: {}\r\nContent-Length: 0\r\n\r\n",
        "long ".repeat(60)
    )
    .into_bytes()
}

/// An INVITE in three fragments, of which the last comes first, and two in one TCP stream of which one segment is missing
/// until later; the fifth segment has the end of one and the beginning of the other.
fn frames() -> Vec<Vec<u8>> {
    let whole = udp(&invite("fragmented", "UDP"));
    let mut frames: Vec<Vec<u8>> = whole
        .chunks(200)
        .zip(0_u16..)
        .map(|(part, n)| ip(17, 9, (n * 25) | if usize::from(n) * 200 + 200 < whole.len() { 0x2000 } else { 0 }, part))
        .collect();
    frames.reverse();
    assert_eq!(frames.len(), 3);
    let stream = [invite("one", "TCP"), invite("two", "TCP")].concat();
    let mut segments: Vec<Vec<u8>> =
        stream.chunks(110).zip(0_u32..).map(|(part, n)| tcp(1000 + n * 110, part)).collect();
    segments.swap(1, 3);
    frames.extend(segments);
    frames
}

/// The numbers of the frames of each message, as they should be: the segments 2 and 4 of the stream came in exchange.
fn expected() -> Vec<(&'static str, Vec<u64>)> {
    let length = invite("one", "TCP").len();
    let (last, end) = (length / 110 + 1, (2 * length).div_ceil(110));
    let place = |n: usize| {
        u64::try_from(
            3 + match n {
                2 => 4,
                4 => 2,
                n => n,
            },
        )
        .unwrap()
    };
    let sorted = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers
    };
    vec![
        ("fragmented", vec![1, 2, 3]),
        ("one", sorted((1..=last).map(place).collect())),
        ("two", sorted((last..=end).map(place).collect())),
    ]
}

fn meta(n: usize) -> FrameMeta {
    FrameMeta { time: Timestamp::from_nanos(1_000_000_000 + i64::try_from(n).unwrap() * 1_000_000), vlan: None }
}

fn named(mut found: Vec<(CallSerial, Vec<u64>)>, mut end: impl FnMut() -> Option<Event>) -> Vec<(String, Vec<u64>)> {
    let mut named = Vec::new();
    while let Some(event) = end() {
        if let Event::Call(call) = event {
            let (mine, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(serial, _)| *serial == call.serial);
            found = others;
            let mut numbers: Vec<u64> = mine.into_iter().flat_map(|(_, numbers)| numbers).collect();
            numbers.sort_unstable();
            named.push((call.record.call_id.clone(), numbers));
        }
    }
    named
}

fn check(found: Vec<(String, Vec<u64>)>) {
    let expected: Vec<_> = expected().into_iter().map(|(name, numbers)| (name.to_owned(), numbers)).collect();
    assert_eq!(found, expected);
}

#[test]
fn all_frames_of_fragmented_and_streamed_messages_are_told_with_their_calls() {
    let mut engine = Engine::new(Settings { holds_frames: true, ..Settings::default() });
    let mut found = Vec::new();
    for (n, frame) in frames().iter().enumerate() {
        engine.frame(LinkType::RawIp, meta(n), frame);
        for together in engine.take_held() {
            assert_eq!(together.used.kind, FrameKind::Sip);
            found.push((together.used.owner.unwrap(), together.frames.iter().map(|frame| frame.number).collect()));
        }
    }
    engine.finish();
    assert!(engine.take_held().is_empty());
    check(named(found, || engine.next_event()));
}

#[test]
fn with_several_workers_a_message_brings_its_frames_along() {
    let settings = Settings { holds_frames: true, ..Settings::default() };
    let (mut worker, mut owner) = (Worker::new(&settings, 0), Owner::new(&settings, 1));
    let mut found = Vec::new();
    for (n, frame) in frames().iter().enumerate() {
        worker.frame_of_many(LinkType::RawIp, meta(n), frame);
        while let Some(output) = worker.next_output() {
            if let ToOwner::Sip(sip) = &output {
                assert!(sip.frame.is_empty() && !sip.held.is_empty());
            }
            owner.take(output);
        }
        owner.clock(0, meta(n).time);
        owner.release(meta(n).time, &mut |sip, used| {
            let call = used.owner.unwrap();
            let given =
                sip.held.iter().filter(|frame| frame.give(Whose::Call(call))).map(|frame| frame.number).collect();
            found.push((call, given));
        });
    }
    owner.finish_calls();
    while let Some(command) = owner.next_command() {
        worker.tell(meta(0).time, command);
    }
    while let Some(output) = worker.next_output() {
        owner.take(output);
    }
    check(named(found, || owner.next_event()));
}

#[test]
fn without_the_wish_nothing_is_held() {
    let mut engine = Engine::new(Settings::default());
    for (n, frame) in frames().iter().enumerate() {
        assert!(!engine.frame(LinkType::RawIp, meta(n), frame).is_held);
    }
    assert!(engine.take_held().is_empty());
    assert_eq!(engine.summary().calls, 3);
}

#[test]
fn a_message_in_too_many_segments_is_kept_with_its_last_ones_and_the_rest_is_counted() {
    let mut engine = Engine::new(Settings { holds_frames: true, ..Settings::default() });
    let invite = invite("slow", "TCP");
    for (n, byte) in invite.chunks(2).enumerate() {
        engine.frame(LinkType::RawIp, meta(n), &tcp(1000 + 2 * u32::try_from(n).unwrap(), byte));
    }
    let held: usize = engine.take_held().iter().map(|together| together.frames.len()).sum();
    let most = sniffer_core::limits::TCP_HELD_FRAMES;
    assert_eq!(held, most);
    let segments = invite.len().div_ceil(2);
    assert_eq!(engine.summary().joined["frames_given_up"], u64::try_from(segments - most).unwrap());
}

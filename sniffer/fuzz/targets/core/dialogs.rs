//! Structured sequences: SIP messages that belong together or nearly, reordered and doubled, over UDP, TCP and SCTP, with
//! the media that their SDP announces, RTCP, and leaps of time. It reaches what random bytes do not: calls, transfers,
//! registrations, subscriptions, and the joining of streams with calls.

use sniffer_core::{decode::LinkType, engine::Settings};

use super::{
    input::Input,
    messages::{Text, message},
    packets::{Ends, sctp, tcp, udp},
    run::{BEGIN, Run, small},
};

/// A frame and its time in nanoseconds.
#[derive(Clone)]
pub struct Timed {
    pub at: i64,
    pub bytes: Vec<u8>,
}

/// Frames that one input makes: at most so many.
const FRAMES: usize = 1500;

/// The first byte says how the engine is set.
pub fn dialogs(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte();
    let mut settings = if how & 1 == 0 { small() } else { Settings::default() };
    settings.rtp_without_sip = how & 2 == 0;
    settings.correlation.is_on = how & 4 == 0;
    settings.nat_aliases = vec![([192, 0, 2, 1].into(), [203, 0, 113, 5].into())];
    let mut run = Run::new(settings);
    for (number, frame) in script(&mut input, true).into_iter().enumerate() {
        run.now = frame.at;
        if how & 8 != 0 && number % 50 == 49 {
            run.lost(1_000_000_000, 3);
        }
        run.frame(LinkType::RawIp, &frame.bytes);
    }
    run.end();
}

/// The frames that an input makes. Signalling goes over UDP alone, or with `streams` also over TCP and SCTP.
pub fn script(input: &mut Input<'_>, streams: bool) -> Vec<Timed> {
    let (mut frames, mut at, mut sequence) = (Vec::<Timed>::new(), BEGIN, [1_u32; 2]);
    while !input.is_empty() && frames.len() < FRAMES {
        let what = input.byte();
        at = at.saturating_add(if what & 0x80 == 0 { 5_000_000 } else { input.step() });
        match what & 15 {
            0..=7 => {
                let Text { bytes, by_caller } = message(input);
                let ends = ends(by_caller, what >> 4 & 3);
                match if streams { what & 7 } else { 0 } {
                    6 => {
                        let next = &mut sequence[usize::from(by_caller)];
                        frames.push(Timed { at, bytes: tcp(ends, 0x18, *next, &bytes) });
                        *next = next.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
                    }
                    7 => frames.push(Timed { at, bytes: sctp(ends, &chunk(&bytes, frames.len())) }),
                    _ => frames.push(Timed { at, bytes: udp(ends, &bytes) }),
                }
            }
            8..=10 => at = rtp(input, at, &mut frames),
            11 => frames.push(Timed { at, bytes: udp(media_ends(input.byte()), &rtcp(input)) }),
            // A frame comes again, as it was or a little changed.
            12 | 13 => {
                let (back, place, change) = (usize::from(input.byte()), usize::from(input.word()), input.byte());
                if let Some(frame) = frames.len().checked_sub(back % 32 + 1).and_then(|place| frames.get(place)) {
                    let mut again = Timed { at, ..frame.clone() };
                    if what & 15 == 13
                        && let Some(byte) = again.bytes.get_mut(28 + place % 700)
                    {
                        *byte ^= change;
                    }
                    frames.push(again);
                }
            }
            // Two neighbours change places: their times stay.
            14 => {
                if let [.., one, other] = frames.as_mut_slice() {
                    std::mem::swap(&mut one.bytes, &mut other.bytes);
                }
            }
            // T.38 in UDPTL.
            _ => frames.push(Timed { at, bytes: udp(media_ends(input.byte()), &[0, input.byte(), 1, 6, 0, 0]) }),
        }
    }
    frames
}

/// Signalling goes between one or two pairs of hosts.
fn ends(by_caller: bool, pair: u8) -> Ends {
    let [caller, callee] =
        if pair == 3 { [[198, 51, 100, 1], [203, 0, 113, 5]] } else { [[192, 0, 2, 1], [192, 0, 2, 2]] };
    let (source, destination) = if by_caller { (caller, callee) } else { (callee, caller) };
    Ends { source: (source, 5060), destination: (destination, 5060) }
}

/// Media goes between the places that SDP names, and some that it does not.
fn media_ends(byte: u8) -> Ends {
    let address =
        |place: u8| [[192, 0, 2, 1], [192, 0, 2, 2], [198, 51, 100, 1], [203, 0, 113, 5]][usize::from(place & 3)];
    let port = |place: u8| [4000, 4001, 4002, 10_000][usize::from(place & 3)];
    Ends { source: (address(byte), port(byte >> 2)), destination: (address(byte >> 4), port(byte >> 6)) }
}

fn chunk(message: &[u8], number: usize) -> Vec<u8> {
    let (number, length) = (u32::try_from(number).unwrap_or(0), u16::try_from(message.len() + 16).unwrap_or(16));
    let mut chunk = [&[0, 3][..], &length.to_be_bytes(), &number.to_be_bytes(), &[0; 8], message].concat();
    chunk.resize(chunk.len().next_multiple_of(4), 0);
    chunk
}

/// Some packets of one stream, 20 ms apart; says when the last was.
fn rtp(input: &mut Input<'_>, mut at: i64, frames: &mut Vec<Timed>) -> i64 {
    let (ends, shape, count) = (media_ends(input.byte()), input.byte(), input.byte());
    let payload_type = [0, 8, 18, 96, 97, 101, 13, 9][usize::from(shape & 7)];
    let (first, ssrc) = (input.word(), shape >> 3 & 3);
    for number in 0..u16::from(count & 63) {
        // Of some shapes every seventh packet is missing.
        if shape & 0x20 != 0 && number % 7 == 6 {
            continue;
        }
        let sequence = first.wrapping_add(number);
        let timestamp = u32::from(sequence).wrapping_mul(160);
        let header = [&[0x80, payload_type][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, ssrc]];
        frames.push(Timed { at, bytes: udp(ends, &[&header.concat(), &[0x55; 40][..]].concat()) });
        at = at.saturating_add(20_000_000);
    }
    at
}

/// A sender report with a report block, a receiver report, a goodbye or an extended report.
fn rtcp(input: &mut Input<'_>) -> Vec<u8> {
    let (kind, ssrc, other, number) = (input.byte(), input.byte() & 3, input.byte() & 3, input.byte());
    let block = [0, 0, 0, other, number, 0, 0, number, 0, 0, 0, 9, 0, 0, 0, 80, 0, 0, number, 0, 0, 0, 0, number];
    match kind % 4 {
        0 => [
            &[0x81, 200, 0, 12, 0, 0, 0, ssrc, 0, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 9][..],
            &block,
        ]
        .concat(),
        1 => [&[0x81, 201, 0, 7, 0, 0, 0, ssrc][..], &block].concat(),
        2 => vec![0x80, 201, 0, 1, 0, 0, 0, ssrc, 0x81, 203, 0, 1, 0, 0, 0, other],
        _ => [&[0x80, 207, 0, 10, 0, 0, 0, ssrc, 7, 0, 0, 8, 0, 0, 0, other][..], &[number; 28]].concat(),
    }
}

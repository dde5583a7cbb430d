//! How the signalling of a call travels: datagrams, IP fragments, or a TCP connection whose segments do not follow the
//! messages' bounds, come out of order, and come again.

use super::{
    TimedFrame,
    frame::{Station, tcp_frame, udp_frame},
    random::Random,
    tunnel::{IPV4, IPV6, checksum, network_layer},
};
use anyhow::{Context, Result};
use std::time::Duration;

/// What carries SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carriage {
    /// A datagram for each message.
    #[default]
    Udp,
    /// Datagrams of more than 512 bytes in fragments of IPv4 or IPv6, some of them in the wrong order.
    Fragments,
    /// A TCP connection: some messages in several segments, several in one, out of order, and sent again.
    Tcp,
}

/// A SIP message on its way.
#[derive(Debug)]
pub struct Message {
    pub at: Duration,
    /// From the caller to the callee.
    pub is_forth: bool,
    pub text: String,
}

/// The two ends of the signalling.
#[derive(Debug)]
pub struct Path<'a> {
    pub vlan: Option<u16>,
    pub caller: &'a Station,
    pub callee: &'a Station,
    pub port: u16,
    /// The caller's port of a TCP connection.
    pub caller_port: u16,
}

impl Carriage {
    /// Makes the frames of a call's messages.
    pub fn carry(self, path: &Path<'_>, messages: &[Message], seed: u64, frames: &mut Vec<TimedFrame>) -> Result<()> {
        match self {
            Self::Udp | Self::Fragments => {
                for message in messages {
                    let (from, to) =
                        if message.is_forth { (path.caller, path.callee) } else { (path.callee, path.caller) };
                    let text = message.text.as_bytes();
                    let bytes = udp_frame(path.vlan, (from, path.port), (to, path.port), text)?;
                    if self == Self::Udp || text.len() <= PIECE {
                        frames.push(TimedFrame { at: message.at, bytes });
                    } else {
                        fragment(message.at, &bytes, seed.wrapping_add(u64::try_from(frames.len())?), frames)?;
                    }
                }
                Ok(())
            }
            Self::Tcp => Connection::new(path, seed).carry(messages, frames),
        }
    }
}

/// Bytes of a fragment's payload: a multiple of eight (RFC 791).
const PIECE: usize = 512;
/// From one fragment or segment to the next.
const GAP: Duration = Duration::from_micros(150);

/// Cuts the datagram of a frame into fragments; in every third datagram the last comes first.
fn fragment(at: Duration, frame: &[u8], number: u64, frames: &mut Vec<TimedFrame>) -> Result<()> {
    let (kind, packet) = network_layer(frame).context("a frame without an IP packet")?;
    let link = frame.get(..frame.len() - packet.len()).unwrap_or_default();
    let header_length = if kind == IPV4 { 20 } else { 40 };
    let header = packet.get(..header_length).context("an IP header")?;
    let payload = packet.get(header_length..).unwrap_or_default();
    let id = u32::try_from(number & 0xffff)?;
    let count = payload.len().div_ceil(PIECE);
    let mut pieces = Vec::new();
    for (index, piece) in payload.chunks(PIECE).enumerate() {
        let more = index + 1 < count;
        let offset = u16::try_from(index * PIECE)?;
        let bytes = if kind == IPV4 {
            fragment_v4(header, id, offset, more, piece)?
        } else if kind == IPV6 {
            fragment_v6(header, id, offset, more, piece)?
        } else {
            anyhow::bail!("neither IPv4 nor IPv6");
        };
        pieces.push([link, &bytes].concat());
    }
    if number.is_multiple_of(3) {
        pieces.rotate_right(1);
    }
    for (index, bytes) in (0_u32..).zip(pieces) {
        frames.push(TimedFrame { at: at + GAP * index, bytes });
    }
    Ok(())
}

/// RFC 791: identification, flags (more fragments: 0x2000), offset in units of eight bytes.
fn fragment_v4(header: &[u8], id: u32, offset: u16, more: bool, piece: &[u8]) -> Result<Vec<u8>> {
    let mut header: [u8; 20] = *header.first_chunk().context("an IPv4 header")?;
    let length = u16::try_from(20 + piece.len())?.to_be_bytes();
    let flags = (offset / 8) | if more { 0x2000 } else { 0 };
    let id = u16::try_from(id)?.to_be_bytes();
    for (at, value) in [(2, length), (4, id), (6, flags.to_be_bytes()), (10, [0, 0])] {
        header.get_mut(at..at + 2).context("an IPv4 header")?.copy_from_slice(&value);
    }
    let sum = checksum(&header).to_be_bytes();
    header.get_mut(10..12).context("an IPv4 header")?.copy_from_slice(&sum);
    Ok([&header, piece].concat())
}

/// RFC 8200, section 4.5: a fragment header behind the fixed one.
fn fragment_v6(header: &[u8], id: u32, offset: u16, more: bool, piece: &[u8]) -> Result<Vec<u8>> {
    let mut header: [u8; 40] = *header.first_chunk().context("an IPv6 header")?;
    let length = u16::try_from(8 + piece.len())?.to_be_bytes();
    header.get_mut(4..6).context("an IPv6 header")?.copy_from_slice(&length);
    let next = header.get_mut(6).context("an IPv6 header")?;
    let upper = std::mem::replace(next, 44);
    let flags = (offset & 0xfff8) | u16::from(more);
    let extension = [[upper, 0], flags.to_be_bytes()].concat();
    Ok([&header, extension.as_slice(), &id.to_be_bytes(), piece].concat())
}

/// A TCP connection (RFC 9293) seen from beside; it is there before the first message and closes after the last.
struct Connection<'a> {
    path: &'a Path<'a>,
    random: Random,
    forth: u32,
    back: u32,
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const PSH: u8 = 8;
const FIN: u8 = 1;

impl<'a> Connection<'a> {
    fn new(path: &'a Path<'a>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Near the wrap of sequence numbers in many connections.
        let forth = if random.below(4) == 0 { u32::MAX - 700 } else { random.word() };
        let back = random.word();
        Self { path, random, forth, back }
    }

    fn segment(&self, at: Duration, is_forth: bool, sequence: u32, flags: u8, payload: &[u8]) -> Result<TimedFrame> {
        let (caller, callee) = ((self.path.caller, self.path.caller_port), (self.path.callee, self.path.port));
        let (from, to, acknowledged) =
            if is_forth { (caller, callee, self.back) } else { (callee, caller, self.forth) };
        let bytes = tcp_frame(self.path.vlan, from, to, sequence, acknowledged, flags, payload)?;
        Ok(TimedFrame { at, bytes })
    }

    fn carry(mut self, messages: &[Message], frames: &mut Vec<TimedFrame>) -> Result<()> {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
        let before = |steps: u32| first.at.saturating_sub(GAP * steps);
        frames.push(self.segment(before(3), true, self.forth, SYN, &[])?);
        self.forth = self.forth.wrapping_add(1);
        frames.push(self.segment(before(2), false, self.back, SYN | ACK, &[])?);
        self.back = self.back.wrapping_add(1);
        frames.push(self.segment(before(1), true, self.forth, ACK, &[])?);
        let mut rest = messages;
        while let Some((message, others)) = rest.split_first() {
            rest = others;
            let (mut at, mut text) = (message.at, message.text.clone());
            // Two messages in the same direction share segments now and then.
            if let Some((next, others)) = rest.split_first()
                && next.is_forth == message.is_forth
                && next.at.saturating_sub(message.at) < Duration::from_secs(1)
                && self.random.below(2) == 0
            {
                (at, rest) = (next.at, others);
                text.push_str(&next.text);
            }
            self.message(at, message.is_forth, text.as_bytes(), frames)?;
        }
        let end = last.at + Duration::from_millis(5);
        frames.push(self.segment(end, true, self.forth, FIN | ACK, &[])?);
        frames.push(self.segment(end + GAP, false, self.back, FIN | ACK, &[])?);
        Ok(())
    }

    fn message(&mut self, at: Duration, is_forth: bool, text: &[u8], frames: &mut Vec<TimedFrame>) -> Result<()> {
        let parts = match self.random.below(3) {
            0 => 1,
            1 => 2,
            _ => 4,
        };
        let piece = text.len().div_ceil(parts).max(1);
        let mut segments = Vec::new();
        for part in text.chunks(piece) {
            let sequence = if is_forth { self.forth } else { self.back };
            segments.push((sequence, part));
            let after = sequence.wrapping_add(u32::try_from(part.len())?);
            *(if is_forth { &mut self.forth } else { &mut self.back }) = after;
        }
        match self.random.below(4) {
            0 => segments.rotate_right(1),
            1 => segments.reverse(),
            2 => segments.extend(segments.clone().first().copied()),
            _ => {}
        }
        for (index, (sequence, part)) in (0_u32..).zip(segments) {
            frames.push(self.segment(at + GAP * index, is_forth, sequence, ACK | PSH, part)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(carriage: Carriage, is_v6: bool, text: &str) -> Vec<Vec<u8>> {
        let (caller, callee) = (Station::numbered(1, 7, is_v6), Station::numbered(2, 9, is_v6));
        let path = Path { vlan: None, caller: &caller, callee: &callee, port: 5060, caller_port: 40_000 };
        let messages = [Message { at: Duration::from_secs(1), is_forth: true, text: text.into() }];
        let mut frames = Vec::new();
        carriage.carry(&path, &messages, 5, &mut frames).unwrap();
        frames.sort_by_key(|frame| frame.at);
        frames.into_iter().map(|frame| frame.bytes).collect()
    }

    #[test]
    fn fragments_hold_all_of_the_datagram() {
        let text = "x".repeat(1500);
        for (is_v6, header) in [(false, 20), (true, 48)] {
            let frames = frames(Carriage::Fragments, is_v6, &text);
            assert_eq!(frames.len(), 3);
            let payload: usize = frames.iter().map(|frame| frame.len() - 14 - header).sum();
            assert_eq!(payload, 8 + 1500);
            for frame in frames.iter().filter(|_| !is_v6) {
                assert_eq!(checksum(&frame[14..34]), 0);
            }
        }
    }

    #[test]
    fn a_connection_holds_all_of_the_message_by_its_sequence_numbers() {
        let text: String = (0..900).map(|index| char::from(b'a' + u8::try_from(index % 26).unwrap())).collect();
        let frames = frames(Carriage::Tcp, false, &text);
        let number = |frame: &[u8]| u32::from_be_bytes(*frame[38..].first_chunk().unwrap());
        let start = number(&frames[0]).wrapping_add(1);
        let mut heard = vec![0; 900];
        for frame in &frames[3..frames.len() - 2] {
            let at = usize::try_from(number(frame).wrapping_sub(start)).unwrap();
            heard[at..at + frame.len() - 54].copy_from_slice(&frame[54..]);
        }
        assert_eq!(heard, text.into_bytes());
    }
}

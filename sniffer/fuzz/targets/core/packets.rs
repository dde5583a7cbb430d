//! IPv4 packets between a few places, so that they meet.

use super::input::Input;

/// Addresses and ports of which two are chosen.
const ADDRESSES: [[u8; 4]; 4] = [[192, 0, 2, 1], [192, 0, 2, 2], [198, 51, 100, 1], [203, 0, 113, 5]];
const PORTS: [u16; 8] = [5060, 5060, 4000, 4001, 4002, 10_000, 80, 4789];

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

/// Addresses and ports of a packet.
#[derive(Clone, Copy)]
pub struct Ends {
    pub source: ([u8; 4], u16),
    pub destination: ([u8; 4], u16),
}

impl Ends {
    /// Ends by one byte of the input.
    pub fn of(byte: u8) -> Self {
        let address = |place: u8| ADDRESSES[usize::from(place) % ADDRESSES.len()];
        let port = |place: u8| PORTS[usize::from(place) % PORTS.len()];
        Self {
            source: (address(byte >> 6), port(byte & 7)),
            destination: (address((byte >> 6) + 1 + (byte & 1)), port(byte >> 3 & 7)),
        }
    }

    fn ports(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.source.1.to_be_bytes(), self.destination.1.to_be_bytes());
        [a, b, c, d]
    }
}

pub fn ip(protocol: u8, ends: Ends, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [&head[..], &ends.source.0, &ends.destination.0, payload].concat()
}

pub fn udp(ends: Ends, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap_or(0).to_be_bytes();
    ip(UDP, ends, &[&ends.ports()[..], &length, &[0, 0], payload].concat())
}

pub fn tcp(ends: Ends, flags: u8, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let rest = [0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    ip(TCP, ends, &[&ends.ports()[..], &sequence.to_be_bytes(), &rest, payload].concat())
}

pub fn sctp(ends: Ends, chunks: &[u8]) -> Vec<u8> {
    ip(SCTP, ends, &[&ends.ports()[..], &[0, 0, 0, 7, 0, 0, 0, 0], chunks].concat())
}

/// A segment whose number is near the others', so that segments overlap and follow each other.
pub fn any_segment(input: &mut Input<'_>) -> Vec<u8> {
    let (ends, flags) = (Ends::of(input.byte()), input.byte());
    let sequence = u32::from(input.word()).wrapping_sub(500);
    let length = usize::from(input.word()) % 1500;
    tcp(ends, flags & 0x1f, sequence, input.bytes(length))
}

/// A fragment: an identification of four, an offset of at most 64 KiB.
pub fn any_fragment(input: &mut Input<'_>) -> Vec<u8> {
    let (ends, id, place) = (Ends::of(input.byte()), input.byte() % 4, input.word());
    let length = usize::from(input.word()) % 1024;
    let mut packet = ip(UDP, ends, input.bytes(length));
    packet[5] = id;
    packet[6..8].copy_from_slice(&(place & 0x3fff).to_be_bytes());
    packet
}

/// An SCTP packet with up to four chunks, DATA or I-DATA of one of four streams, their numbers near each other.
pub fn any_chunks(input: &mut Input<'_>) -> Vec<u8> {
    let (ends, count) = (Ends::of(input.byte()), input.byte() % 4 + 1);
    let mut chunks = Vec::new();
    for _ in 0..count {
        let (kind, flags, number) = (input.byte(), input.byte(), input.byte());
        let length = usize::from(input.word()) % 700;
        let data = input.bytes(length);
        let is_interleaved = kind & 1 != 0;
        let head: &[u8] = if is_interleaved {
            // TSN, stream, reserved, message, fragment number or payload protocol (RFC 8260, section 2.1).
            &[0, 0, 0, number, 0, kind >> 6, 0, 0, 0, 0, 0, kind >> 4 & 3, 0, 0, 0, number & 7]
        } else {
            &[0, 0, 0, number, 0, kind >> 6, 0, 0, 0, 0, 0, 0]
        };
        let length = u16::try_from(head.len() + data.len() + 4).unwrap_or(4).to_be_bytes();
        chunks.extend([if is_interleaved { 64 } else { 0 }, flags & 7, length[0], length[1]]);
        chunks.extend(head);
        chunks.extend(data);
        chunks.resize(chunks.len().next_multiple_of(4), 0);
    }
    sctp(ends, &chunks)
}

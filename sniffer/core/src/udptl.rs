//! UDPTL, the packets of fax over IP (ITU-T T.38, annex D, in aligned PER): their shape, which is all that can be told
//! without the SDP that announces them.

use crate::bytes::{u8_at, u16_at};

/// A UDPTL packet's outer fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Sequence number.
    pub sequence: u16,
    /// Bytes of the primary fax packet.
    pub primary_length: usize,
    /// Redundant copies of earlier packets that it carries; none with parity instead.
    pub copies: Option<usize>,
}

/// Reads a packet; none when the lengths in it do not add up. A packet with redundancy must end exactly with its last
/// copy, which chance hardly gives; one with parity is told by its first fields only.
#[must_use]
pub fn parse(datagram: &[u8]) -> Option<Packet> {
    let sequence = u16_at(datagram, 0)?;
    let (primary_length, mut rest) = open_type(datagram.get(2..)?)?;
    if primary_length == 0 {
        return None;
    }
    let copies = match u8_at(rest, 0)? {
        0x00 => {
            let count = usize::from(u8_at(rest, 1).filter(|&count| count < 0x80)?);
            rest = rest.get(2..)?;
            for _ in 0..count {
                (_, rest) = open_type(rest)?;
            }
            rest.is_empty().then_some(Some(count))?
        }
        0x80 if rest.len() > 2 => None,
        _ => return None,
    };
    Some(Packet { sequence, primary_length, copies })
}

/// The length of an open type, and what follows it.
fn open_type(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let first = u8_at(bytes, 0)?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), bytes.get(1..)?),
        0x80..=0xbf => (usize::from(u16_at(bytes, 0)? & 0x3fff), bytes.get(2..)?),
        // Fragmented types are longer than a datagram.
        0xc0.. => return None,
    };
    Some((length, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_with_redundancy_with_parity_and_with_neither_are_read() {
        let packet = |bytes: &[u8]| parse(bytes).map(|one| (one.sequence, one.primary_length, one.copies));
        assert_eq!(packet(&[0, 7, 1, 0x06, 0, 0]), Some((7, 1, Some(0))));
        assert_eq!(packet(&[0x80, 1, 2, 0xc0, 1, 0, 2, 1, 0x06, 1, 0x06]), Some((0x8001, 2, Some(2))));
        assert_eq!(packet(&[0, 9, 1, 0x06, 0x80, 1, 2, 3]), Some((9, 1, None)));
        let long = [vec![0, 1, 0x80, 200], vec![0xaa; 200], vec![0, 0]].concat();
        assert_eq!(packet(&long), Some((1, 200, Some(0))));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for bytes in [
            &[][..],
            &[0, 7],
            &[0, 7, 0, 0, 0],
            &[0, 7, 5, 1, 2],
            &[0, 7, 1, 6, 0, 0, 9],
            &[0, 7, 1, 6, 0, 1],
            &[0, 7, 1, 6, 0, 0x80, 0],
            &[0, 7, 1, 6, 0x40, 0],
            &[0, 7, 0xc1, 6, 0, 0],
        ] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
        let packet = [0, 7, 1, 6, 0, 2, 3, 1, 2, 3, 1, 1];
        assert!(parse(&packet).is_some());
        for cut in 0..packet.len() {
            assert_eq!(parse(&packet[..cut]), None);
        }
    }
}

//! RTCP (RFC 3550, section 6): compound packets are walked and counted by type.

use crate::{
    bytes::{u8_at, u16_at},
    drops::Reason,
};

/// What a compound packet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compound {
    /// Sender reports (type 200).
    pub sender_reports: u32,
    /// Receiver reports (type 201).
    pub receiver_reports: u32,
    /// Packets of all other types.
    pub others: u32,
}

/// Says whether a datagram with version 2 is RTCP and not RTP: its second byte is a type from 192 to 223 (RFC 5761,
/// section 4).
#[must_use]
pub fn has_rtcp_type(datagram: &[u8]) -> bool {
    u8_at(datagram, 1).is_some_and(|kind| (192..=223).contains(&kind))
}

/// Walks a compound packet. What follows the first packet may be encrypted (SRTCP) or cut off by the capture: the walk
/// ends there.
///
/// # Errors
/// When the first packet is longer than the datagram, or of a type that begins no compound packet.
pub fn parse(datagram: &[u8]) -> Result<Compound, Reason> {
    let mut compound = Compound::default();
    let mut rest = datagram;
    let mut first = true;
    while let Some((kind, length)) = header(rest) {
        let Some((_, after)) = rest.split_at_checked(length) else { break };
        // RFC 3550, section 6.1, and RFC 5506: reports, feedback or XR come first; other types there are not RTCP.
        if first && !(200..=207).contains(&kind) {
            break;
        }
        match kind {
            200 => compound.sender_reports += 1,
            201 => compound.receiver_reports += 1,
            _ => compound.others += 1,
        }
        rest = after;
        first = false;
    }
    if first { Err(Reason::RtcpHeader) } else { Ok(compound) }
}

/// Type and length in bytes of the packet that begins here.
fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    u8_at(bytes, 0).filter(|byte| byte >> 6 == 2)?;
    let kind = u8_at(bytes, 1).filter(|kind| (192..=223).contains(kind))?;
    let words = usize::from(u16_at(bytes, 2)?);
    Some((kind, words.saturating_add(1).saturating_mul(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compound_packet_is_counted_by_type() {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
        let description = [0x81, 202, 0, 2, 0, 0, 0, 7, 1, 0, 0, 0];
        let compound = parse(&[report.as_slice(), &description, &report].concat()).unwrap();
        assert_eq!(compound, Compound { sender_reports: 0, receiver_reports: 2, others: 1 });
    }

    #[test]
    fn a_first_packet_longer_than_the_datagram_is_refused_and_a_later_one_ends_the_walk() {
        assert_eq!(parse(&[0x80, 200, 0, 6, 0, 0, 0, 1]), Err(Reason::RtcpHeader));
        assert_eq!(parse(&[0x80]), Err(Reason::RtcpHeader));
        assert_eq!(parse(&[0x80, 199, 0, 0]), Err(Reason::RtcpHeader));
        let cut = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x80, 200, 0, 60];
        assert_eq!(parse(&cut).map(|compound| compound.receiver_reports), Ok(1));
    }
}

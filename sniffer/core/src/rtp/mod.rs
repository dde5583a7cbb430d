//! RTP (RFC 3550): the fixed header, and the state of a stream that is measured from headers alone.

pub mod jitter;
pub mod sequence;
pub mod stream;

use crate::bytes::{u8_at, u16_at, u32_at};

/// What the fixed header says (RFC 3550, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Says whether a datagram begins like RTP or RTCP: version 2.
#[must_use]
pub fn has_version_2(datagram: &[u8]) -> bool {
    u8_at(datagram, 0).is_some_and(|byte| byte >> 6 == 2)
}

/// Reads the header; none when the version is not 2 or the bytes end within the header and its list of sources. The
/// payload may have been cut off by the capture.
#[must_use]
pub fn parse(datagram: &[u8]) -> Option<Header> {
    let first = u8_at(datagram, 0).filter(|byte| byte >> 6 == 2)?;
    let second = u8_at(datagram, 1)?;
    let header = Header {
        payload_type: second & 0x7f,
        marker: second & 0x80 != 0,
        sequence: u16_at(datagram, 2)?,
        timestamp: u32_at(datagram, 4)?,
        ssrc: u32_at(datagram, 8)?,
    };
    let sources = usize::from(first & 0x0f).saturating_mul(4);
    (datagram.len() >= sources.saturating_add(12)).then_some(header)
}

/// Length in bytes of the fixed header, the list of sources and the extension; at most what is there.
#[must_use]
pub fn header_length(datagram: &[u8]) -> usize {
    let first = u8_at(datagram, 0).unwrap_or(0);
    let mut length = usize::from(first & 0x0f).saturating_mul(4).saturating_add(12);
    // RFC 3550, section 5.3.1: profile, and length in words of what follows these two.
    if first & 0x10 != 0 {
        let words = u16_at(datagram, length.saturating_add(2)).map_or(0, usize::from);
        length = length.saturating_add(4).saturating_add(words.saturating_mul(4));
    }
    length.min(datagram.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_s_length_counts_sources_and_extension() {
        let mut bytes = vec![0x92, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0xbe, 0xde, 0, 1];
        bytes.extend([0; 20]);
        assert_eq!(header_length(&bytes), 28);
        assert_eq!(header_length(&bytes[..22]), 22);
        bytes[0] = 0x80;
        assert_eq!(header_length(&bytes), 12);
    }

    #[test]
    fn the_fixed_header_is_read_and_a_short_one_refused() {
        let mut bytes = vec![0x81, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1];
        let header = parse(&bytes).unwrap();
        assert_eq!((header.payload_type, header.marker, header.sequence), (8, true, 0x1234));
        assert_eq!((header.timestamp, header.ssrc), (160, 0xdead_beef));
        bytes.truncate(15);
        assert_eq!(parse(&bytes), None, "the list of sources is cut");
        assert_eq!(parse(&[0x40; 16]), None);
    }
}

//! RTP (RFC 3550): the fixed header, and the state of a stream that is measured from headers alone.

pub mod delay;
pub mod histogram;
pub mod jitter;
pub mod loss;
pub mod payload;
pub mod playout;
pub mod sequence;
pub mod stream;
pub mod timeline;

use crate::{
    bytes::{u8_at, u16_at, u32_at},
    record::Encryption,
    time::Timestamp,
};

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

/// An RTP packet as a stream takes it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// Its fixed header.
    pub header: Header,
    /// The whole datagram, header included, as far as it was captured.
    pub bytes: &'a [u8],
    /// Differentiated services code point of the IP header, 0 to 63.
    pub dscp: u8,
    /// Identification of the IPv4 header: two packets with the same one are copies that were made on the way.
    pub ip_id: Option<u16>,
}

/// Says whether a datagram begins like RTP or RTCP: version 2.
#[must_use]
#[inline]
pub fn has_version_2(datagram: &[u8]) -> bool {
    u8_at(datagram, 0).is_some_and(|byte| byte >> 6 == 2)
}

/// Reads the header; none when the version is not 2 or the bytes end within the header and its list of sources. The
/// payload may have been cut off by the capture.
#[must_use]
#[inline]
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
    (datagram.len() >= sources_end(first)).then_some(header)
}

/// The payload: what follows the list of sources and the header extension, without padding. None where the bytes end
/// before it.
#[must_use]
pub fn payload(datagram: &[u8]) -> Option<&[u8]> {
    let first = u8_at(datagram, 0)?;
    let mut start = sources_end(first);
    if first & 0x10 != 0 {
        let words = usize::from(u16_at(datagram, start.saturating_add(2))?);
        start = start.saturating_add(4).saturating_add(words.saturating_mul(4));
    }
    let rest = datagram.get(start..)?;
    let padding = if first & 0x20 == 0 { 0 } else { usize::from(*rest.last()?) };
    rest.get(..rest.len().checked_sub(padding)?)
}

/// Says whether a datagram that is not RTP exchanges keys for it: a DTLS record (RFC 5764, section 5.1.2), or ZRTP with
/// its cookie (RFC 6189, section 5).
#[must_use]
pub fn key_exchange(datagram: &[u8]) -> Option<Encryption> {
    match datagram {
        [20..=63, 0xfe, ..] => Some(Encryption::Dtls),
        [0x10..=0x1f, _, _, _, b'Z', b'R', b'T', b'P', ..] => Some(Encryption::Zrtp),
        _ => None,
    }
}

/// Where the list of contributing sources ends.
fn sources_end(first: u8) -> usize {
    usize::from(first & 0x0f).saturating_mul(4).saturating_add(12)
}

/// Length in bytes of the fixed header, the list of sources and the extension; at most what is there.
#[must_use]
#[inline]
pub fn header_length(datagram: &[u8]) -> usize {
    let first = u8_at(datagram, 0).unwrap_or(0);
    let mut length = sources_end(first);
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

    #[test]
    fn key_exchanges_are_recognised() {
        assert_eq!(key_exchange(&[22, 0xfe, 0xfd, 0]), Some(Encryption::Dtls));
        assert_eq!(key_exchange(b"\x10\0\0\x01ZRTP...."), Some(Encryption::Zrtp));
        assert_eq!((key_exchange(&[0x80; 12]), key_exchange(b"\x10")), (None, None));
    }

    #[test]
    fn the_payload_lies_between_extension_and_padding() {
        let plain = [&[0x80; 12][..], b"voice"].concat();
        assert_eq!(payload(&plain), Some(&b"voice"[..]));
        let mut header = [0_u8; 16];
        header[0] = 0xb1;
        let full = [&header[..], &[0xbe, 0xde, 0, 1, 9, 9, 9, 9], b"voice", &[0, 0, 3]].concat();
        assert_eq!(payload(&full), Some(&b"voice"[..]));
        assert_eq!(payload(&full[..20]), None, "cut in the extension");
        let more_padding_than_payload = [&[0xa0; 12][..], &[1, 200]].concat();
        assert_eq!(payload(&more_padding_than_payload), None);
    }
}

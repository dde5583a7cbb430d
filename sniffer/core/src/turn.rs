//! What a TURN server relays, as it goes between client and server (RFC 8656): in ChannelData, or as the DATA attribute
//! of a Send or Data indication. Media in it is media between these two hosts; anything else is left alone.

use crate::bytes::{u16_at, u32_at};

const SEND_INDICATION: u16 = 0x0016;
const DATA_INDICATION: u16 = 0x0017;
const DATA: u16 = 0x0013;
const COOKIE: u32 = 0x2112_a442;

/// The relayed bytes; none when a datagram has none.
#[must_use]
pub fn relayed(datagram: &[u8]) -> Option<&[u8]> {
    let (kind, length) = (u16_at(datagram, 0)?, usize::from(u16_at(datagram, 2)?));
    match kind {
        // Section 12.4: over UDP the padding may be left out.
        0x4000..=0x4fff => datagram.get(4..)?.get(..length),
        SEND_INDICATION | DATA_INDICATION if u32_at(datagram, 4) == Some(COOKIE) => {
            data(datagram.get(20..)?.get(..length)?)
        }
        _ => None,
    }
}

/// The DATA attribute (RFC 8489, section 14: type, length, value, padded to four bytes).
fn data(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let (kind, length) = (u16_at(attributes, 0)?, usize::from(u16_at(attributes, 2)?));
        let value = attributes.get(4..)?;
        if kind == DATA {
            return value.get(..length);
        }
        attributes = value.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_data_and_indications_hold_what_they_relay() {
        let channel = [0x40, 1, 0, 3, 7, 8, 9, 0];
        assert_eq!(relayed(&channel), Some(&[7, 8, 9][..]));
        assert_eq!(relayed(&channel[..6]), None, "cut");
        let head = |kind: u8, length: u8| [&[0, kind, 0, length, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat();
        // XOR-PEER-ADDRESS and a text of three bytes come before the data.
        let peer = [0, 0x12, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7];
        let software = [0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        let whole = [&head(0x16, 26)[..], &peer, &software, &[0, 0x13, 0, 2, 1, 2]].concat();
        assert_eq!(relayed(&whole), Some(&[1, 2][..]));
        let answer = [&head(0x17, 8)[..], &[0, 0x13, 0, 3, 1, 2, 3, 0]].concat();
        assert_eq!(relayed(&answer), Some(&[1, 2, 3][..]));
        // A binding request has no data, and one that says it has more than there is has none either.
        assert_eq!(relayed(&[&head(0x01, 12)[..], &peer].concat()), None);
        assert_eq!(relayed(&[&head(0x16, 8)[..], &[0, 0x13, 0, 9, 1, 2, 3, 0]].concat()), None);
        assert_eq!(relayed(&[&head(0x16, 12)[..], &peer].concat()), None);
    }

    #[test]
    fn any_bytes_end() {
        let mut bytes: Vec<u8> = [&[0, 0x16, 0, 80, 0x21, 0x12, 0xa4, 0x42][..], &[0; 92]].concat();
        for value in 0..=255 {
            for at in 20..bytes.len() {
                bytes[at] = value;
                assert!(relayed(&bytes).is_none_or(|data| data.len() <= 76));
            }
        }
    }
}

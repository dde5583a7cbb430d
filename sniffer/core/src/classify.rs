//! Datagrams to protocols, by their first bytes. SIP begins with a letter and RTP with a version of 2, so that the two
//! cannot be confused whatever port they use; only what is neither is judged by its port, and only to name it.

use crate::{
    bytes::{u8_at, u16_at},
    decode::{Datagram, Plain},
    drops::Reason,
    rtp, sip, udptl,
};

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A SIP message.
    Sip,
    /// RTP, or something that begins like it. SRTP is RTP: its header is in clear.
    Rtp,
    /// RTCP, also SRTCP.
    Rtcp,
    /// Shaped like fax in UDPTL: it is that only where an SDP announced it.
    Udptl,
}

/// Ports on which what is not SIP is an error and not another protocol, and on which a connection that was not seen to
/// begin is worth a search for a start line.
pub const SIP_PORTS: [u16; 4] = [5060, 5061, 5080, 5090];
/// IAX2 (RFC 5456): its full frames begin like RTP.
const IAX2_PORT: u16 = 4569;
/// MGCP, Megaco, H.225 RAS.
const OTHER_VOIP_PORTS: [u16; 5] = [2427, 2727, 2944, 2945, 1719];
/// Bytes 4 to 8 of STUN (RFC 8489, section 5).
const STUN_COOKIE: &[u8] = &[0x21, 0x12, 0xa4, 0x42];
/// Bytes 4 to 8 of ZRTP (RFC 6189, section 5).
const ZRTP_COOKIE: &[u8] = b"ZRTP";

/// Says what a datagram carries.
///
/// # Errors
/// Why it goes no further.
#[inline]
pub fn classify(datagram: &Datagram<'_>) -> Result<Class, Reason> {
    let payload = datagram.payload;
    if rtp::has_version_2(payload) {
        return match is_iax2(datagram) {
            false if is_rtcp(payload) => Ok(Class::Rtcp),
            false => Ok(Class::Rtp),
            true => Err(Reason::OtherVoip),
        };
    }
    if sip::looks_like_sip(payload) {
        return Ok(Class::Sip);
    }
    other(datagram)
}

/// Says that a datagram is RTP where its first bytes and ports leave no other choice. False is no judgement: [`classify`]
/// has the last word, and says the same where this says something.
#[must_use]
#[inline]
pub fn is_surely_rtp(plain: &Plain<'_>) -> bool {
    let [from, to] = [plain.ends.ports >> 16, plain.ends.ports & 0xffff];
    let may_be_rtcp = u8_at(plain.payload, 1).is_none_or(|kind| (192..=223).contains(&kind));
    rtp::has_version_2(plain.payload) && !may_be_rtcp && from != u32::from(IAX2_PORT) && to != u32::from(IAX2_PORT)
}

/// A full frame of IAX2 (RFC 5456, section 8.1.1) on its port: the eleventh byte is a frame type.
fn is_iax2(datagram: &Datagram<'_>) -> bool {
    let on_port = datagram.source.port == IAX2_PORT || datagram.destination.port == IAX2_PORT;
    on_port && u8_at(datagram.payload, 10).is_some_and(|kind| (1..=12).contains(&kind))
}

/// Tells RTCP from RTP of the same version by its second byte (RFC 5761, section 4). Types beside the registered ones are
/// RTCP only when their length fits: they may be RTP with its marker and an unusual payload type.
fn is_rtcp(payload: &[u8]) -> bool {
    match u8_at(payload, 1) {
        Some(200..=207) => true,
        Some(192..=223) => u16_at(payload, 2)
            .is_some_and(|words| usize::from(words).saturating_add(1).saturating_mul(4) <= payload.len()),
        _ => false,
    }
}

/// Names what is neither SIP nor RTP.
fn other(datagram: &Datagram<'_>) -> Result<Class, Reason> {
    let payload = datagram.payload;
    let Some(&first) = payload.first() else { return Err(Reason::Empty) };
    let touches = |ports: &[u16]| ports.contains(&datagram.source.port) || ports.contains(&datagram.destination.port);
    let on_sip_port = touches(&SIP_PORTS);
    // Line breaks (RFC 5626, section 3.5.1), zero bytes and, on SIP's ports, other scraps hold NAT bindings open.
    let is_padding = payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0 | b' '));
    if is_padding || (on_sip_port && payload.len() <= 4) {
        return Err(Reason::KeepAlive);
    }
    if is_stun(payload) {
        return Err(Reason::Stun);
    }
    if first == 0x10 && payload.get(4..8) == Some(ZRTP_COOKIE) {
        return Err(Reason::Zrtp);
    }
    // Content types and versions of DTLS 1.0 and 1.2 records (RFC 7983).
    if (20..=63).contains(&first) && payload.get(1) == Some(&0xfe) {
        return Err(Reason::Dtls);
    }
    if is_turn_channel(payload) {
        return Err(Reason::TurnChannel);
    }
    // RFC 3320, section 7: no text in UTF-8 begins like a SigComp message.
    if on_sip_port && first >= 0xf8 {
        return Err(Reason::SigComp);
    }
    if on_sip_port {
        return Err(Reason::SipStartLine);
    }
    if touches(&[IAX2_PORT]) || touches(&OTHER_VOIP_PORTS) {
        return Err(Reason::OtherVoip);
    }
    if udptl::parse(payload).is_some() {
        return Ok(Class::Udptl);
    }
    Err(Reason::NotVoip)
}

/// STUN with its cookie (RFC 8489), or of RFC 3489, which has none: a known type, and a length that fits exactly.
fn is_stun(payload: &[u8]) -> bool {
    let (Some(kind), Some(length)) = (u16_at(payload, 0), u16_at(payload, 2)) else { return false };
    let fits = usize::from(length).saturating_add(20) == payload.len() && length % 4 == 0;
    let is_classic = matches!(kind, 0x0001 | 0x0002 | 0x0101 | 0x0102 | 0x0111 | 0x0112);
    (kind < 0x4000 && payload.get(4..8) == Some(STUN_COOKIE)) || (is_classic && fits)
}

/// ChannelData of TURN (RFC 8656, section 12.4): a channel from 0x4000 to 0x4fff, and a length that fits with its padding.
fn is_turn_channel(payload: &[u8]) -> bool {
    let (Some(0x4000..=0x4fff), Some(length)) = (u16_at(payload, 0), u16_at(payload, 2)) else { return false };
    let rest = payload.len().saturating_sub(4);
    (usize::from(length)..=usize::from(length).saturating_add(3)).contains(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Endpoint, Transport};

    fn class(payload: &[u8], port: u16) -> Result<Class, Reason> {
        let endpoint = |port| Endpoint { address: "192.0.2.1".parse().unwrap(), port };
        classify(&Datagram {
            source: endpoint(40_000),
            destination: endpoint(port),
            vlan: None,
            dscp: 0,
            ip_id: None,
            transport: Transport::Udp,
            payload,
            frames: &[],
        })
    }

    #[test]
    fn content_decides_first_and_the_port_only_what_an_error_is() {
        assert_eq!(class(b"OPTIONS sip:x SIP/2.0\r\n", 7777), Ok(Class::Sip));
        assert_eq!(class(b"\r\n\r\nOPTIONS sip:x SIP/2.0\r\n", 7777), Ok(Class::Sip));
        assert_eq!(class(b"SIP/2.0 200 OK\r\n", 53), Ok(Class::Sip));
        assert_eq!(class(&[0x80, 0, 0, 1], 5060), Ok(Class::Rtp));
        assert_eq!(class(&[0x80, 200, 0, 1], 9), Ok(Class::Rtcp));
        assert_eq!(class(b"NOTHING AT ALL\r\n", 5060), Err(Reason::SipStartLine));
        assert_eq!(class(b"NOTHING AT ALL\r\n", 53), Err(Reason::NotVoip));
        assert_eq!(class(&[], 4000), Err(Reason::Empty));
        assert_eq!(class(&[0xf9, 1, 2, 3, 4, 5], 5060), Err(Reason::SigComp));
        assert_eq!(class(&[0xf9, 1, 2, 3, 4, 5], 4000), Err(Reason::NotVoip));
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_type_and_length() {
        // Feedback, XR, and a type that is not registered whose length fits.
        for bytes in [&[0x81, 206, 0, 2][..], &[0x80, 207, 0, 9], &[0x80, 192, 0, 0]] {
            assert_eq!(class(bytes, 4001), Ok(Class::Rtcp), "{bytes:?}");
        }
        // RTP with its marker and payload types 65 and 85.
        for second in [0x80 | 65, 0x80 | 85] {
            let packet = [&[0x80, second, 0x12, 0x34][..], &[0; 40]].concat();
            assert_eq!(class(&packet, 4000), Ok(Class::Rtp));
        }
        // Versions 0, 1 and 3 are not RTP.
        for first in [0x00, 0x40, 0xc0] {
            assert_ne!(class(&[&[first, 8][..], &[0x55; 40]].concat(), 4000), Ok(Class::Rtp), "{first}");
        }
    }

    #[test]
    fn what_shares_the_ports_of_media_is_named() {
        assert_eq!(class(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], 5060), Err(Reason::Stun));
        let classic = [&[1, 1, 0, 8][..], &[7; 24]].concat();
        assert_eq!(class(&classic, 4000), Err(Reason::Stun));
        assert_eq!(class(&classic[..27], 4000), Err(Reason::NotVoip), "a length that does not fit");
        assert_eq!(class(&[22, 0xfe, 0xfd, 0, 1], 4000), Err(Reason::Dtls));
        assert_eq!(class(b"\x10\x00\x12\x34ZRTP\0\0\0\x01", 4000), Err(Reason::Zrtp));
        assert_eq!(class(&[0x40, 1, 0, 3, 0x80, 0, 0, 0], 3478), Err(Reason::TurnChannel));
        assert_eq!(class(&[0x40, 1, 0, 30, 0x80, 0, 0, 0], 3478), Err(Reason::NotVoip));
        assert_eq!(class(&[0, 7, 1, 0x06, 0, 0], 4000), Ok(Class::Udptl));
    }

    #[test]
    fn other_protocols_of_telephony_are_named_by_their_port() {
        assert_eq!(class(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 1], IAX2_PORT), Err(Reason::OtherVoip));
        assert_eq!(class(&[0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 99, 1], IAX2_PORT), Ok(Class::Rtp));
        assert_eq!(class(&[0x00, 1, 0xff, 9, 9], IAX2_PORT), Err(Reason::OtherVoip));
        assert_eq!(class(b"AUEP 1500 *@gw MGCP 1.0\r\n", 2427), Err(Reason::OtherVoip));
    }

    #[test]
    fn keep_alives_are_known_on_any_port_and_scraps_on_sip_s() {
        assert_eq!(class(b"\r\n\r\n", 5060), Err(Reason::KeepAlive));
        assert_eq!(class(&[0; 4], 12_345), Err(Reason::KeepAlive));
        assert_eq!(class(b"jaK\0", 5060), Err(Reason::KeepAlive));
        assert_eq!(class(b"jaK\0", 12_345), Err(Reason::NotVoip));
    }
}

//! Datagrams to protocols, by their first bytes. SIP begins with a letter and RTP with a version of 2, so that the two
//! cannot be confused whatever port they use; only what is neither is judged by its port.

use crate::{decode::Datagram, drops::Reason, rtcp, rtp, sip};

/// What a datagram carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A SIP message.
    Sip,
    /// RTP, or something that begins like it.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// Ports on which a datagram that is not SIP is an error and not another protocol.
const SIP_PORTS: [u16; 3] = [5060, 5061, 5080];
/// Bytes 4 to 8 of STUN (RFC 8489, section 5).
const STUN_COOKIE: &[u8] = &[0x21, 0x12, 0xa4, 0x42];

/// Says what a datagram carries.
///
/// # Errors
/// Why it goes no further.
pub fn classify(datagram: &Datagram<'_>) -> Result<Class, Reason> {
    let payload = datagram.payload;
    let first = *payload.first().ok_or(Reason::Empty)?;
    if rtp::has_version_2(payload) {
        return Ok(if rtcp::has_rtcp_type(payload) { Class::Rtcp } else { Class::Rtp });
    }
    if sip::looks_like_sip(payload) {
        return Ok(Class::Sip);
    }
    if first < 4 && payload.get(4..8) == Some(STUN_COOKIE) {
        return Err(Reason::Stun);
    }
    let on_sip_port = SIP_PORTS.contains(&datagram.source.port) || SIP_PORTS.contains(&datagram.destination.port);
    if on_sip_port {
        // Line breaks (RFC 5626, section 3.5.1), zero bytes and other scraps hold NAT bindings open.
        let keep_alive = payload.len() <= 4 || payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0 | b' '));
        return Err(if keep_alive { Reason::KeepAlive } else { Reason::SipStartLine });
    }
    // Content types of DTLS 1.0 and 1.2 records (RFC 7983).
    if (20..=63).contains(&first) && payload.get(1) == Some(&0xfe) {
        return Err(Reason::Dtls);
    }
    Err(Reason::NotVoip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Endpoint;

    fn class(payload: &[u8], port: u16) -> Result<Class, Reason> {
        let endpoint = |port| Endpoint { address: "192.0.2.1".parse().unwrap(), port };
        classify(&Datagram { source: endpoint(40_000), destination: endpoint(port), vlan: None, payload })
    }

    #[test]
    fn content_decides_first_and_the_port_only_what_an_error_is() {
        assert_eq!(class(b"OPTIONS sip:x SIP/2.0\r\n", 7777), Ok(Class::Sip));
        assert_eq!(class(&[0x80, 0, 0, 1], 5060), Ok(Class::Rtp));
        assert_eq!(class(&[0x80, 200, 0, 1], 9), Ok(Class::Rtcp));
        assert_eq!(class(b"NOTHING AT ALL\r\n", 5060), Err(Reason::SipStartLine));
        assert_eq!(class(b"NOTHING AT ALL\r\n", 53), Err(Reason::NotVoip));
        assert_eq!(class(b"\r\n\r\n", 5060), Err(Reason::KeepAlive));
        assert_eq!(class(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], 5060), Err(Reason::Stun));
        assert_eq!(class(&[22, 0xfe, 0xfd, 0], 4000), Err(Reason::Dtls));
        assert_eq!(class(&[], 4000), Err(Reason::Empty));
    }
}

//! ICE candidates (RFC 8839, section 5.1): other addresses of the same media.

use super::{port, words};
use crate::{
    decode::Endpoint,
    sip::{fields::number, uri::address},
};

/// The component of RTP.
pub(super) const RTP: u8 = 1;
/// The component of RTCP.
pub(super) const RTCP: u8 = 2;

/// Where a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// An address of the host itself.
    Host,
    /// What a STUN server sees.
    ServerReflexive,
    /// What the other side sees.
    PeerReflexive,
    /// A place at a TURN server.
    Relayed,
}

/// A candidate with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 1 for RTP, 2 for RTCP.
    pub component: u8,
    /// Where it comes from.
    pub kind: CandidateKind,
    /// TCP and not UDP (RFC 6544).
    pub over_tcp: bool,
    /// The higher, the sooner it is tried.
    pub priority: u32,
    /// Where media is to be sent.
    pub endpoint: Endpoint,
    /// The address from which a reflexive or relayed one was learnt.
    pub related: Option<Endpoint>,
}

/// A candidate line as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Candidate(Candidate),
    /// A host name (mDNS in browsers), or a kind or transport of an extension: nothing to send to.
    Nameless,
    Damaged,
}

/// Reads `1 1 UDP 2130706431 192.0.2.1 54400 typ host raddr … rport …`.
pub(super) fn candidate(value: &[u8]) -> Line {
    let mut words = words(value);
    let (Some(_foundation), Some(component), Some(transport), Some(priority), Some(host), Some(port_of), Some(b"typ")) =
        (words.next(), words.next(), words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Line::Damaged;
    };
    let component = number(component).and_then(|component| u8::try_from(component).ok()).filter(|&one| one > 0);
    // Priorities have ten digits: more than `number` reads.
    let priority = std::str::from_utf8(priority).ok().and_then(|digits| digits.parse().ok());
    let (Some(component), Some(priority), Some(port_of), Some(kind)) =
        (component, priority, port(port_of), words.next())
    else {
        return Line::Damaged;
    };
    let kind = match kind {
        b"host" => CandidateKind::Host,
        b"srflx" => CandidateKind::ServerReflexive,
        b"prflx" => CandidateKind::PeerReflexive,
        b"relay" => CandidateKind::Relayed,
        _ => return Line::Nameless,
    };
    let over_tcp = match transport {
        _ if transport.eq_ignore_ascii_case(b"UDP") => false,
        _ if transport.eq_ignore_ascii_case(b"TCP") => true,
        _ => return Line::Nameless,
    };
    let Some(address_of) = address(host).filter(|address| !address.is_unspecified() && !address.is_multicast()) else {
        return Line::Nameless;
    };
    let (mut related_address, mut related_port) = (None, None);
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        match key {
            b"raddr" => related_address = address(value),
            b"rport" => related_port = port(value),
            _ => {}
        }
    }
    let related = related_address.zip(related_port).map(|(address, port)| Endpoint { address, port });
    let endpoint = Endpoint { address: address_of, port: port_of };
    if port_of == 0 {
        return Line::Nameless;
    }
    Line::Candidate(Candidate { component, kind, over_tcp, priority, endpoint, related })
}

//! SDP bodies (RFC 8866) as far as media needs them: where each side wants its media, how it is protected, and what the
//! payload types mean. Tolerant and total: a line that cannot be read is passed over and counted.

mod attributes;
mod codec;
mod ice;
mod section;

use std::net::{IpAddr, Ipv4Addr};

use self::{attributes::Session, section::Section};
pub use self::{
    codec::{Codec, CodecName, Format},
    ice::{Candidate, CandidateKind},
};
use crate::{decode::Endpoint, limits};

/// What a media description is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Voice.
    #[default]
    Audio,
    /// Video.
    Video,
    /// Fax (T.38).
    Image,
    /// Real-time text (RFC 4103).
    Text,
    /// Data channels, floor control and the like.
    Application,
    /// Anything else.
    Other,
}

/// What carries the media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RTP with any profile, over UDP.
    #[default]
    Rtp,
    /// RTP over TCP (RFC 4571).
    RtpOverTcp,
    /// T.38 in UDPTL.
    Udptl,
    /// T.38 over TCP.
    T38OverTcp,
    /// Anything else: MSRP, SCTP over DTLS, …
    Other,
}

/// Which way media is to flow, seen by who wrote the description (RFC 8866, section 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaDirection {
    /// Both ways.
    #[default]
    SendReceive,
    /// From the author only.
    SendOnly,
    /// To the author only.
    ReceiveOnly,
    /// Not at all.
    Inactive,
}

/// How RTP is to be protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    #[default]
    None,
    /// Keys in the SDP (RFC 4568).
    Sdes,
    /// Keys by DTLS (RFC 5763).
    Dtls,
    /// Keys by ZRTP (RFC 6189).
    Zrtp,
    /// A secure profile whose keys come from elsewhere (MIKEY and the like).
    Other,
}

/// One media description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The number of its m= line: an answer's line answers the offer's of the same number (RFC 3264).
    pub line: u8,
    /// What it is for.
    pub kind: Kind,
    /// What carries it.
    pub protocol: Protocol,
    /// Where RTP (or UDPTL) is to be sent. The port is 0 when the media is refused, and the address 0.0.0.0 when none is
    /// given or it is a name: see [`Media::is_usable`].
    pub rtp: Endpoint,
    /// Where RTCP is to be sent: the port above, the one of `a=rtcp` (RFC 3605), or RTP's own (RFC 5761).
    pub rtcp: Endpoint,
    /// RTCP may come to RTP's port.
    pub rtcp_mux: bool,
    /// Which way it flows.
    pub direction: MediaDirection,
    /// The other side is put on hold: by direction (RFC 3264, section 8.4) or by the address 0.0.0.0.
    pub hold: bool,
    /// It shares the transport of other media (RFC 9143).
    pub bundled: bool,
    /// How RTP is protected.
    pub security: Security,
    /// Milliseconds of media in a packet, as wished.
    pub ptime: Option<u16>,
    /// The most milliseconds of media in a packet.
    pub maxptime: Option<u16>,
    /// The payload types of the m= line: bit n is type n.
    pub payload_types: u128,
    /// The first payload type of the m= line: the one its author prefers, and in an answer the one that is used.
    pub preferred: Option<u8>,
    /// The codecs that `a=rtpmap` lines name.
    pub codecs: Vec<Codec>,
    /// Other addresses of this media by ICE (RFC 8839); names are left out.
    pub candidates: Vec<Candidate>,
}

impl Media {
    /// RTP audio to an endpoint, with RTCP at the port above: what an m= line without attributes says.
    #[must_use]
    pub fn audio(rtp: Endpoint) -> Self {
        Self {
            line: 0,
            kind: Kind::Audio,
            protocol: Protocol::Rtp,
            rtp,
            rtcp: Endpoint { address: rtp.address, port: rtp.port.saturating_add(1) },
            rtcp_mux: false,
            direction: MediaDirection::SendReceive,
            hold: false,
            bundled: false,
            security: Security::None,
            ptime: None,
            maxptime: None,
            payload_types: 0,
            preferred: None,
            codecs: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// The media is refused (RFC 3264, section 6).
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.rtp.port == 0
    }

    /// The default address can be sent to.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        is_usable(self.rtp)
    }

    /// Takes the address from which the description came for its own, where it has a name instead of one, or none (RFC 8866,
    /// section 5.7): names are not looked up. 0.0.0.0 is a hold, and with ICE addresses follow.
    pub fn place(&mut self, seen: IpAddr) {
        let has_none = |endpoint: Endpoint| endpoint.port != 0 && endpoint.address.is_unspecified();
        if !has_none(self.rtp) || self.hold || self.rtp.port == DISCARD || !self.candidates.is_empty() {
            return;
        }
        if has_none(self.rtcp) {
            self.rtcp.address = seen;
        }
        self.rtp.address = seen;
    }

    /// Fax by T.38 over UDPTL or TCP.
    #[must_use]
    pub fn is_fax(&self) -> bool {
        matches!(self.protocol, Protocol::Udptl | Protocol::T38OverTcp)
    }

    /// Where its RTP, UDPTL or RTCP may be sent: the default address first, then the candidates over UDP, without
    /// repetition.
    pub fn endpoints(&self, component: u8) -> impl Iterator<Item = Endpoint> {
        let default = if component == ice::RTCP { self.rtcp } else { self.rtp };
        let default = is_usable(default).then_some(default);
        let others = self.candidates.iter().filter(move |one| {
            let shared = component == ice::RTCP && self.rtcp_mux && one.component == ice::RTP;
            !one.over_tcp && (one.component == component || shared)
        });
        let others = others.map(|one| one.endpoint).filter(move |&endpoint| Some(endpoint) != default);
        default.into_iter().chain(others)
    }
}

fn is_usable(endpoint: Endpoint) -> bool {
    endpoint.port != 0 && !endpoint.address.is_unspecified() && !endpoint.address.is_multicast()
}

/// A whole description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// All media descriptions in their order, the refused ones too.
    pub media: Vec<Media>,
    /// Lines that could not be read.
    pub damaged: u32,
    /// More lines or media descriptions than are read.
    pub cut: bool,
}

/// Says whether a message carries SDP: its Content-Type says so, or there is none and the body begins like SDP.
#[must_use]
pub fn is_sdp(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    match content_type {
        Some(value) => {
            let kind = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
            kind.eq_ignore_ascii_case(b"application/sdp")
        }
        None => body.starts_with(b"v=0"),
    }
}

/// Says whether a body has further ICE candidates of media that SDP has described (RFC 8840, section 9).
#[must_use]
pub fn is_ice_fragment(content_type: Option<&[u8]>) -> bool {
    let kind = content_type.and_then(|value| value.split(|&byte| byte == b';').next()).unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/trickle-ice-sdpfrag")
}

/// Reads the media descriptions that announce a place for RTP or fax over UDP: see [`announced`].
#[must_use]
pub fn parse(body: &[u8]) -> Vec<Media> {
    announced(describe(body).media)
}

/// Of all descriptions those that announce a place for RTP or fax over UDP: not refused (port 0), and with an address of
/// their own or an ICE candidate that can be sent to. Addresses are as packets have them: IPv4 in the form of IPv6 (RFC
/// 4291, section 2.5.5.2) is IPv4.
#[must_use]
pub fn announced(mut media: Vec<Media>) -> Vec<Media> {
    media.retain_mut(|one| {
        let over_udp = matches!(one.protocol, Protocol::Rtp | Protocol::Udptl);
        let candidates = one.candidates.iter_mut().map(|candidate| &mut candidate.endpoint);
        for endpoint in candidates.chain([&mut one.rtp, &mut one.rtcp]) {
            endpoint.address = endpoint.address.to_canonical();
        }
        over_udp && !one.is_refused() && one.endpoints(ice::RTP).next().is_some()
    });
    media
}

/// Reads all media descriptions.
#[must_use]
pub fn describe(body: &[u8]) -> Description {
    let mut session = Session::default();
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut damaged = 0_u32;
    let mut cut = false;
    let mut rest = body;
    for number in 0.. {
        if rest.is_empty() {
            break;
        }
        if number == limits::SDP_LINES {
            cut = true;
            break;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default().trim_ascii();
        rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        let understood = match fields_of(line) {
            Some((b'm', _)) if sections.len() == limits::SDP_MEDIA => {
                cut = true;
                break;
            }
            Some((b'm', value)) => match Section::new(value) {
                Some(section) => {
                    sections.push(section);
                    true
                }
                None => {
                    // Its attributes must not become those of the media before.
                    sections.push(Section::unreadable());
                    false
                }
            },
            Some((b'c', value)) => match sections.last_mut() {
                Some(section) => section.connection(value),
                None => session.connection(value),
            },
            Some((b'a', value)) => match sections.last_mut() {
                Some(section) => section.attribute(value),
                None => session.attribute(value),
            },
            Some(_) => true,
            None => false,
        };
        damaged = damaged.saturating_add(u32::from(!understood));
    }
    Description { media: section::media(sections, &session), damaged, cut }
}

/// The letter and the value of a line. White space around the equals sign is against the RFC, and seen.
fn fields_of(line: &[u8]) -> Option<(u8, &[u8])> {
    match line {
        [kind @ b'a'..=b'z', b'=', value @ ..] => Some((*kind, value.trim_ascii_start())),
        [kind @ b'a'..=b'z', b' ', rest @ ..] => {
            Some((*kind, rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start()))
        }
        _ => None,
    }
}

/// The words of a value.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

/// A port: 0 to 65,535.
fn port(word: &[u8]) -> Option<u16> {
    u16::try_from(crate::sip::fields::number(word)?).ok()
}

/// The port of media whose place ICE finds (RFC 8840, section 4.1.1).
const DISCARD: u16 = 9;

/// What an address is that is not given.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests;

//! One m= line with what follows it, and what it means together with the session's lines.

use super::{
    Candidate, Codec, Kind, Media, MediaDirection, NO_ADDRESS, Protocol, Security,
    attributes::{Common, Session, name_and_value},
    codec::payload_type,
    ice, port, words,
};
use crate::{decode::Endpoint, limits, sip::uri::address};

/// A media description as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Section<'a> {
    kind: Kind,
    protocol: Protocol,
    port: u16,
    is_secure: bool,
    by_dtls: bool,
    payload_types: u128,
    preferred: Option<u8>,
    common: Common,
    rtcp: Option<(u16, Option<std::net::IpAddr>)>,
    rtcp_mux: bool,
    bundle_only: bool,
    tag: Option<&'a [u8]>,
    codecs: Vec<Codec>,
    formats: Vec<(u8, &'a [u8])>,
    candidates: Vec<Candidate>,
}

impl<'a> Section<'a> {
    /// Reads `audio 49170 RTP/AVP 0 8`, the port perhaps with a count (`49170/2`). None when it has no port or protocol.
    pub(super) fn new(value: &[u8]) -> Option<Self> {
        let mut words = words(value);
        let kind = words.next()?;
        let port = port(words.next()?.split(|&byte| byte == b'/').next()?)?;
        let protocol = words.next()?;
        let has = |part: &[u8]| protocol.split(|&byte| byte == b'/').any(|one| one.eq_ignore_ascii_case(part));
        let is_rtp = has(b"RTP") || protocol.windows(3).any(|part| part.eq_ignore_ascii_case(b"RTP"));
        let mut section = Self {
            kind: match kind {
                _ if kind.eq_ignore_ascii_case(b"audio") => Kind::Audio,
                _ if kind.eq_ignore_ascii_case(b"video") => Kind::Video,
                _ if kind.eq_ignore_ascii_case(b"image") => Kind::Image,
                _ if kind.eq_ignore_ascii_case(b"text") => Kind::Text,
                _ if kind.eq_ignore_ascii_case(b"application") => Kind::Application,
                _ => Kind::Other,
            },
            port,
            is_secure: has(b"SAVP") || has(b"SAVPF"),
            by_dtls: has(b"TLS"),
            ..Self::default()
        };
        let mut is_t38 = false;
        for word in words {
            match payload_type(word) {
                Some(number) if is_rtp => {
                    section.payload_types |= 1 << number;
                    section.preferred = section.preferred.or(Some(number));
                }
                _ => is_t38 |= word.eq_ignore_ascii_case(b"t38"),
            }
        }
        section.protocol = match protocol {
            _ if is_rtp && has(b"TCP") => Protocol::RtpOverTcp,
            _ if is_rtp => Protocol::Rtp,
            _ if has(b"UDPTL") => Protocol::Udptl,
            _ if has(b"TCP") && is_t38 => Protocol::T38OverTcp,
            _ => Protocol::Other,
        };
        Some(section)
    }

    /// An m= line that could not be read: like one that is refused.
    pub(super) fn unreadable() -> Self {
        Self { kind: Kind::Other, protocol: Protocol::Other, ..Self::default() }
    }

    pub(super) fn connection(&mut self, value: &[u8]) -> bool {
        self.common.connection(value)
    }

    /// Takes an attribute. False when it cannot be read.
    pub(super) fn attribute(&mut self, line: &'a [u8]) -> bool {
        let (name, value) = name_and_value(line);
        match name {
            b"rtpmap" => match Codec::of_rtpmap(value) {
                Some(codec) => {
                    if self.codecs.len() < limits::SDP_CODECS {
                        self.codecs.push(codec);
                    }
                    true
                }
                None => false,
            },
            b"fmtp" => {
                let end = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
                let (number, parameters) = value.split_at_checked(end).unwrap_or((value, &[]));
                match payload_type(number) {
                    Some(number) if parameters.contains(&b'=') && self.formats.len() < limits::SDP_CODECS => {
                        self.formats.push((number, parameters));
                        true
                    }
                    // What a payload type without parameters says has no meaning here; T.38 and text have no number.
                    Some(_) => true,
                    None => self.protocol != Protocol::Rtp,
                }
            }
            b"rtcp" => {
                let mut words = words(value);
                match words.next().and_then(port) {
                    Some(port) => {
                        self.rtcp = Some((port, words.nth(2).and_then(address)));
                        true
                    }
                    None => false,
                }
            }
            b"rtcp-mux" | b"rtcp-mux-only" => {
                self.rtcp_mux = true;
                true
            }
            b"bundle-only" => {
                self.bundle_only = true;
                true
            }
            b"mid" => {
                self.tag = Some(value);
                !value.is_empty()
            }
            b"candidate" => {
                self.common.has_ice = true;
                match ice::candidate(value) {
                    ice::Line::Candidate(candidate) => {
                        if self.candidates.len() < limits::SDP_CANDIDATES {
                            self.candidates.push(candidate);
                        }
                        true
                    }
                    ice::Line::Nameless => true,
                    ice::Line::Damaged => false,
                }
            }
            _ => self.common.attribute(name, value).unwrap_or(true),
        }
    }

    /// Says whether the session bundles this media.
    fn is_bundled(&self, session: &Session<'_>) -> bool {
        let Some((tag, tags)) = self.tag.zip(session.bundle) else { return false };
        words(tags).any(|one| one == tag)
    }

    fn security(&self, session: &Common) -> Security {
        let fingerprint = self.common.has_fingerprint || session.has_fingerprint;
        match (self.common.has_crypto, fingerprint) {
            // Both are offered: the profile tells which is meant.
            (true, true) if self.by_dtls => Security::Dtls,
            (true, _) => Security::Sdes,
            (false, true) => Security::Dtls,
            (false, false) if self.common.has_zrtp || session.has_zrtp => Security::Zrtp,
            (false, false) if self.by_dtls && self.protocol == Protocol::Rtp => Security::Dtls,
            (false, false) if self.is_secure => Security::Other,
            (false, false) => Security::None,
        }
    }

    fn media(self, line: u8, session: &Session<'_>, shared: Option<Endpoint>) -> Media {
        let common = &session.common;
        let bundled = self.is_bundled(session);
        let security = self.security(common);
        let given = self.common.address.or(common.address);
        let mut rtp = Endpoint { address: given.unwrap_or(NO_ADDRESS), port: self.port };
        // RFC 9143, section 6: the port of a media that exists only in a bundle is zero, and it is not refused.
        if bundled
            && self.bundle_only
            && self.port == 0
            && let Some(shared) = shared
        {
            rtp = shared;
        }
        let rtcp = match (self.rtcp_mux, self.rtcp) {
            (true, _) => rtp,
            (false, Some((port, address))) => Endpoint { address: address.unwrap_or(rtp.address), port },
            (false, None) => Endpoint { port: rtp.port.saturating_add(1), ..rtp },
        };
        let direction = self.common.direction.or(common.direction).unwrap_or_default();
        let has_ice = self.common.has_ice || common.has_ice;
        // With ICE the address may follow later (RFC 8840): that is not the hold of RFC 2543.
        let by_address = given.is_some_and(|address| address.is_unspecified()) && !has_ice;
        let by_direction = matches!(direction, MediaDirection::SendOnly | MediaDirection::Inactive);
        let mut codecs = self.codecs;
        for (number, parameters) in self.formats {
            if let Some(codec) = codecs.iter_mut().find(|codec| codec.payload_type == number) {
                codec.take_format(parameters);
            } else if let Some((name, clock_rate)) = crate::codec::static_type(number) {
                let mut codec = Codec::new(number, name.into(), clock_rate);
                codec.take_format(parameters);
                codecs.push(codec);
            }
        }
        Media {
            line,
            kind: self.kind,
            protocol: self.protocol,
            rtp,
            rtcp,
            rtcp_mux: self.rtcp_mux,
            direction,
            hold: rtp.port != 0 && (by_direction || by_address),
            bundled,
            security,
            ptime: self.common.ptime.or(common.ptime),
            maxptime: self.common.maxptime.or(common.maxptime),
            payload_types: self.payload_types,
            preferred: self.preferred,
            codecs,
            candidates: self.candidates,
        }
    }
}

/// The media of all sections.
pub(super) fn media(sections: Vec<Section<'_>>, session: &Session<'_>) -> Vec<Media> {
    let mut shared = None;
    let mut media = Vec::with_capacity(sections.len());
    for (line, section) in (0..).zip(sections) {
        let one = section.media(line, session, shared);
        if one.bundled && shared.is_none() && one.rtp.port != 0 {
            shared = Some(one.rtp);
        }
        media.push(one);
    }
    media
}

//! SDP bodies (RFC 8866) as far as media needs them: where each side wants its RTP, and what the payload types mean.
//! Tolerant: a line that cannot be read is passed over.

use std::net::IpAddr;

use crate::{decode::Endpoint, limits, sip::fields};

/// A payload type's meaning (RFC 8866, section 6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The payload type.
    pub payload_type: u8,
    /// Encoding name as written.
    pub name: String,
    /// RTP clock rate, in hertz.
    pub clock_rate: u32,
}

/// One media description that carries RTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Where RTP is to be sent.
    pub rtp: Endpoint,
    /// Where RTCP is to be sent: the port above, the one of `a=rtcp` (RFC 3605), or RTP's own (RFC 5761).
    pub rtcp: Endpoint,
    /// The codecs that `a=rtpmap` lines name.
    pub codecs: Vec<Codec>,
}

#[derive(Default)]
struct Section {
    port: u16,
    is_rtp: bool,
    address: Option<IpAddr>,
    rtcp_port: Option<u16>,
    rtcp_mux: bool,
    codecs: Vec<Codec>,
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

/// Reads the media descriptions that carry RTP and are not refused (port 0) or on hold by address (0.0.0.0).
#[must_use]
pub fn parse(body: &[u8]) -> Vec<Media> {
    let mut session_address = None;
    let mut sections: Vec<Section> = Vec::new();
    for line in body.split(|&byte| byte == b'\n').take(limits::SDP_LINES) {
        let line = line.trim_ascii();
        match line {
            [b'm', b'=', value @ ..] => {
                if sections.len() == limits::SDP_MEDIA {
                    break;
                }
                sections.push(media_line(value));
            }
            [b'c', b'=', value @ ..] => {
                let address = connection(value);
                match sections.last_mut() {
                    Some(section) => section.address = address.or(section.address),
                    None => session_address = address,
                }
            }
            [b'a', b'=', value @ ..] => {
                if let Some(section) = sections.last_mut() {
                    section.attribute(value);
                }
            }
            _ => {}
        }
    }
    sections.into_iter().filter_map(|section| section.media(session_address)).collect()
}

/// `audio 49170 RTP/AVP 0 8`, the port perhaps with a count (`49170/2`).
fn media_line(value: &[u8]) -> Section {
    let mut words = value.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let _kind = words.next();
    let port = words.next().and_then(|word| word.split(|&byte| byte == b'/').next()).and_then(fields::number);
    let is_rtp = words.next().is_some_and(|proto| proto.windows(3).any(|part| part.eq_ignore_ascii_case(b"RTP")));
    Section { port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0), is_rtp, ..Section::default() }
}

/// `IN IP4 192.0.2.1`, perhaps with a TTL (`/127`). Names instead of addresses are not looked up.
fn connection(value: &[u8]) -> Option<IpAddr> {
    let word = value.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).nth(2)?;
    let address = word.split(|&byte| byte == b'/').next()?;
    std::str::from_utf8(address).ok()?.parse().ok()
}

impl Section {
    fn attribute(&mut self, value: &[u8]) {
        if let Some(map) = value.strip_prefix(b"rtpmap:") {
            if let Some(codec) = rtpmap(map)
                && self.codecs.len() < limits::SDP_CODECS
            {
                self.codecs.push(codec);
            }
        } else if let Some(rtcp) = value.strip_prefix(b"rtcp:") {
            let port = rtcp.split(|&byte| byte == b' ').next().and_then(fields::number);
            self.rtcp_port = port.and_then(|port| u16::try_from(port).ok());
        } else if value == b"rtcp-mux" {
            self.rtcp_mux = true;
        }
    }

    fn media(self, session_address: Option<IpAddr>) -> Option<Media> {
        let address = self.address.or(session_address)?;
        if !self.is_rtp || self.port == 0 || address.is_unspecified() || address.is_multicast() {
            return None;
        }
        let rtcp_port = match (self.rtcp_mux, self.rtcp_port) {
            (true, _) => self.port,
            (false, Some(port)) => port,
            (false, None) => self.port.saturating_add(1),
        };
        Some(Media {
            rtp: Endpoint { address, port: self.port },
            rtcp: Endpoint { address, port: rtcp_port },
            codecs: self.codecs,
        })
    }
}

/// `96 opus/48000/2`.
fn rtpmap(value: &[u8]) -> Option<Codec> {
    let mut words = value.trim_ascii().split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let payload_type = u8::try_from(fields::number(words.next()?)?).ok().filter(|&number| number < 128)?;
    let mut parts = words.next()?.split(|&byte| byte == b'/');
    let name = fields::text(parts.next()?, limits::CODEC_NAME_BYTES);
    let clock_rate = u32::try_from(fields::number(parts.next()?)?).ok().filter(|&rate| rate > 0)?;
    // Names are not case-sensitive (RFC 4855, section 3): a well-known one is written as its standard does.
    let name = crate::codec::canonical(&name).map_or(name, str::to_owned);
    (!name.is_empty()).then_some(Codec { payload_type, name, clock_rate })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp(media: &[Media]) -> Vec<String> {
        media.iter().map(|media| media.rtp.to_string()).collect()
    }

    #[test]
    fn an_address_of_the_media_wins_over_the_session_s() {
        let body = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nm=video 5000/2 RTP/SAVPF 96\r\nc=IN IP6 2001:db8::5\r\n";
        assert_eq!(rtp(&parse(body)), ["192.0.2.1:4000", "[2001:db8::5]:5000"]);
    }

    #[test]
    fn rtcp_goes_to_the_next_port_the_named_one_or_the_same() {
        let body = b"c=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\na=rtcp:9 IN IP4 192.0.2.9\nm=audio 3 RTP/AVP 0\na=rtcp-mux\n";
        let ports: Vec<u16> = parse(body).iter().map(|media| media.rtcp.port).collect();
        assert_eq!(ports, [2, 9, 3]);
    }

    #[test]
    fn codecs_are_kept_with_their_clock_rate_and_broken_lines_are_passed_over() {
        let body = b"c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 99 101\na=rtpmap:99 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=rtpmap:200 bad/8000\na=rtpmap:97 bad/0\na=rtpmap:\n";
        let media = parse(body);
        let codecs: Vec<_> = media[0].codecs.iter().map(|c| (c.payload_type, c.name.as_str(), c.clock_rate)).collect();
        assert_eq!(codecs, [(99, "opus", 48000), (101, "telephone-event", 8000)]);
    }

    #[test]
    fn refused_media_hold_by_address_fax_and_host_names_announce_nothing() {
        for lines in [
            "c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0",
            "c=IN IP4 0.0.0.0\nm=audio 4 RTP/AVP 0",
            "c=IN IP4 192.0.2.1\nm=image 4 udptl t38",
            "c=IN IP4 host.example\nm=audio 4 RTP/AVP 0",
            "m=audio 4 RTP/AVP 0",
        ] {
            assert_eq!(parse(lines.as_bytes()), [], "{lines}");
        }
    }

    #[test]
    fn a_body_without_content_type_is_sdp_when_it_begins_like_it() {
        assert!(is_sdp(Some(b"application/SDP; charset=x"), b"") && is_sdp(None, b"v=0\r\n"));
        assert!(!is_sdp(Some(b"text/plain"), b"v=0") && !is_sdp(None, b"hello"));
    }

    #[test]
    fn a_flood_of_media_lines_is_cut() {
        let body = [b"c=IN IP4 192.0.2.1\n".to_vec(), b"m=audio 4 RTP/AVP 0\n".repeat(500)].concat();
        assert_eq!(parse(&body).len(), limits::SDP_MEDIA);
    }
}

//! Payload types: `a=rtpmap` and the parts of `a=fmtp` that matter to measuring.

use std::borrow::Cow;

use super::words;
use crate::{
    limits,
    sip::fields::{number, text},
};

/// The encoding name of a codec: a well-known one as its standard writes it, without heap memory; any other as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodecName(Cow<'static, str>);

impl CodecName {
    /// Makes a name of bytes of the wire. Names are not case-sensitive (RFC 4855, section 3).
    #[must_use]
    pub fn new(name: &[u8]) -> Option<Self> {
        let known = std::str::from_utf8(name).ok().and_then(crate::codec::canonical);
        if let Some(known) = known {
            return Some(Self(Cow::Borrowed(known)));
        }
        let name = text(name, limits::CODEC_NAME_BYTES);
        (!name.is_empty()).then_some(Self(Cow::Owned(name)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for CodecName {
    fn from(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}

/// What `a=fmtp` says where it matters to measuring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// AMR, AMR-WB: the octet-aligned format (RFC 4867, section 8).
    pub octet_aligned: bool,
    /// Packets may stop in silence: opus `usedtx=1` (RFC 7587), G.729 `annexb` not `no` (RFC 4856).
    pub silence_suppressed: bool,
    /// Opus: a packet may carry the one before it again (`useinbandfec=1`).
    pub in_band_fec: bool,
    /// Opus: `stereo=1`.
    pub stereo: bool,
    /// iLBC: milliseconds of a frame, `mode=20` or `mode=30` (RFC 3952).
    pub frame_ms: Option<u8>,
    /// Opus: `maxaveragebitrate`, in bit/s.
    pub bit_rate: Option<u32>,
}

/// A payload type's meaning (RFC 8866, section 6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The payload type.
    pub payload_type: u8,
    /// Encoding name.
    pub name: CodecName,
    /// RTP clock rate, in hertz.
    pub clock_rate: u32,
    /// Channels, as the rtpmap says; 1 when it does not.
    pub channels: u8,
    /// What fmtp says.
    pub format: Format,
}

impl Codec {
    /// A codec of one channel without parameters.
    #[must_use]
    pub fn new(payload_type: u8, name: CodecName, clock_rate: u32) -> Self {
        let silence_suppressed = name.as_str() == "G729";
        let format = Format { silence_suppressed, ..Format::default() };
        Self { payload_type, name, clock_rate, channels: 1, format }
    }

    /// Reads the value of an rtpmap: `96 opus/48000/2`.
    pub(super) fn of_rtpmap(value: &[u8]) -> Option<Self> {
        let mut words = words(value);
        let payload_type = payload_type(words.next()?)?;
        let mut parts = words.next()?.split(|&byte| byte == b'/');
        let name = CodecName::new(parts.next()?)?;
        let clock_rate = u32::try_from(number(parts.next()?)?).ok().filter(|&rate| rate > 0)?;
        let mut codec = Self::new(payload_type, name, clock_rate);
        codec.channels = parts.next().and_then(number).and_then(|count| u8::try_from(count).ok()).unwrap_or(1).max(1);
        Some(codec)
    }

    /// Takes the parameters of an fmtp.
    pub(super) fn take_format(&mut self, parameters: &[u8]) {
        for parameter in parameters.split(|&byte| byte == b';').take(limits::SDP_FORMAT_PARAMETERS) {
            let Some(at) = parameter.iter().position(|&byte| byte == b'=') else { continue };
            let Some((key, value)) = parameter.split_at_checked(at) else { continue };
            let (key, value) = (key.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
            let on = value == b"1";
            match self.name.as_str() {
                "AMR" | "AMR-WB" if key.eq_ignore_ascii_case(b"octet-align") => self.format.octet_aligned = on,
                "opus" if key.eq_ignore_ascii_case(b"usedtx") => self.format.silence_suppressed = on,
                "opus" if key.eq_ignore_ascii_case(b"useinbandfec") => self.format.in_band_fec = on,
                "opus" if key.eq_ignore_ascii_case(b"stereo") => self.format.stereo = on,
                "opus" if key.eq_ignore_ascii_case(b"maxaveragebitrate") => {
                    self.format.bit_rate = number(value).and_then(|rate| u32::try_from(rate).ok());
                }
                "G729" if key.eq_ignore_ascii_case(b"annexb") => {
                    self.format.silence_suppressed = !value.eq_ignore_ascii_case(b"no");
                }
                "iLBC" if key.eq_ignore_ascii_case(b"mode") => {
                    self.format.frame_ms = number(value).and_then(|mode| u8::try_from(mode).ok());
                }
                _ => {}
            }
        }
    }
}

/// A payload type: 0 to 127.
pub(super) fn payload_type(word: &[u8]) -> Option<u8> {
    u8::try_from(number(word)?).ok().filter(|&number| number < 128)
}

//! Attributes that may stand at the session and at each media: the media's own wins.

use std::net::IpAddr;

use super::{MediaDirection, words};
use crate::sip::uri::address;

/// What the lines before the first m= line say, and what those of one media say about the same things.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub(super) address: Option<IpAddr>,
    pub(super) direction: Option<MediaDirection>,
    pub(super) ptime: Option<u16>,
    pub(super) maxptime: Option<u16>,
    pub(super) has_ice: bool,
    pub(super) has_fingerprint: bool,
    pub(super) has_crypto: bool,
    pub(super) has_zrtp: bool,
}

impl Common {
    /// Takes `IN IP4 192.0.2.1`, perhaps with a TTL (`/127`). Names instead of addresses are not looked up. False when
    /// it cannot be read.
    pub(super) fn connection(&mut self, value: &[u8]) -> bool {
        let Some(word) = words(value).nth(2) else { return false };
        let host = word.split(|&byte| byte == b'/').next().unwrap_or_default();
        match address(host) {
            Some(address) => self.address = Some(address),
            None => return is_name(host),
        }
        true
    }

    /// Takes an attribute that is not the media's alone. None when it is another; else whether it can be read.
    pub(super) fn attribute(&mut self, name: &[u8], value: &[u8]) -> Option<bool> {
        match name {
            b"sendrecv" => self.direction = Some(MediaDirection::SendReceive),
            b"sendonly" => self.direction = Some(MediaDirection::SendOnly),
            b"recvonly" => self.direction = Some(MediaDirection::ReceiveOnly),
            b"inactive" => self.direction = Some(MediaDirection::Inactive),
            b"ptime" => return Some(milliseconds(value, &mut self.ptime)),
            b"maxptime" => return Some(milliseconds(value, &mut self.maxptime)),
            b"ice-ufrag" | b"ice-lite" | b"ice-options" => self.has_ice = true,
            b"fingerprint" => {
                self.has_fingerprint = true;
                return Some(words(value).count() == 2);
            }
            b"crypto" => {
                self.has_crypto = true;
                return Some(words(value).count() >= 3);
            }
            b"zrtp-hash" => self.has_zrtp = true,
            _ => return None,
        }
        Some(true)
    }
}

/// Keeps a number of milliseconds; some write `20.0`.
fn milliseconds(value: &[u8], kept: &mut Option<u16>) -> bool {
    let whole = value.split(|&byte| byte == b'.').next().and_then(super::port).filter(|&number| number > 0);
    *kept = whole.or(*kept);
    whole.is_some()
}

/// Says whether a word can be a host name.
fn is_name(word: &[u8]) -> bool {
    !word.is_empty()
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && word.iter().any(u8::is_ascii_alphabetic)
}

/// What the session's own lines say.
#[derive(Clone, Debug, Default)]
pub(super) struct Session<'a> {
    pub(super) common: Common,
    /// The media that share a transport, as `a=group:BUNDLE` lists them.
    pub(super) bundle: Option<&'a [u8]>,
}

impl<'a> Session<'a> {
    pub(super) fn connection(&mut self, value: &[u8]) -> bool {
        self.common.connection(value)
    }

    /// Takes an attribute. False when it cannot be read.
    pub(super) fn attribute(&mut self, line: &'a [u8]) -> bool {
        let (name, value) = name_and_value(line);
        if name == b"group" {
            if let Some(tags) = value.strip_prefix(b"BUNDLE") {
                self.bundle = self.bundle.or(Some(tags));
            }
            return true;
        }
        self.common.attribute(name, value).unwrap_or(true)
    }
}

/// `name:value` or `name`.
pub(super) fn name_and_value(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
    let (name, value) = line.split_at_checked(end).unwrap_or((line, &[]));
    (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii())
}

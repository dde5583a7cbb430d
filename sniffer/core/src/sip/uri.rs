//! URIs of SIP (RFC 3261, section 19.1) and telephone numbers (RFC 3966).

use std::net::{IpAddr, Ipv6Addr};

use super::{address::Parameters, fields};
use crate::limits;

/// What kind of URI it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, for example `http:` or `urn:`.
    Other,
}

/// A URI in its parts, borrowing from the message. Escapes are as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part of a sip URI with its own parameters, or the number of a tel URI.
    pub user: Option<&'a [u8]>,
    /// The password, which nobody should send.
    pub password: Option<&'a [u8]>,
    /// The host, without the brackets of an IPv6 address; empty for other schemes.
    pub host: &'a [u8],
    /// The port as written; none when there is none.
    pub port: Option<&'a [u8]>,
    /// The URI's own parameters.
    pub parameters: Parameters<'a>,
    /// What follows the question mark.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI; none when it has no scheme. Of other schemes than sip, sips and tel only the scheme is read.
    #[must_use]
    pub fn parse(uri: &'a [u8]) -> Option<Self> {
        let uri = uri.trim_ascii();
        let colon = uri.iter().position(|&byte| byte == b':')?;
        let (name, rest) = uri.split_at_checked(colon)?;
        let rest = rest.get(1..)?;
        let is_scheme = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !name.first()?.is_ascii_alphabetic() || !name.iter().all(is_scheme) {
            return None;
        }
        Some(match name {
            _ if name.eq_ignore_ascii_case(b"sip") => Self::sip(Scheme::Sip, rest),
            _ if name.eq_ignore_ascii_case(b"sips") => Self::sip(Scheme::Sips, rest),
            _ if name.eq_ignore_ascii_case(b"tel") => {
                let (number, parameters) = split_before(rest, |byte| byte == b';');
                Self { user: Some(number), parameters: Parameters(parameters), ..Self::empty(Scheme::Tel) }
            }
            _ => Self::empty(Scheme::Other),
        })
    }

    fn empty(scheme: Scheme) -> Self {
        Self { scheme, user: None, password: None, host: &[], port: None, parameters: Parameters(&[]), headers: None }
    }

    fn sip(scheme: Scheme, rest: &'a [u8]) -> Self {
        let (user_info, rest) = match host_begins(rest).and_then(|at| rest.split_at_checked(at)) {
            Some((user, rest)) => (Some(user), rest.get(1..).unwrap_or_default()),
            None => (None, rest),
        };
        let (rest, headers) = split_before(rest, |byte| byte == b'?');
        let (host_port, parameters) = split_before(rest, |byte| byte == b';');
        let (host, port) = host_and_port(host_port);
        let (user, password) = match user_info.map(|user| split_before(user, |byte| byte == b':')) {
            Some((user, password)) => (Some(user), password.get(1..)),
            None => (None, None),
        };
        Self { scheme, user, password, host, port, parameters: Parameters(parameters), headers: headers.get(1..) }
    }

    /// The port as a number.
    #[must_use]
    pub fn port_number(&self) -> Option<u16> {
        u16::try_from(fields::number(self.port?)?).ok()
    }

    /// The host when it is an address and not a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        address(self.host)
    }

    /// The user part as text: without its parameters, escapes resolved, at most [`limits::URI_BYTES`].
    #[must_use]
    pub fn user_text(&self) -> Option<String> {
        let user = self.user?;
        let (user, _) = split_before(user, |byte| byte == b';');
        let plain: Vec<u8> = Unescaped(user).take(limits::URI_BYTES).collect();
        Some(fields::text(&plain, limits::URI_BYTES))
    }

    /// The telephone number: of a tel URI, or of a sip URI whose user part is one (with or without `user=phone`). Visual
    /// separators are left out; none when there are other characters, no digit, or more than [`limits::NUMBER_BYTES`].
    #[must_use]
    pub fn number(&self) -> Option<Number> {
        let (user, _) = split_before(self.user?, |byte| byte == b';');
        let mut number = Number::default();
        let mut digits = false;
        for byte in Unescaped(user) {
            match byte {
                b'0'..=b'9' => digits = true,
                b'*' | b'#' => {}
                b'+' if number.length == 0 => {}
                // RFC 3966, section 5.1.1.
                b'-' | b'.' | b'(' | b')' | b' ' => continue,
                _ => return None,
            }
            *number.bytes.get_mut(usize::from(number.length))? = byte;
            number.length = number.length.saturating_add(1);
        }
        digits.then_some(number)
    }
}

/// A telephone number: `+`, digits, `*` and `#`. It holds no heap memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number {
    bytes: [u8; limits::NUMBER_BYTES],
    length: u8,
}

impl Number {
    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The digits without `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.as_str().trim_start_matches('+')
    }
}

/// Percent escapes resolved (RFC 3261, section 25.1); a percent sign without two hex digits stays.
#[derive(Clone, Debug)]
pub struct Unescaped<'a>(pub &'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.0 {
            [b'%', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', self.0.get(1..)?),
            },
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

/// The place of the `@` before the host. The user part may hold semicolons and question marks, and, against the RFC,
/// other `@`; one among the parameters of the URI is none of them.
fn host_begins(rest: &[u8]) -> Option<usize> {
    let mut at = rest.iter().position(|&byte| byte == b'@')?;
    loop {
        let after = at.saturating_add(1);
        let tail = rest.get(after..)?;
        match tail.iter().position(|&byte| matches!(byte, b'@' | b';' | b'?')) {
            Some(next) if tail.get(next) == Some(&b'@') => at = after.saturating_add(next),
            _ => return Some(at),
        }
    }
}

/// The bytes before the first one wanted, and from it on.
fn split_before(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| wanted(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// `host`, `host:port`, `[2001:db8::1]:port`. White space around the colon is allowed in Via.
#[must_use]
pub fn host_and_port(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let bytes = bytes.trim_ascii();
    if let Some(inside) = bytes.strip_prefix(b"[") {
        let (host, rest) = split_before(inside, |byte| byte == b']');
        let port = rest.get(1..).unwrap_or_default().trim_ascii_start().strip_prefix(b":");
        return (host, port.map(<[u8]>::trim_ascii));
    }
    let (host, port) = split_before(bytes, |byte| byte == b':');
    (host.trim_ascii(), port.get(1..).map(<[u8]>::trim_ascii))
}

/// An address as text; brackets around it and the third colon that RFC 3261's grammar gives before an IPv4 part are
/// passed over (RFC 5118, sections 4.5 and 4.10).
#[must_use]
pub fn address(host: &[u8]) -> Option<IpAddr> {
    let host = host.trim_ascii();
    let host = host.strip_prefix(b"[").and_then(|inside| inside.strip_suffix(b"]")).unwrap_or(host);
    let text = std::str::from_utf8(host).ok().filter(|text| text.len() <= limits::ADDRESS_BYTES)?;
    text.parse().ok().or_else(|| {
        let (before, after) = text.split_once(":::")?;
        format!("{before}::{after}").parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    })
}

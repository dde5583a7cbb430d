//! Text which may reach a file, a command or a log: every type here forbids control characters.

use crate::limits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Why a text was refused. `Display` says what to do, in words for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was given.
    #[error("Enter a value")]
    Empty,
    /// A line break or another control character.
    #[error("Use one line without control characters")]
    ControlCharacter,
    /// More than the limit, which the variant carries.
    #[error("Use at most {0} characters")]
    TooLong(usize),
    /// Neither a host name nor an address.
    #[error("Enter a host name or an address, such as ntp1.example.net or 192.0.2.123")]
    NotAHost,
    /// An address that no single machine has.
    #[error("Enter the address of one machine, not a group, broadcast or unspecified address")]
    NotUnicast,
}

/// One line of text: not empty, at most [`limits::MAX_LINE`] characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);

impl Line {
    /// Parses one line; surrounding white space is dropped.
    ///
    /// # Errors
    /// When it is empty, too long or has a control character.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        // U+2028 and U+2029 break lines for those who read the file as Unicode.
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(TextError::ControlCharacter);
        }
        if text.chars().count() > limits::MAX_LINE {
            return Err(TextError::TooLong(limits::MAX_LINE));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A host name (RFC 1123 section 2.1) or an IP address of one machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// A name, in lower case, without a trailing dot.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Parses a host name or an address; surrounding white space is dropped.
    ///
    /// # Errors
    /// When it is empty, or neither of the two, or an address that no single machine has.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
            return if address.is_multicast() || address.is_unspecified() || broadcast {
                Err(TextError::NotUnicast)
            } else {
                Ok(Self::Address(address))
            };
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() > limits::MAX_HOST_NAME {
            return Err(TextError::TooLong(limits::MAX_HOST_NAME));
        }
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= limits::MAX_HOST_LABEL
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        // A last label of digits only is a mistyped address (RFC 3696 section 2), such as 192.0.2.300.
        let last_is_number = name.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        if name.split('.').all(is_label) && !last_is_number {
            Ok(Self::Name(name.to_ascii_lowercase()))
        } else {
            Err(TextError::NotAHost)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Line {
    type Error = TextError;
    fn try_from(text: String) -> Result<Self, TextError> {
        Self::parse(&text)
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

impl TryFrom<String> for Host {
    type Error = TextError;
    fn try_from(text: String) -> Result<Self, TextError> {
        Self::parse(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_is_refused_wherever_it_stands() {
        for text in ["a\nb", "a\rb", "a\u{2028}b", "a\0b", "a\u{85}b", "\u{1b}[2J"] {
            assert_eq!(Line::parse(text), Err(TextError::ControlCharacter), "{text:?}");
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_and_addresses_are_hosts() {
        assert_eq!(Host::parse(" NTP1.Example.net. "), Ok(Host::Name("ntp1.example.net".into())));
        assert_eq!(Host::parse("192.0.2.123").map(|h| h.to_string()), Ok("192.0.2.123".into()));
        assert_eq!(Host::parse("[2001:db8::1]").map(|h| h.to_string()), Ok("2001:db8::1".into()));
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_reason() {
        for text in ["ntp2 example.net", "192.0.2.300", "-a.example", "a..b", "ntp;reboot", "a_b", &"a".repeat(64)] {
            assert_eq!(Host::parse(text), Err(TextError::NotAHost), "{text:?}");
        }
        for text in ["224.0.1.1", "0.0.0.0", "255.255.255.255", "ff02::101", "::"] {
            assert_eq!(Host::parse(text), Err(TextError::NotUnicast), "{text:?}");
        }
    }
}

//! The values that name somebody: From, To, Contact, P-Asserted-Identity, Diversion, Refer-To and the like are all
//! name-addr or addr-spec with parameters (RFC 3261, section 20.10).

use super::{
    scan::{Outside, Split},
    uri::Uri,
};
use crate::limits;

/// The values of a header line that may hold several, separated by commas outside quotes and brackets. Empty ones are
/// left out.
pub fn values(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_values(line).filter(|value| !value.is_empty())
}

/// The values of a line with the empty ones.
pub(super) fn split_values(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    Split::new(line, b',', true)
}

/// One value: `"Name" <uri>;parameters` or `uri;parameters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The name as on the wire, perhaps in quotes; empty when there is none.
    pub display: &'a [u8],
    /// The URI, without its brackets.
    pub uri: &'a [u8],
    /// The header's parameters: what follows the URI.
    pub parameters: Parameters<'a>,
    /// The URI stands in angle brackets.
    pub bracketed: bool,
    /// White space stands within the brackets, at an end of the URI.
    pub spaced: bool,
}

impl<'a> NameAddr<'a> {
    /// Reads one value. Total: without brackets, everything before the first semicolon or comma is the URI and the rest
    /// belongs to the header (RFC 3261, section 20).
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Self {
        let value = value.trim_ascii();
        let Some(open) = open_bracket(value) else {
            let end = value.iter().position(|&byte| byte == b';' || byte == b',').unwrap_or(value.len());
            let (uri, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
            let uri = uri.trim_ascii();
            return Self { display: &[], uri, parameters: Parameters(rest), bracketed: false, spaced: false };
        };
        let (display, inside) = value.split_at_checked(open).unwrap_or((&[], value));
        let inside = inside.get(1..).unwrap_or_default();
        let end = inside.iter().position(|&byte| byte == b'>').unwrap_or(inside.len());
        let (uri, rest) = inside.split_at_checked(end).unwrap_or((inside, &[]));
        Self {
            display: display.trim_ascii(),
            uri: uri.trim_ascii(),
            parameters: Parameters(rest.get(1..).unwrap_or_default()),
            bracketed: true,
            spaced: uri.trim_ascii().len() < uri.len(),
        }
    }

    /// The name without its quotes and escapes; none when there is none or it is empty.
    #[must_use]
    pub fn display_name(&self) -> Option<String> {
        let name = unquoted(self.display, limits::DISPLAY_NAME_BYTES);
        (!name.is_empty()).then_some(name)
    }

    /// The URI in its parts; none when it has no scheme.
    #[must_use]
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }
}

/// The place of the `<` that is not inside a quoted name.
fn open_bracket(value: &[u8]) -> Option<usize> {
    let outside = Outside::new(value, false).find(b'<');
    // A quoted name that is closed only by a quote among the parameters.
    outside.or_else(|| if value.first() == Some(&b'"') { value.iter().rposition(|&byte| byte == b'<') } else { None })
}

/// The text of a quoted string, or of bytes without quotes: at most `limit` bytes.
#[must_use]
pub fn unquoted(bytes: &[u8], limit: usize) -> String {
    let bytes = bytes.trim_ascii();
    let Some(inside) = bytes.strip_prefix(b"\"") else { return super::fields::text(bytes, limit) };
    let inside = inside.strip_suffix(b"\"").unwrap_or(inside);
    if !inside.contains(&b'\\') {
        return super::fields::text(inside, limit);
    }
    let mut plain = Vec::with_capacity(inside.len().min(limit));
    let mut escaped = false;
    for &byte in inside {
        if byte == b'\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        if plain.len() < limit {
            plain.push(byte);
        }
    }
    super::fields::text(&plain, limit)
}

/// Parameters that follow a value: `;name=value;flag`. Names are not case-sensitive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a>(pub &'a [u8]);

impl<'a> Parameters<'a> {
    /// The value of a parameter: empty for a flag, none when it is absent. Quotes are left on it.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.unwrap_or_default())
    }

    /// All parameters in order. A comma ends them: what follows is another value on the same line.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let end = Outside::new(self.0, true).find(b',').unwrap_or(self.0.len());
        Split::new(self.0.get(..end).unwrap_or_default(), b';', true).filter(|part| !part.is_empty()).map(|part| {
            match part.iter().position(|&byte| byte == b'=').and_then(|at| part.split_at_checked(at)) {
                Some((key, value)) => {
                    (key.trim_ascii_end(), Some(value.get(1..).unwrap_or_default().trim_ascii_start()))
                }
                None => (part, None),
            }
        })
    }
}

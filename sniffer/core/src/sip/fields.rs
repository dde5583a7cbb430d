//! Single SIP header fields, read on demand from their bytes.

use std::borrow::Cow;

use super::{Method, NameAddr};
use crate::limits;

/// A decimal number that fills the bytes, at most nine digits.
#[must_use]
pub fn number(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    bytes.iter().try_fold(0_usize, |sum, byte| {
        byte.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(usize::from(byte.wrapping_sub(b'0'))))
    })
}

/// A value without the line breaks of its folds: each becomes one space (RFC 3261, section 7.3.1). It allocates only
/// where there is one.
#[must_use]
pub fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let lines = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Cow::Owned(lines.collect::<Vec<_>>().join(&b' '))
}

/// CSeq: a number below 2^31 and a method (RFC 3261, section 20.16).
#[must_use]
pub fn cseq(value: &[u8]) -> Option<(u32, Method)> {
    let value = value.trim_ascii();
    let end = value.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, method) = value.split_at_checked(end)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let number: u32 = digits.parse().ok()?;
    let after = method.trim_ascii();
    // The white space between the two is mandatory.
    (after.len() < method.len()).then_some((number, Method::from_token(after)?))
}

/// The URI of a From, To or Contact value, as text.
#[must_use]
pub fn uri(value: &[u8]) -> String {
    text(NameAddr::parse(value).uri, limits::URI_BYTES)
}

/// The tag parameter of a From or To value; empty when there is none.
#[must_use]
pub fn tag(value: &[u8]) -> &[u8] {
    let tag = NameAddr::parse(value).parameters.get(b"tag").unwrap_or_default();
    tag.get(..limits::TAG_BYTES).unwrap_or(tag)
}

/// A parameter of the first Contact of a line, for example `expires`.
#[must_use]
pub fn contact_parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    NameAddr::parse(value).parameters.get(name)
}

/// Bytes of the wire as text: at most `limit` bytes, UTF-8 mended, white space of folds made one space, no control
/// characters.
#[must_use]
pub fn text(bytes: &[u8], limit: usize) -> String {
    plain_text(bytes, limit).into_owned()
}

/// The same as [`text`], without a copy where the bytes are such text.
#[must_use]
pub fn plain_text(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    let bytes = bytes.trim_ascii();
    if bytes.len() <= limit && is_graphic(bytes) {
        return Cow::Borrowed(std::str::from_utf8(bytes).unwrap_or_default());
    }
    let mut text = String::with_capacity(bytes.len().min(limit));
    for character in String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes)).chars() {
        let character = match character {
            '\r' | '\n' | '\t' => ' ',
            other if other.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        };
        if character != ' ' || !text.ends_with(' ') {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

/// Says whether all are visible characters of ASCII. All are looked at, so that many are at once.
pub(crate) fn is_graphic(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

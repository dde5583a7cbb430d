//! Single SIP header fields, read on demand from their bytes.

use super::Method;
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

/// The URI and the parameters of a From, To or Contact value: `"Name" <uri>;tag=x` or `uri;tag=x`.
fn parts(value: &[u8]) -> (&[u8], &[u8]) {
    let Some(open) = open_bracket(value) else {
        // Without brackets everything from the first semicolon on belongs to the header (RFC 3261, section 20).
        let end = value.iter().position(|&byte| byte == b';' || byte == b',').unwrap_or(value.len());
        return value.split_at_checked(end).unwrap_or((value, &[]));
    };
    let inside = value.get(open.saturating_add(1)..).unwrap_or_default();
    let end = inside.iter().position(|&byte| byte == b'>').unwrap_or(inside.len());
    inside.split_at_checked(end).unwrap_or((inside, &[]))
}

/// The place of the `<` that is not inside a quoted name.
fn open_bracket(value: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    let outside = value.iter().position(|&byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && !was_escaped => escaped = true,
            b'"' if !was_escaped => quoted = !quoted,
            b'<' if !quoted => return true,
            _ => {}
        }
        false
    });
    // A quote that is never closed would hide the URI: phones do send such names.
    outside.or_else(|| if quoted { value.iter().rposition(|&byte| byte == b'<') } else { None })
}

/// The URI of a From, To or Contact value, as text.
#[must_use]
pub fn uri(value: &[u8]) -> String {
    text(parts(value).0, limits::URI_BYTES)
}

/// The tag parameter of a From or To value; empty when there is none.
#[must_use]
pub fn tag(value: &[u8]) -> &[u8] {
    let tag = parameter(parts(value).1, b"tag").unwrap_or_default();
    tag.get(..limits::TAG_BYTES).unwrap_or(tag)
}

/// A parameter of a Contact value, for example `expires`.
#[must_use]
pub fn contact_parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let parameters = parts(value).1;
    // Parameters of a second contact on the same line are not this one's.
    parameter(parameters.split(|&byte| byte == b',').next().unwrap_or_default(), name)
}

fn parameter<'a>(parameters: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    parameters.split(|&byte| byte == b';').skip(1).find_map(|one| {
        let equals = one.iter().position(|&byte| byte == b'=')?;
        let (key, value) = one.split_at_checked(equals)?;
        key.trim_ascii().eq_ignore_ascii_case(name).then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

/// Bytes of the wire as text: at most `limit` bytes, UTF-8 mended, white space of folds made one space, no control
/// characters.
#[must_use]
pub fn text(bytes: &[u8], limit: usize) -> String {
    let bytes = bytes.trim_ascii();
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
    text
}

//! When two calls name the same: users, numbers, header values.

use std::borrow::Cow;

use crate::{
    engine::call::{Call, is_anonymous, texts::Field},
    limits,
    sip::{Header, Uri, fields},
};

/// The part of a header's value that is the same in both legs.
pub(super) fn correlating_value<'a>(name: &str, value: &'a [u8]) -> Option<&'a [u8]> {
    let is_known = |known: Header| known.name().eq_ignore_ascii_case(name);
    let parameters = crate::sip::Parameters(value);
    let value = if is_known(Header::PChargingVector) {
        parameters.get(b"icid-value")?
    } else if is_known(Header::SessionId) {
        // RFC 7989: the caller's half; the other is all zeros until the answer.
        value.split(|&byte| byte == b';').next()?.trim_ascii()
    } else {
        value
    };
    (!value.is_empty() && value.iter().any(|&byte| byte != b'0')).then_some(value)
}

/// User and host of a URI, whatever its parameters.
pub(super) fn target_parts(uri: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match Uri::parse(uri) {
        Some(parts) => (parts.user.unwrap_or_default().to_ascii_lowercase(), parts.host.to_ascii_lowercase()),
        None => (uri.to_ascii_lowercase(), Vec::new()),
    }
}

pub(super) fn users<'a>(call: &'a Call, fields: &'static [Field]) -> impl Iterator<Item = &'a [u8]> {
    let uris = fields.iter().filter_map(|&field| call.text(field));
    uris.filter_map(|uri| Uri::parse(uri.as_bytes())?.user)
        .map(|user| user.split(|&byte| byte == b';').next().unwrap_or(user))
}

pub(super) fn callers(call: &Call) -> impl Iterator<Item = &[u8]> {
    users(call, &[Field::From, Field::CallerAsserted, Field::CallerRemoteParty])
}

pub(super) fn callees(call: &Call) -> impl Iterator<Item = &[u8]> {
    users(call, &[Field::To, Field::RequestUri])
}

pub(super) fn same_any<'a>(ours: impl Iterator<Item = &'a [u8]>, theirs: impl Iterator<Item = &'a [u8]>) -> bool {
    let theirs: Vec<_> = theirs.collect();
    let mut ours = ours.filter(|user| !is_anonymous(std::str::from_utf8(user).ok()));
    ours.any(|user| theirs.iter().any(|other| is_same_user(user, other)))
}

/// Digits at the end that must be the same: numbers are written with and without country and area codes.
pub(super) const DIGITS: usize = 9;
/// Digits a number needs at least.
pub(super) const FEWEST: usize = 3;

/// Says whether two user parts name the same: telephone numbers by their last digits, names as they are.
pub(super) fn is_same_user(one: &[u8], other: &[u8]) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let (Some(one), Some(other)) = (digits(one), digits(other)) else { return false };
    let length = one.len().min(other.len()).min(DIGITS);
    length >= FEWEST && one.iter().rev().take(length).eq(other.iter().rev().take(length))
}

/// The digits of a user part that is a telephone number.
pub(super) fn digits(user: &[u8]) -> Option<&[u8]> {
    let digits = user.strip_prefix(b"+").unwrap_or(user);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    // Prefixes of long-distance calls are zeros nearly everywhere.
    let from = digits.iter().position(|&digit| digit != b'0').unwrap_or(0);
    if is_number { digits.get(from..) } else { None }
}

/// What numbers that are the same have in common, for the table: the last digits, or the whole name.
pub(super) fn end_of(user: &[u8]) -> Cow<'_, [u8]> {
    match digits(user).filter(|digits| digits.len() >= FEWEST) {
        Some(digits) => Cow::Borrowed(digits.get(digits.len().saturating_sub(FEWEST)..).unwrap_or(digits)),
        None => Cow::Owned(fields::text(user, limits::URI_BYTES).to_ascii_lowercase().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_with_and_without_their_prefixes() {
        for (one, other, same) in [
            ("+491701234567", "01701234567", true),
            ("+4930100", "030100", true),
            ("201", "201", true),
            ("Alice", "alice", true),
            ("0049170123456", "0049170123457", false),
            ("20201", "201", true),
            ("01", "1", false),
            ("telephone2", "2302", false),
            ("", "201", false),
        ] {
            assert_eq!(is_same_user(one.as_bytes(), other.as_bytes()), same, "{one} {other}");
        }
    }

    #[test]
    fn only_the_part_of_a_header_that_stays_the_same_counts() {
        let value = b"icid-value=\"abc;d\";orig-ioi=x";
        assert_eq!(correlating_value("p-charging-vector", value), Some(&b"\"abc;d\""[..]));
        assert_eq!(correlating_value("Session-ID", b"ab30317f;remote=00000000"), Some(&b"ab30317f"[..]));
        assert_eq!(correlating_value("Session-ID", b"00000000;remote=1"), None);
        assert_eq!(correlating_value("X-Call-ID", b"c1@x"), Some(&b"c1@x"[..]));
        assert_eq!(correlating_value("X-Call-ID", b""), None);
    }
}

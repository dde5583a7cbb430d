//! What calls are searched by: the filter of the query protocol, and what it means for a call. No I/O.

pub mod records;

use std::{borrow::Cow, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    query::{CallSummary, DirectionQuality},
    record::CallState,
    sip::{Scheme, Uri, uri::Unescaped},
    time::Timestamp,
};

pub use self::records::RecordFilter;

/// Which calls are wanted: those that fit everything that is set. An empty filter wants all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallFilter {
    /// Started at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Started before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The number of the caller or the callee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<NumberFilter>,
    /// An address that signalling or media of the call came from or went to. Calls in progress are found by their
    /// numbers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The whole Call-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// In one of these states; none named means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<CallState>,
    /// The final answer lies between these, both included: 500 and 599 for all of 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes: Option<(u16, u16)>,
    /// The worse of both directions has a mean opinion score below this. A call without one does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mos_below: Option<f32>,
    /// The worse of both directions lost more than this many per cent of its packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_above: Option<f32>,
}

/// A number, and how it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberFilter {
    /// As a person types it: `+351 21 555 01 34`, `4711`, `alice`.
    pub text: String,
    /// How it is compared.
    #[serde(default)]
    pub how: Comparison,
    /// Whose it is.
    #[serde(default)]
    pub party: Party,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The whole number.
    #[default]
    Exact,
    /// It begins so.
    Prefix,
    /// It ends so: the last digits.
    Suffix,
}

/// Who called or was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Any of both.
    #[default]
    Either,
    /// The caller.
    Caller,
    /// The callee.
    Callee,
}

/// Longest number that is compared, in bytes; the rest is passed over.
pub const NUMBER: usize = 64;

/// The number or name in a URI or as typed, in the form in which numbers are compared: the user part without scheme,
/// parameters, password, escapes, the plus sign and visual separators (RFC 3966, section 5.1.1), in lower case. A URI
/// without a user part gives its host.
#[must_use]
pub fn number(text: &str) -> String {
    let text = text.trim();
    let uri = Uri::parse(text.as_bytes()).filter(|uri| uri.scheme != Scheme::Other);
    let user = match &uri {
        Some(uri) => uri.user.unwrap_or(uri.host),
        None => text.as_bytes().split(|&byte| byte == b'@' || byte == b'?').next().unwrap_or_default(),
    };
    let user = user.split(|&byte| byte == b';').next().unwrap_or_default();
    let is_escaped = user.contains(&b'%');
    let user = if is_escaped { Cow::Owned(Unescaped(user).collect::<Vec<u8>>()) } else { Cow::Borrowed(user) };
    // Separators belong to numbers; a name like jean-luc keeps its own.
    let is_number = user.iter().all(|byte| byte.is_ascii_digit() || b"+-.() *#".contains(byte));
    let mut number = String::with_capacity(user.len().min(NUMBER));
    for character in String::from_utf8_lossy(&user).chars() {
        if character == '\0' || is_number && "+-.() ".contains(character) {
            continue;
        }
        if number.len() >= NUMBER {
            break;
        }
        if character.is_ascii() {
            number.push(character.to_ascii_lowercase());
        } else {
            number.extend(character.to_lowercase());
        }
    }
    number
}

/// The lowest score of both directions; none when neither has one.
#[must_use]
pub fn worst_mos(call: &CallSummary) -> Option<f32> {
    directions(call).filter_map(|direction| direction.mos).filter(|mos| mos.is_finite()).reduce(f32::min)
}

/// The highest loss of both directions, in hundredths of a per cent; none when no packet was expected.
#[must_use]
pub fn worst_loss(call: &CallSummary) -> Option<u16> {
    directions(call).filter_map(|direction| loss(direction.lost, direction.expected)).max()
}

/// Loss in hundredths of a per cent.
fn loss(lost: u64, expected: u64) -> Option<u16> {
    let share = u128::from(lost).saturating_mul(10_000).checked_div(u128::from(expected))?;
    Some(u16::try_from(share.min(10_000)).unwrap_or(10_000))
}

fn directions(call: &CallSummary) -> impl Iterator<Item = &DirectionQuality> {
    [call.caller_to_callee.as_ref(), call.callee_to_caller.as_ref()].into_iter().flatten()
}

impl CallFilter {
    /// Says whether everything fits that a row of the list tells: all but the address.
    #[must_use]
    pub fn fits(&self, call: &CallSummary) -> bool {
        let quality = |below: f32| worst_mos(call).is_some_and(|mos| mos < below);
        let lossy = |above: f32| worst_loss(call).is_some_and(|loss| f32::from(loss) / 100.0 > above);
        self.since.is_none_or(|since| call.start >= since)
            && self.until.is_none_or(|until| call.start < until)
            && self.call_id.as_ref().is_none_or(|id| *id == call.call_id)
            && (self.states.is_empty() || self.states.contains(&call.state))
            && self.codes.is_none_or(|(from, to)| call.final_status.is_some_and(|status| (from..=to).contains(&status)))
            && self.mos_below.is_none_or(quality)
            && self.loss_above.is_none_or(lossy)
            && self.number.as_ref().is_none_or(|wanted| wanted.fits(call))
    }
}

impl NumberFilter {
    fn fits(&self, call: &CallSummary) -> bool {
        self.fits_sides(Some(&call.from), Some(&call.to))
    }

    /// Says whether a URI of one of the sides has the number.
    #[must_use]
    pub fn fits_sides(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let wanted = number(&self.text);
        let one = |uri: &str| {
            let number = number(uri);
            match self.how {
                Comparison::Exact => number == wanted,
                Comparison::Prefix => number.starts_with(&wanted),
                Comparison::Suffix => number.ends_with(&wanted),
            }
        };
        match self.party {
            Party::Either => from.is_some_and(one) || to.is_some_and(one),
            Party::Caller => from.is_some_and(one),
            Party::Callee => to.is_some_and(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for text in
            ["+351 215-550.134", "sip:+351215550134@192.0.2.1;user=phone", "tel:+351-215550134;ext=1", "351215550134"]
        {
            assert_eq!(number(text), "351215550134", "{text}");
        }
        assert_eq!(number("SIP:Jean-Luc@example.org"), "jean-luc");
        assert_eq!(
            number("sip:%2B351215550134@192.0.2.1"),
            "351215550134",
            "escaped, as some border controllers write"
        );
        assert_eq!(number("sip:%41lice@example.org"), "alice");
        assert_eq!(number("sip:100%@example.org"), "100%");
        assert_eq!(number("sip:alice:secret@example.org"), "alice", "a password is no part of a name");
        assert_eq!(number("sip:+351215550134:secret;phone-context=x@example.org"), "351215550134");
        assert_eq!(number("sips:J\u{c9}AN@example.org"), "j\u{e9}an");
        assert_eq!(number("alice@example.org"), "alice");
        assert_eq!(number("sip:example.org:5060;transport=tcp"), "example.org");
        assert_eq!(number("sip:example.org"), "example.org");
        assert_eq!(number(&"9".repeat(500)).len(), NUMBER);
    }

    #[test]
    fn an_empty_filter_is_an_empty_object_and_unknown_wishes_are_refused() {
        assert_eq!(serde_json::to_string(&CallFilter::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<CallFilter>("{}").unwrap(), CallFilter::default());
        assert!(serde_json::from_str::<CallFilter>(r#"{"colour":"red"}"#).is_err());
    }
}

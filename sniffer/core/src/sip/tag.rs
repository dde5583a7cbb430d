//! Tags of From and To: who of a dialog somebody is (RFC 3261, section 19.3). Read once for each message: everything that
//! looks at a dialog asks for them.

use super::{fields, is_token};
use crate::{bytes::fingerprint, limits};

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As written; empty when there is none.
    pub text: &'a [u8],
    /// A number that stands for it; zero when there is none.
    pub number: u32,
}

impl<'a> Tag<'a> {
    /// The tag of a From or To value.
    #[must_use]
    pub fn of(value: &'a [u8]) -> Self {
        let text = text_of(value);
        Self { text, number: if text.is_empty() { 0 } else { fingerprint(text).max(1) } }
    }

    /// Says whether there is none: the other side has not answered yet.
    #[must_use]
    #[inline]
    pub fn is_none(&self) -> bool {
        self.number == 0
    }
}

/// Nearly all have it right behind the bracket: the whole value is read only where not.
fn text_of(value: &[u8]) -> &[u8] {
    let after = memchr::memrchr(b'>', value).and_then(|at| value.get(at.saturating_add(1)..));
    match after {
        Some([]) => &[],
        Some(after) => match after.strip_prefix(b";tag=") {
            Some(tag) if tag.len() <= limits::TAG_BYTES && is_token(tag) => tag,
            Some(_) | None => fields::tag(value),
        },
        None => fields::tag(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_a_tag_finds_what_the_long_way_finds() {
        for value in [
            "<sip:a@x>;tag=1928301774",
            "<sip:a@x>",
            "\"A > B\" <sip:a@x>;tag=a>b",
            "\"A <x>;tag=no\" <sip:a@x;tag=no>;tag=yes",
            "<sip:a@x>;x=1;tag=2",
            "<sip:a@x>;tag=2;x=1",
            "<sip:a@x> ;tag=2",
            "sip:a@x;tag=5",
            "sip:a@x",
            "<sip:a@x>;tag=",
            ">",
            "",
        ] {
            assert_eq!(Tag::of(value.as_bytes()).text, fields::tag(value.as_bytes()), "{value}");
        }
        assert!(Tag::of(b"<sip:a@x>").is_none());
        assert_ne!(Tag::of(b"<sip:a@x>;tag=1").number, Tag::of(b"<sip:a@x>;tag=2").number);
    }
}

//! The texts of one call in one allocation: identities, contacts, programs. A call that has few of them is small, and one
//! whose peer sends long ones stays below its bound.

use crate::{limits, sip::fields};

/// What a text is. Lists may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// URI of From in the first INVITE.
    From,
    /// URI of To in the first INVITE.
    To,
    /// Display name of From.
    FromName,
    /// Request URI of the first INVITE.
    RequestUri,
    /// Contact of the caller.
    CallerContact,
    /// Contact of the callee.
    CalleeContact,
    /// User-Agent or Server of the caller.
    CallerAgent,
    /// User-Agent or Server of the callee.
    CalleeAgent,
    /// P-Asserted-Identity in requests of the caller.
    CallerAsserted,
    /// P-Asserted-Identity in what the callee sends.
    CalleeAsserted,
    /// P-Preferred-Identity of the caller.
    Preferred,
    /// Remote-Party-ID of the caller.
    CallerRemoteParty,
    /// Remote-Party-ID of the callee.
    CalleeRemoteParty,
    /// Referred-By.
    ReferredBy,
    /// The Call-ID that this call replaces.
    Replaces,
    /// The text of the Reason header at the end.
    ReasonText,
    /// Diversion, a list.
    Diversion,
    /// History-Info, a list.
    History,
    /// Contacts of 3xx answers, a list. Of a subscription: the target of its REFER.
    Redirect,
    /// The event of a subscription.
    Event,
}

impl Field {
    #[expect(clippy::as_conversions, reason = "the number of a variant; there is no other conversion")]
    fn number(self) -> u8 {
        self as u8
    }
}

/// Bytes that a text takes besides its own: field and length.
const HEAD: usize = 3;
/// Bytes that may stay free.
const SPARE: usize = 64;

/// Texts by their [`Field`].
#[derive(Debug, Default)]
pub struct Texts {
    /// One bit a field.
    present: u32,
    /// Field, length in two bytes, bytes; again and again.
    bytes: Vec<u8>,
}

impl Texts {
    /// Says whether there is a text of this field.
    pub fn has(&self, field: Field) -> bool {
        self.present & (1 << field.number()) != 0
    }

    /// Keeps a text unless it is empty, there is one already, or the bound is reached.
    pub fn put(&mut self, field: Field, text: &[u8]) {
        if !self.has(field) {
            self.add(field, text);
        }
    }

    /// Adds a text to a list unless it has it already.
    pub fn add(&mut self, field: Field, text: &[u8]) {
        let plain: String;
        let text = if fields::is_graphic(text) {
            text.get(..limits::URI_BYTES).unwrap_or(text)
        } else {
            plain = fields::text(text, limits::URI_BYTES);
            // Mended characters are longer than what they stand for.
            let end = plain.floor_char_boundary(limits::URI_BYTES);
            plain.as_bytes().get(..end).unwrap_or_default()
        };
        // What every call has is kept whatever else was kept before.
        let is_vital = matches!(field, Field::From | Field::To);
        let bound = if is_vital { limits::CALL_TEXT_BYTES.saturating_mul(2) } else { limits::CALL_TEXT_BYTES };
        let room = bound.saturating_sub(self.bytes.len()).saturating_sub(HEAD);
        let Ok(length) = u16::try_from(text.len()) else { return };
        if text.is_empty() || text.len() > room || self.all(field).any(|known| known.as_bytes() == text) {
            return;
        }
        self.present |= 1 << field.number();
        self.bytes.reserve_exact(text.len().saturating_add(HEAD));
        self.bytes.push(field.number());
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(text);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for what is to come, so that it costs one allocation.
    pub fn expect(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes.min(limits::CALL_TEXT_BYTES));
    }

    /// Gives back the room that was not needed, when it is much.
    pub fn settle(&mut self) {
        if self.bytes.capacity().saturating_sub(self.bytes.len()) > SPARE {
            self.bytes.shrink_to_fit();
        }
    }

    /// The first text of a field.
    pub fn get(&self, field: Field) -> Option<&str> {
        if self.has(field) { self.all(field).next() } else { None }
    }

    /// The first text of a field as a string of its own.
    pub fn owned(&self, field: Field) -> Option<String> {
        self.get(field).map(str::to_owned)
    }

    /// The texts of a list.
    pub fn all(&self, field: Field) -> impl Iterator<Item = &str> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (&number, after) = rest.split_first()?;
            let (length, after) = after.split_first_chunk()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            Some((number, text))
        })
        .filter(move |(number, _)| *number == field.number())
        .filter_map(|(_, text)| std::str::from_utf8(text).ok())
    }

    /// Forgets a field.
    pub fn clear(&mut self, field: Field) {
        if !self.has(field) {
            return;
        }
        let mut kept = Self::default();
        let mut rest = self.bytes.as_slice();
        while let Some((&number, after)) = rest.split_first() {
            let Some((length, after)) = after.split_first_chunk() else { break };
            let Some((text, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { break };
            rest = after;
            if number != field.number() {
                kept.present |= 1 << number;
                kept.bytes.push(number);
                kept.bytes.extend(length);
                kept.bytes.extend(text);
            }
        }
        *self = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_text_of_a_field_stays_and_a_list_keeps_each_once() {
        let mut texts = Texts::default();
        texts.put(Field::From, b"sip:a@x");
        texts.put(Field::From, b"sip:b@x");
        texts.put(Field::To, b"");
        for one in ["sip:1@x", "sip:2@x", "sip:1@x"] {
            texts.add(Field::Diversion, one.as_bytes());
        }
        assert_eq!(texts.get(Field::From), Some("sip:a@x"));
        assert_eq!(texts.get(Field::To), None);
        assert_eq!(texts.all(Field::Diversion).collect::<Vec<_>>(), ["sip:1@x", "sip:2@x"]);
        texts.clear(Field::Diversion);
        assert_eq!((texts.all(Field::Diversion).count(), texts.get(Field::From)), (0, Some("sip:a@x")));
    }

    #[test]
    fn texts_of_any_bytes_stay_text_and_below_the_bound() {
        let mut texts = Texts::default();
        for n in 0..=255_u8 {
            texts.add(Field::Redirect, &[n, 0xff, n, 13, 10, 32, b'x']);
            texts.add(Field::Diversion, &vec![n; 600]);
        }
        texts.put(Field::From, &[0xff; 600]);
        assert!(texts.has(Field::From), "also when the rest is full");
        assert!(texts.bytes.len() <= 2 * limits::CALL_TEXT_BYTES);
        let all: Vec<_> = texts.all(Field::Redirect).chain(texts.all(Field::Diversion)).collect();
        assert!(all.len() > 3 && all.iter().all(|text| !text.chars().any(char::is_control)));
    }
}

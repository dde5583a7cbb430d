//! A call as octets: made where the call is at hand, so that it need not be held until it is written. Freeing two thousand
//! calls that had left the caches took as long as writing them.

use std::borrow::Cow;

use super::{
    compact,
    entries::Entries,
    kind::Stored,
    value::{self, Head, KeptOf, Key},
};

/// See the module's text.
#[derive(Debug)]
pub struct Encoded {
    key: Key,
    head: Head,
    is_in_progress: bool,
    /// The value, and behind it the entries of the index, each with its length before it.
    bytes: Box<[u8]>,
    /// Where the details begin.
    details: usize,
    /// Where the entries begin.
    entries: usize,
}

/// Makes octets of calls, one after the other in the same memory.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    entries: Entries,
}

impl Encoder {
    /// The octets of a call; none when its row is longer than any true one.
    #[must_use]
    pub fn encode(&mut self, call: &KeptOf<'_>) -> Option<Encoded> {
        let details = value::encode_parts(call, &mut self.bytes)?;
        let entries = self.bytes.len();
        self.entries.clear();
        call.entries(&mut self.entries);
        for (entry, _) in self.entries.iter() {
            // An entry has some hundred octets.
            self.bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
            self.bytes.extend_from_slice(entry);
        }
        Some(Encoded {
            key: call.summary.id.to_bytes(),
            head: Head::of(call.summary),
            is_in_progress: call.is_in_progress(),
            bytes: self.bytes.as_slice().into(),
            details,
            entries,
        })
    }
}

impl Encoded {
    fn value(&self) -> &[u8] {
        self.bytes.get(..self.entries).unwrap_or_default()
    }

    /// Adds the call's record as JSON, as serde_json writes it. False, and nothing added, where there are no details.
    #[must_use]
    pub fn add_json(&self, text: &mut Vec<u8>) -> bool {
        let begin = text.len();
        let is_written = compact::first_member(self.value(), self.details, compact::Shape::of_calls(), text).is_ok();
        if !is_written {
            text.truncate(begin);
        }
        is_written
    }
}

impl Stored for Encoded {
    fn key(&self) -> Key {
        self.key
    }

    fn head(&self) -> Head {
        self.head
    }

    fn encode(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self.value()))
    }

    fn entries(&self, all: &mut Entries) {
        let mut rest = self.bytes.get(self.entries..).unwrap_or_default();
        while let Some((length, tail)) = rest.split_first_chunk::<2>()
            && let Some((entry, tail)) = tail.split_at_checked(u16::from_be_bytes(*length).into())
        {
            all.add(&[entry], self.head);
            rest = tail;
        }
    }

    fn is_in_progress(&self) -> bool {
        self.is_in_progress
    }
}

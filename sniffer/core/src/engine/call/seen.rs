//! What a dialog has seen lately, so that a message is told apart from its retransmission (the sender repeats it), from
//! its copy (two monitoring ports see one packet) and from itself one hop further on (a proxy passes it on).

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

use crate::{
    decode::Endpoint,
    limits,
    record::SipTransport,
    sip::{Header, Message, NameAddr, StartLine, Via, fields},
    time::Timestamp,
};

/// Where and when a message was seen.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// When.
    pub time: Timestamp,
    /// From where it came.
    pub source: Endpoint,
    /// Where it went.
    pub destination: Endpoint,
    /// The identification of its IP packet; none where IP has none, or where it is zero.
    pub ip_id: Option<u16>,
    /// What carries it.
    pub transport: SipTransport,
}

/// What a message is to its dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Seen for the first time.
    New,
    /// Known, between two other places.
    OtherHop,
    /// Known, sent again by the same place.
    Retransmission,
    /// The same packet seen twice.
    Copy,
}

/// A number that stands for bytes: equal bytes, equal numbers.
pub fn fingerprint(value: impl Hash) -> u32 {
    let hash = FixedState::with_seed(0x5ee).hash_one(value);
    let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes([e, f, g, h])
}

/// A tag as a number: zero when there is none.
pub fn tag(value: &[u8]) -> u32 {
    match tag_bytes(value) {
        [] => 0,
        tag => fingerprint(tag).max(1),
    }
}

/// The tag of a From or To value. Nearly all have it right behind the bracket: the whole value is read only where not.
fn tag_bytes(value: &[u8]) -> &[u8] {
    let after = memchr::memrchr(b'>', value).and_then(|at| value.get(at.saturating_add(1)..));
    match after {
        Some([]) => &[],
        Some(after) => match after.strip_prefix(b";tag=") {
            Some(tag) if tag.len() <= limits::TAG_BYTES && crate::sip::is_token(tag) => tag,
            Some(_) | None => fields::tag(value),
        },
        None => fields::tag(value),
    }
}

/// The branch of the top Via: who sent it within which transaction (RFC 3261, section 8.1.1.7). Empty without one.
pub fn branch<'a>(message: &Message<'a>) -> &'a [u8] {
    message.first(Header::Via).and_then(Via::parse).and_then(|via| via.branch()).unwrap_or_default()
}

/// The URI of a value: see [`NameAddr`].
pub fn uri(value: &[u8]) -> &[u8] {
    NameAddr::parse(value).uri
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The message, wherever it is.
    message: u32,
    /// From where, to where, and the branch.
    hop: u16,
    ip_id: u16,
    /// Milliseconds, of which the low 16 bits.
    time: u16,
}

/// The last messages of a dialog. At most [`limits::SEEN_MESSAGES`]; the oldest is forgotten first.
#[derive(Debug, Default)]
pub struct Seen {
    entries: Vec<Entry>,
    next: u8,
}

impl Seen {
    /// Says what a message is, and remembers it.
    pub fn look(&mut self, message: &Message<'_>, branch: &[u8], at: &At) -> Sight {
        let kind = match message.start {
            StartLine::Request { .. } => 0,
            StartLine::Response { status, .. } => status,
        };
        let (from, to) = (tag_bytes(message.from), tag_bytes(message.to));
        let method = message.cseq_method.name();
        let reliable = message.first(Header::RSeq);
        let what = (message.call_id, kind, message.cseq, method, from, to, reliable);
        let request_method = match message.start {
            StartLine::Request { method, .. } => Some(method.name()),
            StartLine::Response { .. } => None,
        };
        let entry = Entry {
            message: fingerprint((what, request_method)),
            hop: short(fingerprint((at.source, at.destination, branch))),
            ip_id: at.ip_id.unwrap_or(0),
            time: low_millis(at.time),
        };
        let mut known = false;
        for old in &mut self.entries {
            if old.message != entry.message {
                continue;
            }
            known = true;
            if old.hop != entry.hop {
                continue;
            }
            let is_copy = if old.ip_id != 0 && entry.ip_id != 0 {
                old.ip_id == entry.ip_id
            } else {
                entry.time.wrapping_sub(old.time) < limits::COPY_MILLIS
            };
            *old = entry;
            return if is_copy { Sight::Copy } else { Sight::Retransmission };
        }
        self.remember(entry);
        if known { Sight::OtherHop } else { Sight::New }
    }

    fn remember(&mut self, entry: Entry) {
        if self.entries.len() < limits::SEEN_MESSAGES {
            if self.entries.len() == self.entries.capacity() {
                self.entries.reserve_exact(4);
            }
            self.entries.push(entry);
            return;
        }
        if let Some(oldest) = self.entries.get_mut(usize::from(self.next)) {
            *oldest = entry;
        }
        let next = self.next.wrapping_add(1);
        self.next = if usize::from(next) < self.entries.len() { next } else { 0 };
    }
}

fn short(number: u32) -> u16 {
    let [a, b, c, d] = number.to_be_bytes();
    u16::from_be_bytes([a, b]) ^ u16::from_be_bytes([c, d])
}

fn low_millis(time: Timestamp) -> u16 {
    u16::try_from((time.as_nanos() / 1_000_000).rem_euclid(0x1_0000)).unwrap_or(0)
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
            assert_eq!(tag_bytes(value.as_bytes()), fields::tag(value.as_bytes()), "{value}");
        }
        assert_eq!(tag(b"<sip:a@x>"), 0);
        assert_ne!(tag(b"<sip:a@x>;tag=1"), tag(b"<sip:a@x>;tag=2"));
    }
}

//! The contacts of a registration: what was asked for, what the registrar bound and for how long (RFC 3261, section 10).

use std::time::Duration;

use crate::{
    decode::Endpoint,
    limits,
    record::ContactRecord,
    sip::{Header, Message, NameAddr, fields, values},
    time::Timestamp,
};

/// Seconds a binding lives when neither side says (RFC 3261, section 10.2).
const DEFAULT_EXPIRY: u32 = 3600;

#[derive(Debug)]
struct Contact {
    uri: Box<str>,
    until: Timestamp,
    /// From where it was asked for; none when another registration did.
    address: Option<Endpoint>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    bound: Vec<Contact>,
    /// What the last request asked for: URIs and seconds.
    asked: Vec<(Box<str>, u32)>,
    removes_all: bool,
}

impl Contacts {
    /// Takes the contacts of a request.
    pub(super) fn ask(&mut self, message: &Message<'_>) {
        self.ask_nothing();
        for contact in contacts(message) {
            if contact.uri == b"*" {
                self.removes_all = true;
            } else {
                let uri = fields::text(contact.uri, limits::URI_BYTES).into();
                self.asked.push((uri, expiry(&contact, message).unwrap_or(DEFAULT_EXPIRY)));
            }
        }
        // A contact's own expires wins over the header (RFC 3261, section 10.2.1.1); without a contact the header says
        // that everything is meant.
        if self.asked.is_empty() && header_expiry(message) == Some(0) {
            self.removes_all = true;
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let bound = self.bound.iter().map(|contact| contact.uri.len().saturating_add(size_of::<Contact>()));
        let asked = self.asked.iter().map(|(uri, _)| uri.len().saturating_add(size_of::<(Box<str>, u32)>()));
        bound.chain(asked).fold(0, usize::saturating_add)
    }

    /// Forgets what was asked for.
    pub(super) fn ask_nothing(&mut self) {
        self.asked.clear();
        self.removes_all = false;
    }

    /// Says whether the last request takes away all that it names.
    pub(super) fn removes(&self) -> bool {
        self.removes_all || (!self.asked.is_empty() && self.asked.iter().all(|(_, seconds)| *seconds == 0))
    }

    /// Takes what a 2xx says is bound. True when the one who registers has moved: his contact was another one before.
    pub(super) fn bind(&mut self, message: &Message<'_>, source: Endpoint, time: Timestamp) -> bool {
        let before = self.bound.iter().find(|contact| contact.address.is_some()).map(|contact| contact.uri.clone());
        let mut bound = Vec::new();
        for contact in contacts(message) {
            let uri: Box<str> = fields::text(contact.uri, limits::URI_BYTES).into();
            let asked = self.asked.iter().find(|(asked, _)| same(asked, &uri)).map(|(_, seconds)| *seconds);
            let seconds = expiry(&contact, message).or(asked).unwrap_or(DEFAULT_EXPIRY);
            let known = self.bound.iter().find(|known| same(&known.uri, &uri)).and_then(|known| known.address);
            let address = if asked.is_some() { Some(source) } else { known };
            if seconds > 0 {
                bound.push(Contact { uri, until: time.after(Duration::from_secs(u64::from(seconds))), address });
            }
        }
        if bound.is_empty() && !self.removes() {
            // A registrar that does not list what it bound.
            let granted = header_expiry(message);
            bound.extend(self.asked.iter().filter(|(_, seconds)| *seconds > 0).map(|(uri, seconds)| Contact {
                uri: uri.clone(),
                until: time.after(Duration::from_secs(u64::from(granted.unwrap_or(*seconds)))),
                address: Some(source),
            }));
        }
        self.bound = bound;
        let after = self.bound.iter().find(|contact| contact.address == Some(source)).map(|contact| &contact.uri);
        before.zip(after).is_some_and(|(before, after)| !same(&before, after))
    }

    /// When the last of them ends.
    pub(super) fn last_end(&self) -> Option<Timestamp> {
        self.bound.iter().map(|contact| contact.until).max()
    }

    /// The bindings as records.
    pub(super) fn records(&self, now: Timestamp) -> Vec<ContactRecord> {
        let record = |contact: &Contact| ContactRecord {
            uri: contact.uri.to_string(),
            address: contact.address.map(|address| address.to_string()),
            expires_at: contact.until,
            expired: contact.until <= now,
        };
        self.bound.iter().map(record).collect()
    }
}

fn contacts<'a>(message: &Message<'a>) -> impl Iterator<Item = NameAddr<'a>> {
    message.all(Header::Contact).flat_map(values).take(limits::CONTACTS).map(NameAddr::parse)
}

fn header_expiry(message: &Message<'_>) -> Option<u32> {
    message.expires.and_then(seconds)
}

/// Seconds of one contact: its own, or those of the header.
fn expiry(contact: &NameAddr<'_>, message: &Message<'_>) -> Option<u32> {
    contact.parameters.get(b"expires").and_then(seconds).or_else(|| header_expiry(message))
}

/// Seconds below 2^32 (RFC 3261, section 20.19); larger ones, which phones do send, as much as nine digits hold.
fn seconds(value: &[u8]) -> Option<u32> {
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    if value.len() > 9 && value.iter().all(u8::is_ascii_digit) {
        return Some(999_999_999);
    }
    fields::number(value).and_then(|seconds| u32::try_from(seconds).ok())
}

/// The same place: parameters are the registrar's to add and to leave out.
fn same(one: &str, other: &str) -> bool {
    let place = |uri: &'_ str| uri.find(';').unwrap_or(uri.len());
    let (one, other) = (one.get(..place(one)), other.get(..place(other)));
    one.zip(other).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

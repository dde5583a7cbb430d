//! What a dialog has seen lately, so that a message is told apart from its retransmission (the sender repeats it), from
//! its copy (two monitoring ports see one packet) and from itself one hop further on (a proxy passes it on).

use std::net::IpAddr;

pub use crate::bytes::fingerprint;
use crate::{
    decode::Endpoint,
    limits,
    record::SipTransport,
    sip::{Header, Message, NameAddr, StartLine, Via},
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

/// The branch of the top Via: who sent it within which transaction (RFC 3261, section 8.1.1.7). Empty without one.
pub fn branch<'a>(message: &Message<'a>) -> &'a [u8] {
    message.first(Header::Via).and_then(Via::branch_of).unwrap_or_default()
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
    /// Messages that their senders sent again.
    pub retransmissions: u32,
    /// Packets that were seen twice.
    pub copies: u32,
    next: u8,
}

impl Seen {
    /// Says what a message is, remembers it, and counts what comes again. `call_id` is empty where all messages have the same.
    pub fn look(&mut self, message: &Message<'_>, call_id: &[u8], branch: &[u8], at: &At) -> Sight {
        // Statuses are below 700: a number for each, and one for each method of a request.
        let kind = match message.start {
            StartLine::Request { method, .. } => u64::try_from(method.number()).unwrap_or(0),
            StartLine::Response { status, .. } => u64::from(status),
        };
        let method = u64::try_from(message.cseq_method.number()).unwrap_or(0);
        let tags = u64::from(message.from_tag.number) << 32 | u64::from(message.to_tag.number);
        let what = (kind << 48 | method << 32 | u64::from(message.cseq), tags);
        let reliable = message.first(Header::RSeq);
        let entry = Entry {
            message: match (call_id, reliable) {
                (b"", None) => fingerprint(what),
                _ => fingerprint((what, call_id, reliable)),
            },
            hop: short(fingerprint((ends(at), branch))),
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
            let (sight, count) = match is_copy {
                true => (Sight::Copy, &mut self.copies),
                false => (Sight::Retransmission, &mut self.retransmissions),
            };
            *count = count.saturating_add(1);
            return sight;
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

/// Where a message came from and went to, as numbers: those of IPv4 are quickly taken together.
fn ends(at: &At) -> (u128, u128, u32) {
    let number = |address: IpAddr| match address {
        // Written as IPv6 has them (RFC 4291, section 2.5.5.2).
        IpAddr::V4(address) => 0xffff_0000_0000 | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let ports = u32::from(at.source.port) << 16 | u32::from(at.destination.port);
    (number(at.source.address), number(at.destination.address), ports)
}

fn short(number: u32) -> u16 {
    let [a, b, c, d] = number.to_be_bytes();
    u16::from_be_bytes([a, b]) ^ u16::from_be_bytes([c, d])
}

fn low_millis(time: Timestamp) -> u16 {
    u16::try_from((time.as_nanos() / 1_000_000).rem_euclid(0x1_0000)).unwrap_or(0)
}

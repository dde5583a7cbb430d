//! The index: which calls have a number, an address, a Call-ID, and which there are at all.
//!
//! An entry is a kind, a token, a zero, the call's key, and behind it the call's [`Head`]. Entries of calls of late are
//! in memory; from time to time they become a run, sorted pages in the database, which is never changed and goes when
//! all its calls have gone. So an ended call costs a few insertions in memory and not one in a B-tree for each token.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use sniffer_core::{
    query::{CallFilter, CallKey, CallSummary, Comparison, NumberFilter, Party},
    record::StreamRecord,
    search,
};

use super::{
    entries::Entries,
    value::{Head, Key},
};
use crate::limits;

/// What an entry tells. On disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// There is the call. No token.
    Time = b'T',
    /// The caller's number.
    Caller = b'C',
    /// The caller's number, from its end.
    CallerReversed = b'c',
    /// The callee's number.
    Callee = b'D',
    /// The callee's number, from its end.
    CalleeReversed = b'd',
    /// An IPv4 address.
    V4 = b'4',
    /// An IPv6 address.
    V6 = b'6',
    /// The hash of the Call-ID, which is in a call's key.
    CallId = b'I',
    /// The SSRC of a stream.
    Ssrc = b'S',
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Time => b'T',
            Self::Caller => b'C',
            Self::CallerReversed => b'c',
            Self::Callee => b'D',
            Self::CalleeReversed => b'd',
            Self::V4 => b'4',
            Self::V6 => b'6',
            Self::CallId => b'I',
            Self::Ssrc => b'S',
        }
    }
}

/// An entry.
#[cfg(test)]
pub(super) fn entry(kind: Kind, token: &[u8], key: Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(token.len().saturating_add(18));
    bytes.push(kind.byte());
    bytes.extend_from_slice(token);
    bytes.push(0);
    bytes.extend_from_slice(&key);
    bytes
}

/// The key at the end of an entry.
#[must_use]
pub fn key_of(entry: &[u8]) -> Option<Key> {
    entry.last_chunk().copied()
}

/// A number from its end.
pub(super) fn reversed(number: &str) -> String {
    if number.is_ascii() {
        let mut bytes = number.as_bytes().to_vec();
        bytes.reverse();
        return String::from_utf8(bytes).unwrap_or_default();
    }
    number.chars().rev().collect()
}

/// The kind and the token of an address.
pub(super) fn address_token(address: IpAddr) -> (Kind, Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(address) => (Kind::V4, address.octets().to_vec()),
        IpAddr::V6(address) => (Kind::V6, address.octets().to_vec()),
    }
}

/// What an entry begins with.
pub(super) fn begin(kind: Kind) -> [u8; 1] {
    [kind.byte()]
}

/// Adds all entries of a call. `addresses` are those of its signalling.
pub fn entries(all: &mut Entries, call: &CallSummary, head: Head, streams: &[StreamRecord], addresses: &[IpAddr]) {
    let key = call.id.to_bytes();
    let mut add = |kind: Kind, token: &[u8]| all.add(&[&begin(kind), token, &[0], &key], head);
    add(Kind::Time, &[]);
    add(Kind::CallId, key.get(8..).unwrap_or_default());
    for (uri, forward, backward) in
        [(&call.from, Kind::Caller, Kind::CallerReversed), (&call.to, Kind::Callee, Kind::CalleeReversed)]
    {
        let number = search::number(uri);
        add(forward, number.as_bytes());
        add(backward, reversed(&number).as_bytes());
    }
    let of_streams = streams.iter().flat_map(|stream| [&stream.src, &stream.dst]);
    let of_streams = of_streams.filter_map(|text| text.parse::<SocketAddr>().ok()).map(|socket| socket.ip());
    let mut known: Vec<IpAddr> = Vec::new();
    for address in addresses.iter().copied().chain(of_streams) {
        if known.len() < limits::STORE_ADDRESSES && !known.contains(&address) {
            known.push(address);
        }
    }
    for address in known {
        let (kind, token) = address_token(address);
        add(kind, &token);
    }
}

/// What a search asks the index for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How an entry begins.
    pub prefix: Vec<u8>,
    /// The prefix is followed by the key: entries come in the order of time.
    pub is_whole: bool,
}

impl Probe {
    fn whole(kind: Kind, token: &[u8]) -> Self {
        let mut prefix = vec![kind.byte()];
        prefix.extend_from_slice(token);
        prefix.push(0);
        Self { prefix, is_whole: true }
    }

    fn beginning(kind: Kind, token: &[u8]) -> Self {
        let mut prefix = vec![kind.byte()];
        prefix.extend_from_slice(token);
        Self { prefix, is_whole: false }
    }

    /// Says whether an entry is one that was asked for. A token with zeros in it may begin like another one.
    #[must_use]
    pub fn fits(&self, entry: &[u8]) -> bool {
        entry.starts_with(&self.prefix) && (!self.is_whole || entry.len() == self.prefix.len().saturating_add(16))
    }
}

/// The hash of a Call-ID.
pub(super) fn call_id_token(call_id: &str) -> [u8; 8] {
    let key = CallKey::new(sniffer_core::time::Timestamp::default(), call_id).to_bytes();
    key.last_chunk().copied().unwrap_or_default()
}

/// What the index is asked by.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// The whole Call-ID.
    pub call_id: Option<&'a str>,
    /// A number.
    pub number: Option<&'a NumberFilter>,
    /// An address.
    pub address: Option<IpAddr>,
    /// An SSRC.
    pub ssrc: Option<u32>,
}

/// What to ask the index for: the probes of which one has to find a call, chosen so that few calls are found.
#[must_use]
pub fn probes(filter: &CallFilter) -> Vec<Probe> {
    probes_for(&Sought {
        call_id: filter.call_id.as_deref(),
        number: filter.number.as_ref(),
        address: filter.address,
        ssrc: None,
    })
}

/// The same for all kinds.
#[must_use]
pub fn probes_for(filter: &Sought<'_>) -> Vec<Probe> {
    if let Some(call_id) = filter.call_id {
        return vec![Probe::whole(Kind::CallId, &call_id_token(call_id))];
    }
    if let Some(ssrc) = filter.ssrc {
        return vec![Probe::whole(Kind::Ssrc, &ssrc.to_be_bytes())];
    }
    if let Some(wanted) = filter.number {
        let number = search::number(&wanted.text);
        let (forward, backward) = match wanted.party {
            Party::Either => (vec![Kind::Caller, Kind::Callee], vec![Kind::CallerReversed, Kind::CalleeReversed]),
            Party::Caller => (vec![Kind::Caller], vec![Kind::CallerReversed]),
            Party::Callee => (vec![Kind::Callee], vec![Kind::CalleeReversed]),
        };
        return match wanted.how {
            Comparison::Exact => forward.into_iter().map(|kind| Probe::whole(kind, number.as_bytes())).collect(),
            Comparison::Prefix => forward.into_iter().map(|kind| Probe::beginning(kind, number.as_bytes())).collect(),
            Comparison::Suffix => {
                let number = reversed(&number);
                backward.into_iter().map(|kind| Probe::beginning(kind, number.as_bytes())).collect()
            }
        };
    }
    if let Some(address) = filter.address {
        return vec![address_probe(address)];
    }
    vec![Probe::whole(Kind::Time, &[])]
}

/// The probe for an address.
#[must_use]
pub fn address_probe(address: IpAddr) -> Probe {
    let (kind, token) = address_token(address);
    Probe::whole(kind, &token)
}

/// An entry.
pub type Entry = Vec<u8>;

/// The entries of calls in progress.
pub type Fresh = BTreeMap<Entry, Head>;

/// Sorted entries as pages of a run: the first entry of each, and its octets. Each entry names how many octets it
/// shares with the one before it.
pub fn pages<'a>(entries: impl Iterator<Item = (&'a [u8], Head)>) -> Vec<(Entry, Vec<u8>)> {
    let mut pages: Vec<(Entry, Vec<u8>)> = Vec::new();
    let mut before: &[u8] = &[];
    for (entry, head) in entries {
        let is_full = pages.last().is_none_or(|(_, page)| page.len() >= limits::STORE_PAGE);
        if is_full {
            let mut page = Vec::with_capacity(limits::STORE_PAGE.saturating_add(64));
            page.extend([0; 4]);
            pages.push((entry.to_vec(), page));
            before = &[];
        }
        let Some((_, page)) = pages.last_mut() else { continue };
        add_to_page(page, before, entry, head);
        before = entry;
    }
    for (_, page) in &mut pages {
        seal(page);
    }
    pages
}

/// Puts the checksum before the entries of a page.
fn seal(page: &mut [u8]) {
    if let Some((checksum, rest)) = page.split_first_chunk_mut::<4>() {
        *checksum = crc32fast::hash(rest).to_be_bytes();
    }
}

/// Adds an entry behind another one.
fn add_to_page(page: &mut Vec<u8>, before: &[u8], entry: &[u8], head: Head) {
    let shared = shared(before, entry).min(255);
    let rest = entry.get(shared..).unwrap_or_default();
    // An entry has at most 1 + 64 * 4 (a letter may be four octets) + 17 octets, in two steps of one octet each.
    let (Ok(shared), Ok(length)) = (u8::try_from(shared), u16::try_from(rest.len())) else { return };
    let [high, low] = length.to_be_bytes();
    page.extend_from_slice(&[shared, high, low]);
    page.extend_from_slice(rest);
    page.extend_from_slice(&head.to_bytes());
}

/// How many octets two entries begin alike with.
fn shared(one: &[u8], other: &[u8]) -> usize {
    let (ones, _) = one.as_chunks::<8>();
    let (others, _) = other.as_chunks::<8>();
    for (place, (one, other)) in ones.iter().zip(others).enumerate() {
        let differ = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differ != 0 {
            let octets = usize::try_from(differ.trailing_zeros() / 8).unwrap_or(0);
            return place.saturating_mul(8).saturating_add(octets);
        }
    }
    let begin = ones.len().min(others.len()).saturating_mul(8);
    let rest = |entry: &'_ [u8]| entry.get(begin..).unwrap_or_default().len();
    let most = rest(one).min(rest(other));
    let octet = |entry: &[u8], place: usize| entry.get(begin.saturating_add(place)).copied();
    let same = (0..most).take_while(|&place| octet(one, place) == octet(other, place)).count();
    begin.saturating_add(same)
}

/// The entries of a page, sorted as they are in it; none when it is damaged.
#[must_use]
pub fn read_page(page: &[u8]) -> Option<Vec<(Vec<u8>, Head)>> {
    let (checksum, mut rest) = page.split_first_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let mut entries: Vec<(Vec<u8>, Head)> = Vec::new();
    while let Some(([shared, a, b], tail)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*a, *b]));
        let (own, tail) = tail.split_at_checked(length)?;
        let (head, tail) = tail.split_first_chunk::<{ Head::SIZE }>()?;
        let before = entries.last().map_or(&[][..], |(entry, _)| entry);
        let mut entry = before.get(..usize::from(*shared))?.to_vec();
        entry.extend_from_slice(own);
        entries.push((entry, Head::from_bytes(*head)));
        rest = tail;
    }
    rest.is_empty().then_some(entries)
}

/// The entries of one commit, to be read back after a restart: the same form as a page of any length.
#[must_use]
pub fn commit_row(entries: &Entries) -> Vec<u8> {
    let mut row = vec![0; 4];
    let mut before: &[u8] = &[];
    for (entry, head) in entries.iter() {
        add_to_page(&mut row, before, entry, head);
        before = entry;
    }
    seal(&mut row);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_read_back_and_a_changed_octet_is_seen() {
        let head = Head::from_bytes([4, 0, 200, 1, 0x2c, 0, 0]);
        let fresh: Vec<(Entry, Head)> =
            (0..3000_u32).map(|n| (entry(Kind::Caller, format!("{n:06}").as_bytes(), [7; 16]), head)).collect();
        let pages = pages(fresh.iter().map(|(entry, head)| (entry.as_slice(), *head)));
        assert!(pages.len() > 5);
        let mut back = Vec::new();
        for (first, page) in &pages {
            let entries = read_page(page).unwrap();
            assert_eq!(&entries[0].0, first);
            back.extend(entries);
        }
        assert_eq!(back, fresh);
        let mut entries = Entries::default();
        fresh.iter().for_each(|(entry, head)| entries.add(&[entry], *head));
        assert_eq!(read_page(&commit_row(&entries)).unwrap(), back);
        let mut damaged = pages[0].1.clone();
        damaged[100] ^= 1;
        assert_eq!(read_page(&damaged), None);
    }

    #[test]
    fn what_entries_begin_alike_with_is_counted_in_any_length() {
        for length in 0..40 {
            for same in 0..=length {
                let one: Vec<u8> = (0..length).collect();
                let mut other = one.clone();
                if let Some(octet) = other.get_mut(usize::from(same)) {
                    *octet ^= 0x80;
                }
                assert_eq!(shared(&one, &other), usize::from(same), "{length}");
                assert_eq!(shared(&one, &one[..usize::from(same)]), usize::from(same), "{length}");
            }
        }
    }

    #[test]
    fn a_whole_number_does_not_find_a_longer_one_and_its_beginning_does() {
        let long = entry(Kind::Caller, b"47110", [0; 16]);
        assert!(!Probe::whole(Kind::Caller, b"4711").fits(&long) && Probe::whole(Kind::Caller, b"47110").fits(&long));
        assert!(Probe::beginning(Kind::Caller, b"4711").fits(&long));
    }
}

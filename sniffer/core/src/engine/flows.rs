//! The table that every RTP packet goes through: (source, destination, SSRC) to its stream. Open addressing with linear
//! probing, one cache line an entry: a packet that finds its stream at once costs one miss.

use std::{
    hash::{BuildHasher, Hasher},
    net::IpAddr,
};

use foldhash::fast::FixedState;

use crate::{decode::Endpoint, rtp::stream::StreamKey, slab::Id};

/// Entries of a table that holds nothing yet.
const SMALLEST: usize = 1024;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Flows {
    /// A power of two of them, never more than three quarters in use.
    entries: Vec<Entry>,
    used: usize,
    hasher: FixedState,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Entry {
    key: Key,
    stream: Option<Id>,
}

/// A [`StreamKey`] in 40 bytes that are compared without looking at the kind of address: IPv4 as mapped IPv6 (RFC 4291,
/// section 2.5.5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    source: u128,
    destination: u128,
    ports: u32,
    ssrc: u32,
}

impl Key {
    #[inline]
    fn new(key: &StreamKey) -> Self {
        Self {
            source: address(key.source),
            destination: address(key.destination),
            ports: (u32::from(key.source.port) << 16) | u32::from(key.destination.port),
            ssrc: key.ssrc,
        }
    }
}

#[inline]
fn address(endpoint: Endpoint) -> u128 {
    match endpoint.address {
        IpAddr::V4(address) => 0xffff_0000_0000 | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

const EMPTY: Entry = Entry { key: Key { source: 0, destination: 0, ports: 0, ssrc: 0 }, stream: None };

impl Flows {
    pub(super) fn new(seed: u64) -> Self {
        Self { entries: vec![EMPTY; SMALLEST], used: 0, hasher: FixedState::with_seed(seed) }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The stream with this key.
    #[inline]
    pub(super) fn get(&self, key: &StreamKey) -> Option<Id> {
        let key = Key::new(key);
        let mut place = self.home(&key);
        loop {
            let entry = self.entries.get(place)?;
            let stream = entry.stream?;
            if entry.key == key {
                return Some(stream);
            }
            place = self.next(place);
        }
    }

    /// Says that packets with this key belong to this stream.
    pub(super) fn insert(&mut self, key: &StreamKey, stream: Id) {
        if self.used.saturating_add(1) > self.entries.len() / 4 * 3 {
            self.grow();
        }
        self.put(Key::new(key), stream);
    }

    fn put(&mut self, key: Key, stream: Id) {
        let mut place = self.home(&key);
        while let Some(entry) = self.entries.get_mut(place) {
            if entry.stream.is_none() {
                *entry = Entry { key, stream: Some(stream) };
                self.used += 1;
                return;
            }
            if entry.key == key {
                entry.stream = Some(stream);
                return;
            }
            place = self.next(place);
        }
    }

    fn grow(&mut self) {
        let wider = vec![EMPTY; self.entries.len().saturating_mul(2)];
        let old = std::mem::replace(&mut self.entries, wider);
        self.used = 0;
        for entry in old {
            if let Some(stream) = entry.stream {
                self.put(entry.key, stream);
            }
        }
    }

    /// Takes a key out, if its packets belong to this stream.
    pub(super) fn remove(&mut self, key: &StreamKey, stream: Id) {
        let key = Key::new(key);
        let mut hole = self.home(&key);
        loop {
            let Some(entry) = self.entries.get(hole) else { return };
            let Some(found) = entry.stream else { return };
            if entry.key == key {
                if found != stream {
                    return;
                }
                break;
            }
            hole = self.next(hole);
        }
        self.used = self.used.saturating_sub(1);
        // Those behind the hole move up, unless they would come before their own home: no marks of what was deleted.
        let mut place = self.next(hole);
        while let Some(&entry) = self.entries.get(place)
            && entry.stream.is_some()
        {
            let home = self.home(&entry.key);
            if self.distance(home, place) >= self.distance(hole, place) {
                if let Some(free) = self.entries.get_mut(hole) {
                    *free = entry;
                }
                hole = place;
            }
            place = self.next(place);
        }
        if let Some(free) = self.entries.get_mut(hole) {
            *free = EMPTY;
        }
    }

    #[inline]
    fn home(&self, key: &Key) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(key.source);
        hasher.write_u128(key.destination);
        hasher.write_u64((u64::from(key.ports) << 32) | u64::from(key.ssrc));
        usize::try_from(hasher.finish()).unwrap_or(0) & self.mask()
    }

    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    fn next(&self, place: usize) -> usize {
        place.wrapping_add(1) & self.mask()
    }

    /// Steps from one place to a later one.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::slab::Slab;

    #[test]
    fn an_entry_is_one_cache_line() {
        assert_eq!((size_of::<Entry>(), align_of::<Entry>()), (64, 64));
    }

    /// Many inserts and removals in a few thousand keys: what the table says is what a map of the library says.
    #[test]
    fn it_finds_what_is_in_it_and_nothing_else_whatever_is_taken_out() {
        let mut slab = Slab::new(100_000);
        let (mut flows, mut truth) = (Flows::new(7), HashMap::new());
        let mut state = 1_u64;
        let mut next = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for round in 0..60_000 {
            let n = next(3000);
            let host = |n: u64| match n % 3 {
                0 => IpAddr::V6(std::net::Ipv6Addr::from_bits(u128::from(n) << 64)),
                _ => IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(n).unwrap())),
            };
            let end = |n: u64, port| Endpoint { address: host(n), port };
            let key = StreamKey { source: end(n, 1), destination: end(n / 2, 2), ssrc: u32::try_from(n % 5).unwrap() };
            if next(2) == 0 {
                let id = slab.insert(()).unwrap();
                flows.insert(&key, id);
                truth.insert(key, id);
            } else if let Some(&id) = truth.get(&key) {
                let other = slab.insert(()).unwrap();
                flows.remove(&key, other);
                assert_eq!(flows.get(&key), Some(id), "another stream's removal takes nothing out");
                flows.remove(&key, id);
                truth.remove(&key);
            }
            assert_eq!(flows.get(&key), truth.get(&key).copied());
            assert_eq!(flows.len(), truth.len());
            if round % 5000 == 0 {
                assert!(truth.iter().all(|(key, &id)| flows.get(key) == Some(id)));
            }
        }
        assert!(truth.iter().all(|(key, &id)| flows.get(key) == Some(id)) && truth.len() > 1000);
    }
}

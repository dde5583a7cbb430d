//! The table that every RTP packet goes through: (source, destination, SSRC) to its stream's place. It holds eight bytes a
//! stream, so that it stays in the cache; the key itself is in the stream, which the packet touches anyway.

use std::{
    hash::{BuildHasher, Hasher},
    net::IpAddr,
};

use foldhash::fast::FixedState;

use crate::{ends::EndsV4, index::Index, rtp::stream::StreamKey};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Flows {
    places: Index,
    hasher: FixedState,
}

impl Flows {
    pub(super) fn new(seed: u64) -> Self {
        Self { places: Index::default(), hasher: FixedState::with_seed(seed) }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The place of the stream with this key; `is_it` says whether the stream at a place has it.
    #[inline]
    pub(super) fn get(&self, key: &StreamKey, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.find(self.hash(key), is_it)
    }

    /// The same for a stream between two endpoints of IPv4.
    #[inline]
    pub(super) fn get_v4(&self, ends: EndsV4, ssrc: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.find(self.hash_v4(ends, ssrc), is_it)
    }

    /// Says that packets with this key, which nobody has, belong to the stream at this place.
    pub(super) fn insert(&mut self, key: &StreamKey, place: u32) {
        self.places.insert(self.hash(key), place);
    }

    /// Takes a key out, if its packets belong to the stream at this place.
    pub(super) fn remove(&mut self, key: &StreamKey, place: u32) -> bool {
        self.places.remove(self.hash(key), place)
    }

    #[inline]
    fn hash_v4(&self, ends: EndsV4, ssrc: u32) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(ends.addresses);
        hasher.write_u64((u64::from(ends.ports) << 32) | u64::from(ssrc));
        hasher.finish()
    }

    fn hash(&self, key: &StreamKey) -> u64 {
        if let Some(ends) = EndsV4::of(&key.source, &key.destination) {
            return self.hash_v4(ends, key.ssrc);
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(bits(key.source.address));
        hasher.write_u128(bits(key.destination.address));
        let ports = (u64::from(key.source.port) << 48) | (u64::from(key.destination.port) << 32);
        hasher.write_u64(ports | u64::from(key.ssrc));
        hasher.finish()
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::decode::Endpoint;

    /// Many inserts and removals in a few thousand keys: what the table says is what a map of the library says.
    #[test]
    fn it_finds_what_is_in_it_and_nothing_else_whatever_is_taken_out() {
        let mut keys: Vec<StreamKey> = Vec::new();
        let (mut flows, mut truth) = (Flows::new(7), HashMap::new());
        let mut state = 1_u64;
        let mut next = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for _ in 0..60_000 {
            let n = next(3000);
            let host = |n: u64| match n % 3 {
                0 => IpAddr::V6(std::net::Ipv6Addr::from_bits(u128::from(n) << 64)),
                _ => IpAddr::V4(std::net::Ipv4Addr::from_bits(u32::try_from(n).unwrap())),
            };
            let end = |n: u64, port| Endpoint { address: host(n), port };
            let key = StreamKey { source: end(n, 1), destination: end(n / 2, 2), ssrc: u32::try_from(n % 5).unwrap() };
            let found = flows.get(&key, |place| keys[usize::try_from(place).unwrap()] == key);
            assert_eq!(found, truth.get(&key).copied());
            match found {
                Some(place) if next(2) == 0 => {
                    assert!(!flows.remove(&key, place + 1), "another stream's removal takes nothing out");
                    assert!(flows.remove(&key, place));
                    truth.remove(&key);
                }
                Some(_) => {}
                None => {
                    let place = u32::try_from(keys.len()).unwrap();
                    keys.push(key);
                    flows.insert(&key, place);
                    truth.insert(key, place);
                }
            }
            assert_eq!(flows.len(), truth.len());
        }
        assert!(truth.len() > 1000);
    }

    #[test]
    fn keys_that_differ_in_one_thing_have_different_hashes() {
        let flows = Flows::new(1);
        let end = |last: u8, port| Endpoint { address: [192, 0, 2, last].into(), port };
        let mut hashes = std::collections::BTreeSet::new();
        for (one, other, port, ssrc) in
            (0..8).flat_map(|n| [(n, 1, 9, 7), (1, n + 10, 9, 7), (1, 1, n, 7), (1, 1, 9, n + 20)])
        {
            let (source, destination) = (end(one, 5), end(other, port.into()));
            hashes.insert(flows.hash(&StreamKey { source, destination, ssrc: ssrc.into() }) >> 32);
        }
        assert_eq!(hashes.len(), 32);
    }
}

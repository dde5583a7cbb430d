//! A table that gives up what was not used lately when it is full: a hand goes round, and passes over once what was used
//! since it came by (the "clock" of page replacement). No lists, no times, and all of the bound is of use.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::FixedState;

use crate::{index::Index, slab::Slab};

/// See the module's text.
#[derive(Debug)]
pub struct Aging<K, V> {
    entries: Slab<Entry<K, V>>,
    places: Index,
    hasher: FixedState,
    hand: u32,
    /// Entries that went because there was no room.
    evicted: u64,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    is_used: bool,
}

impl<K: Copy + Eq + Hash, V> Aging<K, V> {
    /// A table for at most `limit` entries. It grows as entries come.
    pub fn new(limit: usize, hash_seed: u64) -> Self {
        Self {
            entries: Slab::new(limit.max(1)),
            places: Index::default(),
            hasher: FixedState::with_seed(hash_seed),
            hand: 0,
            evicted: 0,
        }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that went because there was no room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn place(&self, key: &K) -> Option<u32> {
        let is_it = |place| self.entries.peek(place).is_some_and(|entry| entry.key == *key);
        self.places.find(self.hasher.hash_one(key), is_it)
    }

    /// The entry, which counts as used.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.peek_mut(self.place(key)?)?;
        entry.is_used = true;
        Some(&mut entry.value)
    }

    /// The entry, which does not count as used.
    pub fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        Some(&mut self.entries.peek_mut(self.place(key)?)?.value)
    }

    /// Adds an entry. Where there is no room, one goes that was not used for long.
    pub fn insert(&mut self, key: K, value: V, mut forgotten: impl FnMut(V)) {
        if let Some(before) = self.remove(&key) {
            forgotten(before);
        }
        while self.entries.is_full()
            && let Some(old) = self.evict()
        {
            self.evicted = self.evicted.saturating_add(1);
            forgotten(old);
        }
        if let Some(id) = self.entries.insert(Entry { key, value, is_used: false }) {
            self.places.insert(self.hasher.hash_one(key), id.place());
        }
    }

    /// Takes out what the hand comes to and was not used. All places are taken when this is asked, so that two rounds are
    /// the most it takes; and who was passed over was used in between.
    fn evict(&mut self) -> Option<V> {
        loop {
            let hand = self.hand;
            let Some(entry) = self.entries.peek_mut(hand) else {
                if hand == 0 {
                    return None;
                }
                self.hand = 0;
                continue;
            };
            self.hand = hand.wrapping_add(1);
            if !std::mem::take(&mut entry.is_used) {
                let key = entry.key;
                return self.remove(&key);
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key)?;
        let id = self.entries.at(place)?;
        self.places.remove(self.hasher.hash_one(key), place);
        self.entries.remove(id).map(|entry| entry.value)
    }

    /// All values, in no order; they do not count as used.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_bound_holds() {
        let mut table = Aging::new(10, 1);
        let mut gone = Vec::new();
        table.insert(0, 'x', |_| ());
        for key in 1..100 {
            table.insert(key, 'y', |value| gone.push(value));
            assert_eq!(table.get_mut(&0), Some(&mut 'x'), "after {key}");
            assert!(table.len() <= 10);
        }
        assert_eq!((gone.len(), table.len(), table.evicted()), (90, 10, 90));
        assert_eq!(table.remove(&0), Some('x'));
        assert_eq!((table.get_mut(&0).copied(), table.len()), (None, 9));
    }

    /// As many as the bound says stay, whoever else comes once: not half of them.
    #[test]
    fn nearly_all_of_the_bound_are_safe_while_they_are_used() {
        let (many, limit) = (1900, 2000);
        let mut table = Aging::new(limit, 1);
        for phone in 0..many {
            table.insert(phone, phone, |_| ());
        }
        for stranger in 0..20_000 {
            for phone in 0..if stranger % 50 == 0 { many } else { 0 } {
                assert_eq!(table.get_mut(&phone), Some(&mut phone.clone()), "phone {phone}, stranger {stranger}");
            }
            table.insert(1_000_000 + stranger, 0, |_| ());
        }
        assert_eq!((table.len(), table.values_mut().count()), (limit, limit));
    }

    #[test]
    fn an_entry_that_comes_again_takes_its_own_place() {
        let mut table = Aging::new(3, 1);
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c'), (1, 'd')] {
            table.insert(key, value, |_| ());
        }
        assert_eq!((table.peek_mut(&1).copied(), table.len(), table.evicted()), (Some('d'), 3, 0));
    }
}

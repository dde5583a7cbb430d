//! A table that forgets what was not used for longest, in two generations: no lists, no clock, a fixed bound.

use std::{collections::HashMap, hash::Hash, mem};

use foldhash::quality::FixedState;

/// See the module's text.
#[derive(Debug)]
pub struct Aging<K, V> {
    young: HashMap<K, V, FixedState>,
    old: HashMap<K, V, FixedState>,
    half: usize,
}

impl<K: Copy + Eq + Hash, V> Aging<K, V> {
    /// A table for at most `limit` entries. It grows as entries come.
    pub fn new(limit: usize, hash_seed: u64) -> Self {
        let table = || HashMap::with_hasher(FixedState::with_seed(hash_seed));
        Self { young: table(), old: table(), half: limit.div_ceil(2).max(1) }
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    /// The entry, which counts as used.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        // While there is room among the young, what is used becomes young again.
        if self.young.len() < self.half
            && let Some(value) = self.old.remove(key)
        {
            self.young.insert(*key, value);
        }
        match self.young.get_mut(key) {
            Some(value) => Some(value),
            None => self.old.get_mut(key),
        }
    }

    /// Adds an entry. Where there is no room, the old generation is forgotten and the young one becomes old.
    pub fn insert(&mut self, key: K, value: V, mut forgotten: impl FnMut(V)) {
        if let Some(before) = self.remove(&key) {
            forgotten(before);
        }
        if self.young.len() >= self.half {
            self.old.drain().for_each(|(_, value)| forgotten(value));
            mem::swap(&mut self.young, &mut self.old);
        }
        self.young.insert(key, value);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// All values, in no order; they do not count as used.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
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
        assert_eq!(gone.len() + table.len(), 100);
        assert_eq!(table.remove(&0), Some('x'));
        assert_eq!(table.get_mut(&0), None);
    }
}

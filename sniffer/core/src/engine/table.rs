//! A table of entries that are found by a key of bytes, bounded in number and in bytes. When it is full the oldest entry
//! goes, and is counted.

use std::{collections::VecDeque, hash::BuildHasher};

use foldhash::quality::FixedState;

use crate::{
    index::Index,
    slab::{Id, Slab},
};

/// See the module's text.
#[derive(Debug)]
pub struct Table<T> {
    entries: Slab<Charged<T>>,
    places: Index,
    hasher: FixedState,
    order: VecDeque<Id>,
    limit: usize,
    /// Bytes that all entries together have on the heap, and may have.
    bytes: usize,
    most_bytes: usize,
    /// Entries that came.
    pub begun: u64,
    /// Entries that went early because the table was full.
    pub evicted: u64,
}

#[derive(Debug)]
struct Charged<T> {
    entry: T,
    /// Its bytes on the heap when it was looked at last.
    bytes: usize,
}

/// An entry knows its key and what it takes.
pub trait Keyed {
    /// By what it is found.
    fn key(&self) -> &[u8];

    /// Its bytes on the heap, roughly: what messages can make large is counted.
    fn heap_bytes(&self) -> usize;
}

impl<T: Keyed> Table<T> {
    /// Makes a table for at most `limit` entries, which have at most `mean_bytes` on the heap each, on average.
    pub fn new(limit: usize, mean_bytes: usize, hash_seed: u64) -> Self {
        Self {
            entries: Slab::new(limit),
            places: Index::default(),
            hasher: FixedState::with_seed(hash_seed),
            order: VecDeque::new(),
            limit,
            bytes: 0,
            most_bytes: limit.saturating_mul(mean_bytes),
            begun: 0,
            evicted: 0,
        }
    }

    /// The id of the entry with a key.
    pub fn find(&self, key: &[u8]) -> Option<Id> {
        let is_it = |place| self.entries.peek(place).is_some_and(|one| one.entry.key() == key);
        self.entries.at(self.places.find(self.hasher.hash_one(key), is_it)?)
    }

    /// The entry with an id.
    pub fn get(&self, id: Id) -> Option<&T> {
        self.entries.get(id).map(|one| &one.entry)
    }

    /// Changes the entry with an id, and says what came of it.
    pub fn change<R>(&mut self, id: Id, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let one = self.entries.get_mut(id)?;
        let result = change(&mut one.entry);
        let before = std::mem::replace(&mut one.bytes, one.entry.heap_bytes());
        self.bytes = self.bytes.saturating_sub(before).saturating_add(one.bytes);
        Some(result)
    }

    /// Takes the oldest entry out of a table that has no room for another: call it until it has none, before an entry is
    /// added.
    pub fn evict(&mut self) -> Option<T> {
        if self.entries.is_full() { self.evict_oldest() } else { self.evict_heavy() }
    }

    /// Takes the oldest entry out of a table that holds too many bytes: call it until it does not, after a change.
    pub fn evict_heavy(&mut self) -> Option<T> {
        if self.bytes > self.most_bytes { self.evict_oldest() } else { None }
    }

    fn evict_oldest(&mut self) -> Option<T> {
        loop {
            let oldest = self.order.pop_front()?;
            if let Some(entry) = self.remove(oldest) {
                self.evicted += 1;
                return Some(entry);
            }
        }
    }

    /// Adds an entry; none when the table is full.
    pub fn add(&mut self, entry: T) -> Option<Id> {
        let (hash, bytes) = (self.hasher.hash_one(entry.key()), entry.heap_bytes());
        let id = self.entries.insert(Charged { entry, bytes })?;
        self.bytes = self.bytes.saturating_add(bytes);
        self.places.insert(hash, id.place());
        self.order.push_back(id);
        if self.order.len() > self.limit.saturating_mul(2) {
            let entries = &self.entries;
            self.order.retain(|&id| entries.get(id).is_some());
        }
        self.begun += 1;
        Some(id)
    }

    /// Says whether there ever was an entry at a place.
    pub fn has_place(&self, place: u32) -> bool {
        self.entries.has_place(place)
    }

    /// The entry at a place, to take note of something that changes neither its key nor what it takes.
    pub fn peek_mut(&mut self, place: u32) -> Option<&mut T> {
        self.entries.peek_mut(place).map(|one| &mut one.entry)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let Charged { entry, bytes } = self.entries.remove(id)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.places.remove(self.hasher.hash_one(entry.key()), id.place());
        Some(entry)
    }

    /// All entries in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.order.iter().filter_map(|&id| self.get(id))
    }

    /// Takes all entries out, in the order in which they came.
    pub fn drain(&mut self) -> Vec<T> {
        let ids = std::mem::take(&mut self.order);
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Word(&'static str, usize);

    impl Keyed for Word {
        fn key(&self) -> &[u8] {
            self.0.as_bytes()
        }

        fn heap_bytes(&self) -> usize {
            self.1
        }
    }

    #[test]
    fn a_full_table_gives_up_its_oldest_entry_and_counts_it() {
        let mut table = Table::new(2, 100, 1);
        let first = table.add(Word("a", 1)).unwrap();
        table.add(Word("b", 1)).unwrap();
        assert_eq!(table.add(Word("c", 1)), None);
        assert_eq!(table.evict(), Some(Word("a", 1)));
        assert_eq!(table.evict(), None);
        table.add(Word("c", 1)).unwrap();
        assert_eq!(
            (table.find(b"a"), table.get(first), table.evicted, table.begun, table.len()),
            (None, None, 1, 3, 2)
        );
        assert_eq!(table.drain(), [Word("b", 1), Word("c", 1)]);
        assert_eq!((table.len(), table.find(b"b"), table.bytes), (0, None, 0));
    }

    #[test]
    fn entries_that_grow_push_out_the_oldest_too() {
        let mut table = Table::new(10, 10, 1);
        for name in ["a", "b", "c"] {
            table.add(Word(name, 20)).unwrap();
        }
        assert_eq!(table.evict(), None);
        let last = table.find(b"c").unwrap();
        assert_eq!(table.change(last, |word| word.1 = 70), Some(()));
        assert_eq!((table.evict_heavy(), table.evict_heavy()), (Some(Word("a", 20)), None));
        assert_eq!((table.find(b"c"), table.len(), table.bytes), (Some(last), 2, 90));
    }
}

//! A bounded table of entries that are found by a key of bytes. When it is full the oldest entry goes, and is counted.

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use crate::slab::{Id, Slab};

/// See the module's text.
#[derive(Debug)]
pub struct Table<T> {
    entries: Slab<T>,
    ids: HashMap<Box<[u8]>, Id, FixedState>,
    order: VecDeque<Id>,
    limit: usize,
    /// Entries that came.
    pub begun: u64,
    /// Entries that went early because the table was full.
    pub evicted: u64,
}

/// An entry knows its key.
pub trait Keyed {
    /// By what it is found.
    fn key(&self) -> &[u8];
}

impl<T: Keyed> Table<T> {
    /// Makes a table for at most `limit` entries.
    pub fn new(limit: usize, hash_seed: u64) -> Self {
        Self {
            entries: Slab::new(limit),
            ids: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            order: VecDeque::new(),
            limit,
            begun: 0,
            evicted: 0,
        }
    }

    /// The id of the entry with a key.
    pub fn find(&self, key: &[u8]) -> Option<Id> {
        self.ids.get(key).copied()
    }

    /// The entry with an id.
    pub fn get(&self, id: Id) -> Option<&T> {
        self.entries.get(id)
    }

    /// The entry with an id, to change it.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.entries.get_mut(id)
    }

    /// Takes the oldest entry out of a full table: call it until it has none, before an entry is added.
    pub fn evict(&mut self) -> Option<T> {
        while self.entries.is_full() {
            let oldest = self.order.pop_front()?;
            if let Some(entry) = self.remove(oldest) {
                self.evicted += 1;
                return Some(entry);
            }
        }
        None
    }

    /// Adds an entry; none when the table is full.
    pub fn add(&mut self, entry: T) -> Option<Id> {
        let key = entry.key().into();
        let id = self.entries.insert(entry)?;
        self.ids.insert(key, id);
        self.order.push_back(id);
        if self.order.len() > self.limit.saturating_mul(2) {
            let entries = &self.entries;
            self.order.retain(|&id| entries.get(id).is_some());
        }
        self.begun += 1;
        Some(id)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let entry = self.entries.remove(id)?;
        if self.ids.get(entry.key()) == Some(&id) {
            self.ids.remove(entry.key());
        }
        Some(entry)
    }

    /// All entries in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.order.iter().filter_map(|&id| self.entries.get(id))
    }

    /// Takes all entries out, in the order in which they came.
    pub fn drain(&mut self) -> Vec<T> {
        let ids = std::mem::take(&mut self.order);
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Word(&'static str);

    impl Keyed for Word {
        fn key(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    #[test]
    fn a_full_table_gives_up_its_oldest_entry_and_counts_it() {
        let mut table = Table::new(2, 1);
        let first = table.add(Word("a")).unwrap();
        table.add(Word("b")).unwrap();
        assert_eq!(table.add(Word("c")), None);
        assert_eq!(table.evict(), Some(Word("a")));
        assert_eq!(table.evict(), None);
        table.add(Word("c")).unwrap();
        assert_eq!(
            (table.find(b"a"), table.get(first), table.evicted, table.begun, table.len()),
            (None, None, 1, 3, 2)
        );
        assert_eq!(table.drain(), [Word("b"), Word("c")]);
        assert_eq!((table.len(), table.find(b"b")), (0, None));
    }
}

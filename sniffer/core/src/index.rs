//! Finds places in a table by the hash of what is there: eight bytes an entry, with the keys in the table itself. Open
//! addressing with linear probing: eight entries lie in one cache line, so that a search seldom costs more than one miss.

/// Entries of an index that holds nothing yet.
const SMALLEST: usize = 64;
/// Says that an entry is free. No table has so many places.
const NONE: u32 = u32::MAX;
const FREE: Entry = Entry { tag: 0, place: NONE };

/// See the module's text.
#[derive(Debug)]
pub struct Index {
    /// A power of two of them, never more than three quarters in use.
    entries: Vec<Entry>,
    used: usize,
}

/// A place, and the part of the hash that says where the entry belongs: the index grows without asking for keys.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    place: u32,
}

impl Default for Index {
    fn default() -> Self {
        Self { entries: vec![FREE; SMALLEST], used: 0 }
    }
}

impl Index {
    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.used
    }

    /// The first place under a hash that `is_it` accepts: different keys may have the same hash.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut at = self.home(tag);
        loop {
            let entry = self.entries.get(at)?;
            if entry.place == NONE {
                return None;
            }
            if entry.tag == tag && is_it(entry.place) {
                return Some(entry.place);
            }
            at = self.next(at);
        }
    }

    /// Adds a place under a hash. Whoever adds it has seen to it that its key is not there yet.
    pub fn insert(&mut self, hash: u64, place: u32) {
        if self.used.saturating_add(1) > self.entries.len() / 4 * 3 {
            self.grow();
        }
        self.put(Entry { tag: tag(hash), place });
    }

    fn put(&mut self, entry: Entry) {
        let mut at = self.home(entry.tag);
        while let Some(found) = self.entries.get_mut(at) {
            if found.place == NONE {
                *found = entry;
                self.used += 1;
                return;
            }
            at = self.next(at);
        }
    }

    fn grow(&mut self) {
        let wider = vec![FREE; self.entries.len().saturating_mul(2)];
        let old = std::mem::replace(&mut self.entries, wider);
        self.used = 0;
        for entry in old.into_iter().filter(|entry| entry.place != NONE) {
            self.put(entry);
        }
    }

    /// Takes a place out that was added under a hash. False when it is not there.
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        let tag = tag(hash);
        let mut hole = self.home(tag);
        loop {
            match self.entries.get(hole) {
                None | Some(Entry { place: NONE, .. }) => return false,
                Some(entry) if entry.tag == tag && entry.place == place => break,
                Some(_) => hole = self.next(hole),
            }
        }
        self.used = self.used.saturating_sub(1);
        // Those behind the hole move up, unless they would come before their own home: no marks of what was deleted.
        let mut at = self.next(hole);
        while let Some(&entry) = self.entries.get(at)
            && entry.place != NONE
        {
            let home = self.home(entry.tag);
            if self.distance(home, at) >= self.distance(hole, at) {
                if let Some(free) = self.entries.get_mut(hole) {
                    *free = entry;
                }
                hole = at;
            }
            at = self.next(at);
        }
        if let Some(free) = self.entries.get_mut(hole) {
            *free = FREE;
        }
        true
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        usize::try_from(tag).unwrap_or(0) & self.mask()
    }

    #[inline]
    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    /// Steps from one entry to a later one.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }
}

/// The part of a hash that is kept.
#[inline]
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Many inserts and removals, with hashes that collide often: what the index says is what a map says.
    #[test]
    fn it_finds_what_is_in_it_and_nothing_else_whatever_is_taken_out() {
        let (mut index, mut truth) = (Index::default(), BTreeMap::new());
        let mut keys = vec![0_u64; 4000];
        let mut state = 1_u64;
        let mut next = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for round in 0..80_000_u64 {
            let key = next(3000);
            // A third of the keys share their hash with others, and the homes of all are few.
            let hash = |key: u64| if key.is_multiple_of(3) { (key % 20) << 32 } else { (key * 7) << 32 };
            let known = index.find(hash(key), |place| keys[usize::try_from(place).unwrap()] == key);
            assert_eq!(known, truth.get(&key).copied(), "round {round}");
            match known {
                Some(place) if next(2) == 0 => {
                    assert!(!index.remove(hash(key), 3999), "another place");
                    assert!(index.remove(hash(key), place) && !index.remove(hash(key), place));
                    truth.remove(&key);
                }
                Some(_) => {}
                None => {
                    let place = u32::try_from(key).unwrap();
                    keys[usize::try_from(key).unwrap()] = key;
                    index.insert(hash(key), place);
                    truth.insert(key, place);
                }
            }
            assert_eq!(index.len(), truth.len());
        }
        assert!(truth.len() > 1000);
    }

    #[test]
    fn an_entry_is_eight_bytes_and_a_fuller_index_grows_by_doubling() {
        let mut index = Index::default();
        for place in 0..49 {
            index.insert(u64::from(place) << 32, place);
        }
        assert_eq!((size_of::<Entry>(), index.entries.len()), (8, 128));
        assert!((0..49).all(|place| index.find(u64::from(place) << 32, |_| true) == Some(place)));
    }
}

//! What was seen lately, by a hash: bounded in number and in time, whatever comes. One queue in the order of time, in which
//! each entry knows the one before it with the same hash: an entry costs no allocation of its own.

use std::collections::VecDeque;

use crate::{index::Index, limits, time::Timestamp};

/// Legs that were seen lately by the hash of what they are found by. Bounded, oldest out.
#[derive(Debug)]
pub(super) struct Lately<T> {
    entries: VecDeque<Entry<T>>,
    /// Number of the first entry; the others follow.
    first: u32,
    /// The number of the newest entry of a hash.
    newest: Index,
    limit: usize,
}

#[derive(Debug)]
struct Entry<T> {
    hash: u64,
    time: Timestamp,
    /// Number of the entry before it with the same hash, which may be gone.
    before: u32,
    value: T,
}

/// Numbers begin anew after so many; no queue is nearly as long.
const NUMBERS: u32 = 1 << 31;
/// A number that no entry has.
const NONE: u32 = NUMBERS;

impl<T> Lately<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), first: 0, newest: Index::default(), limit }
    }

    /// Those with this hash, the newest first.
    pub(super) fn get(&self, hash: u64) -> impl Iterator<Item = (Timestamp, &T)> {
        let newest = self.newest_of(hash).and_then(|number| self.at(number));
        let all = std::iter::successors(newest, |entry| self.at(entry.before));
        all.map(|entry| (entry.time, &entry.value))
    }

    fn newest_of(&self, hash: u64) -> Option<u32> {
        self.newest.find(hash, |number| self.at(number).is_some_and(|entry| entry.hash == hash))
    }

    fn place(&self, number: u32) -> usize {
        let place = number.wrapping_sub(self.first) % NUMBERS;
        if number == NONE { usize::MAX } else { usize::try_from(place).unwrap_or(usize::MAX) }
    }

    fn at(&self, number: u32) -> Option<&Entry<T>> {
        self.entries.get(self.place(number))
    }

    /// Adds one; an equal one becomes new again.
    pub(super) fn put(&mut self, time: Timestamp, hash: u64, value: T, is_same: impl Fn(&T) -> bool) {
        while self.entries.len() >= self.limit && self.forget_oldest().is_some() {}
        let newest = self.newest_of(hash);
        let (mut before, mut after, mut known) = (newest.unwrap_or(NONE), NONE, 0_usize);
        let mut next = before;
        while let Some(entry) = self.at(next) {
            known = known.saturating_add(1);
            let (older, goes) = (entry.before, is_same(&entry.value) || known >= limits::GROUP_LEGS);
            if !goes {
                (after, next) = (next, older);
                continue;
            }
            // It stays in the queue, and nothing leads to it.
            let place = self.place(after);
            match self.entries.get_mut(place) {
                Some(after) => after.before = older,
                None => before = older,
            }
            break;
        }
        let number = self.first.wrapping_add(u32::try_from(self.entries.len()).unwrap_or(0)) % NUMBERS;
        self.entries.push_back(Entry { hash, time, before, value });
        if let Some(newest) = newest {
            self.newest.remove(hash, newest);
        }
        self.newest.insert(hash, number);
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) {
        while self.entries.front().is_some_and(|oldest| oldest.time < time) && self.forget_oldest().is_some() {}
    }

    fn forget_oldest(&mut self) -> Option<()> {
        let Entry { hash, .. } = self.entries.pop_front()?;
        self.newest.remove(hash, self.first);
        self.first = self.first.wrapping_add(1) % NUMBERS;
        Some(())
    }

    /// Says whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_lately_is_bounded_and_what_came_again_stays() {
        let mut lately = Lately::new(4);
        let at = Timestamp::from_nanos;
        for (time, hash) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            lately.put(at(time), hash, 'x', |_| true);
        }
        lately.forget_before(at(3));
        assert_eq!((lately.get(7).count(), lately.get(8).count(), lately.entries.len()), (1, 1, 2));
        for time in 5..200 {
            lately.put(at(time), u64::try_from(time % 3).unwrap(), 'y', |_| false);
        }
        assert_eq!(lately.entries.len(), 4);
        assert_eq!((0..9).map(|hash| lately.get(hash).count()).sum::<usize>(), 4);
        lately.forget_before(at(1000));
        assert!(lately.is_empty() && lately.newest.len() == 0);
    }

    /// What a list of lists says, for hashes whose kept parts collide, over the end of the numbers.
    #[test]
    fn it_says_what_a_plain_list_says() {
        let mut lately = Lately::new(300);
        lately.first = NUMBERS - 5000;
        let mut plain: Vec<(i64, u64, u64)> = Vec::new();
        let mut state = 1_u64;
        let mut next = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for time in 0..20_000 {
            let (hash, value) = (next(40), next(3));
            plain.retain(|&(_, h, v)| (h, v) != (hash, value));
            plain.push((time, hash, value));
            lately.put(Timestamp::from_nanos(time), hash, value, |known| *known == value);
            if next(4) == 0 {
                let since = time - i64::try_from(next(250)).unwrap();
                lately.forget_before(Timestamp::from_nanos(since));
                plain.retain(|one| one.0 >= since);
            }
            plain.retain(|one| one.0 > time - 300);
            let hash = next(40);
            let expected: Vec<_> = plain.iter().rev().filter(|one| one.1 == hash).map(|one| (one.0, one.2)).collect();
            let found: Vec<_> = lately.get(hash).map(|(time, value)| (time.as_nanos(), *value)).collect();
            assert_eq!(found, expected, "{time}");
        }
    }
}

//! What was seen lately, by a hash: bounded in number and in time, whatever comes.

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use crate::{limits, time::Timestamp};

/// Legs that were seen lately by the hash of what they are found by. Bounded, oldest out.
#[derive(Debug)]
pub(super) struct Lately<T> {
    by_hash: HashMap<u64, Vec<(Timestamp, T)>, FixedState>,
    order: VecDeque<(Timestamp, u64)>,
    limit: usize,
}

impl<T> Lately<T> {
    pub(super) fn new(limit: usize, seed: u64) -> Self {
        Self { by_hash: HashMap::with_hasher(FixedState::with_seed(seed)), order: VecDeque::new(), limit }
    }

    pub(super) fn get(&self, hash: u64) -> &[(Timestamp, T)] {
        self.by_hash.get(&hash).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds one; an equal one becomes new again.
    pub(super) fn put(&mut self, time: Timestamp, hash: u64, value: T, is_same: impl Fn(&T) -> bool) {
        while self.order.len() >= self.limit {
            self.forget_oldest();
        }
        let known = self.by_hash.entry(hash).or_default();
        match known.iter().position(|(_, known)| is_same(known)) {
            Some(at) => _ = known.remove(at),
            None if known.len() >= limits::GROUP_LEGS => _ = known.remove(0),
            None => known.reserve_exact(1),
        }
        known.push((time, value));
        self.order.push_back((time, hash));
    }

    pub(super) fn forget_before(&mut self, time: Timestamp) {
        while self.order.front().is_some_and(|&(oldest, _)| oldest < time) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((time, hash)) = self.order.pop_front() else { return };
        if let Some(known) = self.by_hash.get_mut(&hash) {
            known.retain(|(seen, _)| *seen > time);
            if known.is_empty() {
                self.by_hash.remove(&hash);
            }
        }
    }

    /// Says whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_lately_is_bounded_and_what_came_again_stays() {
        let mut lately = Lately::new(4, 1);
        let at = Timestamp::from_nanos;
        for (time, hash) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            lately.put(at(time), hash, 'x', |_| true);
        }
        lately.forget_before(at(3));
        assert_eq!((lately.get(7).len(), lately.get(8).len(), lately.order.len()), (1, 1, 2));
        for time in 5..200 {
            lately.put(at(time), u64::try_from(time % 3).unwrap(), 'y', |_| false);
        }
        assert_eq!(lately.order.len(), 4);
        assert!(lately.by_hash.values().map(Vec::len).sum::<usize>() <= 4);
        lately.forget_before(at(1000));
        assert!(lately.by_hash.is_empty());
    }
}

//! The timers of signalling: when calls and all else are looked at again. What a full table pushes out leaves its timer
//! behind, which counts for nothing and goes when there are too many of that kind: a flood makes more of them in a second
//! than come due.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Signalling;
use crate::{slab::Id, time::Timestamp};

/// Timers that may be there beyond twice what there is to look at.
const SPARE: usize = 1024;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Call(Id),
    Registration(Id),
    Subscription(Id),
    Exchange(Id),
}

/// Timers, the next one first.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Timestamp, Timer)>>);

impl Timers {
    /// When the next one comes.
    #[inline]
    pub(super) fn due(&self) -> Timestamp {
        self.0.peek().map_or(Timestamp::NEVER, |&Reverse((time, _))| time)
    }

    /// Takes the next one that has come, and when it was to come.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        if self.due() > now {
            return None;
        }
        self.0.pop().map(|Reverse(next)| next)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Signalling {
    /// Sets a timer.
    pub(super) fn set_timer(&mut self, time: Timestamp, timer: Timer) {
        self.timers.0.push(Reverse((time, timer)));
        let entries = [self.calls.len(), self.registrations.len(), self.subscriptions.len(), self.exchanges.len()];
        let most = entries.iter().sum::<usize>().saturating_mul(2).saturating_add(SPARE);
        if self.timers.0.len() > most {
            // At least half of them went since the last time: on the whole each is looked at about twice.
            let mut timers = std::mem::take(&mut self.timers.0);
            timers.retain(|&Reverse((time, timer))| self.counts(time, timer));
            timers.shrink_to(most);
            self.timers.0 = timers;
        }
    }

    /// Says whether a timer belongs to something that is there.
    fn counts(&self, time: Timestamp, timer: Timer) -> bool {
        match timer {
            Timer::Call(id) => self.calls.get(id).is_some_and(|call| call.timer == Some(time)),
            Timer::Registration(id) => self.registrations.get(id).is_some(),
            Timer::Subscription(id) => self.subscriptions.get(id).is_some(),
            Timer::Exchange(id) => self.exchanges.get(id).is_some(),
        }
    }
}

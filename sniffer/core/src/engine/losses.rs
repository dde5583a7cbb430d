//! What the capture itself lost, and when: each call and stream is asked at its end which of it fell into its time. Told
//! apart from what the network lost, which sequence numbers show.

use std::{collections::VecDeque, time::Duration};

use crate::{limits, time::Timestamp};

/// How far beyond a call's or stream's own end a loss still counts as its own: its last packets may be what was lost.
const SLACK: Duration = Duration::from_secs(1);

/// The intervals in which the capture lost packets, oldest first.
#[derive(Debug, Default)]
pub struct Losses {
    intervals: VecDeque<Interval>,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Interval {
    from: Timestamp,
    to: Timestamp,
    packets: u64,
}

impl Losses {
    /// Takes note that packets were lost somewhere between two times.
    pub fn add(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        if packets == 0 {
            return;
        }
        self.total += packets;
        let new = Interval { from: from.min(to), to: from.max(to), packets };
        // Statistics are read several hundred times a second under load: one interval for each second is exact enough.
        if let Some(last) = self.intervals.back_mut()
            && new.to.since(last.from) <= limits::LOSS_INTERVAL
        {
            last.join(new);
            return;
        }
        self.intervals.push_back(new);
        // The oldest two become one: calls of that time are marked too broadly rather than not at all.
        if self.intervals.len() > limits::LOSS_INTERVALS
            && let Some(oldest) = self.intervals.pop_front()
            && let Some(next) = self.intervals.front_mut()
        {
            next.join(oldest);
        }
    }

    /// Packets that the capture lost while something from `start` to `end` went on: all packets of each interval that
    /// meets it, since nobody knows whose they were.
    #[must_use]
    pub fn within(&self, start: Timestamp, end: Timestamp) -> u64 {
        let (start, end) = (start.before(SLACK), end.after(SLACK));
        self.intervals.iter().rev().filter(|one| one.from <= end && one.to >= start).map(|one| one.packets).sum()
    }

    /// All packets that the capture lost.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Interval {
    fn join(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.packets = self.packets.saturating_add(other.packets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_loss_belongs_to_what_went_on_at_the_time() {
        let mut losses = Losses::default();
        losses.add(at(100), at(101), 5);
        losses.add(at(200), at(201), 7);
        assert_eq!(losses.within(at(50), at(90)), 0);
        assert_eq!(losses.within(at(50), at(99)), 5, "its last packets may be what was lost");
        assert_eq!(losses.within(at(50), at(150)), 5);
        assert_eq!(losses.within(at(150), at(190)), 0);
        assert_eq!(losses.within(at(50), at(300)), 12);
        assert_eq!(losses.within(at(202), at(300)), 7);
        assert_eq!((losses.within(at(203), at(300)), losses.total()), (0, 12));
    }

    #[test]
    fn many_losses_stay_bounded_and_none_is_forgotten() {
        let mut losses = Losses::default();
        for n in 0..100_000 {
            losses.add(at(n * 3), at(n * 3 + 1), 1);
        }
        assert!(losses.intervals.len() <= limits::LOSS_INTERVALS);
        assert_eq!((losses.within(at(0), at(400_000)), losses.total()), (100_000, 100_000));
        for n in 0..1000 {
            losses.add(at(500_000), Timestamp::from_nanos(500_000_000_000_000 + n), 1);
        }
        assert!(losses.intervals.len() <= limits::LOSS_INTERVALS);
        assert_eq!(losses.within(at(500_000), at(500_001)), 1000);
    }
}

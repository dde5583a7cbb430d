//! A stream's time line: what happened in each ten seconds since its first packet, ten bytes a slot.

use super::sequence::Sequence;
use crate::{limits, time::Timestamp};

/// One slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Different packets that came.
    pub packets: u16,
    /// Packets that did not come, by the numbers.
    pub lost: u16,
    /// Runs of lost packets.
    pub runs: u16,
    /// Packets that came too late for the adaptive jitter buffer.
    pub late: u16,
    /// Largest interarrival jitter in tenths of a millisecond; the largest number where it is not known.
    pub jitter: u16,
}

/// The slots, and the one that is being filled. It begins with the stream's first packet, whose time is a parameter
/// everywhere.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Those that are over.
    slots: Box<[Slot]>,
    unique: u32,
    lost: u32,
    holes: u32,
    late: u16,
    jitter: u16,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { slots: Box::default(), unique: 0, lost: 0, holes: 0, late: 0, jitter: UNKNOWN }
    }
}

/// The length of a slot in nanoseconds: see [`limits::TIMELINE_SLOT`].
const SLOT_NANOS: i64 = 10_000_000_000;
const _: () = assert!(limits::TIMELINE_SLOT.as_nanos() == 10_000_000_000);

/// The jitter of a slot in which none was measured.
const UNKNOWN: u16 = u16::MAX;

impl Timeline {
    /// Says whether a packet of this time belongs to a later slot. The last one has no end.
    #[must_use]
    #[inline]
    pub fn is_over(&self, first: Timestamp, time: Timestamp) -> bool {
        let slots = self.slots.len();
        let over = i64::try_from(slots).unwrap_or(i64::MAX).wrapping_add(1).wrapping_mul(SLOT_NANOS);
        time.nanos_since(first) >= over && slots < limits::TIMELINE_SLOTS
    }

    /// Ends slots until the present one contains `time`. The packet of that time is not counted yet.
    pub fn advance(&mut self, first: Timestamp, time: Timestamp, sequence: &Sequence) {
        while self.is_over(first, time) && self.slots.len() < limits::TIMELINE_SLOTS {
            let slot = self.present(sequence);
            self.take_back(sequence);
            let mut slots = std::mem::take(&mut self.slots).into_vec();
            slots.reserve_exact(1);
            slots.push(slot);
            self.slots = slots.into_boxed_slice();
            self.unique = low(sequence.unique());
            self.lost = low(sequence.lost());
            self.holes = sequence.holes();
            (self.late, self.jitter) = (0, UNKNOWN);
        }
    }

    /// Spreads packets that were lost between two others over the slots between these, by time: an outage is to be seen
    /// where it was, and not where it ended.
    pub fn spread(&mut self, first: Timestamp, since: Timestamp, until: Timestamp, lost: u16) {
        let slot = limits::TIMELINE_SLOT.as_nanos();
        let (begin, end) = (since.since(first).as_nanos(), until.since(first).as_nanos());
        let skip = usize::try_from(begin / slot).unwrap_or(usize::MAX);
        for (number, place) in (0_u32..).zip(&mut self.slots).skip(skip) {
            let from = u128::from(number).saturating_mul(slot);
            let span = end.min(from.saturating_add(slot)).saturating_sub(begin.max(from));
            let share = u128::from(lost).saturating_mul(span).checked_div(end.saturating_sub(begin)).unwrap_or(0);
            let share = u16::try_from(share).unwrap_or(0);
            place.lost = place.lost.saturating_add(share);
            place.runs = place.runs.saturating_add(u16::from(share > 0));
            self.lost = self.lost.saturating_add(u32::from(share));
        }
    }

    /// Packets that were thought lost in the slot before and came in this one are taken back there.
    fn take_back(&mut self, sequence: &Sequence) {
        if let Some(last) = self.slots.last_mut() {
            let came = u16::try_from(self.lost.saturating_sub(low(sequence.lost()))).unwrap_or(u16::MAX);
            let filled = u16::try_from(self.holes.saturating_sub(sequence.holes())).unwrap_or(u16::MAX);
            last.lost = last.lost.saturating_sub(came);
            last.runs = last.runs.saturating_sub(filled);
        }
    }

    /// Takes the jitter after a packet, in microseconds, and whether the packet was late.
    #[inline]
    pub fn measured(&mut self, jitter_micros: Option<u32>, is_late: bool) {
        self.late = self.late.saturating_add(u16::from(is_late));
        if let Some(micros) = jitter_micros {
            let tenths = u16::try_from(micros / 100).unwrap_or(UNKNOWN).min(UNKNOWN - 1);
            self.jitter = if self.jitter == UNKNOWN { tenths } else { self.jitter.max(tenths) };
        }
    }

    fn present(&self, sequence: &Sequence) -> Slot {
        let small = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Slot {
            packets: small(low(sequence.unique()).saturating_sub(self.unique)),
            lost: small(low(sequence.lost()).saturating_sub(self.lost)),
            runs: small(sequence.holes().saturating_sub(self.holes)),
            late: self.late,
            jitter: self.jitter,
        }
    }

    /// All slots with the one that is being filled, unless the time line is full.
    #[must_use]
    pub fn slots(&self, sequence: &Sequence) -> Vec<Slot> {
        if self.slots.len() >= limits::TIMELINE_SLOTS {
            return self.slots.to_vec();
        }
        let mut whole = self.clone();
        whole.take_back(sequence);
        let mut slots = whole.slots.into_vec();
        slots.push(self.present(sequence));
        slots
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        size_of_val(self.slots.as_ref())
    }
}

/// A count in 32 bits: a day's packets of any stream fit.
fn low(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    /// Packets 20 ms apart; `order` gives the numbers.
    fn run(order: &[(i64, u16)]) -> (Timeline, Sequence) {
        let (mut timeline, mut sequence) = (Timeline::default(), Sequence::default());
        for &(ms, number) in order {
            timeline.advance(at(0), at(ms), &sequence);
            sequence.on(number, None);
            timeline.measured(Some(250), false);
        }
        (timeline, sequence)
    }

    #[test]
    fn a_slot_is_ten_bytes_and_has_what_happened_in_its_ten_seconds() {
        assert_eq!(size_of::<Slot>(), 10);
        let packets = |skip: std::ops::Range<u16>| {
            (0..1250_u16).filter(move |n| !skip.contains(n)).map(|n| (i64::from(n) * 20, n)).collect::<Vec<_>>()
        };
        let (timeline, sequence) = run(&packets(600..650));
        let slots = timeline.slots(&sequence);
        let figures: Vec<_> = slots.iter().map(|slot| (slot.packets, slot.lost, slot.runs)).collect();
        assert_eq!(figures, [(500, 0, 0), (450, 50, 1), (250, 0, 0)]);
        assert_eq!(slots[0].jitter, 2);
    }

    #[test]
    fn silence_makes_empty_slots() {
        let (timeline, sequence) = run(&[(0, 1), (45_000, 2)]);
        let packets: Vec<_> = timeline.slots(&sequence).iter().map(|slot| slot.packets).collect();
        assert_eq!(packets, [1, 0, 0, 0, 1]);
    }

    #[test]
    fn reordering_over_the_edge_of_a_slot_loses_nothing_in_either() {
        let mut order: Vec<_> = (0..1000_u16).map(|n| (i64::from(n) * 20, n)).collect();
        // 499 comes in the second slot, after 500.
        order[499].1 = 500;
        order[500].1 = 499;
        let (timeline, sequence) = run(&order);
        let lost: Vec<_> = timeline.slots(&sequence).iter().map(|slot| (slot.lost, slot.runs)).collect();
        assert_eq!(lost, [(0, 0), (0, 0)]);
    }

    #[test]
    fn a_day_bounds_it() {
        let (timeline, sequence) = run(&[(0, 1), (200_000_000, 2), (200_000_020, 3)]);
        assert_eq!(timeline.slots(&sequence).len(), limits::TIMELINE_SLOTS);
        assert!(timeline.heap_bytes() <= limits::TIMELINE_SLOTS * 10 + 60);
    }
}

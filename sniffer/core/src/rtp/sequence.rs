//! Sequence numbers of a stream: extension over the 16-bit wrap (RFC 3550, appendix A.1), expected and lost packets
//! (A.3), with one change: a window of bits tells duplicates from late packets, so that duplicates never hide loss and
//! reordering never creates it.

mod trouble;

use self::trouble::Trouble;
use super::loss::LossPattern;
use crate::limits::{MAX_DROPOUT, REORDER_WINDOW, RESTART_RUN};

/// How many of the latest packets' IP identifications are kept: copies follow their original closely, a tenth of a second
/// at most where they come through another switch's buffers.
const RECENT: usize = 8;
/// The same as a distance of numbers.
const RECENT_NUMBERS: u64 = 8;
const _: () = assert!(RECENT == 8 && RECENT_NUMBERS == 8);

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// After all before it; so many numbers were skipped.
    InOrder {
        /// Numbers between this one and the highest before it.
        skipped: u16,
    },
    /// After one with a higher number.
    Late,
    /// Its number had come already.
    Duplicate,
    /// Far from all before it: noise, or the first packet of a restarted source.
    Jump,
    /// After one that was far from all before it: the source has restarted.
    Restart,
}

/// The state of a stream's sequence numbers. Nothing has come while `packets` is zero.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Lowest extended number of this run of numbers.
    base: u64,
    /// Highest extended number.
    highest: u64,
    packets: u64,
    /// Kept from the first packet on that does not follow the one before. Without it all from `base` to `highest` came,
    /// once each, which is so with most streams.
    trouble: Option<Box<Trouble>>,
    /// IP identifications of the latest packets, by the last bits of their numbers.
    identifications: [u16; RECENT],
}

impl Sequence {
    /// Takes the next packet's number and the identification of its IP header.
    #[inline]
    pub fn on(&mut self, number: u16, identification: Option<u16>) -> Arrival {
        // The next number where all came until now.
        if self.trouble.is_none() && self.is_next(number) {
            self.packets += 1;
            self.highest += 1;
            self.identify(self.highest, identification);
            return Arrival::InOrder { skipped: 0 };
        }
        self.on_any(number, identification)
    }

    /// Says whether a number is the one after the highest.
    #[must_use]
    #[inline]
    pub fn is_next(&self, number: u16) -> bool {
        self.packets > 0 && u64::from(number) == (self.highest + 1) & 0xffff
    }

    #[inline(never)]
    fn on_any(&mut self, number: u16, identification: Option<u16>) -> Arrival {
        self.packets += 1;
        if self.packets == 1 {
            // One cycle up, so that packets older than the first have numbers too.
            self.base = 0x1_0000 + u64::from(number);
            self.highest = self.base;
            self.identify(self.highest, identification);
            return Arrival::InOrder { skipped: 0 };
        }
        let highest = u16::try_from(self.highest & 0xffff).unwrap_or(0);
        let ahead = number.wrapping_sub(highest);
        let behind = highest.wrapping_sub(number);
        if ahead != 0 && ahead < MAX_DROPOUT {
            let skipped = ahead - 1;
            if skipped > 0 {
                let trouble = self.trouble();
                trouble.holes = trouble.holes.saturating_add(1);
            }
            self.advance(self.highest + u64::from(ahead));
            self.identify(self.highest, identification);
            Arrival::InOrder { skipped }
        } else if behind <= REORDER_WINDOW {
            self.late(self.highest - u64::from(behind), identification)
        } else {
            self.jump(number)
        }
    }

    /// What was not as it should be, from here on.
    fn trouble(&mut self) -> &mut Trouble {
        let (base, highest) = (self.base, self.highest);
        self.trouble.get_or_insert_with(|| Box::new(Trouble::all_came(base, highest)))
    }

    fn advance(&mut self, to: u64) {
        if let Some(trouble) = &mut self.trouble {
            trouble.advance(self.base, self.highest, to);
        }
        self.highest = to;
    }

    fn late(&mut self, number: u64, identification: Option<u16>) -> Arrival {
        let is_copy = self.is_copy(number, identification);
        let (base, trouble) = (self.base, self.trouble());
        if trouble.came(number) {
            trouble.duplicates = trouble.duplicates.saturating_add(1);
            trouble.copies = trouble.copies.saturating_add(u32::from(is_copy));
            return Arrival::Duplicate;
        }
        trouble.count_hole(base, number);
        trouble.mark(number);
        trouble.late = trouble.late.saturating_add(1);
        self.identify(number, identification);
        self.base = self.base.min(number);
        Arrival::Late
    }

    /// Two consecutive numbers far away make a restart (RFC 3550, appendix A.1), a run of them not so far behind; fewer
    /// neither expect nor lose anything.
    fn jump(&mut self, number: u16) -> Arrival {
        let (base, highest, expected_here) = (self.base, self.highest, self.expected_here());
        let behind = u16::try_from(highest & 0xffff).unwrap_or(0).wrapping_sub(number);
        let needed = if behind < MAX_DROPOUT { RESTART_RUN } else { 2 };
        let trouble = self.trouble();
        if trouble.restart_at == Some(number.wrapping_add(1)) {
            trouble.duplicates = trouble.duplicates.saturating_add(1);
            return Arrival::Duplicate;
        }
        trouble.jumps = trouble.jumps.saturating_add(1);
        let run = if trouble.restart_at == Some(number) { trouble.restart_run } else { 0 };
        if run.saturating_add(1) < needed {
            trouble.expected_before += 1;
            trouble.restart_at = Some(number.wrapping_add(1));
            trouble.restart_run = run.saturating_add(1);
            return Arrival::Jump;
        }
        trouble.pattern = trouble.whole_pattern(base, highest);
        // The packets of the run before this one are counted already; they become the first of the numbers that count.
        trouble.expected_before = (trouble.expected_before + expected_here).saturating_sub(u64::from(run));
        trouble.restarts = trouble.restarts.saturating_add(1);
        let base = 0x1_0000 + u64::from(number.wrapping_sub(run));
        let highest = base + u64::from(run).saturating_sub(1);
        trouble.window = Trouble::all_came(base, highest).window;
        (self.base, self.highest) = (base, highest);
        self.advance(highest + 1);
        Arrival::Restart
    }

    /// The pattern of losses up to the highest number, as if nothing more could arrive.
    #[must_use]
    pub fn pattern(&self) -> LossPattern {
        self.trouble
            .as_ref()
            .map_or_else(LossPattern::default, |trouble| trouble.whole_pattern(self.base, self.highest))
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.trouble.as_ref().map_or(0, |_| size_of::<Trouble>())
    }

    #[inline]
    fn identify(&mut self, number: u64, identification: Option<u16>) {
        if let Some(place) = self.identifications.get_mut(recent(number)) {
            *place = identification.unwrap_or(0);
        }
    }

    /// Closely behind its original and with the same identification: no sender of RTP repeats a packet so soon. Where IP
    /// has none (IPv6, and hosts that never fragment send zero, RFC 6864) that it follows closely must do.
    fn is_copy(&self, number: u64, identification: Option<u16>) -> bool {
        let recent = self.identifications.get(recent(number)).filter(|_| self.highest - number < RECENT_NUMBERS);
        recent == Some(&identification.unwrap_or(0))
    }

    fn expected_here(&self) -> u64 {
        if self.packets == 0 { 0 } else { self.highest - self.base + 1 }
    }

    /// The extended number of the packet that came last in order.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Says whether the packet before this number came, as far back as the window reaches.
    #[must_use]
    pub fn predecessor_came(&self, number: u16) -> bool {
        let behind = u16::try_from(self.highest & 0xffff).unwrap_or(0).wrapping_sub(number);
        let number = self.highest.saturating_sub(u64::from(behind));
        number <= self.base
            || behind > REORDER_WINDOW
            || self.trouble.as_ref().is_none_or(|trouble| trouble.came(number - 1))
    }

    /// Packets that came, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets whose number had come already.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| u64::from(trouble.duplicates))
    }

    /// Duplicates closely behind their original and with its IP identification, or without any: copies made on the way or
    /// by the mirror ports.
    #[must_use]
    pub fn copies(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| u64::from(trouble.copies))
    }

    /// Packets that came after one with a higher number.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| u64::from(trouble.late))
    }

    /// Packets far from those before them.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| u64::from(trouble.jumps))
    }

    /// How often the numbers began anew.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| u64::from(trouble.restarts))
    }

    /// Runs of lost packets as it looks at present.
    #[must_use]
    pub fn holes(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.holes)
    }

    /// Different packets that came.
    #[must_use]
    pub fn unique(&self) -> u64 {
        self.packets - self.duplicates()
    }

    /// Packets that were sent, by the numbers.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.expected_before) + self.expected_here()
    }

    /// Packets that did not come.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.unique())
    }
}

#[inline]
fn recent(number: u64) -> usize {
    usize::try_from(number % RECENT_NUMBERS).unwrap_or(0)
}

#[cfg(test)]
mod tests;

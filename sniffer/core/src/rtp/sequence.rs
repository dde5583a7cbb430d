//! Sequence numbers of a stream: extension over the 16-bit wrap (RFC 3550, appendix A.1), expected and lost packets
//! (A.3), with one change: a window of bits tells duplicates from late packets, so that duplicates never hide loss and
//! reordering never creates it.

use super::loss::LossPattern;
use crate::limits::{MAX_DROPOUT, REORDER_WINDOW};

const WORDS: usize = 8;
const WORDS_BEFORE: u64 = 7;
const _: () = assert!(REORDER_WINDOW == 448 && WORDS == 8);
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

/// What was not as it should be.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// One bit for each number: came or not. Word `k % 8` has the numbers 64 k to 64 k + 63; the newest word is that of
    /// `highest`, the seven before it are kept whole.
    window: [u64; WORDS],
    /// The losses that have left the window.
    pattern: LossPattern,
    /// Packets expected in earlier runs of numbers, and single packets far from all others.
    expected_before: u64,
    duplicates: u32,
    copies: u32,
    late: u32,
    jumps: u32,
    restarts: u16,
    /// Runs of lost packets as it looks at present: a late packet may undo or part one.
    holes: u32,
    /// The number that would confirm a restart.
    restart_at: Option<u16>,
}

impl Sequence {
    /// Takes the next packet's number and the identification of its IP header.
    pub fn on(&mut self, number: u16, identification: Option<u16>) -> Arrival {
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

    /// Two consecutive numbers far away make a restart (RFC 3550, appendix A.1); a single one neither expects nor
    /// loses anything.
    fn jump(&mut self, number: u16) -> Arrival {
        let (base, highest, expected_here) = (self.base, self.highest, self.expected_here());
        let trouble = self.trouble();
        if trouble.restart_at == Some(number.wrapping_add(1)) {
            trouble.duplicates = trouble.duplicates.saturating_add(1);
            return Arrival::Duplicate;
        }
        trouble.jumps = trouble.jumps.saturating_add(1);
        if trouble.restart_at != Some(number) {
            trouble.expected_before += 1;
            trouble.restart_at = Some(number.wrapping_add(1));
            return Arrival::Jump;
        }
        trouble.pattern = trouble.whole_pattern(base, highest);
        // The packet before this one is counted already; it becomes the first of the new run of numbers.
        trouble.expected_before = (trouble.expected_before + expected_here).saturating_sub(1);
        trouble.restarts = trouble.restarts.saturating_add(1);
        trouble.restart_at = None;
        let base = 0x1_0000 + u64::from(number.wrapping_sub(1));
        trouble.window = Trouble::all_came(base, base).window;
        (self.base, self.highest) = (base, base);
        self.advance(base + 1);
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

impl Trouble {
    /// The state of numbers of which all came until now.
    #[cold]
    fn all_came(base: u64, highest: u64) -> Self {
        let mut trouble = Self::default();
        let newest = highest / 64;
        for word in newest.saturating_sub(WORDS_BEFORE)..=newest {
            if let Some(bits) = trouble.window.get_mut(place(word)) {
                *bits = from_base(word, base) & up_to(word, highest);
            }
        }
        trouble
    }

    fn advance(&mut self, base: u64, highest: u64, to: u64) {
        for word in highest / 64 + 1..=to / 64 {
            let leaving = word.saturating_sub(WORDS_BEFORE + 1);
            let missing = self.missing(base, leaving);
            if missing != 0 {
                tell_missing(&mut self.pattern, leaving, missing);
            }
            if let Some(bits) = self.window.get_mut(place(word)) {
                *bits = 0;
            }
        }
        self.mark(to);
    }

    /// A late packet ends a hole that it fills, parts one that it lies in, and shortens one at whose edge it lies.
    fn count_hole(&mut self, base: u64, number: u64) {
        if number < base {
            self.holes = self.holes.saturating_add(u32::from(base - number > 1));
            return;
        }
        match (self.came(number.saturating_sub(1)), self.came(number + 1)) {
            (true, true) => self.holes = self.holes.saturating_sub(1),
            (false, false) => self.holes = self.holes.saturating_add(1),
            (true, false) | (false, true) => {}
        }
    }

    /// The numbers of a word that are expected and did not come.
    fn missing(&self, base: u64, word: u64) -> u64 {
        !self.window.get(place(word)).copied().unwrap_or(u64::MAX) & from_base(word, base)
    }

    fn whole_pattern(&self, base: u64, highest: u64) -> LossPattern {
        let mut pattern = self.pattern;
        let newest = highest / 64;
        for word in newest.saturating_sub(WORDS_BEFORE)..=newest {
            tell_missing(&mut pattern, word, self.missing(base, word) & up_to(word, highest));
        }
        pattern.close();
        pattern
    }

    fn came(&self, number: u64) -> bool {
        self.window.get(place(number / 64)).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    fn mark(&mut self, number: u64) {
        if let Some(word) = self.window.get_mut(place(number / 64)) {
            *word |= 1 << (number % 64);
        }
    }
}

/// The bits of a word whose numbers are not below the base.
fn from_base(word: u64, base: u64) -> u64 {
    u64::MAX.checked_shl(u32::try_from(base.saturating_sub(word * 64)).unwrap_or(64)).unwrap_or(0)
}

/// The bits of a word whose numbers are not above the highest, which is in this word or a later one.
fn up_to(word: u64, highest: u64) -> u64 {
    if word < highest / 64 { u64::MAX } else { u64::MAX >> (63 - highest % 64) }
}

/// Tells the pattern each run of bits of a word.
fn tell_missing(pattern: &mut LossPattern, word: u64, mut missing: u64) {
    let mut number = word * 64;
    while missing != 0 {
        let skip = missing.trailing_zeros();
        missing >>= skip;
        let run = missing.trailing_ones();
        number += u64::from(skip);
        pattern.lost(number, run);
        number += u64::from(run);
        missing = missing.checked_shr(run).unwrap_or(0);
    }
}

fn place(word: u64) -> usize {
    usize::try_from(word % 8).unwrap_or(0)
}

fn recent(number: u64) -> usize {
    usize::try_from(number % RECENT_NUMBERS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(numbers: impl IntoIterator<Item = u16>) -> Sequence {
        let mut sequence = Sequence::default();
        for number in numbers {
            sequence.on(number, None);
        }
        sequence
    }

    fn figures(sequence: &Sequence) -> (u64, u64, u64, u64, u64) {
        (sequence.packets(), sequence.expected(), sequence.lost(), sequence.duplicates(), sequence.reordered())
    }

    #[test]
    fn reordering_at_the_wrap_loses_nothing() {
        // tshark counts 65,536 lost of 500 here.
        let mut numbers: Vec<u16> = (0..500).map(|n| 65_300_u16.wrapping_add(n)).collect();
        let wrap = numbers.iter().position(|&n| n == 0).unwrap();
        numbers.swap(wrap - 1, wrap);
        numbers.swap(wrap + 3, wrap - 5);
        let (packets, expected, lost, duplicates, reordered) = figures(&stream(numbers));
        assert_eq!((packets, expected, lost, duplicates), (500, 500, 0, 0));
        assert!(reordered > 0);
    }

    #[test]
    fn a_first_packet_that_overtook_others_loses_nothing() {
        assert_eq!(figures(&stream([1, 0, 65535, 2, 3])), (5, 5, 0, 0, 2));
    }

    #[test]
    fn duplicates_do_not_hide_loss() {
        // 3 and 4 are lost; 1 and 5 come twice.
        assert_eq!(figures(&stream([1, 1, 2, 5, 5, 6])), (6, 6, 2, 2, 0));
    }

    #[test]
    fn a_late_packet_is_reordered_and_its_copy_a_duplicate() {
        assert_eq!(figures(&stream([10, 12, 11, 11, 13])), (5, 4, 0, 1, 1));
    }

    #[test]
    fn a_duplicate_with_its_original_s_identification_is_a_copy() {
        let mut sequence = Sequence::default();
        for (number, id) in [(1, 700), (1, 700), (2, 701), (3, 702), (2, 701), (3, 9), (4, 0), (4, 0)] {
            sequence.on(number, Some(id));
        }
        sequence.on(4, None);
        assert_eq!((sequence.duplicates(), sequence.copies()), (5, 4), "3 was sent again, 4 has none");
        sequence.on(4, Some(8));
        assert_eq!((sequence.duplicates(), sequence.copies()), (6, 4), "another packet than the first");
        (5..30).for_each(|number| _ = sequence.on(number, None));
        sequence.on(21, None);
        assert_eq!((sequence.duplicates(), sequence.copies()), (7, 4), "too late for a copy");
    }

    #[test]
    fn many_wraps_are_counted() {
        let sequence = stream((0..200_000_u32).map(|n| u16::try_from(n & 0xffff).unwrap()));
        assert_eq!(figures(&sequence), (200_000, 200_000, 0, 0, 0));
    }

    #[test]
    fn a_restart_begins_anew_and_a_single_far_packet_changes_nothing() {
        let sequence = stream([1, 2, 3, 30_000, 30_001, 30_002]);
        assert_eq!((figures(&sequence), sequence.restarts()), ((6, 6, 0, 0, 0), 1));
        assert_eq!(figures(&stream([1, 2, 30_000, 3, 5])), (5, 6, 1, 0, 0));
        assert_eq!(figures(&stream([1, 2, 30_000, 30_000, 30_001])), (5, 4, 0, 1, 0));
    }

    #[test]
    fn losses_before_a_restart_stay_in_the_pattern() {
        let sequence = stream([1, 2, 5, 6, 30_000, 30_001, 30_003]);
        let pattern = sequence.pattern();
        assert_eq!((sequence.lost(), pattern.total(), pattern.runs()), (3, 3, 2));
    }

    #[test]
    fn runs_of_loss_are_told_apart_from_single_losses() {
        // 100 packets; lost: 10 alone, and 20 to 29. Then the same further back than the window.
        for end in [100, 2000_u16] {
            let sequence = stream((0..end).filter(|n| *n != 10 && !(20..30).contains(n)));
            let pattern = sequence.pattern();
            assert_eq!((sequence.lost(), pattern.total(), pattern.runs(), sequence.holes()), (11, 11, 2, 2));
            assert_eq!((pattern.bursts(), pattern.burst_packets()), (1, 20), "10 to 29: nine came between");
        }
        // A hole longer than the window is one run.
        let sequence = stream((0..2000_u16).filter(|n| !(200..1400).contains(n)));
        assert_eq!((sequence.pattern().runs(), sequence.pattern().longest_run(), sequence.holes()), (1, 1200, 1));
    }

    /// A generator of numbers for the properties below.
    struct Random(u32);

    impl Random {
        fn below(&mut self, bound: u32) -> u32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) % bound
        }
    }

    fn wide(count: usize) -> u64 {
        count.try_into().unwrap()
    }

    fn place(number: u32) -> usize {
        number.try_into().unwrap()
    }

    #[test]
    fn any_loss_order_and_duplication_within_the_window_gives_the_truth() {
        let mut random = Random(12345);
        for _ in 0..300 {
            let (start, count) = (random.below(65_536), 200 + random.below(3000));
            let (loss, spread) = (random.below(30), 1 + random.below(100));
            let mut sent: Vec<(u32, u32)> = Vec::new();
            let mut came = vec![false; place(count)];
            for n in 0..count {
                // The ends always come: what is before the first and after the last cannot be known.
                if n != 0 && n != count - 1 && random.below(100) < loss {
                    continue;
                }
                came[place(n)] = true;
                sent.push((n + random.below(spread), n));
                if random.below(10) == 0 {
                    sent.push((n + random.below(spread), n));
                }
            }
            sent.sort_unstable();
            let sequence = stream(sent.iter().map(|&(_, n)| u16::try_from((start + n) & 0xffff).unwrap()));
            let lost = wide(came.iter().filter(|came| !**came).count());
            let unique = u64::from(count) - lost;
            assert_eq!((sequence.lost(), sequence.unique(), sequence.expected()), (lost, unique, u64::from(count)));
            assert_eq!(sequence.lost() + sequence.unique(), sequence.expected());
            assert_eq!(sequence.duplicates(), wide(sent.len()) - unique);
            let runs = wide(came.windows(2).filter(|pair| pair[0] && !pair[1]).count());
            let pattern = sequence.pattern();
            assert_eq!((u64::from(pattern.total()), u64::from(pattern.runs())), (lost, runs));
            assert_eq!(u64::from(sequence.holes()), runs, "the runs as they look are those there are in the end");
            assert_eq!(pattern.run_bins().iter().map(|&count| u32::from(count)).sum::<u32>(), pattern.runs());
        }
    }

    #[test]
    fn loss_is_never_negative_whatever_comes() {
        let mut random = Random(777);
        for _ in 0..200 {
            let spread = 1 << random.below(17);
            let start = random.below(65_536);
            let numbers = (0..3000).map(|n| ((start + n / 2 + random.below(spread)) & 0xffff).try_into().unwrap());
            let sequence = stream(numbers.collect::<Vec<u16>>());
            assert!(sequence.unique() <= sequence.expected());
            assert_eq!(u64::from(sequence.pattern().total()), sequence.lost());
        }
    }
}

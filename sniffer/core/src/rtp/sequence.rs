//! Sequence numbers of a stream: extension over the 16-bit wrap (RFC 3550, appendix A.1), expected and lost packets
//! (A.3), with one change: a window of bits tells duplicates from late packets, so that duplicates never hide loss and
//! reordering never creates it.

use crate::{
    bytes::float,
    limits::{MAX_DROPOUT, REORDER_WINDOW},
    quality::Loss,
};

const WORDS: usize = 8;
const WINDOW: u64 = 512;
const _: () = assert!(REORDER_WINDOW == 512 && WORDS * 64 == 512);

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// After all before it.
    InOrder,
    /// After one with a higher number.
    Late,
    /// Its number had come already.
    Duplicate,
    /// Far from all before it: a restart of the source, or noise.
    Jump,
}

/// The state of a stream's sequence numbers.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Lowest extended number of this run of numbers.
    base: u64,
    /// Highest extended number.
    highest: u64,
    /// One bit for each of the 512 numbers up to the highest: came or not.
    window: [u64; WORDS],
    /// Packets expected in earlier runs of numbers, and single packets far from all others.
    expected_before: u64,
    /// The number that would confirm a restart.
    restart_at: Option<u16>,
    packets: u64,
    duplicates: u64,
    late: u64,
    jumps: u64,
    runs: LossRuns,
}

/// Runs of lost packets, counted as numbers leave the window.
#[derive(Clone, Copy, Debug, Default)]
struct LossRuns {
    count: u64,
    within: bool,
}

impl LossRuns {
    fn on(&mut self, came: bool) {
        if !came && !self.within {
            self.count += 1;
        }
        self.within = !came;
    }
}

impl Sequence {
    /// Begins with the first packet's number.
    #[must_use]
    pub fn new(first: u16) -> Self {
        // One cycle up, so that packets older than the first have numbers too.
        let extended = 0x1_0000 + u64::from(first);
        let mut sequence = Self {
            base: extended,
            highest: extended,
            window: [0; WORDS],
            expected_before: 0,
            restart_at: None,
            packets: 1,
            duplicates: 0,
            late: 0,
            jumps: 0,
            runs: LossRuns::default(),
        };
        sequence.mark(extended);
        sequence
    }

    /// Takes the next packet's number.
    pub fn on(&mut self, number: u16) -> Arrival {
        self.packets += 1;
        let highest = u16::try_from(self.highest & 0xffff).unwrap_or(0);
        let ahead = number.wrapping_sub(highest);
        let behind = highest.wrapping_sub(number);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.advance(self.highest + u64::from(ahead));
            Arrival::InOrder
        } else if behind < REORDER_WINDOW {
            self.late(self.highest - u64::from(behind))
        } else {
            self.jump(number)
        }
    }

    fn advance(&mut self, to: u64) {
        for number in self.highest + 1..=to {
            self.leave(number.saturating_sub(WINDOW));
            self.clear(number);
        }
        self.highest = to;
        self.mark(to);
    }

    fn late(&mut self, number: u64) -> Arrival {
        if self.came(number) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        }
        self.mark(number);
        self.base = self.base.min(number);
        self.late += 1;
        Arrival::Late
    }

    /// Two consecutive numbers far away make a restart (RFC 3550, appendix A.1); a single one neither expects nor
    /// loses anything.
    fn jump(&mut self, number: u16) -> Arrival {
        if self.restart_at == Some(number.wrapping_add(1)) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        }
        self.jumps += 1;
        if self.restart_at == Some(number) {
            self.runs = self.all_runs();
            self.runs.within = false;
            self.expected_before += self.expected_here();
            self.base = 0x1_0000 + u64::from(number);
            self.highest = self.base;
            self.window = [0; WORDS];
            self.mark(self.base);
            self.restart_at = None;
        } else {
            self.expected_before += 1;
            self.restart_at = Some(number.wrapping_add(1));
        }
        Arrival::Jump
    }

    fn leave(&mut self, number: u64) {
        if number >= self.base {
            let came = self.came(number);
            self.runs.on(came);
        }
    }

    fn all_runs(&self) -> LossRuns {
        let oldest = (self.highest + 1).saturating_sub(WINDOW).max(self.base);
        let mut runs = self.runs;
        for number in oldest..=self.highest {
            runs.on(self.came(number));
        }
        runs
    }

    fn place(number: u64) -> (usize, u64) {
        let bit = number % WINDOW;
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    }

    fn came(&self, number: u64) -> bool {
        let (word, bit) = Self::place(number);
        self.window.get(word).is_some_and(|word| word & bit != 0)
    }

    fn mark(&mut self, number: u64) {
        let (word, bit) = Self::place(number);
        if let Some(word) = self.window.get_mut(word) {
            *word |= bit;
        }
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = Self::place(number);
        if let Some(word) = self.window.get_mut(word) {
            *word &= !bit;
        }
    }

    fn expected_here(&self) -> u64 {
        self.highest - self.base + 1
    }

    /// Packets that came, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets whose number had come already.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets that came after one with a higher number.
    #[must_use]
    pub fn reordered(&self) -> u64 {
        self.late
    }

    /// Packets far from those before them.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// Different packets that came.
    #[must_use]
    pub fn unique(&self) -> u64 {
        self.packets - self.duplicates
    }

    /// Packets that were sent, by the numbers.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected_before + self.expected_here()
    }

    /// Packets that did not come.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.unique())
    }

    /// The share and the runs of the losses.
    #[must_use]
    pub fn loss(&self) -> Loss {
        let (lost, runs) = (float(self.lost()), self.all_runs().count);
        Loss { share: lost / float(self.expected().max(1)), mean_run: if runs == 0 { 0.0 } else { lost / float(runs) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(numbers: impl IntoIterator<Item = u16>) -> Sequence {
        let mut numbers = numbers.into_iter();
        let mut sequence = Sequence::new(numbers.next().unwrap());
        for number in numbers {
            sequence.on(number);
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
    fn many_wraps_are_counted() {
        let sequence = stream((0..200_000_u32).map(|n| u16::try_from(n & 0xffff).unwrap()));
        assert_eq!(figures(&sequence), (200_000, 200_000, 0, 0, 0));
    }

    #[test]
    fn a_restart_begins_anew_and_a_single_far_packet_changes_nothing() {
        assert_eq!(figures(&stream([1, 2, 3, 30_000, 30_001, 30_002])), (6, 6, 0, 0, 0));
        assert_eq!(figures(&stream([1, 2, 30_000, 3, 5])), (5, 6, 1, 0, 0));
        assert_eq!(figures(&stream([1, 2, 30_000, 30_000, 30_001])), (5, 4, 0, 1, 0));
    }

    #[test]
    fn runs_of_loss_are_told_apart_from_single_losses() {
        // 100 packets; lost: 10 alone, and 20 to 29.
        let sequence = stream((0..100_u16).filter(|n| *n != 10 && !(20..30).contains(n)));
        assert_eq!(sequence.lost(), 11);
        assert!((sequence.loss().mean_run - 5.5).abs() < 1e-9);
        // The same further back than the window.
        let sequence = stream((0..2000_u16).filter(|n| *n != 10 && !(20..30).contains(n)));
        assert!((sequence.loss().mean_run - 5.5).abs() < 1e-9);
        // A hole longer than the window is one run.
        let sequence = stream((0..2000_u16).filter(|n| !(200..1400).contains(n)));
        assert!((sequence.loss().mean_run - 1200.0).abs() < 1e-9);
    }

    #[test]
    fn loss_is_never_negative_whatever_comes() {
        let mut state = 12345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for _ in 0..200 {
            let spread = 1 << (next() % 16);
            let start = next();
            let sequence =
                stream((0..3000).map(|n: u32| ((start + n / 2 + next() % spread) & 0xffff).try_into().unwrap()));
            assert!(sequence.unique() <= sequence.expected());
        }
    }
}

//! What a stream's numbers show when they do not simply follow one another: which came, which are lost, which came late
//! or twice.

use super::super::loss::LossPattern;
use crate::limits::REORDER_WINDOW;

const WORDS: usize = 8;
const WORDS_BEFORE: u64 = 7;
const _: () = assert!(REORDER_WINDOW == 448 && WORDS == 8);

/// What was not as it should be.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// One bit for each number: came or not. Word `k % 8` has the numbers 64 k to 64 k + 63; the newest word is that of
    /// `highest`, the seven before it are kept whole.
    pub(super) window: [u64; WORDS],
    /// The losses that have left the window.
    pub(super) pattern: LossPattern,
    /// Packets expected in earlier runs of numbers, and single packets far from all others.
    pub(super) expected_before: u64,
    pub(super) duplicates: u32,
    pub(super) copies: u32,
    pub(super) late: u32,
    pub(super) jumps: u32,
    pub(super) restarts: u16,
    /// Runs of lost packets as it looks at present: a late packet may undo or part one.
    pub(super) holes: u32,
    /// The number that would confirm a restart, or lengthen the run of numbers that does.
    pub(super) restart_at: Option<u16>,
    /// Numbers of that run.
    pub(super) restart_run: u16,
}

impl Trouble {
    /// The state of numbers of which all came until now.
    #[cold]
    pub(super) fn all_came(base: u64, highest: u64) -> Self {
        let mut trouble = Self::default();
        let newest = highest / 64;
        for word in newest.saturating_sub(WORDS_BEFORE)..=newest {
            if let Some(bits) = trouble.window.get_mut(place(word)) {
                *bits = from_base(word, base) & up_to(word, highest);
            }
        }
        trouble
    }

    pub(super) fn advance(&mut self, base: u64, highest: u64, to: u64) {
        // Who goes on has not restarted.
        self.restart_at = None;
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
    pub(super) fn count_hole(&mut self, base: u64, number: u64) {
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

    pub(super) fn whole_pattern(&self, base: u64, highest: u64) -> LossPattern {
        let mut pattern = self.pattern;
        let newest = highest / 64;
        for word in newest.saturating_sub(WORDS_BEFORE)..=newest {
            tell_missing(&mut pattern, word, self.missing(base, word) & up_to(word, highest));
        }
        pattern.close();
        pattern
    }

    pub(super) fn came(&self, number: u64) -> bool {
        self.window.get(place(number / 64)).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    pub(super) fn mark(&mut self, number: u64) {
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

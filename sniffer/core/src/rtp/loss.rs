//! The pattern of losses: how long the runs of lost packets were, and bursts and gaps as RFC 3611, section 4.7.2
//! defines them. It is told of losses in the order of their numbers, once they cannot arrive any more.

use crate::limits::{BURST_GMIN, LOSS_RUN_BINS};

/// Runs, bursts and gaps of lost packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct LossPattern {
    lost: u32,
    runs: u32,
    run_bins: [u16; LOSS_RUN_BINS],
    longest_run: u32,
    bursts: u32,
    burst_packets: u32,
    burst_lost: u32,
    /// Length of the run that the last lost packet belongs to.
    run: u32,
    /// Losses since the last time that `BURST_GMIN` packets in a row came.
    group_lost: u32,
    group_first: u64,
    last_lost: u64,
}

impl LossPattern {
    /// Takes a number of lost packets in a row, whose first has the number `first`.
    pub fn lost(&mut self, first: u64, count: u32) {
        if count == 0 {
            return;
        }
        let received = first.saturating_sub(self.last_lost).saturating_sub(1);
        let goes_on = self.group_lost > 0;
        if !(goes_on && received == 0) {
            self.close_run();
        }
        if !(goes_on && received < u64::from(BURST_GMIN)) {
            self.close_group();
            self.group_first = first;
        }
        self.run = self.run.saturating_add(count);
        self.group_lost = self.group_lost.saturating_add(count);
        self.last_lost = first.saturating_add(u64::from(count)).saturating_sub(1);
        self.lost = self.lost.saturating_add(count);
    }

    /// Ends the run and the burst at the end of the stream or of a run of numbers.
    pub fn close(&mut self) {
        self.close_run();
        self.close_group();
    }

    fn close_run(&mut self) {
        if self.run == 0 {
            return;
        }
        self.runs = self.runs.saturating_add(1);
        self.longest_run = self.longest_run.max(self.run);
        let bin = usize::try_from(self.run).unwrap_or(usize::MAX).min(LOSS_RUN_BINS).saturating_sub(1);
        if let Some(count) = self.run_bins.get_mut(bin) {
            *count = count.saturating_add(1);
        }
        self.run = 0;
    }

    /// "A burst is a period during which a high proportion of packets are lost": it begins and ends with a lost packet,
    /// and fewer than Gmin packets in a row arrive within. A single loss among Gmin others on both sides is in a gap.
    fn close_group(&mut self) {
        if self.group_lost > 1 {
            let packets = self.last_lost.saturating_sub(self.group_first).saturating_add(1);
            self.bursts = self.bursts.saturating_add(1);
            self.burst_packets = self.burst_packets.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
            self.burst_lost = self.burst_lost.saturating_add(self.group_lost);
        }
        self.group_lost = 0;
    }

    /// Packets lost.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.lost
    }

    /// Runs of lost packets.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Runs of 1, 2, … 10 and of 11 and more lost packets.
    #[must_use]
    pub fn run_bins(&self) -> &[u16; LOSS_RUN_BINS] {
        &self.run_bins
    }

    /// The longest run.
    #[must_use]
    pub fn longest_run(&self) -> u32 {
        self.longest_run
    }

    /// Bursts.
    #[must_use]
    pub fn bursts(&self) -> u32 {
        self.bursts
    }

    /// Packets within bursts, lost and received.
    #[must_use]
    pub fn burst_packets(&self) -> u32 {
        self.burst_packets
    }

    /// Packets lost within bursts.
    #[must_use]
    pub fn burst_lost(&self) -> u32 {
        self.burst_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pattern of a text in which `1` came and `0` was lost.
    fn pattern(text: &str) -> LossPattern {
        let mut pattern = LossPattern::default();
        for (number, _) in text.bytes().enumerate().filter(|(_, byte)| *byte == b'0') {
            pattern.lost(u64::try_from(number).unwrap() + 70_000, 1);
        }
        pattern.close();
        pattern
    }

    #[test]
    fn a_burst_begins_and_ends_with_a_loss_and_has_fewer_than_sixteen_received_in_a_row() {
        // Section 4.7.2: a loss alone among received ones is in the gap, losses near each other are a burst.
        let text =
            ["111101111111111111111111", "0110101111", "0", "1111111111111111", "0", "111111111111111111"].concat();
        let pattern = pattern(&text);
        // The burst is 0110101111 0: eleven packets, five lost; then sixteen received end it, and a single loss follows.
        assert_eq!((pattern.bursts(), pattern.burst_packets(), pattern.burst_lost()), (1, 11, 4));
        assert_eq!((pattern.total(), pattern.runs()), (6, 6));
    }

    #[test]
    fn fifteen_received_in_a_row_join_two_losses_and_sixteen_part_them() {
        let fifteen = pattern(&["1", "0", &"1".repeat(15), "0", "1"].concat());
        assert_eq!((fifteen.bursts(), fifteen.burst_packets(), fifteen.burst_lost()), (1, 17, 2));
        let sixteen = pattern(&["1", "0", &"1".repeat(16), "0", "1"].concat());
        assert_eq!((sixteen.bursts(), sixteen.burst_packets(), sixteen.burst_lost()), (0, 0, 0));
    }

    #[test]
    fn runs_are_counted_by_length() {
        let text =
            ["1", "0", "1", "00", "1", &"0".repeat(10), "1", &"0".repeat(11), "1", &"0".repeat(40), "1"].concat();
        let pattern = pattern(&text);
        assert_eq!(pattern.run_bins(), &[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((pattern.longest_run(), pattern.runs(), pattern.total()), (40, 5, 64));
    }

    #[test]
    fn a_run_told_in_parts_is_one_run() {
        let mut pattern = LossPattern::default();
        pattern.lost(100, 28);
        pattern.lost(128, 64);
        pattern.close();
        assert_eq!((pattern.runs(), pattern.longest_run(), pattern.bursts()), (1, 92, 1));
    }
}

//! Counts of durations in a few wide bins: small enough to be kept with each stream.

use crate::bytes::round4;

/// Upper edges of the bins of the jitter's histogram in microseconds; a last bin has no edge.
pub const JITTER_EDGES: [u32; 11] =
    [1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 50_000, 100_000];
/// Bins of the jitter's histogram.
pub const JITTER_BINS: usize = JITTER_EDGES.len() + 1;
/// Upper edges of the bins of the delay variation's histogram in microseconds; a last bin has no edge.
pub const DELAY_EDGES: [u32; 19] = [
    500, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000, 75_000, 100_000, 150_000,
    200_000, 300_000, 500_000, 1_000_000,
];
/// Bins of the delay variation's histogram.
pub const DELAY_BINS: usize = DELAY_EDGES.len() + 1;

/// A histogram in 16 bits a bin. When a bin is full all are halved: the shares stay.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<const BINS: usize> {
    counts: [u16; BINS],
}

impl<const BINS: usize> Default for Histogram<BINS> {
    fn default() -> Self {
        Self { counts: [0; BINS] }
    }
}

impl<const BINS: usize> Histogram<BINS> {
    /// Counts a duration. The search begins at the short ones, where nearly all are.
    #[inline]
    pub fn add(&mut self, edges: &[u32], micros: u32) {
        let bin = edges.iter().position(|&edge| micros < edge).unwrap_or(edges.len());
        if let Some(count) = self.counts.get_mut(bin) {
            *count = count.saturating_add(1);
            if *count == u16::MAX {
                self.halve();
            }
        }
    }

    #[cold]
    fn halve(&mut self) {
        for count in &mut self.counts {
            *count >>= 1;
        }
    }

    /// Says whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    fn total(&self) -> f64 {
        self.counts.iter().map(|&count| f64::from(count)).sum()
    }

    /// The share of each bin, 0 to 1; none when nothing was counted.
    #[must_use]
    pub fn shares(&self) -> Option<Vec<f64>> {
        let total = self.total();
        (total > 0.0).then(|| self.counts.iter().map(|&count| round4(f64::from(count) / total)).collect())
    }

    /// The duration in milliseconds that a share (0 to 1) of all do not exceed, interpolated within its bin; `largest`
    /// in microseconds bounds it. None when nothing was counted.
    #[must_use]
    pub fn percentile_ms(&self, edges: &[u32], share: f64, largest: u32) -> Option<f64> {
        let wanted = self.total() * share;
        let mut before = 0.0;
        let mut lower = 0.0;
        for (&count, upper) in self.counts.iter().zip(edges.iter().copied().chain([largest])) {
            let (count, upper) = (f64::from(count), f64::from(upper.min(largest)));
            if count > 0.0 && before + count >= wanted {
                let within = (wanted - before) / count;
                return Some(round4((lower + (upper - lower).max(0.0) * within) / 1000.0));
            }
            before += count;
            lower = upper;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_the_bins_and_never_exceed_the_largest() {
        let mut histogram = Histogram::<DELAY_BINS>::default();
        assert_eq!(histogram.percentile_ms(&DELAY_EDGES, 0.5, 0), None);
        // 90 of about 0.2 ms and 10 of 12 ms.
        for n in 0..100 {
            histogram.add(&DELAY_EDGES, if n % 10 == 0 { 12_000 } else { 200 });
        }
        let percentile = |share| histogram.percentile_ms(&DELAY_EDGES, share, 12_000).unwrap();
        assert!(percentile(0.5) < 0.5, "{}", percentile(0.5));
        assert!((10.0..=12.0).contains(&percentile(0.95)), "{}", percentile(0.95));
        assert_eq!(percentile(1.0), 12.0);
    }

    #[test]
    fn what_lies_beyond_all_edges_is_counted_last() {
        let mut histogram = Histogram::<JITTER_BINS>::default();
        histogram.add(&JITTER_EDGES, u32::MAX);
        histogram.add(&JITTER_EDGES, 999);
        histogram.add(&JITTER_EDGES, 1_000);
        assert_eq!(histogram.counts, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_day_of_packets_keeps_the_shares() {
        let mut histogram = Histogram::<JITTER_BINS>::default();
        assert_eq!(histogram.shares(), None);
        for n in 0..1_000_000 {
            histogram.add(&JITTER_EDGES, if n % 4 == 0 { 60_000 } else { 100 });
        }
        let shares = histogram.shares().unwrap();
        assert!((shares[0] - 0.75).abs() < 0.01 && (shares[10] - 0.25).abs() < 0.01, "{shares:?}");
    }
}

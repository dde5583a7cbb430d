//! Interarrival jitter (RFC 3550, section 6.4.1 and appendix A.8) in integers: nanoseconds in sixteenths.

use super::histogram::{Histogram, JITTER_BINS, JITTER_EDGES};
use crate::bytes::{float, round4};

/// The running estimate J, its largest and mean value, and how often it was how large.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    /// 16 J in nanoseconds, as appendix A.8 keeps it.
    value: u64,
    max: u64,
    sum: u64,
    count: u32,
    histogram: Histogram<JITTER_BINS>,
}

impl Jitter {
    /// Takes the difference D between the transit times of two packets that came one after the other, in nanoseconds:
    /// J += (|D| - J) / 16. Gives J in microseconds.
    #[inline]
    pub fn on(&mut self, difference: i64) -> u32 {
        // An hour bounds what a hostile timestamp can do.
        let difference = difference.unsigned_abs().min(3_600_000_000_000);
        // No larger than sixteen times that hour.
        self.value = self.value + difference - ((self.value + 8) >> 4);
        self.max = self.max.max(self.value);
        let micros = u32::try_from(self.value / 16_000).unwrap_or(u32::MAX);
        self.sum = self.sum.saturating_add(self.value >> 4);
        self.count = self.count.saturating_add(1);
        self.histogram.add(&JITTER_EDGES, micros);
        micros
    }

    /// The largest value in milliseconds; none before two packets.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(float(self.max) / 16e6))
    }

    /// The mean over the packets in milliseconds; none before two packets.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(float(self.sum) / float(u64::from(self.count)) / 1e6))
    }

    /// Shares of the packets by the value after them; the edges are [`JITTER_EDGES`].
    #[must_use]
    pub fn shares(&self) -> Option<Vec<f64>> {
        self.histogram.shares()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix A.8 as its C code computes it, with D in whole units and 16 J kept.
    fn appendix_a8(differences: &[i64]) -> u64 {
        let mut jitter = 0_i64;
        for difference in differences {
            jitter += difference.abs() - ((jitter + 8) >> 4);
        }
        (jitter >> 4).cast_unsigned()
    }

    #[test]
    fn one_late_packet_moves_the_estimate_by_a_sixteenth() {
        let mut jitter = Jitter::default();
        assert_eq!(jitter.max_ms(), None);
        jitter.on(16_000_000);
        assert_eq!(jitter.max_ms(), Some(1.0));
        // J = 1 + (16 - 1) / 16 when the next one is on time again.
        jitter.on(-16_000_000);
        assert_eq!((jitter.max_ms(), jitter.mean_ms()), (Some(1.9375), Some(1.4688)));
    }

    #[test]
    fn it_is_what_the_rfc_s_own_code_computes() {
        let mut state = 1_u64;
        let differences: Vec<i64> = (0..500)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                i64::try_from((state >> 33) % 40_000_000).unwrap() - 20_000_000
            })
            .collect();
        let mut jitter = Jitter::default();
        for &difference in &differences {
            jitter.on(difference);
        }
        assert_eq!(jitter.value >> 4, appendix_a8(&differences));
    }

    #[test]
    fn the_histogram_counts_each_packet_and_absurd_differences_are_bounded() {
        let mut jitter = Jitter::default();
        for difference in [0, 40_000_000, i64::MIN, i64::MAX] {
            jitter.on(difference);
        }
        let shares = jitter.shares().unwrap();
        assert_eq!((shares[0], shares[2], shares[11]), (0.25, 0.25, 0.5));
        assert!(jitter.max_ms().unwrap() < 3_600_000.0);
    }
}

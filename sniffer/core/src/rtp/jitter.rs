//! Interarrival jitter (RFC 3550, section 6.4.1 and appendix A.8), in milliseconds.

use crate::{
    bytes::{float, round4},
    time::Timestamp,
};

/// The running estimate J, and its largest and mean value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    previous: Option<(Timestamp, u32)>,
    value: f64,
    max: f64,
    sum: f64,
    count: u64,
}

impl Jitter {
    /// Takes a packet: its arrival, its RTP timestamp and the codec's clock rate in hertz.
    pub fn on(&mut self, arrival: Timestamp, timestamp: u32, clock_rate: u32) {
        let Some((last_arrival, last_timestamp)) = self.previous.replace((arrival, timestamp)) else {
            return;
        };
        // D(i,j) = (Rj - Ri) - (Sj - Si). The timestamps wrap: their difference is a signed 32-bit number.
        let sent = i64::from(timestamp.wrapping_sub(last_timestamp).cast_signed());
        let sent_ns = sent.saturating_mul(1_000_000_000).checked_div(i64::from(clock_rate)).unwrap_or(0);
        let arrived_ns = arrival.as_nanos().saturating_sub(last_arrival.as_nanos());
        let difference = float(arrived_ns.saturating_sub(sent_ns).unsigned_abs()) / 1e6;
        self.value += (difference - self.value) / 16.0;
        self.max = self.max.max(self.value);
        self.sum += self.value;
        self.count += 1;
    }

    /// Begins again with the next packet, as after a restart of the source; largest and mean stay.
    pub fn restart(&mut self) {
        self.previous = None;
    }

    /// The largest value in milliseconds; none before two packets.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(self.max))
    }

    /// The mean over the packets in milliseconds; none before two packets.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| round4(self.sum / float(self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_steady_stream_has_none_over_the_wrap_of_its_timestamp() {
        let mut jitter = Jitter::default();
        for n in 0..50_u32 {
            jitter.on(at(i64::from(n) * 20), u32::MAX.wrapping_sub(400).wrapping_add(n * 160), 8000);
        }
        assert_eq!((jitter.max_ms(), jitter.mean_ms()), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn one_late_packet_moves_the_estimate_by_a_sixteenth() {
        let mut jitter = Jitter::default();
        jitter.on(at(0), 0, 8000);
        assert_eq!(jitter.max_ms(), None);
        jitter.on(at(36), 160, 8000);
        assert_eq!(jitter.max_ms(), Some(1.0));
        // J = 1 + (16 - 1) / 16 when the next one is on time again.
        jitter.on(at(40), 320, 8000);
        assert_eq!((jitter.max_ms(), jitter.mean_ms()), (Some(1.9375), Some(1.4688)));
    }

    #[test]
    fn the_clock_rate_counts() {
        let mut jitter = Jitter::default();
        for n in 0..10_u32 {
            jitter.on(at(i64::from(n) * 20), n * 960, 48000);
        }
        assert_eq!(jitter.max_ms(), Some(0.0));
    }
}

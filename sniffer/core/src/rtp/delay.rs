//! Transit times: when a packet arrived against when it was sent by its RTP timestamp. They have an unknown offset, so
//! that only differences mean something: delay variation after RFC 5481.

use super::histogram::{DELAY_BINS, DELAY_EDGES, Histogram};
use crate::{bytes::round4, time::Timestamp};

/// Brings RTP timestamps, which wrap and have a clock rate of their own, to nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct MediaClock {
    /// Hertz; zero before the first packet.
    rate: u32,
    last_timestamp: u32,
    /// Nanoseconds a tick, times 2^20.
    tick: u64,
    /// Nanoseconds of media since the first packet, by the timestamps.
    media: i64,
    /// Transit time of the packet before.
    transit: i64,
}

/// What the clock says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transit {
    /// Arrival minus media time, in nanoseconds: comparable within a stream until the clock begins anew.
    pub nanos: i64,
    /// D of RFC 3550: against the packet that arrived before. None for the first.
    pub difference: Option<i64>,
    /// Ticks since the packet that arrived before; negative when that was sent later.
    pub ticks: i32,
}

impl MediaClock {
    /// Takes a packet's arrival and timestamp. Another clock rate begins anew.
    #[inline]
    pub fn on(&mut self, arrival: Timestamp, timestamp: u32, rate: u32) -> Transit {
        if self.rate != rate {
            let tick = (1_000_000_000_u64 << 20).checked_div(u64::from(rate)).unwrap_or(0);
            *self = Self { rate, last_timestamp: timestamp, tick, media: 0, transit: arrival.as_nanos() };
            return Transit { nanos: self.transit, difference: None, ticks: 0 };
        }
        // The timestamps wrap: their difference is a signed 32-bit number.
        let ticks = timestamp.wrapping_sub(self.last_timestamp).cast_signed();
        self.media = self.media.saturating_add(self.nanos_of(ticks));
        self.last_timestamp = timestamp;
        let nanos = arrival.as_nanos().saturating_sub(self.media);
        let difference = nanos.saturating_sub(self.transit);
        self.transit = nanos;
        Transit { nanos, difference: Some(difference), ticks }
    }

    /// Takes the arrival and timestamp of a packet if its clock rate is the one before, it was sent after the one before,
    /// by less than 65,536 ticks, and neither came more than `most` nanoseconds later nor has a transit time that differs by
    /// more. Gives its transit time, the difference, and the ticks. None where it is another one, and nothing has happened.
    #[inline]
    pub fn steady(&mut self, arrival: Timestamp, timestamp: u32, rate: u32, most: i64) -> Option<(i64, i64, u32)> {
        let ticks = timestamp.wrapping_sub(self.last_timestamp);
        if self.rate != rate || ticks == 0 || ticks > 0xffff {
            return None;
        }
        let media = self.media.saturating_add(self.nanos_of(ticks.cast_signed()));
        let transit = arrival.as_nanos().saturating_sub(media);
        let difference = transit.saturating_sub(self.transit);
        if difference > most || difference < -most || self.silence(arrival) > most {
            return None;
        }
        (self.media, self.transit, self.last_timestamp) = (media, transit, timestamp);
        Some((transit, difference, ticks))
    }

    /// So many ticks in nanoseconds.
    #[inline]
    fn nanos_of(&self, ticks: i32) -> i64 {
        // Of what a stream really does 64 bits are enough; hostile timestamps at a rate of some hertz need more.
        let product = i64::from(ticks).checked_mul(self.tick.cast_signed());
        match product.and_then(|product| product.checked_add(1 << 19)) {
            Some(product) => product >> 20,
            None => {
                let nanos = (i128::from(ticks) * i128::from(self.tick) + (1 << 19)) >> 20;
                i64::try_from(nanos).unwrap_or(0)
            }
        }
    }

    /// How long no packet was timed before one that arrives at this time, in nanoseconds.
    #[must_use]
    #[inline]
    pub fn silence(&self, arrival: Timestamp) -> i64 {
        let last = self.transit.saturating_add(self.media);
        if self.rate > 0 { arrival.as_nanos().saturating_sub(last) } else { 0 }
    }

    /// The clock rate in hertz, once a packet was measured.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        (self.rate > 0).then_some(self.rate)
    }

    /// Begins anew with the next packet, as after a restart of the source.
    pub fn restart(&mut self) {
        self.rate = 0;
    }
}

/// Packet delay variation in the form of RFC 5481, section 4.2: a packet's delay minus the smallest delay around it.
/// The smallest is that of the present and the last slot of the time line, so that clocks that drift apart (a hundred
/// parts in a million are usual, 0.4 s in an hour) are not taken for delay.
#[derive(Clone, Copy, Debug)]
pub struct DelayVariation {
    smallest: i64,
    smallest_before: i64,
    largest_micros: u32,
    histogram: Histogram<DELAY_BINS>,
}

impl Default for DelayVariation {
    fn default() -> Self {
        Self { smallest: i64::MAX, smallest_before: i64::MAX, largest_micros: 0, histogram: Histogram::default() }
    }
}

impl DelayVariation {
    /// Takes a packet's transit time in nanoseconds.
    #[inline]
    pub fn on(&mut self, transit: i64) {
        self.smallest = self.smallest.min(transit);
        // The reference is no larger than the transit time.
        let variation = transit.wrapping_sub(self.reference()).cast_unsigned();
        let micros = u32::try_from(variation / 1000).unwrap_or(u32::MAX);
        self.largest_micros = self.largest_micros.max(micros);
        self.histogram.add(&DELAY_EDGES, micros);
    }

    /// The smallest transit time around the present packet; `i64::MAX` before the first.
    #[must_use]
    #[inline]
    pub fn reference(&self) -> i64 {
        self.smallest.min(self.smallest_before)
    }

    /// Begins a slot of the time line.
    pub fn begin_slot(&mut self) {
        if self.smallest != i64::MAX {
            self.smallest_before = self.smallest;
            self.smallest = i64::MAX;
        }
    }

    /// Transit times have a new offset from the next packet on.
    pub fn restart(&mut self) {
        (self.smallest, self.smallest_before) = (i64::MAX, i64::MAX);
    }

    /// The variation in milliseconds that a share (0 to 1) of the packets do not exceed.
    #[must_use]
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        self.histogram.percentile_ms(&DELAY_EDGES, share, self.largest_micros)
    }

    /// The largest variation in milliseconds; none before a packet.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        (!self.histogram.is_empty()).then(|| round4(f64::from(self.largest_micros) / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn a_steady_stream_has_the_same_transit_over_the_wrap_of_its_timestamp() {
        let mut clock = MediaClock::default();
        let first = clock.on(at(0), u32::MAX - 400, 8000);
        for n in 1..50_u32 {
            let transit = clock.on(at(i64::from(n) * 20_000_000), (u32::MAX - 400).wrapping_add(n * 160), 8000);
            assert_eq!((transit.nanos, transit.difference, transit.ticks), (first.nanos, Some(0), 160));
        }
    }

    #[test]
    fn clock_rates_that_divide_no_second_do_not_drift() {
        for rate in [11_025, 22_050, 44_100, 48_000, 90_000] {
            let mut clock = MediaClock::default();
            let mut last = clock.on(at(0), 0, rate).nanos;
            for n in 1..=3600_u32 {
                last = clock.on(at(i64::from(n) * 1_000_000_000), n.wrapping_mul(rate), rate).nanos;
            }
            assert!(last.abs() < 4000, "{rate} Hz: {last} ns in an hour");
        }
    }

    #[test]
    fn another_clock_rate_begins_anew_and_absurd_ones_do_no_harm() {
        let mut clock = MediaClock::default();
        clock.on(at(0), 0, 8000);
        assert_eq!(clock.on(at(20_000_000), 320, 16_000).difference, None);
        assert_eq!(clock.on(at(40_000_000), 640, 16_000).difference, Some(0));
        for rate in [1, u32::MAX] {
            for timestamp in [0, i32::MAX.cast_unsigned(), u32::MAX] {
                clock.on(at(i64::MAX), timestamp, rate);
                clock.on(at(i64::MIN), timestamp, rate);
            }
        }
    }

    #[test]
    fn variation_is_counted_from_the_fastest_packet_and_a_drift_is_none() {
        let mut variation = DelayVariation::default();
        for transit in [5_000_000, 5_000_000, 25_000_000, 5_400_000] {
            variation.on(transit);
        }
        assert_eq!(variation.max_ms(), Some(20.0));
        // 100 parts in a million over an hour: 1 ms in each slot of 10 s.
        let mut drifting = DelayVariation::default();
        for n in 0..180_000_i64 {
            if n % 500 == 0 {
                drifting.begin_slot();
            }
            drifting.on(n * 2000);
        }
        assert!(drifting.max_ms().unwrap() <= 2.0, "{:?}", drifting.max_ms());
    }
}

//! Timing the packets of a stream: jitter, delay variation, and what the jitter buffers make of them.

use super::{Early, Follows, Stream, Timing};
use crate::{
    codec::Media,
    limits,
    rtp::{delay::Transit, playout::Arriving},
};

/// See [`limits::PLAYOUT_RESTART`], in nanoseconds.
const RESTART: i64 = 1_000_000_000;
const _: () = assert!(limits::PLAYOUT_RESTART.as_nanos() == 1_000_000_000);
/// See [`limits::FREEZE`], in nanoseconds.
const FREEZE: i64 = 10_000_000_000;
const _: () = assert!(limits::FREEZE.as_nanos() == 10_000_000_000);

impl Stream {
    /// Times a packet with a known clock rate.
    #[inline]
    pub(super) fn measure(&mut self, packet: Early, timing: Timing, after: Follows) {
        let silence = self.clock.silence(packet.arrival);
        let transit = self.clock.on(packet.arrival, packet.timestamp, timing.clock_rate);
        let marker = packet.marker && !self.counts.last_marker;
        self.counts.last_marker = packet.marker;
        let jitter = transit.difference.map(|difference| self.jitter.on(difference));
        if after.follows && after.is_speech && !packet.marker && transit.ticks > 0 {
            self.counts.vote(transit.ticks.unsigned_abs());
        }
        let mut jump = transit.difference.is_none_or(|difference| is_longer(difference, RESTART));
        if transit.difference.is_none() {
            self.counts.votes = 0;
        }
        let mut is_late = self.judge_freeze(packet.number, &transit, timing, &mut jump);
        if after.follows && !packet.marker && is_freeze(&transit, timing.clock_rate) {
            // The packets behind it tell whether the network held it back, or its sender paused.
            self.counts.is_frozen = true;
            self.timeline.measured(jitter, is_late);
            return;
        }
        if jump {
            self.delay.restart();
            self.playout.restart();
        }
        self.delay.on(transit.nanos);
        if timing.media == Media::Audio {
            let is_fresh = jump || marker || silence > RESTART;
            let arriving = Arriving { number: packet.number, transit: transit.nanos, is_fresh };
            let sequence = &self.sequence;
            is_late |= self.playout.on(arriving, || sequence.predecessor_came(packet.number));
        }
        self.timeline.measured(jitter, is_late);
    }

    /// Judges the packet before, if it came after a pause that its timestamp knows nothing of: when this one follows at
    /// once, the network held both back, and the one before was late; else its sender paused, and time begins anew. Says
    /// whether the packet before was late.
    #[inline]
    fn judge_freeze(&mut self, number: u16, transit: &Transit, timing: Timing, jump: &mut bool) -> bool {
        if !self.counts.is_frozen {
            return false;
        }
        self.counts.is_frozen = false;
        let Some(difference) = transit.difference.filter(|_| transit.ticks > 0) else { return false };
        if difference > -media_nanos(transit.ticks, timing.clock_rate) / 2 {
            *jump = true;
            return false;
        }
        *jump = false;
        let before = transit.nanos.saturating_sub(difference);
        self.delay.on(before);
        if timing.media != Media::Audio {
            return false;
        }
        let number = number.wrapping_sub(1);
        let sequence = &self.sequence;
        let arriving = Arriving { number, transit: before, is_fresh: false };
        self.playout.on(arriving, || sequence.predecessor_came(number))
    }
}

/// How much media so many ticks are, in nanoseconds.
fn media_nanos(ticks: i32, clock_rate: u32) -> i64 {
    i64::from(ticks).saturating_mul(1_000_000_000).checked_div(i64::from(clock_rate)).unwrap_or(0)
}

fn is_longer(nanos: i64, than: i64) -> bool {
    nanos.unsigned_abs() > than.unsigned_abs()
}

/// Says whether a packet came much later than the one before although its timestamp is the next.
#[inline]
fn is_freeze(transit: &Transit, clock_rate: u32) -> bool {
    transit.difference.is_some_and(|difference| {
        difference > RESTART
            && difference <= FREEZE
            && transit.ticks > 0
            && !is_longer(media_nanos(transit.ticks, clock_rate), RESTART)
    })
}

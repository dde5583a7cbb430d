//! The short way of a packet through its stream: that of the next packet of a talk, as nearly all are. It does what
//! [`Stream::on_any`] does with them, in a third of the steps; a test holds it to that.

use super::Stream;
use crate::{
    limits,
    rtp::{Packet, playout::Arriving, sequence::Arrival},
};

/// See [`limits::PLAYOUT_RESTART`], in nanoseconds.
const RESTART: i64 = 1_000_000_000;
const _: () = assert!(limits::PLAYOUT_RESTART.as_nanos() == 1_000_000_000);

impl Stream {
    /// Takes a packet if its number is the next, its payload type the stream's first one and a codec for sound without
    /// silence descriptors, if it has no marker, and its time and timestamp go on without a jump. None where it is another
    /// one, and nothing has happened.
    #[inline]
    pub(super) fn steady(&mut self, packet: &Packet<'_>) -> Option<()> {
        let Packet { time, header, dscp, ip_id, .. } = *packet;
        let counts = &self.counts;
        let is_odd =
            header.marker | counts.last_marker | counts.last_silent | counts.is_frozen | (dscp != counts.dscp_last);
        let rate = self.types.sound_rate(header.payload_type)?;
        if is_odd || !self.sequence.is_next(header.sequence) || self.timeline.is_over(self.first, time) {
            return None;
        }
        // Time, last: it changes the clock.
        let (transit, difference, ticks) = self.clock.steady(time, header.timestamp, rate, RESTART)?;
        self.sequence.on(header.sequence, ip_id);
        self.types.count_first();
        self.note(packet, false, Arrival::InOrder { skipped: 0 });
        self.counts.sounding = self.counts.sounding.saturating_add(1);
        self.counts.vote(ticks);
        let jitter = self.jitter.on(difference);
        self.delay.on(transit);
        let sequence = &self.sequence;
        let arriving = Arriving { number: header.sequence, transit, is_fresh: false };
        let is_late = self.playout.on(arriving, || sequence.predecessor_came(header.sequence));
        self.timeline.measured(Some(jitter), is_late);
        Some(())
    }
}

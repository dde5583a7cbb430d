//! What a stream says of itself.

use super::{Counts, Early, PayloadType, Seldom, Stream};
use crate::{
    rtcp::session::Session,
    rtp::{delay::DelayVariation, jitter::Jitter, playout::Playout, sequence::Sequence, timeline::Timeline},
};

impl Stream {
    /// The payload type with most packets; the first one seen wins a draw.
    #[must_use]
    pub fn main_type(&self) -> Option<PayloadType> {
        self.types.main()
    }

    /// Packets seen, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.sequence.packets()
    }

    /// The state of the sequence numbers; none before the first packet.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        Some(&self.sequence).filter(|sequence| sequence.packets() > 0)
    }

    /// Interarrival jitter; empty when the clock rate is not known.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// Delay variation; empty when the clock rate is not known.
    #[must_use]
    pub fn delay(&self) -> &DelayVariation {
        &self.delay
    }

    /// What the jitter buffers made of it; empty when the clock rate is not known, and for video.
    #[must_use]
    pub fn playout(&self) -> &Playout {
        &self.playout
    }

    /// The time line.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Small figures.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Different packets with comfort noise or a silence descriptor.
    #[must_use]
    pub fn silent(&self) -> u32 {
        self.seldom.as_ref().map_or(0, |seldom| seldom.silent)
    }

    /// The last packet was comfort noise or a silence descriptor: what follows may be a pause.
    #[must_use]
    pub fn ends_in_silence(&self) -> bool {
        self.counts.last_silent && self.silent() > 0
    }

    /// Events (RFC 4733). Which ones is nobody's business.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.seldom.as_ref().map_or(0, |seldom| seldom.events)
    }

    /// What RTCP says of it while no call is known that it belongs to.
    #[must_use]
    pub fn rtcp(&self) -> Option<&Session> {
        self.seldom.as_ref().map(|seldom| &seldom.rtcp)
    }

    /// The same, to add to it.
    pub fn rtcp_mut(&mut self) -> &mut Session {
        &mut self.seldom().rtcp
    }

    /// Gives it away, to the call that it belongs to; none where there was no RTCP.
    pub fn take_rtcp(&mut self) -> Option<Session> {
        let rtcp = std::mem::take(&mut self.seldom.as_mut()?.rtcp);
        (rtcp != Session::default()).then_some(rtcp)
    }

    /// The clock rate that packets are measured with, in hertz.
    #[must_use]
    pub fn clock_rate(&self) -> Option<u32> {
        self.clock.rate()
    }

    /// Bytes on the heap: the time line, the pattern of losses, packets that wait for their clock rate, and so on.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let early = |seldom: &Seldom| seldom.early.capacity().saturating_mul(size_of::<Early>());
        let seldom = self.seldom.as_ref().map_or(0, |seldom| size_of::<Seldom>().saturating_add(early(seldom)));
        let parts = [
            self.timeline.heap_bytes(),
            self.sequence.heap_bytes(),
            self.playout.heap_bytes(),
            self.types.heap_bytes(),
        ];
        parts.iter().fold(seldom, |sum, part| sum.saturating_add(*part))
    }
}

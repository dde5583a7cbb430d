//! One capture worker: the frames that one reader sees, from decoding to the state of their streams. SIP is not its
//! business: each parsed message goes to the one owner of all signalling, directly or, between threads, as a copy in a
//! bounded queue.

use std::{collections::VecDeque, mem, ops::Range, sync::Arc};

use super::{
    CallSerial, Collected, EngineCounters, Expect, FrameKind, FrameMeta, FrameUse, HeldFrames, Learnt, Media, Output,
    PacketUse, Settings, StrayRtcp, StreamSerial, Whose,
};
use crate::{
    classify::{Class, classify},
    decode::{Datagram, LinkType},
    drops::{Dropped, Reason, Taken},
    ingress::{self, Held, Ingress},
    limits,
    record::StreamRecord,
    rtp,
    sip::{self, Message},
    time::Timestamp,
};

/// What the owner of signalling tells every worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToMedia {
    /// Expect media of a call.
    Expect(Expect),
    /// A side of a call sends from a place that it did not announce.
    Learn(Learnt),
    /// A call is over: give its streams away, also when there are none.
    Collect(CallSerial),
    /// RTCP that a worker knows nothing of: say whether you do.
    Rtcp {
        /// What the answer names.
        question: u64,
        /// The packet.
        rtcp: Arc<StrayRtcp>,
    },
}

/// What a worker tells the owner of signalling.
#[derive(Debug)]
pub enum ToOwner {
    /// A SIP message.
    Sip(Box<SipFrame>),
    /// What happened to streams.
    Media(Output),
    /// The streams of a call that is over.
    Collected {
        /// The call.
        call: CallSerial,
        /// Its streams.
        collected: Box<Collected>,
    },
    /// The worker could not hand messages over: they are lost to all calls of that time.
    Lost {
        /// Since then.
        from: Timestamp,
        /// Until then.
        to: Timestamp,
        /// How many.
        packets: u64,
    },
    /// The answer to [`ToMedia::Rtcp`].
    Rtcp {
        /// To what.
        question: u64,
        /// The packet was of a stream that this worker has, and is counted.
        is_known: bool,
    },
}

impl ToOwner {
    /// Bytes of the message, where it is one.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        match self {
            Self::Sip(frame) => frame.bytes(),
            Self::Media(_) | Self::Collected { .. } | Self::Lost { .. } | Self::Rtcp { .. } => 0,
        }
    }
}

/// A SIP message on its way between threads.
#[derive(Debug)]
pub struct SipFrame {
    /// When it was complete.
    pub time: Timestamp,
    /// How its frame begins.
    pub link: LinkType,
    /// The VLAN tag that the network card took out of the frame.
    pub vlan: Option<u16>,
    /// The frame that completed it; empty when time completed it, or when its frames are held.
    pub frame: Box<[u8]>,
    /// All frames it came in, where they are held.
    pub held: Vec<Held>,
    envelope: Datagram<'static>,
    payload: Payload,
}

#[derive(Debug)]
enum Payload {
    /// A part of the frame.
    Within(Range<usize>),
    /// Put together from several frames.
    Own(Box<[u8]>),
}

impl SipFrame {
    fn new(meta: FrameMeta, link: LinkType, frame: &[u8], datagram: &Datagram<'_>) -> Self {
        let start = datagram.payload.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        let range = start..start.saturating_add(datagram.payload.len());
        let payload = match frame.get(range.clone()) {
            Some(part) if datagram.frames.is_empty() && !part.is_empty() && part == datagram.payload => {
                Payload::Within(range)
            }
            _ => Payload::Own(datagram.payload.into()),
        };
        let FrameMeta { time, vlan } = meta;
        let held = datagram.frames.to_vec();
        let frame = if held.is_empty() { frame } else { &[] };
        Self { time, link, vlan, frame: frame.into(), held, envelope: datagram.with_payload(&[]), payload }
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let own = match &self.payload {
            Payload::Within(_) => 0,
            Payload::Own(bytes) => bytes.len(),
        };
        self.frame.len().saturating_add(own).saturating_add(ingress::held_bytes(&self.held))
    }

    /// The datagram.
    #[must_use]
    #[inline]
    pub fn datagram(&self) -> Datagram<'_> {
        self.envelope.with_payload(match &self.payload {
            Payload::Within(range) => self.frame.get(range.clone()).unwrap_or_default(),
            Payload::Own(bytes) => bytes,
        })
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Worker {
    ingress: Ingress,
    desk: Desk,
    outbox: Outbox,
}

/// What a worker does with datagrams.
#[derive(Debug)]
struct Desk {
    now: Timestamp,
    received: u64,
    delivered: u64,
    dropped: Dropped,
    media: Media,
    used: FrameUse,
    held: Vec<HeldFrames>,
    /// Frames that were held and that nobody took.
    held_given_up: u64,
}

/// What waits for the owner of signalling.
#[derive(Debug, Default)]
struct Outbox {
    queue: VecDeque<ToOwner>,
    /// SIP messages in the queue, which are bounded; all else in it is bounded by the tables.
    messages: usize,
    /// Their bytes, which are bounded too.
    bytes: usize,
    lost: Option<(Timestamp, Timestamp, u64)>,
}

impl Worker {
    /// Makes a worker that has seen nothing. Each has a number of its own.
    #[must_use]
    pub fn new(settings: &Settings, number: u8) -> Self {
        Self {
            ingress: Ingress::new(ingress::Settings {
                memory_bytes: settings.tables.reassembly_bytes,
                hash_seed: settings.hash_seed,
                holds_frames: settings.holds_frames,
            }),
            desk: Desk {
                now: Timestamp::default(),
                received: 0,
                delivered: 0,
                dropped: Dropped::default(),
                media: Media::new(settings, number),
                used: FrameUse::default(),
                held: Vec::new(),
                held_given_up: 0,
            },
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
                    self.outbox.queue.push_back(ToOwner::Media(output));
                }
                let collected = Box::new(media.collect(call));
                self.outbox.queue.push_back(ToOwner::Collected { call, collected });
            }
            ToMedia::Rtcp { question, rtcp } => {
                let is_known = media.take_stray(&rtcp);
                self.outbox.queue.push_back(ToOwner::Rtcp { question, is_known });
            }
        }
    }

    /// Says whether there is something for the owner of signalling.
    #[must_use]
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.outbox.queue.is_empty() || self.desk.media.has_output() || self.outbox.lost.is_some()
    }

    /// The next thing for the owner of signalling.
    pub fn next_output(&mut self) -> Option<ToOwner> {
        if let Some((from, to, packets)) = self.outbox.lost.take() {
            return Some(ToOwner::Lost { from, to, packets });
        }
        let next = self.outbox.queue.pop_front();
        if let Some(ToOwner::Sip(frame)) = &next {
            self.outbox.messages = self.outbox.messages.saturating_sub(1);
            self.outbox.bytes = self.outbox.bytes.saturating_sub(frame.bytes());
        }
        next.or_else(|| self.desk.media.next_output().map(ToOwner::Media))
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
        let desk = &self.desk;
        counters.received += desk.received;
        counters.delivered += desk.delivered;
        counters.dropped.merge(&desk.dropped);
        counters.add_media(desk.media.counters());
        counters.joined.add(self.ingress.joined());
        counters.joined.frames_given_up += desk.held_given_up;
        for tally in [&desk.media.tally(), self.ingress.tally()] {
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

impl Desk {
    #[inline]
    fn frame(
        &mut self,
        ingress: &mut Ingress,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> FrameUse {
        self.now = meta.time;
        self.received += 1;
        self.used = FrameUse { keep: frame.len(), ..FrameUse::default() };
        match ingress.frame(link, meta, frame, &mut |datagram| self.datagram(datagram, frame, sip)) {
            Ok(Taken::Delivered) => self.delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => self.dropped.add(reason, 1),
        }
        self.used
    }

    fn advance(
        &mut self,
        ingress: &mut Ingress,
        now: Timestamp,
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) {
        self.now = now;
        if now >= ingress.due() {
            ingress.advance(now, &mut |datagram| self.datagram(datagram, &[], sip));
        }
        if now >= self.media.due() {
            self.media.advance(now);
        }
    }

    fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        frame: &[u8],
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> Result<Taken, Reason> {
        let class = classify(datagram).inspect_err(|_| {
            if let Some(encryption) = rtp::key_exchange(datagram.payload) {
                self.media.keys(datagram, encryption);
            }
        })?;
        match class {
            Class::Rtp => {
                let header = rtp::parse(datagram.payload).ok_or(Reason::RtpHeader)?;
                let used = self.media.rtp(self.now, datagram, header)?;
                self.used.keep = keep(frame, datagram.payload);
                Ok(self.use_packet(FrameKind::Rtp, used, datagram.frames))
            }
            Class::Sip => {
                let message = sip::parse(datagram.payload)?;
                self.used.kind = FrameKind::Sip;
                let whose = sip(self.now, datagram, &message)?;
                self.used.owner = whose.and_then(Whose::call);
                self.used.other = whose.and_then(Whose::other);
                if !datagram.frames.is_empty() {
                    self.hold_out(datagram.frames);
                }
                Ok(Taken::Delivered)
            }
            Class::Rtcp => {
                let used = self.media.rtcp(self.now, datagram)?;
                Ok(self.use_packet(FrameKind::Rtcp, used, datagram.frames))
            }
            Class::Udptl => {
                let used = self.media.fax(self.now, datagram)?;
                Ok(self.use_packet(FrameKind::Fax, used, datagram.frames))
            }
        }
    }

    #[inline]
    fn use_packet(&mut self, kind: FrameKind, used: PacketUse, frames: &[Held]) -> Taken {
        self.used.kind = kind;
        self.used.owner = used.call;
        self.used.stream = used.stream;
        if !frames.is_empty() {
            self.hold_out(frames);
        }
        used.taken
    }

    /// Gives frames that came together to who keeps packets.
    #[cold]
    fn hold_out(&mut self, frames: &[Held]) {
        self.used.is_held = true;
        let whose = self.used.whose();
        if whose.is_none() && self.used.stream.is_none() {
            return;
        }
        let is_new = |frame: &&Held| whose.is_none_or(|whose| frame.give(whose));
        let frames: Vec<Held> = frames.iter().filter(is_new).cloned().collect();
        if self.held.len() >= limits::HELD_FRAMES {
            self.held_given_up = self.held_given_up.saturating_add(u64::try_from(frames.len()).unwrap_or(0));
        } else if !frames.is_empty() {
            self.held.push(HeldFrames { used: self.used, frames });
        }
    }
}

impl Outbox {
    /// A message that time completed, not a frame.
    fn alone(&mut self, time: Timestamp, datagram: &Datagram<'_>) -> Result<Option<Whose>, Reason> {
        self.message(FrameMeta { time, vlan: None }, LinkType::RawIp, &[], datagram)
    }

    fn message(
        &mut self,
        meta: FrameMeta,
        link: LinkType,
        frame: &[u8],
        datagram: &Datagram<'_>,
    ) -> Result<Option<Whose>, Reason> {
        let time = meta.time;
        if self.messages >= limits::WORKER_MESSAGES || self.bytes >= limits::WORKER_BYTES {
            let (from, _, packets) = self.lost.unwrap_or((time, time, 0));
            self.lost = Some((from, time, packets.saturating_add(1)));
            return Err(Reason::SignallingFull);
        }
        let message = SipFrame::new(meta, link, frame, datagram);
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(message.bytes());
        self.queue.push_back(ToOwner::Sip(Box::new(message)));
        Ok(None)
    }
}

/// Where the payload of an RTP packet begins in its frame; the frame's length where the packet is not in the frame.
#[inline]
fn keep(frame: &[u8], packet: &[u8]) -> usize {
    let at = packet.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
    let end = at.saturating_add(rtp::header_length(packet));
    if at < frame.len() && end <= frame.len() { end } else { frame.len() }
}

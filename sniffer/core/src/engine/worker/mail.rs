//! What a worker and the owner of signalling say to each other, and what waits at the worker for the owner.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use crate::{
    decode::{Datagram, LinkType},
    drops::Reason,
    engine::{CallSerial, Collected, Expect, FrameMeta, Learnt, Output, StrayRtcp, Whose},
    ingress::{self, Held},
    limits,
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

/// What waits for the owner of signalling.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<ToOwner>,
    /// SIP messages in the queue, which are bounded; all else in it is bounded by the tables.
    messages: usize,
    /// Their bytes, which are bounded too.
    bytes: usize,
    lost: Option<(Timestamp, Timestamp, u64)>,
}

impl Outbox {
    /// A message that time completed, not a frame.
    pub(super) fn alone(&mut self, time: Timestamp, datagram: &Datagram<'_>) -> Result<Option<Whose>, Reason> {
        self.message(FrameMeta { time, vlan: None }, LinkType::RawIp, &[], datagram)
    }

    /// A message that a frame completed.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub(super) fn message(
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

    /// What is no message and is bounded by the tables.
    pub(super) fn push(&mut self, output: ToOwner) {
        self.queue.push_back(output);
    }

    #[inline]
    pub(super) fn has_output(&self) -> bool {
        !self.queue.is_empty() || self.lost.is_some()
    }

    /// The next thing for the owner.
    pub(super) fn next(&mut self) -> Option<ToOwner> {
        if let Some((from, to, packets)) = self.lost.take() {
            return Some(ToOwner::Lost { from, to, packets });
        }
        let next = self.queue.pop_front();
        if let Some(ToOwner::Sip(frame)) = &next {
            self.messages = self.messages.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(frame.bytes());
        }
        next
    }
}

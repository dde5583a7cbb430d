//! The engine: frames in, events out. It joins two halves that know nothing of each other's insides: [`Signalling`]
//! (calls, registrations) and [`Media`] (streams). It runs each frame to completion, and time is what the frames say.

mod call;
mod flows;
mod losses;
mod media;
mod registration;
mod report;
mod serial;
mod settings;
mod signalling;

use std::collections::{BTreeMap, VecDeque};

use self::losses::Losses;
pub use self::{
    call::Side,
    media::{Collected, Expect, Media, MediaCounters, Output, PacketUse},
    serial::{CallSerial, StreamSerial},
    settings::{Settings, Tables, Timeouts},
    signalling::{Action, ClosedCall, Signalling, SignallingCounters},
};
use crate::{
    classify::{Class, classify},
    decode::{Datagram, LinkType},
    drops::{Dropped, Reason, Taken, Tally},
    ingress::Ingress,
    query::CallSummary,
    record::{CallRecord, RegistrationRecord, StreamRecord},
    rtp, sip,
    time::Timestamp,
};

/// What a capture knows of a frame besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameMeta {
    /// When it was captured.
    pub time: Timestamp,
    /// The VLAN tag that the network card took out of the frame.
    pub vlan: Option<u16>,
}

/// What a frame was, for who keeps packets. A frame that completes several messages says it of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameUse {
    /// What it carried.
    pub kind: FrameKind,
    /// The call it belongs to.
    pub owner: Option<CallSerial>,
    /// The stream it belongs to. With no owner yet it waits for its SDP: [`Event::Adopted`] says later whose it is.
    pub stream: Option<StreamSerial>,
    /// Where the payload of RTP begins in the frame; for everything else, and for what was put together from several
    /// frames, the frame's length.
    pub keep: usize,
}

/// What a frame carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameKind {
    /// A SIP message.
    Sip,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
    /// Anything else, and what waits for the rest of its datagram.
    #[default]
    Other,
}

/// Something happened that will not change any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call has ended.
    Call(Box<EndedCall>),
    /// A stream that waited for its SDP belongs to a call.
    Adopted {
        /// The stream.
        stream: StreamSerial,
        /// Its call.
        call: CallSerial,
    },
    /// A stream without a call has ended.
    Stream {
        /// Its serial.
        serial: StreamSerial,
        /// The stream.
        record: Box<StreamRecord>,
    },
    /// A registration has ended.
    Registration(Box<RegistrationRecord>),
}

/// A call with its streams.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedCall {
    /// Its name in this process.
    pub serial: CallSerial,
    /// The call.
    pub record: CallRecord,
    /// Its streams in the order in which they came.
    pub streams: Vec<StreamRecord>,
    /// The call as a row of the list.
    pub summary: CallSummary,
}

/// What is counted. `received` = `delivered` + `waiting` + the sum of `dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Frames given to the engine.
    pub received: u64,
    /// Frames that reached a call, a registration, a stream or a counter of SIP messages.
    pub delivered: u64,
    /// Frames that wait: RTP for the SDP which announces it, fragments and segments for the rest of their datagram.
    pub waiting: u64,
    /// Frames that went no further.
    pub dropped: Dropped,
    /// SIP messages parsed.
    pub sip_messages: u64,
    /// Datagrams that looked like SIP and could not be parsed.
    pub sip_errors: u64,
    /// SIP requests by method; only those that came.
    pub sip_requests: BTreeMap<sip::Method, u64>,
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets parsed.
    pub rtcp_packets: u64,
    /// Calls begun.
    pub calls: u64,
    /// Streams begun: of a call, or without signalling where that is switched on.
    pub streams: u64,
    /// Registrations begun.
    pub registrations: u64,
    /// Entries given up early because their table was full.
    pub evicted: Evicted,
    /// Packets that the capture says it lost.
    pub lost_by_capture: u64,
}

/// Entries given up early because their table was full, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Calls.
    pub calls: u64,
    /// Registrations.
    pub registrations: u64,
    /// RTP streams that waited for their SDP.
    pub pending_streams: u64,
}

/// The engine. See the module's text.
#[derive(Debug)]
pub struct Engine {
    ingress: Ingress,
    core: Core,
}

/// The engine behind the decoders.
#[derive(Debug)]
struct Core {
    now: Timestamp,
    received: u64,
    outcomes: Outcomes,
    signalling: Signalling,
    media: Media,
    losses: Losses,
    events: VecDeque<Event>,
    used: FrameUse,
}

/// What became of frames at once.
#[derive(Debug, Default)]
struct Outcomes {
    delivered: u64,
    dropped: Dropped,
}

impl Engine {
    /// Makes an engine that has seen nothing.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "an engine owns its settings")]
    pub fn new(settings: Settings) -> Self {
        Self {
            ingress: Ingress::default(),
            core: Core {
                now: Timestamp::default(),
                received: 0,
                outcomes: Outcomes::default(),
                signalling: Signalling::new(&settings),
                media: Media::new(&settings, 0),
                losses: Losses::default(),
                events: VecDeque::new(),
                used: FrameUse::default(),
            },
        }
    }

    /// Takes a frame, and says what it was.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        self.advance(meta.time);
        let Self { ingress, core } = self;
        core.received += 1;
        core.used = FrameUse { keep: frame.len(), ..FrameUse::default() };
        let outcome = ingress.frame(link, meta, frame, &mut |datagram| core.datagram(datagram, frame));
        match outcome {
            Ok(Taken::Delivered) => core.outcomes.delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => core.outcomes.dropped.add(reason, 1),
        }
        core.used
    }

    /// Takes note that the capture lost packets somewhere between two times: the figures of all calls that went on then,
    /// also of those that ended meanwhile, are not to be trusted.
    pub fn lost(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        self.core.losses.add(from, to, packets);
    }

    /// Takes note that packets of one call were lost on the way to a sink.
    pub fn lost_of(&mut self, call: CallSerial, packets: u64) {
        self.core.signalling.lost_of(call, packets);
    }

    /// Takes note of the time when no frame says it, as on a silent port.
    pub fn advance(&mut self, now: Timestamp) {
        let Self { ingress, core } = self;
        core.now = now;
        if now >= ingress.due() {
            ingress.advance(now, &mut |datagram| core.datagram(datagram, &[]));
        }
        core.advance();
    }

    /// Ends everything that is tracked, in the order in which it began: there will be no more frames.
    pub fn finish(&mut self) {
        let Self { ingress, core } = self;
        ingress.finish(&mut |datagram| core.datagram(datagram, &[]));
        core.media.finish_pending();
        core.signalling.finish_calls();
        core.settle();
        core.media.finish();
        core.settle();
        core.signalling.finish_registrations();
        core.settle();
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> EngineCounters {
        let core = &self.core;
        let mut counters = EngineCounters {
            received: core.received,
            delivered: core.outcomes.delivered,
            dropped: core.outcomes.dropped.clone(),
            lost_by_capture: core.losses.total(),
            ..EngineCounters::default()
        };
        counters.add_signalling(core.signalling.counters());
        counters.add_media(core.media.counters());
        counters.add_tally(core.media.tally());
        counters.add_tally(self.ingress.tally());
        counters
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.core.now
    }
}

impl Core {
    fn datagram(&mut self, datagram: &Datagram<'_>, frame: &[u8]) -> Result<Taken, Reason> {
        match classify(datagram)? {
            Class::Rtp => {
                let header = rtp::parse(datagram.payload).ok_or(Reason::RtpHeader)?;
                let used = self.media.rtp(self.now, datagram, header)?;
                self.used.keep = keep(frame, datagram.payload);
                Ok(self.use_packet(FrameKind::Rtp, used))
            }
            Class::Sip => {
                let message = sip::parse(datagram.payload)?;
                let owner = self.signalling.message(self.now, datagram, &message);
                self.used.kind = FrameKind::Sip;
                self.used.owner = owner;
                self.settle();
                Ok(Taken::Delivered)
            }
            Class::Rtcp => {
                let used = self.media.rtcp(self.now, datagram)?;
                Ok(self.use_packet(FrameKind::Rtcp, used))
            }
        }
    }

    fn use_packet(&mut self, kind: FrameKind, used: PacketUse) -> Taken {
        self.used.kind = kind;
        self.used.owner = used.call;
        self.used.stream = used.stream;
        if self.media.has_output() {
            self.settle();
        }
        used.taken
    }

    fn advance(&mut self) {
        if self.now >= self.media.due() {
            self.media.advance(self.now);
            self.settle();
        }
        if self.now >= self.signalling.due() {
            self.signalling.advance(self.now);
            self.settle();
        }
    }

    /// Carries what one half says to the other, and what has ended to the events.
    fn settle(&mut self) {
        while let Some(action) = self.signalling.next_action() {
            match action {
                Action::Expect(expect) => self.media.expect(self.now, expect),
                Action::Ended(call) => {
                    let collected = self.media.collect(call.serial);
                    let ended = report::join(*call, [collected], &self.losses, self.now);
                    self.events.push_back(Event::Call(Box::new(ended)));
                }
                Action::Registration(record) => self.events.push_back(Event::Registration(record)),
            }
        }
        while let Some(output) = self.media.next_output() {
            match output {
                Output::Active { call, last } => self.signalling.active(call, last),
                Output::Adopted { stream, call } => self.events.push_back(Event::Adopted { stream, call }),
                Output::Stream { serial, mut record } => {
                    record.lost_here = self.losses.within(record.start, record.end) > 0;
                    self.events.push_back(Event::Stream { serial, record });
                }
            }
        }
    }
}

/// Where the payload of an RTP packet begins in its frame; the frame's length where the packet is not in the frame.
fn keep(frame: &[u8], packet: &[u8]) -> usize {
    let at = packet.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
    let end = at.saturating_add(rtp::header_length(packet));
    if at < frame.len() && end <= frame.len() { end } else { frame.len() }
}

impl EngineCounters {
    fn add_signalling(&mut self, counters: &SignallingCounters) {
        self.sip_messages += counters.messages;
        self.calls += counters.calls;
        self.registrations += counters.registrations;
        self.evicted.calls += counters.evicted_calls;
        self.evicted.registrations += counters.evicted_registrations;
        for (&method, &count) in sip::Method::ALL.iter().zip(&counters.requests) {
            if count > 0 {
                *self.sip_requests.entry(method).or_default() += count;
            }
        }
        let errors = [Reason::SipStartLine, Reason::SipTooLarge, Reason::SipHeader, Reason::SipMandatory];
        self.sip_errors = errors.iter().map(|&reason| self.dropped.get(reason)).sum();
    }

    fn add_media(&mut self, counters: MediaCounters) {
        self.rtp_packets += counters.rtp_packets;
        self.rtcp_packets += counters.rtcp_packets;
        self.streams += counters.streams;
        self.evicted.pending_streams += counters.evicted_pending;
    }

    fn add_tally(&mut self, tally: &Tally) {
        self.waiting += tally.waiting;
        self.delivered += tally.delivered;
        self.dropped.merge(&tally.dropped);
    }
}

#[cfg(test)]
mod tests;

//! The engine: frames in, events out. It joins two halves that know nothing of each other's insides: [`Signalling`]
//! (calls, registrations), which has one [`Owner`], and [`Media`] (streams), of which each [`Worker`] has its own. An
//! [`Engine`] is one of each, without threads: it runs each frame to completion, and time is what the frames say.

mod call;
mod correlation;
mod exchange;
mod flows;
mod losses;
mod media;
mod methods;
mod owner;
mod registration;
mod report;
mod serial;
mod settings;
mod signalling;
mod strays;
mod subscription;
mod table;
mod worker;

use std::collections::BTreeMap;

pub use self::{
    call::Side,
    correlation::Correlation,
    media::{Collected, Expect, Learnt, Media, MediaCounters, Output, PacketUse},
    methods::{MethodCounters, Methods, ResponseTime, Results},
    owner::Owner,
    serial::{CallSerial, OtherSerial, StreamSerial, Whose},
    settings::{Settings, Tables, Timeouts},
    signalling::{Action, ClosedCall, Signalling, SignallingCounters},
    strays::StrayRtcp,
    worker::{SipFrame, ToMedia, ToOwner, Worker},
};
use crate::{
    decode::LinkType,
    drops::Dropped,
    ingress,
    query::CallSummary,
    record::{CallRecord, ExchangeRecord, RegistrationRecord, StreamRecord, SubscriptionRecord},
    sip,
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
    /// The registration, subscription or exchange it belongs to.
    pub other: Option<OtherSerial>,
    /// The stream it belongs to. With no owner yet it waits for its SDP: [`Event::Adopted`] says later whose it is.
    pub stream: Option<StreamSerial>,
    /// The stream's place in its table, which another one takes when it has ended: a small number by which to find what
    /// belongs to a stream.
    pub place: u32,
    /// Where the payload of RTP begins in the frame; for everything else, and for what was put together from several
    /// frames, the frame's length.
    pub keep: usize,
    /// Where RTP itself begins in the frame; none for everything else, and far behind many tunnels.
    pub rtp_at: Option<u8>,
    /// It is held, alone or with the other frames of its message: who keeps packets gets it with
    /// [`Engine::take_held`] and not from here.
    pub is_held: bool,
}

impl FrameUse {
    /// Whose it is, where that is known and it is no stream's.
    #[must_use]
    pub fn whose(&self) -> Option<Whose> {
        self.owner.map(Whose::Call).or(self.other.map(Whose::Other))
    }
}

/// Frames that carried one message or packet together, in the order in which they came.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldFrames {
    /// What they carried, and whose it is.
    pub used: FrameUse,
    /// The frames that were not given for the same call before.
    pub frames: Vec<ingress::Held>,
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
    /// Fax by T.38.
    Fax,
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
    Registration {
        /// Its serial.
        serial: OtherSerial,
        /// The registration.
        record: Box<RegistrationRecord>,
    },
    /// A subscription has ended.
    Subscription {
        /// Its serial.
        serial: OtherSerial,
        /// The subscription.
        record: Box<SubscriptionRecord>,
    },
    /// Requests outside of all these, when they fell silent or once an hour.
    Exchange {
        /// Its serial.
        serial: OtherSerial,
        /// The exchange.
        record: Box<ExchangeRecord>,
    },
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
    /// Packets of fax to or from a place that an SDP announced for it.
    pub fax_packets: u64,
    /// Calls begun.
    pub calls: u64,
    /// Streams begun: of a call, or without signalling where that is switched on.
    pub streams: u64,
    /// Registrations begun.
    pub registrations: u64,
    /// Subscriptions begun.
    pub subscriptions: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// What is counted of each SIP method.
    pub methods: Methods,
    /// Entries given up early because their table was full.
    pub evicted: Evicted,
    /// What was put together from fragments and streams.
    pub joined: ingress::Joined,
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
    /// Subscriptions.
    pub subscriptions: u64,
    /// Exchanges, which are reported early.
    pub exchanges: u64,
    /// RTP streams that waited for their SDP.
    pub pending_streams: u64,
    /// Directions of TCP connections that may have carried SIP: a message that had begun is lost with each.
    pub tcp_flows: u64,
    /// Directions of SCTP associations.
    pub sctp_flows: u64,
}

/// The engine. See the module's text.
#[derive(Debug)]
pub struct Engine {
    worker: Worker,
    owner: Owner,
    now: Timestamp,
    /// What is being ended since [`Engine::finish`].
    finishing: Option<Finishing>,
}

#[derive(Clone, Copy, Debug)]
enum Finishing {
    Calls,
    Streams,
    Rest,
}

impl Engine {
    /// Makes an engine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            worker: Worker::new(&settings, 0),
            owner: Owner::new(&settings, 1),
            now: Timestamp::default(),
            finishing: None,
        }
    }

    /// Takes a frame, and says what it was.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        // Most frames find nothing due, belong to a known stream, and leave nothing to carry.
        if meta.time >= self.worker.due().min(self.owner.due()) {
            self.advance(meta.time);
        }
        self.now = meta.time;
        match self.worker.known_rtp(link, meta, frame) {
            Some(used) => {
                if self.worker.has_media_output() {
                    self.carry();
                }
                used
            }
            None => self.other_frame(link, meta, frame),
        }
    }

    #[inline(never)]
    fn other_frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        let Self { worker, owner, .. } = self;
        let used =
            worker.frame(link, meta, frame, &mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        if self.has_to_carry() {
            self.carry();
        }
        used
    }

    /// Says whether there are frames that came together: see [`Engine::take_held`].
    #[must_use]
    #[inline]
    pub fn has_held(&self) -> bool {
        self.worker.has_held()
    }

    /// Frames that came together and whose they are, since the last time this was asked. With
    /// [`Settings::holds_frames`] it is to be asked after each burst of frames.
    pub fn take_held(&mut self) -> Vec<HeldFrames> {
        self.worker.take_held()
    }

    /// Takes note that the capture lost packets somewhere between two times: the figures of all calls that went on then,
    /// also of those that ended meanwhile, are not to be trusted.
    pub fn lost(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        self.owner.lost(from, to, packets);
    }

    /// Takes note that packets of one call were lost on the way to a sink.
    pub fn lost_of(&mut self, call: CallSerial, packets: u64) {
        self.owner.lost_of(call, packets);
    }

    /// Takes note of the time when no frame says it, as on a silent port.
    pub fn advance(&mut self, now: Timestamp) {
        let Self { worker, owner, .. } = self;
        worker.advance(now, &mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        self.carry();
        self.now = now;
        self.owner.advance(now);
        self.carry();
    }

    fn has_to_carry(&self) -> bool {
        self.owner.has_command() || self.worker.has_output()
    }

    /// Carries what one half says to the other.
    fn carry(&mut self) {
        while self.has_to_carry() {
            while let Some(command) = self.owner.next_command() {
                self.worker.tell(self.now, command);
            }
            while let Some(output) = self.worker.next_output() {
                self.owner.take(output);
            }
        }
    }

    /// Ends all that is neither a call nor of one, and the wait of RTP for its SDP: streams without a call,
    /// registrations, subscriptions, exchanges. Calls go on.
    pub fn finish_others(&mut self) {
        self.worker.finish_pending();
        self.carry();
        self.worker.finish_streams();
        self.carry();
        self.owner.finish_registrations();
        self.carry();
    }

    /// Ends everything that is tracked, in the order in which it began: there will be no more frames. The records are
    /// made as [`Engine::next_event`] gives them away.
    pub fn finish(&mut self) {
        let Self { worker, owner, .. } = self;
        worker.finish_ingress(&mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        self.carry();
        self.worker.finish_pending();
        self.carry();
        // Frames that are no signalling and find nothing due do not tell the owner how late it is.
        self.owner.advance(self.now);
        self.owner.finish_calls();
        self.carry();
        self.finishing = Some(Finishing::Calls);
    }

    /// Says whether there is an event: what is asked after every frame.
    #[must_use]
    #[inline]
    pub fn has_events(&self) -> bool {
        self.owner.has_events() || self.finishing.is_some()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = self.owner.next_event();
            if event.is_some() {
                return event;
            }
            let stage = self.finishing?;
            if self.has_to_carry() {
                self.carry();
                continue;
            }
            self.finishing = match stage {
                Finishing::Calls => {
                    self.worker.finish_streams();
                    Some(Finishing::Streams)
                }
                Finishing::Streams => {
                    self.owner.finish_registrations();
                    Some(Finishing::Rest)
                }
                Finishing::Rest => None,
            };
            self.carry();
        }
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> EngineCounters {
        let mut counters = EngineCounters::default();
        self.worker.count(&mut counters);
        self.owner.count(&mut counters);
        counters
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

impl EngineCounters {
    fn add_signalling(&mut self, counters: &SignallingCounters) {
        self.sip_messages += counters.messages;
        self.calls += counters.calls;
        self.registrations += counters.registrations;
        self.evicted.calls += counters.evicted_calls;
        self.evicted.registrations += counters.evicted_registrations;
        self.evicted.subscriptions += counters.evicted_subscriptions;
        self.evicted.exchanges += counters.evicted_exchanges;
        self.subscriptions += counters.subscriptions;
        self.exchanges += counters.exchanges;
        self.methods = counters.methods.clone();
        for (&method, &count) in sip::Method::ALL.iter().zip(&counters.requests) {
            if count > 0 {
                *self.sip_requests.entry(method).or_default() += count;
            }
        }
    }

    fn add_media(&mut self, counters: MediaCounters) {
        self.rtp_packets += counters.rtp_packets;
        self.rtcp_packets += counters.rtcp_packets;
        self.fax_packets += counters.fax_packets;
        self.streams += counters.streams;
        self.evicted.pending_streams += counters.evicted_pending;
    }
}

#[cfg(test)]
mod dialogs;
#[cfg(test)]
mod tests;

//! The engine: frames in, events out. One engine sees all traffic that belongs together; it runs each frame to
//! completion, and time is what the frames say.

mod call;
mod media;
mod registration;
mod report;
mod signalling;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
};

use foldhash::quality::FixedState;

use self::{
    call::{Call, Side},
    registration::Registration,
};
use crate::{
    classify::{Class, classify},
    decode::{Datagram, Endpoint, LinkType, decode},
    drops::{Dropped, Reason},
    limits,
    query::CallSummary,
    record::{CallRecord, RegistrationRecord, StreamRecord},
    rtcp, rtp,
    rtp::stream::{Stream, StreamKey},
    sip,
    slab::{Id, Slab},
    time::Timestamp,
};

/// How an engine is to work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Report RTP that no signalling announces as streams of their own. Off by default: other protocols can look like
    /// RTP.
    pub rtp_without_sip: bool,
    /// Seed of the tables' hash: random where the traffic may be hostile, anything where it is a file. It does not
    /// change what comes out.
    pub hash_seed: u64,
}

/// What a capture knows of a frame besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameMeta {
    /// When it was captured.
    pub time: Timestamp,
    /// The VLAN tag that the network card took out of the frame.
    pub vlan: Option<u16>,
}

/// Something came to its end and will not change any more.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call.
    Call(Box<EndedCall>),
    /// A stream without a call.
    Stream(Box<StreamRecord>),
    /// A registration.
    Registration(Box<RegistrationRecord>),
}

/// A call with its streams.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedCall {
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
    /// RTP packets that wait for the SDP which announces them.
    pub waiting: u64,
    /// Frames that went no further.
    pub dropped: Dropped,
    /// SIP messages parsed.
    pub sip_messages: u64,
    /// Datagrams that looked like SIP and could not be parsed.
    pub sip_errors: u64,
    /// SIP requests by method.
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
    /// Calls and registrations given up early because their table was full.
    pub evicted: u64,
    /// Packets that the capture says it lost.
    pub lost_by_capture: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Call(Id),
    Registration(Id),
    Stream(Id),
}

/// A stream and whom it belongs to.
#[derive(Debug)]
struct Tracked {
    stream: Stream,
    owner: Owner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A call, whose table of streams names it.
    Call(Id),
    /// Nobody yet: it waits for its SDP.
    Pending,
    /// Nobody, and it is reported all the same.
    Free,
}

/// Whom media to or from an endpoint belongs to.
#[derive(Clone, Copy, Debug)]
struct Expectation {
    call: Id,
    side: Side,
}

/// The engine. See the module's text.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    now: Timestamp,
    counters: EngineCounters,
    calls: Slab<Call>,
    call_ids: HashMap<Box<[u8]>, Id, FixedState>,
    call_order: VecDeque<Id>,
    registrations: Slab<Registration>,
    registration_ids: HashMap<Box<[u8]>, Id, FixedState>,
    registration_order: VecDeque<Id>,
    streams: Slab<Tracked>,
    stream_keys: HashMap<StreamKey, Id, FixedState>,
    expectations: HashMap<Endpoint, Expectation, FixedState>,
    pending: VecDeque<Id>,
    pending_at: HashMap<Endpoint, Vec<Id>, FixedState>,
    timers: BinaryHeap<Reverse<(Timestamp, Timer)>>,
    events: VecDeque<Event>,
}

impl Engine {
    /// Makes an engine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let hasher = || FixedState::with_seed(settings.hash_seed);
        Self {
            settings,
            now: Timestamp::default(),
            counters: EngineCounters::default(),
            calls: Slab::new(limits::CALLS),
            call_ids: HashMap::with_hasher(hasher()),
            call_order: VecDeque::new(),
            registrations: Slab::new(limits::REGISTRATIONS),
            registration_ids: HashMap::with_hasher(hasher()),
            registration_order: VecDeque::new(),
            streams: Slab::new(limits::STREAMS),
            stream_keys: HashMap::with_hasher(hasher()),
            expectations: HashMap::with_hasher(hasher()),
            pending: VecDeque::new(),
            pending_at: HashMap::with_hasher(hasher()),
            timers: BinaryHeap::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes a frame.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) {
        self.advance(meta.time);
        self.counters.received += 1;
        let outcome = decode(link, frame).and_then(|mut datagram| {
            datagram.vlan = meta.vlan.or(datagram.vlan);
            self.datagram(&datagram)
        });
        match outcome {
            Ok(Taken::Delivered) => self.counters.delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => self.drop_packets(reason, 1),
        }
    }

    fn datagram(&mut self, datagram: &Datagram<'_>) -> Result<Taken, Reason> {
        match classify(datagram)? {
            Class::Sip => {
                let message = sip::parse(datagram.payload)?;
                self.sip_message(&message);
                Ok(Taken::Delivered)
            }
            Class::Rtcp => {
                rtcp::parse(datagram.payload)?;
                self.counters.rtcp_packets += 1;
                Ok(Taken::Delivered)
            }
            Class::Rtp => {
                let header = rtp::parse(datagram.payload).ok_or(Reason::RtpHeader)?;
                self.rtp_packet(datagram, header)
            }
        }
    }

    /// Counts packets that go no further.
    fn drop_packets(&mut self, reason: Reason, packets: u64) {
        self.counters.dropped.add(reason, packets);
        let is_sip =
            matches!(reason, Reason::SipStartLine | Reason::SipTooLarge | Reason::SipHeader | Reason::SipMandatory);
        if is_sip {
            self.counters.sip_errors += packets;
        }
    }

    /// Takes note that the capture lost packets: the figures of all calls in progress are not to be trusted.
    pub fn lost(&mut self, packets: u64) {
        if packets == 0 {
            return;
        }
        self.counters.lost_by_capture += packets;
        for call in self.calls.values_mut().filter(|call| !call.has_ended()) {
            call.lost_here = true;
        }
    }

    /// Takes note of the time when no frame says it, as on a silent port.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        self.expire_pending();
        while let Some(&Reverse((time, timer))) = self.timers.peek()
            && time <= now
        {
            self.timers.pop();
            match timer {
                Timer::Call(id) => self.call_timer(id, time),
                Timer::Registration(id) => self.registration_timer(id),
                Timer::Stream(id) => self.stream_timer(id),
            }
        }
    }

    /// Ends everything that is tracked, in the order in which it began: there will be no more frames.
    pub fn finish(&mut self) {
        while let Some(id) = self.pending.pop_front() {
            self.release_pending(id, Reason::NoSignalling);
        }
        let mut calls: Vec<_> = self.calls.iter().map(|(id, call)| (call.start, id)).collect();
        calls.sort_unstable();
        for (_, id) in calls {
            self.remove_call(id);
        }
        let mut streams: Vec<_> = self.streams.iter().map(|(id, one)| (one.stream.first, one.stream.key, id)).collect();
        streams.sort_unstable();
        for (_, _, id) in streams {
            self.remove_free_stream(id);
        }
        let mut registrations: Vec<_> = self.registrations.iter().map(|(id, one)| (one.start, id)).collect();
        registrations.sort_unstable();
        for (_, id) in registrations {
            self.remove_registration(id);
        }
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> &EngineCounters {
        &self.counters
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// What became of a datagram that was not dropped.
enum Taken {
    Delivered,
    /// RTP that waits for its SDP: it is delivered or dropped later.
    Waiting,
}

#[cfg(test)]
mod tests;

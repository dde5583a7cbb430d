//! The media half: RTP packets to streams, and streams to the calls that expect them; RTP that comes before its SDP, and
//! RTP without any signalling. It knows of a call only its serial and what signalling told it to expect.

mod ending;
mod expecting;
mod messages;
mod pending;
mod places;
mod rtcp;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

pub use self::messages::{Collected, Expect, Learnt, MediaCounters, Output, PacketUse};
use self::{
    pending::Pending,
    places::{Calls, Expectation, Rank},
};
use super::{CallSerial, Settings, StreamSerial, flows::Flows};
use crate::{
    codec,
    decode::{Datagram, Endpoint, Plain},
    drops::{Reason, Taken, Tally},
    limits,
    rtp::{
        self, Header,
        stream::{Stream, StreamKey, Timing},
    },
    slab::{Id, Slab},
    time::Timestamp,
    udptl,
};

/// A stream and whom it belongs to.
#[derive(Debug)]
struct Tracked {
    stream: Stream,
    serial: StreamSerial,
    owner: Owner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Call(Owned),
    Nobody(Nobody),
}

/// A call has it, and its table of streams names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owned {
    call: CallSerial,
    /// When the call is to hear again that media flows.
    report_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nobody {
    /// It waits for its SDP.
    Yet,
    /// It is reported all the same.
    Ever,
}

const PENDING: Owner = Owner::Nobody(Nobody::Yet);
const FREE: Owner = Owner::Nobody(Nobody::Ever);

/// See the module's text.
#[derive(Debug)]
pub struct Media {
    rtp_without_sip: bool,
    settings: Settings,
    worker: u8,
    now: Timestamp,
    begun: u64,
    streams: Slab<Tracked>,
    flows: Flows,
    calls: Calls,
    pending: Pending,
    idle: BinaryHeap<Reverse<(Timestamp, Id)>>,
    due: Timestamp,
    outputs: VecDeque<Output>,
    /// There are other workers.
    has_others: bool,
    /// RTCP in the outputs that others are to be asked about.
    strays: usize,
    tally: Tally,
    counters: MediaCounters,
}

impl Media {
    /// Makes the media half of one worker.
    #[must_use]
    pub fn new(settings: &Settings, worker: u8) -> Self {
        Self {
            rtp_without_sip: settings.rtp_without_sip,
            settings: settings.clone(),
            worker,
            now: Timestamp::default(),
            begun: 0,
            streams: Slab::new(settings.tables.streams),
            flows: Flows::new(settings.hash_seed),
            due: Timestamp::NEVER,
            calls: Calls::new(settings.hash_seed),
            pending: Pending::new(settings.hash_seed),
            idle: BinaryHeap::new(),
            outputs: VecDeque::new(),
            has_others: false,
            strays: 0,
            tally: Tally::default(),
            counters: MediaCounters::default(),
        }
    }

    /// Counts an RTP packet into its stream.
    ///
    /// # Errors
    /// Why it goes no further.
    #[inline]
    pub fn rtp(&mut self, now: Timestamp, datagram: &Datagram<'_>, header: Header) -> Result<PacketUse, Reason> {
        self.now = now;
        let key = StreamKey { source: datagram.source, destination: datagram.destination, ssrc: header.ssrc };
        let place = match self.place(&key) {
            Some(place) => place,
            None if self.expects_fax(datagram).is_some() && udptl::parse(datagram.payload).is_some() => {
                return self.fax(now, datagram);
            }
            None => self.begin_stream(key, datagram.vlan)?.place(),
        };
        let Datagram { payload: bytes, dscp, ip_id, .. } = *datagram;
        let packet = rtp::Packet { time: now, header, bytes, dscp, ip_id };
        self.packet(place, &packet, || key.destination).ok_or(Reason::TooManyStreams)
    }

    /// Counts an RTP packet into its stream where that is known; else nothing happens. What [`Media::rtp`] does, for the
    /// packets that are nearly all.
    #[inline]
    pub fn known_rtp(&mut self, now: Timestamp, plain: &Plain<'_>, header: Header) -> Option<PacketUse> {
        let place = self.flows.get_v4(plain.ends, header.ssrc, |place| {
            self.streams.peek(place).is_some_and(|one| one.stream.is_v4(plain.ends, header.ssrc))
        })?;
        self.now = now;
        let Plain { payload: bytes, dscp, ip_id, .. } = *plain;
        let packet = rtp::Packet { time: now, header, bytes, dscp, ip_id: Some(ip_id) };
        self.packet(place, &packet, || plain.ends.destination())
    }

    /// Counts a packet into the stream at a place; none where there is none.
    #[inline]
    fn packet(
        &mut self,
        place: u32,
        packet: &rtp::Packet<'_>,
        destination: impl FnOnce() -> Endpoint,
    ) -> Option<PacketUse> {
        let tracked = self.streams.peek_mut(place)?;
        let (calls, owner) = (&self.calls, tracked.owner);
        let now = packet.time;
        tracked.stream.on(packet, |payload_type| timing(calls, owner, payload_type, destination()));
        let stream = Some(tracked.serial);
        match &mut tracked.owner {
            Owner::Call(Owned { call, report_at }) => {
                let call = *call;
                self.counters.rtp_packets += 1;
                if now >= *report_at && self.outputs.len() < limits::OUTPUTS {
                    let last = now.second();
                    *report_at = last.after(limits::ACTIVE_REPORT);
                    self.outputs.push_back(Output::Active { call, last });
                }
                Some(PacketUse { taken: Taken::Delivered, call: Some(call), stream, place })
            }
            Owner::Nobody(Nobody::Ever) => {
                self.counters.rtp_packets += 1;
                Some(PacketUse { taken: Taken::Delivered, call: None, stream, place })
            }
            Owner::Nobody(Nobody::Yet) => {
                self.tally.waiting += 1;
                Some(PacketUse { taken: Taken::Waiting, call: None, stream, place })
            }
        }
    }

    /// The place of the stream with this key.
    #[inline]
    fn place(&self, key: &StreamKey) -> Option<u32> {
        self.flows.get(key, |place| self.streams.peek(place).is_some_and(|one| one.stream.is(key)))
    }

    /// Takes a packet shaped like UDPTL: it is fax where an SDP announced fax at one of its endpoints.
    ///
    /// # Errors
    /// Where none did.
    pub fn fax(&mut self, now: Timestamp, datagram: &Datagram<'_>) -> Result<PacketUse, Reason> {
        self.now = now;
        let call = self.expects_fax(datagram).ok_or(Reason::NotVoip)?;
        self.counters.fax_packets += 1;
        self.is_alive(call);
        Ok(PacketUse { taken: Taken::Delivered, call: Some(call), stream: None, place: 0 })
    }

    /// Tells, once a second, that a call lives although it may have no RTP: fax and RTCP are signs of life too.
    fn is_alive(&mut self, call: CallSerial) {
        let last = self.now.second();
        if let Some(known) = self.calls.get_mut(call).filter(|known| known.alive < last)
            && self.outputs.len() < limits::OUTPUTS
        {
            known.alive = last;
            self.outputs.push_back(Output::Active { call, last });
        }
    }

    /// The call that announced fax at one of the endpoints of a datagram.
    fn expects_fax(&self, datagram: &Datagram<'_>) -> Option<CallSerial> {
        let places = [datagram.destination, datagram.source];
        places.iter().filter_map(|place| self.calls.expectation(place)).find(|one| one.fax).map(|one| one.call)
    }

    fn begin_stream(&mut self, key: StreamKey, vlan: Option<u16>) -> Result<Id, Reason> {
        let mut to = self.calls.expectation(&key.destination);
        let mut from = self.calls.expectation(&key.source);
        if let (Some(receiver), Some(sender)) = (to, from)
            && receiver.call != sender.call
            && receiver.rank != Rank::Learnt
            && sender.rank != Rank::Learnt
        {
            // Of the legs of one call past a back-to-back user agent both announce both ends, and each may have one. The
            // last leg knows both ends first, so that the streams of both directions are its; and of two calls that used
            // the same ports one after the other, the last is the one that talks.
            let knows = |call, endpoint| self.calls.get(call).is_some_and(|known| known.announces(endpoint));
            let (by_receiver, by_sender) = (knows(receiver.call, &key.source), knows(sender.call, &key.destination));
            if by_sender && (!by_receiver || sender.call > receiver.call) {
                to = None;
            } else if by_receiver {
                from = None;
            }
        }
        let is_symmetric = from.is_none() && self.calls.expectation(&key.source).is_none();
        let ends = to.map(|one| (one, one.side.receives())).into_iter().chain(from.map(|one| (one, one.side.sends())));
        // What comes from an announced endpoint belongs to the call too, wherever it goes.
        let of_rank = |rank| ends.clone().find(|(one, _)| one.rank == rank);
        let learnt = to.filter(|one| one.rank == Rank::Learnt).map(|one| (one, one.side.receives()));
        let owner = of_rank(Rank::Announced).or_else(|| of_rank(Rank::Candidate)).or(learnt);
        let owner = owner.map(|(one, direction)| (one.call, direction));
        let stream = Stream::new(key, vlan, self.now);
        let Some((serial, direction)) = owner else {
            return self.begin_pending(key, stream);
        };
        let call = self.calls.get_mut(serial).ok_or(Reason::NoSignalling)?;
        if call.is_full() || self.streams.is_full() {
            call.refused = call.refused.saturating_add(1);
            return Err(Reason::TooManyStreams);
        }
        let owner = Owner::Call(Owned { call: serial, report_at: Timestamp::default() });
        let id = self.insert(key, stream, owner).ok_or(Reason::TooManyStreams)?;
        if let Some(call) = self.calls.get_mut(serial) {
            call.add(id, direction);
        }
        self.counters.streams += 1;
        if let Some(Expectation { call, side, rank: Rank::Announced | Rank::Candidate, .. }) =
            to.filter(|_| is_symmetric)
        {
            // Symmetric RTP: who sends to an announced place is the other side, wherever it sends from.
            self.learn(self.now, Learnt { call, side: side.other(), endpoint: key.source });
        }
        Ok(id)
    }

    fn insert(&mut self, key: StreamKey, stream: Stream, owner: Owner) -> Option<Id> {
        let serial = StreamSerial::new(self.begun.saturating_add(1), self.worker);
        let id = self.streams.insert(Tracked { stream, serial, owner })?;
        self.begun += 1;
        self.flows.insert(&key, id.place());
        Some(id)
    }

    fn deliver_waiting(&mut self, packets: u64) {
        self.tally.deliver(packets);
        self.counters.rtp_packets += packets;
    }

    /// Takes a stream out of the tables.
    fn forget_stream(&mut self, id: Id) -> Option<Tracked> {
        let tracked = self.streams.remove(id)?;
        self.flows.remove(&tracked.stream.key(), id.place());
        Some(tracked)
    }

    /// When [`Media::advance`] has something to do.
    #[must_use]
    #[inline]
    pub fn due(&self) -> Timestamp {
        self.due
    }

    fn next_due(&self) -> Timestamp {
        let pending = self.pending.oldest().map_or(Timestamp::NEVER, |id| {
            // One that waits no more is taken off the queue at once.
            let waiting = self.streams.get(id).filter(|one| one.owner == PENDING);
            waiting.map_or(Timestamp::default(), |one| one.stream.first.after(self.settings.timeouts.pending))
        });
        let idle = self.idle.peek().map_or(Timestamp::NEVER, |&Reverse((time, _))| time);
        pending.min(idle)
    }

    /// Says whether there is something to tell.
    #[must_use]
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// The next thing to tell.
    pub fn next_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if matches!(next, Some(Output::Rtcp(_))) {
            self.strays = self.strays.saturating_sub(1);
        }
        next
    }

    /// Takes note that there are other workers, which may know what this one does not.
    pub fn share(&mut self) {
        self.has_others = true;
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> MediaCounters {
        self.counters
    }

    /// What became of RTP that waited, and of RTCP that others are asked about.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        tally.waiting += u64::try_from(self.strays).unwrap_or(u64::MAX);
        tally
    }

    /// How many streams are tracked, those that wait for their SDP left out.
    #[must_use]
    pub fn streams_active(&self) -> usize {
        self.streams.len().saturating_sub(self.pending.len())
    }

    /// Entries of all tables, which is what memory grows with.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> MediaSizes {
        let (calls, expectations) = self.calls.sizes();
        MediaSizes {
            streams: self.streams.len(),
            keys: self.flows.len(),
            calls,
            expectations,
            pending_at: self.pending.sizes(),
        }
    }
}

/// Entries of the tables.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MediaSizes {
    pub streams: usize,
    pub keys: usize,
    pub calls: usize,
    pub expectations: usize,
    pub pending_at: usize,
}

/// How a payload type is timed, by the call's SDP or by RFC 3551.
fn timing(calls: &Calls, owner: Owner, payload_type: u8, destination: Endpoint) -> Option<Timing> {
    match owner {
        Owner::Call(Owned { call, .. }) => calls.get(call)?.timing(payload_type, destination),
        Owner::Nobody(_) => codec::static_type(payload_type).map(Timing::of),
    }
}

/// Says whether packets without signalling are a stream: some packets, and more of their numbers different and near
/// each other than not. Noise that begins like RTP has other numbers each time.
fn is_plausible(stream: &Stream) -> bool {
    stream.sequence().is_some_and(|sequence| {
        sequence.packets() >= limits::HEURISTIC_PACKETS && sequence.jumps() <= sequence.packets() / 4
    })
}

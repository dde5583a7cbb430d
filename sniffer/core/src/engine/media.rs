//! The media half: RTP packets to streams, and streams to the calls that expect them; RTP that comes before its SDP, and
//! RTP without any signalling. It knows of a call only its serial and what signalling told it to expect.

mod places;
mod rtcp;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use foldhash::quality::FixedState;

use self::places::{CallMedia, Calls, Expectation, Rank};
use super::{CallSerial, Settings, Side, StreamSerial, flows::Flows, report::stream_record};
use crate::{
    codec,
    decode::{Datagram, Endpoint},
    drops::{Reason, Taken, Tally},
    limits,
    record::{Direction, StreamRecord},
    rtcp::session::Session,
    rtp::{
        self, Header,
        stream::{Stream, StreamKey, Timing},
    },
    sdp::Media as Announcement,
    slab::{Id, Slab},
    time::Timestamp,
    udptl,
};

/// What signalling tells media: one side of a call said where it wants its media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The call.
    pub call: CallSerial,
    /// Who receives there.
    pub side: Side,
    /// Where, and what is sent.
    pub media: Announcement,
    /// The endpoint belongs to this call. False: another call that is alive has it, and only the codecs are of use.
    pub takes: bool,
}

/// A place from which a side of a call sends although it announced another: it is behind a NAT, or sends and receives on
/// different ports. What is sent back to that place belongs to the call too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The call.
    pub call: CallSerial,
    /// Who sends from there, and so receives there.
    pub side: Side,
    /// The place.
    pub endpoint: Endpoint,
}

/// What media tells the rest of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Media of a call flows: at most once for each stream and second. The time is cut off to the second, so that it is
    /// the same however streams are spread over workers.
    Active {
        /// The call.
        call: CallSerial,
        /// The second of the packet.
        last: Timestamp,
    },
    /// A stream that waited is a call's.
    Adopted {
        /// The stream.
        stream: StreamSerial,
        /// Its call.
        call: CallSerial,
    },
    /// A side of a call sends from a place that it did not announce.
    Learnt(Learnt),
    /// A stream without a call has ended.
    Stream {
        /// Its serial.
        serial: StreamSerial,
        /// The stream.
        record: Box<StreamRecord>,
    },
}

/// What media knows of a call that comes to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Its streams, without their Call-ID.
    pub streams: Vec<StreamRecord>,
    /// Its packets that found no place: the call's figures are not to be trusted.
    pub refused: u64,
    /// What RTCP says of its streams.
    pub rtcp: Option<Box<Session>>,
}

/// What is counted of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounters {
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets parsed.
    pub rtcp_packets: u64,
    /// Packets of fax (T.38 in UDPTL) to or from a place that an SDP announced for it.
    pub fax_packets: u64,
    /// Streams begun: of a call, or without signalling where that is switched on.
    pub streams: u64,
    /// Streams that waited and were given up early because the table was full.
    pub evicted_pending: u64,
}

/// Whose an RTP or RTCP packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketUse {
    /// Delivered, or waiting for its SDP.
    pub taken: Taken,
    /// The call, where it is known.
    pub call: Option<CallSerial>,
    /// The stream; none for RTCP of no stream.
    pub stream: Option<StreamSerial>,
}

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
    pending: VecDeque<Id>,
    pending_streams: usize,
    pending_at: HashMap<Endpoint, Vec<Id>, FixedState>,
    idle: BinaryHeap<Reverse<(Timestamp, Id)>>,
    due: Timestamp,
    outputs: VecDeque<Output>,
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
            pending: VecDeque::new(),
            pending_streams: 0,
            pending_at: HashMap::with_hasher(FixedState::with_seed(settings.hash_seed)),
            idle: BinaryHeap::new(),
            outputs: VecDeque::new(),
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
        let Some(tracked) = self.streams.peek_mut(place) else { return Err(Reason::TooManyStreams) };
        let (calls, owner) = (&self.calls, tracked.owner);
        let Datagram { payload: bytes, dscp, ip_id, .. } = *datagram;
        let packet = rtp::Packet { time: now, header, bytes, dscp, ip_id };
        tracked.stream.on(&packet, |payload_type| timing(calls, owner, payload_type, key.destination));
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
                Ok(PacketUse { taken: Taken::Delivered, call: Some(call), stream })
            }
            Owner::Nobody(Nobody::Ever) => {
                self.counters.rtp_packets += 1;
                Ok(PacketUse { taken: Taken::Delivered, call: None, stream })
            }
            Owner::Nobody(Nobody::Yet) => {
                self.tally.waiting += 1;
                Ok(PacketUse { taken: Taken::Waiting, call: None, stream })
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
        Ok(PacketUse { taken: Taken::Delivered, call: Some(call), stream: None })
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
        {
            // Of the legs of one call past a back-to-back user agent both announce both ends, and each may have one: the
            // streams of both directions belong to the first leg.
            let knows = |call, endpoint| self.calls.get(call).is_some_and(|known| known.announces(endpoint));
            let (by_receiver, by_sender) = (knows(receiver.call, &key.source), knows(sender.call, &key.destination));
            if by_sender && (!by_receiver || sender.call < receiver.call) {
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

    /// Takes note of a place from which a side of a call sends. What it announces itself goes before.
    pub fn learn(&mut self, now: Timestamp, learnt: Learnt) {
        self.now = now;
        let Learnt { call, side, endpoint } = learnt;
        if self.expect_also(
            endpoint,
            Expectation { call, side, rank: Rank::Learnt, fax: false },
            limits::LEARNT_PER_CALL,
        ) {
            self.outputs.push_back(Output::Learnt(learnt));
        }
    }

    /// Expects media at a place that nobody has, and that the call did not announce; at most `most` of them. What waits
    /// there is adopted.
    fn expect_also(&mut self, endpoint: Endpoint, expectation: Expectation, most: usize) -> bool {
        let expects = self.calls.expect_also(endpoint, expectation, most);
        if expects && expectation.rank != Rank::Rtcp {
            self.adopt_pending(endpoint, expectation);
        }
        expects
    }

    fn insert(&mut self, key: StreamKey, stream: Stream, owner: Owner) -> Option<Id> {
        let serial = StreamSerial::new(self.begun.saturating_add(1), self.worker);
        let id = self.streams.insert(Tracked { stream, serial, owner })?;
        self.begun += 1;
        self.flows.insert(&key, id.place());
        Some(id)
    }

    fn begin_pending(&mut self, key: StreamKey, stream: Stream) -> Result<Id, Reason> {
        while self.pending_streams >= self.settings.tables.pending
            && let Some(oldest) = self.pending.pop_front()
        {
            if self.release_pending(oldest, Reason::PendingFull) {
                self.counters.evicted_pending += 1;
            }
        }
        let id = self.insert(key, stream, PENDING).ok_or(Reason::TooManyStreams)?;
        for endpoint in [key.source, key.destination] {
            self.pending_at.entry(endpoint).or_default().push(id);
        }
        self.pending.push_back(id);
        self.due = self.due.min(self.now.after(self.settings.timeouts.pending));
        self.pending_streams += 1;
        Ok(id)
    }

    /// Ends the wait of a stream that nobody announced: it becomes a stream of its own, or its packets are dropped.
    /// False when it waits no more.
    fn release_pending(&mut self, id: Id, reason: Reason) -> bool {
        let Some(tracked) = self.streams.get_mut(id).filter(|one| one.owner == PENDING) else { return false };
        let (key, packets) = (tracked.stream.key(), tracked.stream.packets());
        let keeps = self.rtp_without_sip && is_plausible(&tracked.stream);
        if keeps {
            tracked.owner = FREE;
            tracked.stream.resolve(|payload_type| codec::static_type(payload_type).map(Timing::of));
            let deadline = tracked.stream.last.after(self.settings.timeouts.stream_idle);
            self.idle.push(Reverse((deadline, id)));
            self.due = self.due.min(deadline);
            self.counters.streams += 1;
            self.deliver_waiting(packets);
        } else {
            self.tally.drop(reason, packets);
        }
        self.pending_streams = self.pending_streams.saturating_sub(1);
        if !keeps {
            self.unlist(id, key);
            self.forget_stream(id);
        }
        true
    }

    fn deliver_waiting(&mut self, packets: u64) {
        self.tally.deliver(packets);
        self.counters.rtp_packets += packets;
    }

    /// Takes a stream off the lists of those that a call may still adopt.
    fn unlist(&mut self, id: Id, key: StreamKey) {
        for endpoint in [key.source, key.destination] {
            if let Some(ids) = self.pending_at.get_mut(&endpoint) {
                ids.retain(|&one| one != id);
                if ids.is_empty() {
                    self.pending_at.remove(&endpoint);
                }
            }
        }
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
        let pending = self.pending.front().map_or(Timestamp::NEVER, |&id| {
            // One that waits no more is taken off the queue at once.
            let waiting = self.streams.get(id).filter(|one| one.owner == PENDING);
            waiting.map_or(Timestamp::default(), |one| one.stream.first.after(self.settings.timeouts.pending))
        });
        let idle = self.idle.peek().map_or(Timestamp::NEVER, |&Reverse((time, _))| time);
        pending.min(idle)
    }

    /// Lets go of RTP that has waited long enough, and of streams without signalling that fell silent.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        while let Some(&id) = self.pending.front() {
            let waiting = self.streams.get(id).filter(|one| one.owner == PENDING);
            if waiting.is_some_and(|one| one.stream.first.after(self.settings.timeouts.pending) > now) {
                break;
            }
            self.pending.pop_front();
            self.release_pending(id, Reason::NoSignalling);
        }
        while let Some(&Reverse((time, id))) = self.idle.peek()
            && time <= now
        {
            self.idle.pop();
            let Some(tracked) = self.streams.get(id) else { continue };
            let deadline = tracked.stream.last.after(self.settings.timeouts.stream_idle);
            let longest = tracked.stream.first.after(self.settings.timeouts.stream_longest);
            if deadline.min(longest) > now {
                self.idle.push(Reverse((deadline.min(longest), id)));
            } else {
                self.end_free(id);
            }
        }
        self.due = self.next_due();
    }

    fn end_free(&mut self, id: Id) {
        if self.streams.get(id).is_none_or(|one| one.owner != FREE) {
            return;
        }
        let Some(tracked) = self.forget_stream(id) else { return };
        self.unlist(id, tracked.stream.key());
        let known = tracked.stream.main_type().and_then(|main| codec::static_type(main.number()));
        let record = Box::new(stream_record(&tracked.stream, known, None));
        self.outputs.push_back(Output::Stream { serial: tracked.serial, record });
    }

    /// Ends the wait of all RTP that waits: there will be no more signalling.
    pub fn finish_pending(&mut self) {
        while let Some(id) = self.pending.pop_front() {
            self.release_pending(id, Reason::NoSignalling);
        }
    }

    /// Ends all streams without a call, in the order in which they began.
    pub fn finish(&mut self) {
        let mut streams: Vec<_> =
            self.streams.iter().map(|(id, one)| (one.stream.first, one.stream.key(), id)).collect();
        streams.sort_unstable();
        for (_, _, id) in streams {
            self.end_free(id);
        }
    }

    /// Expects the media that one side of a call announced, and adopts what has come already.
    pub fn expect(&mut self, now: Timestamp, expect: Expect) {
        self.now = now;
        let Expect { call, side, media, takes } = expect;
        let (announced, fax) = (media.rtp, media.is_fax());
        let others = self.other_places(&media);
        self.calls.announce(call, &media);
        if takes {
            let expectation = Expectation { call, side, rank: Rank::Announced, fax };
            self.take_endpoint(announced, expectation);
            self.adopt_pending(announced, expectation);
        }
        for (endpoint, rank) in others {
            self.expect_also(endpoint, Expectation { call, side, rank, fax }, limits::CANDIDATES_PER_CALL);
        }
        let (calls, streams) = (&self.calls, &mut self.streams);
        let Some(known) = calls.get(call) else { return };
        for (id, _) in known.streams() {
            if let Some(tracked) = streams.get_mut(id) {
                let destination = tracked.stream.key().destination;
                tracked.stream.resolve(|payload_type| known.codec(payload_type, destination).map(Timing::of));
            }
        }
    }

    /// Where the media of an announcement may come or go besides the announced place: by ICE, under the other address of
    /// a host behind a NAT; and its RTCP, where that is neither with the RTP nor at the next port.
    fn other_places(&self, media: &Announcement) -> Vec<(Endpoint, Rank)> {
        let aliases = |endpoint: Endpoint| {
            self.settings.nat_aliases.iter().filter_map(move |&(one, other)| match endpoint.address {
                address if address == one => Some(Endpoint { address: other, ..endpoint }),
                address if address == other => Some(Endpoint { address: one, ..endpoint }),
                _ => None,
            })
        };
        let candidates = media.endpoints(1).filter(|&endpoint| endpoint != media.rtp);
        let of_rtp = candidates.chain(media.endpoints(1).flat_map(aliases)).map(|place| (place, Rank::Candidate));
        let next = Endpoint { port: media.rtp.port.saturating_add(1), ..media.rtp };
        let of_rtcp = media.endpoints(2).filter(|&place| place != media.rtp && place != next);
        of_rtp.chain(of_rtcp.map(|place| (place, Rank::Rtcp))).collect()
    }

    /// Gives an endpoint to a call. The same addresses with the same SSRC in the next call are another stream.
    fn take_endpoint(&mut self, endpoint: Endpoint, expectation: Expectation) {
        let Some(old) = self.calls.take_endpoint(endpoint, expectation) else { return };
        if old.rank != Rank::Announced || old.call == expectation.call {
            return;
        }
        let Some(owner) = self.calls.get(old.call) else { return };
        for (id, _) in owner.streams() {
            if let Some(key) = self.streams.get(id).map(|one| one.stream.key())
                && (key.source == endpoint || key.destination == endpoint)
            {
                self.flows.remove(&key, id.place());
            }
        }
    }

    /// Gives what waits at an endpoint, or was taken for a stream without a call, to a call: what goes there, and, unless
    /// the place is only learnt, what comes from there.
    fn adopt_pending(&mut self, endpoint: Endpoint, expectation: Expectation) {
        let Expectation { call: serial, side, rank, .. } = expectation;
        for id in self.pending_at.get(&endpoint).cloned().unwrap_or_default() {
            let Some(call) = self.calls.get_mut(serial).filter(|call| !call.is_full()) else { return };
            let Some(tracked) = self.streams.get_mut(id) else { continue };
            let was_waiting = match tracked.owner {
                Owner::Call(_) => continue,
                Owner::Nobody(Nobody::Yet) => true,
                Owner::Nobody(Nobody::Ever) => false,
            };
            let key = tracked.stream.key();
            if rank == Rank::Learnt && key.destination != endpoint {
                continue;
            }
            let direction: Direction = if key.destination == endpoint { side.receives() } else { side.sends() };
            let last = tracked.stream.last.second();
            tracked.owner = Owner::Call(Owned { call: serial, report_at: last.after(limits::ACTIVE_REPORT) });
            call.add(id, direction);
            let (stream, packets) = (tracked.serial, tracked.stream.packets());
            self.outputs.push_back(Output::Adopted { stream, call: serial });
            self.outputs.push_back(Output::Active { call: serial, last });
            if was_waiting {
                self.counters.streams += 1;
                self.deliver_waiting(packets);
                self.pending_streams = self.pending_streams.saturating_sub(1);
            }
            self.unlist(id, key);
        }
    }

    /// The streams of a call as they are.
    #[must_use]
    pub fn look(&self, call: CallSerial) -> Collected {
        self.calls.get(call).map_or_else(Collected::default, |known| self.collected(known))
    }

    fn collected(&self, known: &CallMedia) -> Collected {
        let streams = known.streams().filter_map(|(id, direction)| {
            let stream = &self.streams.get(id)?.stream;
            let key = stream.key();
            let codec = stream.main_type().and_then(|main| known.codec(main.number(), key.destination));
            let mut record = stream_record(stream, codec, Some(direction));
            record.encryption = known.encryption(key.source, key.destination);
            Some(record)
        });
        Collected { streams: streams.collect(), refused: known.refused.into(), rtcp: known.rtcp.clone() }
    }

    /// Takes a call out of all tables.
    pub fn collect(&mut self, call: CallSerial) -> Collected {
        let Some(known) = self.calls.remove(call) else { return Collected::default() };
        let collected = self.collected(&known);
        for (id, _) in known.streams() {
            self.forget_stream(id);
        }
        collected
    }

    /// Says whether there is something to tell.
    #[must_use]
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// The next thing to tell.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> MediaCounters {
        self.counters
    }

    /// What became of RTP that waited.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many streams are tracked, those that wait for their SDP left out.
    #[must_use]
    pub fn streams_active(&self) -> usize {
        self.streams.len().saturating_sub(self.pending_streams)
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
            pending_at: self.pending_at.len(),
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
        Owner::Call(Owned { call, .. }) => calls.get(call)?.codec(payload_type, destination).map(Timing::of),
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

//! TCP connections (RFC 9293) as far as SIP needs them: each direction apart, in order, out of order, repeated, from the
//! middle, with holes. Bounded per flow and together; a flow that is not SIP costs a table entry and a look-up.

mod flow;

use std::collections::VecDeque;

use self::flow::Flow;
use crate::{
    bytes::u16_at,
    classify::SIP_PORTS,
    decode::{Datagram, Endpoint, Segment},
    drops::{Reason, Taken, Tally},
    ingress::{Raw, aging::Aging},
    limits, rtp, sip,
    time::Timestamp,
};

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: Endpoint,
    destination: Endpoint,
}

/// A direction that is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// It began, and the first byte will have this number.
    Begun(u32),
    /// It carries something else.
    NotSip,
    /// It carried SIP and has ended before this number: what comes again is a repetition.
    Ended(u32),
}

/// The connections.
#[derive(Debug)]
pub struct Tcp {
    flows: Aging<Key, Flow>,
    others: Aging<Key, Other>,
    most_flows: usize,
    /// Flows that keep bytes, by when they began to, oldest first.
    queue: VecDeque<(Timestamp, u64, Key)>,
    ticket: u64,
    bytes: usize,
    limit: usize,
    messages: u64,
    holes: u64,
    /// Frames that were held and given up before their message was whole.
    given_up: u64,
}

impl Tcp {
    /// A table of so many directions of SIP connections, that holds at most `limit` bytes.
    pub fn new(flows: usize, limit: usize, hash_seed: u64) -> Self {
        Self {
            flows: Aging::new(flows, hash_seed),
            others: Aging::new(flows.saturating_mul(limits::TCP_OTHERS_FOR_EACH), hash_seed),
            most_flows: flows,
            queue: VecDeque::new(),
            ticket: 0,
            bytes: 0,
            limit,
            messages: 0,
            holes: 0,
            given_up: 0,
        }
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// SIP messages that came out.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Holes that were given up.
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// Frames that were held and given up before their message was whole.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Directions that may have carried SIP and were forgotten for want of room.
    pub fn evicted(&self) -> u64 {
        self.flows.evicted()
    }

    /// When the oldest flow that keeps bytes is to be looked at.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.queue.front().map(|(since, ..)| since.after(limits::TCP_HOLE_AGE))
    }

    /// Takes a segment: gives each message that is whole with it to `out`.
    ///
    /// # Errors
    /// Why the frame goes no further.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        raw: &Raw<'_>,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        let now = raw.now;
        let key = Key { source: segment.source, destination: segment.destination };
        let back = Key { source: segment.destination, destination: segment.source };
        // SYN has a number of its own, before the data.
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        if segment.reset {
            self.end(&key, tally, out);
            self.end(&back, tally, out);
            return Err(Reason::TcpEmpty);
        }
        if segment.syn {
            self.begin(key, sequence, tally, out);
        }
        let has_data = !segment.payload.is_empty() || segment.missing > 0;
        if self.flows.get_mut(&key).is_some() {
            return self.follow(key, segment, sequence, raw, tally, out);
        }
        if !has_data {
            return Err(Reason::TcpEmpty);
        }
        let (next, from_the_start) = match self.others.get_mut(&key) {
            // Data that overtook the first ones wait for them.
            Some(Other::Begun(next))
                if next.wrapping_sub(sequence).cast_signed().unsigned_abs() < limits::TCP_WINDOW =>
            {
                (*next, true)
            }
            Some(Other::Ended(next)) if (1..=limits::TCP_WINDOW).contains(&next.wrapping_sub(sequence)) => {
                return Err(Reason::TcpRepeated);
            }
            Some(Other::NotSip | Other::Ended(_)) if sip::looks_like_sip(segment.payload) => (sequence, false),
            Some(Other::NotSip | Other::Ended(_)) => return Err(other(segment.payload)),
            Some(Other::Begun(_)) | None => (sequence, false),
        };
        // What overtook the beginning says nothing.
        let is_beginning = from_the_start && next == sequence;
        if (is_beginning || !from_the_start) && !may_be_sip(segment, is_beginning) {
            self.others.insert(key, Other::NotSip, |_| ());
            return Err(other(segment.payload));
        }
        self.others.remove(&key);
        self.insert(key, Flow::new(segment, next, from_the_start, now), tally);
        self.follow(key, segment, sequence, raw, tally, out)
    }

    /// Gives a segment to its flow. That one has just begun is no use of it.
    fn follow(
        &mut self,
        key: Key,
        segment: &Segment<'_>,
        sequence: u32,
        raw: &Raw<'_>,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        let Some(flow) = self.flows.peek_mut(&key) else { return Err(Reason::TcpLimit) };
        let before = flow.bytes();
        let messages = &mut self.messages;
        let outcome = flow.segment(segment, sequence, raw, tally, &mut |datagram| {
            *messages = messages.saturating_add(1);
            out(datagram)
        });
        self.bytes = self.bytes.saturating_sub(before).saturating_add(flow.bytes());
        self.holes = self.holes.saturating_add(flow.take_holes());
        self.given_up = self.given_up.saturating_add(flow.take_given_up());
        self.after(key, outcome.is_other, raw.now, tally, out);
        outcome.frame
    }

    fn insert(&mut self, key: Key, flow: Flow, tally: &mut Tally) {
        let bytes = &mut self.bytes;
        *bytes = bytes.saturating_add(flow.bytes());
        self.flows.insert(key, flow, |mut forgotten| {
            *bytes = bytes.saturating_sub(forgotten.bytes());
            forgotten.settle(tally);
        });
    }

    /// A connection begins. What the same ends said before is over, unless it is the same SYN once more.
    fn begin(
        &mut self,
        key: Key,
        next: u32,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) {
        if let Some(flow) = self.flows.get_mut(&key) {
            let ahead = flow.next().wrapping_sub(next).cast_signed();
            if (0..0x1000_0000).contains(&ahead) {
                return;
            }
            self.end(&key, tally, out);
        }
        if let Some(Other::Ended(end)) = self.others.get_mut(&key)
            && (0..0x1000_0000).contains(&end.wrapping_sub(next).cast_signed())
        {
            return;
        }
        self.others.insert(key, Other::Begun(next), |_| ());
    }

    /// A direction has ended: what is kept comes out.
    fn end(&mut self, key: &Key, tally: &mut Tally, out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        let Some(mut flow) = self.flows.remove(key) else { return };
        self.bytes = self.bytes.saturating_sub(flow.bytes());
        let messages = &mut self.messages;
        flow.finish(tally, &mut |datagram| {
            *messages = messages.saturating_add(1);
            out(datagram)
        });
        self.holes = self.holes.saturating_add(flow.take_holes());
        self.given_up = self.given_up.saturating_add(flow.take_given_up());
        self.others.insert(*key, Other::Ended(flow.next()), |_| ());
    }

    /// What follows for a flow from what it did: it is given up, has ended, or keeps bytes that are bounded.
    fn after(
        &mut self,
        key: Key,
        is_other: bool,
        now: Timestamp,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) {
        if is_other {
            if let Some(mut flow) = self.flows.remove(&key) {
                self.bytes = self.bytes.saturating_sub(flow.bytes());
                flow.settle(tally);
            }
            self.others.insert(key, Other::NotSip, |_| ());
            return;
        }
        let Some(flow) = self.flows.peek_mut(&key) else { return };
        if flow.has_ended() {
            self.end(&key, tally, out);
            return;
        }
        if flow.bytes() == 0 {
            flow.ticket = None;
        } else if flow.ticket.is_none() {
            self.ticket = self.ticket.wrapping_add(1);
            flow.ticket = Some(self.ticket);
            self.queue.push_back((now, self.ticket, key));
            self.compact();
        }
        while self.bytes > self.limit
            && let Some((_, ticket, key)) = self.queue.pop_front()
        {
            self.give_up(ticket, &key, tally, out);
        }
    }

    /// Entries of the queue whose flow keeps nothing any more go when they are more than there can be flows.
    fn compact(&mut self) {
        if self.queue.len() > self.most_flows.saturating_mul(2) {
            let flows = &mut self.flows;
            self.queue.retain(|(_, ticket, key)| flows.peek_mut(key).is_some_and(|flow| flow.ticket == Some(*ticket)));
        }
    }

    fn give_up(
        &mut self,
        ticket: u64,
        key: &Key,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) {
        let Some(flow) = self.flows.peek_mut(key).filter(|flow| flow.ticket == Some(ticket)) else { return };
        let before = flow.bytes();
        let messages = &mut self.messages;
        flow.give_up(tally, &mut |datagram| {
            *messages = messages.saturating_add(1);
            out(datagram)
        });
        flow.ticket = None;
        self.holes = self.holes.saturating_add(flow.take_holes());
        self.given_up = self.given_up.saturating_add(flow.take_given_up());
        self.bytes = self.bytes.saturating_sub(before).saturating_add(flow.bytes());
    }

    /// Gives up holes that were not filled in time.
    pub fn expire(
        &mut self,
        now: Timestamp,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) {
        while self.deadline().is_some_and(|deadline| deadline <= now)
            && let Some((_, ticket, key)) = self.queue.pop_front()
        {
            let Some(flow) = self.flows.peek_mut(&key).filter(|flow| flow.ticket == Some(ticket)) else { continue };
            let before = flow.bytes();
            let mut is_other = false;
            if flow.hole_since().is_some_and(|since| since.after(limits::TCP_HOLE_AGE) <= now) {
                let messages = &mut self.messages;
                is_other = flow.skip_holes(tally, &mut |datagram| {
                    *messages = messages.saturating_add(1);
                    out(datagram)
                });
            }
            // A flow that still keeps something gets another entry.
            flow.ticket = None;
            self.holes = self.holes.saturating_add(flow.take_holes());
            self.given_up = self.given_up.saturating_add(flow.take_given_up());
            self.bytes = self.bytes.saturating_sub(before).saturating_add(flow.bytes());
            self.after(key, is_other, now, tally, out);
        }
    }

    /// Gives up everything that waits, in the order in which it began to: there will be no more frames.
    pub fn finish(&mut self, tally: &mut Tally, out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        while let Some((_, ticket, key)) = self.queue.pop_front() {
            if self.flows.peek_mut(&key).is_some_and(|flow| flow.ticket == Some(ticket)) {
                self.end(&key, tally, out);
            }
        }
        // The others keep no bytes, so that nothing comes out; a frame may still wait for what its flow is taken for.
        self.flows.values_mut().for_each(|flow| flow.settle(tally));
    }
}

/// Why a segment that is not SIP goes no further. RTP has its length in two bytes before it (RFC 4571), and packets follow
/// each other closely: a segment is that which is full of them, the last perhaps cut. The beginning of one alone says
/// nothing, as a fourth of all bytes begin like RTP; of several the source is the same.
fn other(payload: &[u8]) -> Reason {
    let (mut rest, mut source) = (payload, None);
    while let Some(length) = u16_at(rest, 0).map(usize::from) {
        let packet = rest.get(2..).unwrap_or_default();
        let own = packet.get(8..12);
        let is_alike = source.is_none_or(|source| own.is_none_or(|own| own == source));
        if length < 8 || !rtp::has_version_2(packet) || !is_alike {
            return Reason::Tcp;
        }
        match packet.get(length..) {
            Some([]) => return Reason::RtpOverTcp,
            Some(after) => (rest, source) = (after, own),
            None => break,
        }
    }
    if source.is_some() { Reason::RtpOverTcp } else { Reason::Tcp }
}

/// Says whether a direction is worth a framer. SIP and WebSocket begin with a token or a line break; one whose beginning
/// was not seen must be on a port of SIP, begin with a start line or hold one.
fn may_be_sip(segment: &Segment<'_>, is_beginning: bool) -> bool {
    let payload = segment.payload;
    let Some(first) = payload.first() else { return is_beginning };
    if is_beginning {
        return first.is_ascii_alphabetic() || matches!(first, b'\r' | b'\n');
    }
    let is_port = |port| SIP_PORTS.contains(&port);
    is_port(segment.source.port)
        || is_port(segment.destination.port)
        || sip::looks_like_sip(payload)
        || payload.starts_with(b"GET ")
        || payload.windows(8).any(|part| part == b"SIP/2.0\r")
}

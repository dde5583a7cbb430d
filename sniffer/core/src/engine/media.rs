//! RTP packets to streams, and streams to calls: announced endpoints, RTP that comes before its SDP, and RTP without
//! any signalling.

use std::cmp::Reverse;

use super::{Call, Engine, Event, Expectation, Owner, Side, Taken, Timer, Tracked};
use crate::{
    codec,
    decode::{Datagram, Endpoint},
    drops::Reason,
    limits,
    record::Direction,
    rtp::{
        Header,
        stream::{Stream, StreamKey, Timing},
    },
    sdp::Media,
    slab::{Id, Slab},
};

impl Engine {
    /// Counts an RTP packet into its stream.
    pub(super) fn rtp_packet(&mut self, datagram: &Datagram<'_>, header: Header) -> Result<Taken, Reason> {
        let key = StreamKey { source: datagram.source, destination: datagram.destination, ssrc: header.ssrc };
        let id = match self.stream_keys.get(&key) {
            Some(&id) => id,
            None => self.begin_stream(key, datagram.vlan)?,
        };
        let Some(tracked) = self.streams.get_mut(id) else { return Err(Reason::TooManyStreams) };
        let (calls, owner) = (&self.calls, tracked.owner);
        tracked.stream.on(self.now, header, |payload_type| timing(calls, owner, payload_type, key.destination));
        match tracked.owner {
            Owner::Call(_) | Owner::Free => {
                self.counters.rtp_packets += 1;
                Ok(Taken::Delivered)
            }
            Owner::Pending => {
                self.counters.waiting += 1;
                Ok(Taken::Waiting)
            }
        }
    }

    fn begin_stream(&mut self, key: StreamKey, vlan: Option<u16>) -> Result<Id, Reason> {
        // Symmetric RTP: what comes from an announced endpoint belongs to the call too, wherever it goes.
        let to = self.expectations.get(&key.destination).map(|one| (one.call, one.side.receives()));
        let owner = to.or_else(|| self.expectations.get(&key.source).map(|one| (one.call, one.side.sends())));
        let stream = Stream::new(key, vlan, self.now);
        let Some((call_id, direction)) = owner else {
            return self.begin_pending(stream);
        };
        let call = self.calls.get_mut(call_id).ok_or(Reason::NoSignalling)?;
        if call.streams.len() >= limits::STREAMS_PER_CALL {
            call.lost_here = true;
            return Err(Reason::TooManyStreams);
        }
        let Some(id) = self.streams.insert(Tracked { stream, owner: Owner::Call(call_id) }) else {
            call.lost_here = true;
            return Err(Reason::TooManyStreams);
        };
        call.streams.push((id, direction));
        self.stream_keys.insert(key, id);
        self.counters.streams += 1;
        Ok(id)
    }

    fn begin_pending(&mut self, stream: Stream) -> Result<Id, Reason> {
        if self.pending.len() >= limits::PENDING_STREAMS
            && let Some(oldest) = self.pending.pop_front()
        {
            self.release_pending(oldest, Reason::PendingFull);
        }
        let key = stream.key;
        let id = self.streams.insert(Tracked { stream, owner: Owner::Pending }).ok_or(Reason::TooManyStreams)?;
        self.stream_keys.insert(key, id);
        for endpoint in [key.source, key.destination] {
            self.pending_at.entry(endpoint).or_default().push(id);
        }
        self.pending.push_back(id);
        Ok(id)
    }

    /// Lets go of RTP that has waited long enough.
    pub(super) fn expire_pending(&mut self) {
        while let Some(&id) = self.pending.front() {
            let waiting = self.streams.get(id).filter(|one| one.owner == Owner::Pending);
            if waiting.is_some_and(|one| one.stream.first.after(limits::PENDING_AGE) > self.now) {
                return;
            }
            self.pending.pop_front();
            self.release_pending(id, Reason::NoSignalling);
        }
    }

    /// Ends the wait of a stream that nobody announced: it becomes a stream of its own, or its packets are dropped.
    pub(super) fn release_pending(&mut self, id: Id, reason: Reason) {
        let Some(tracked) = self.streams.get_mut(id).filter(|one| one.owner == Owner::Pending) else { return };
        let (key, packets) = (tracked.stream.key, tracked.stream.packets());
        let keeps = self.settings.rtp_without_sip && is_plausible(&tracked.stream);
        if keeps {
            tracked.owner = Owner::Free;
            tracked.stream.resolve(|payload_type| codec::static_type(payload_type).map(Timing::of));
            let deadline = tracked.stream.last.after(limits::STREAM_IDLE);
            self.timers.push(Reverse((deadline, Timer::Stream(id))));
            self.counters.streams += 1;
            self.deliver_waiting(packets);
        } else {
            self.counters.waiting -= packets;
            self.drop_packets(reason, packets);
        }
        self.forget_pending(id, key);
        if !keeps {
            self.forget_stream(id);
        }
    }

    fn deliver_waiting(&mut self, packets: u64) {
        self.counters.waiting -= packets;
        self.counters.delivered += packets;
        self.counters.rtp_packets += packets;
    }

    fn forget_pending(&mut self, id: Id, key: StreamKey) {
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
    pub(super) fn forget_stream(&mut self, id: Id) {
        if let Some(tracked) = self.streams.remove(id)
            && self.stream_keys.get(&tracked.stream.key) == Some(&id)
        {
            self.stream_keys.remove(&tracked.stream.key);
        }
    }

    pub(super) fn stream_timer(&mut self, id: Id) {
        let Some(tracked) = self.streams.get(id) else { return };
        let deadline = tracked.stream.last.after(limits::STREAM_IDLE);
        if deadline > self.now {
            self.timers.push(Reverse((deadline, Timer::Stream(id))));
        } else {
            self.remove_free_stream(id);
        }
    }

    pub(super) fn remove_free_stream(&mut self, id: Id) {
        let Some(tracked) = self.streams.get(id).filter(|one| one.owner == Owner::Free) else { return };
        let record = super::report::stream_record(&tracked.stream, None);
        self.forget_stream(id);
        self.events.push_back(Event::Stream(Box::new(record)));
    }

    /// Takes what one side of a call announced: expects its media, and adopts what has come already.
    pub(super) fn announce(&mut self, call_id: Id, side: Side, media: Vec<Media>) {
        for one in media {
            let endpoint = one.rtp;
            let Some(call) = self.calls.get_mut(call_id) else { return };
            if !call.announce(one) {
                call.lost_here = true;
                continue;
            }
            if self.take_endpoint(endpoint, Expectation { call: call_id, side }) {
                self.adopt_pending(endpoint, call_id, side);
            }
        }
        let (calls, streams) = (&self.calls, &mut self.streams);
        let Some(call) = calls.get(call_id) else { return };
        for &(id, _) in &call.streams {
            if let Some(tracked) = streams.get_mut(id) {
                let destination = tracked.stream.key.destination;
                tracked.stream.resolve(|payload_type| call.codec(payload_type, destination).map(Timing::of));
            }
        }
    }

    /// Gives an endpoint to a call unless another that is alive has it: with a back-to-back user agent two calls announce
    /// the same endpoints, and the streams stay together in the first. False when the other keeps it.
    fn take_endpoint(&mut self, endpoint: Endpoint, expectation: Expectation) -> bool {
        if let Some(old) = self.expectations.get(&endpoint).map(|old| old.call)
            && old != expectation.call
            && let Some(owner) = self.calls.get(old)
        {
            if !owner.has_ended() && self.last_seen(old).after(limits::ENDPOINT_IDLE) > self.now {
                return false;
            }
            // The same addresses with the same SSRC in the next call are another stream.
            for &(id, _) in &owner.streams {
                if let Some(key) = self.streams.get(id).map(|one| one.stream.key)
                    && (key.source == endpoint || key.destination == endpoint)
                    && self.stream_keys.get(&key) == Some(&id)
                {
                    self.stream_keys.remove(&key);
                }
            }
        }
        self.expectations.insert(endpoint, expectation);
        true
    }

    fn adopt_pending(&mut self, endpoint: Endpoint, call_id: Id, side: Side) {
        for id in self.pending_at.get(&endpoint).cloned().unwrap_or_default() {
            let Some(call) = self.calls.get_mut(call_id) else { return };
            if call.streams.len() >= limits::STREAMS_PER_CALL {
                return;
            }
            let Some(tracked) = self.streams.get_mut(id).filter(|one| one.owner == Owner::Pending) else { continue };
            let key = tracked.stream.key;
            let direction: Direction = if key.destination == endpoint { side.receives() } else { side.sends() };
            tracked.owner = Owner::Call(call_id);
            call.streams.push((id, direction));
            let packets = tracked.stream.packets();
            self.counters.streams += 1;
            self.deliver_waiting(packets);
            self.forget_pending(id, key);
        }
    }
}

/// How a payload type is timed, by the call's SDP or by RFC 3551.
fn timing(calls: &Slab<Call>, owner: Owner, payload_type: u8, destination: Endpoint) -> Option<Timing> {
    match owner {
        Owner::Call(id) => calls.get(id)?.codec(payload_type, destination).map(Timing::of),
        Owner::Pending | Owner::Free => codec::static_type(payload_type).map(Timing::of),
    }
}

/// Says whether packets without signalling are a stream: some packets, and more of their numbers different and near
/// each other than not. Noise that begins like RTP has other numbers each time.
fn is_plausible(stream: &Stream) -> bool {
    stream.sequence().is_some_and(|sequence| {
        sequence.packets() >= limits::HEURISTIC_PACKETS && sequence.jumps() <= sequence.packets() / 4
    })
}

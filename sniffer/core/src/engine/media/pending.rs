//! RTP that waits for the SDP which announces it. Much that is no RTP begins like it: each packet of a tunnel is
//! "another stream" between the same two endpoints, each question to a name server one from another port. So nobody has
//! more than a share of the places.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
};

use foldhash::quality::FixedState;

use super::{FREE, Media, PENDING, is_plausible};
use crate::{
    codec,
    decode::Endpoint,
    drops::Reason,
    limits,
    rtp::stream::{Stream, StreamKey, Timing},
    slab::Id,
};

/// IPsec through NATs (RFC 3948): one tunnel in four begins like RTP.
const IPSEC_PORT: u16 = 4500;
/// Ports below this are of well-known services: DNS, NTP, IKE, QUIC.
const FIRST_MEDIA_PORT: u16 = 1024;

/// The streams that wait.
#[derive(Debug)]
pub(super) struct Pending {
    /// In the order in which they came; also some that wait no more.
    queue: VecDeque<Id>,
    /// Those that a call may adopt: the waiting ones, and those that are reported without a call.
    at: HashMap<Endpoint, VecDeque<Id>, FixedState>,
    /// How many wait from one endpoint to another.
    pairs: HashMap<(Endpoint, Endpoint), usize, FixedState>,
    len: usize,
}

impl Pending {
    pub(super) fn new(hash_seed: u64) -> Self {
        let hasher = || FixedState::with_seed(hash_seed);
        Self {
            queue: VecDeque::new(),
            at: HashMap::with_hasher(hasher()),
            pairs: HashMap::with_hasher(hasher()),
            len: 0,
        }
    }

    /// Says whether another stream may wait between its endpoints.
    fn has_room(&self, key: &StreamKey) -> bool {
        let waiting = |endpoint| self.at.get(endpoint).map_or(0, VecDeque::len);
        self.pairs.get(&(key.source, key.destination)).is_none_or(|&pair| pair < limits::PENDING_PER_PAIR)
            && waiting(&key.source).max(waiting(&key.destination)) < limits::PENDING_PER_ENDPOINT
    }

    fn add(&mut self, key: StreamKey, id: Id) {
        for endpoint in [key.source, key.destination] {
            self.at.entry(endpoint).or_default().push_back(id);
        }
        *self.pairs.entry((key.source, key.destination)).or_default() += 1;
        self.queue.push_back(id);
        self.len += 1;
    }

    /// Takes note that one waits no more. It may still be adopted until it is taken off the lists.
    pub(super) fn settle(&mut self, key: &StreamKey) {
        self.len = self.len.saturating_sub(1);
        let pair = (key.source, key.destination);
        if let Some(count) = self.pairs.get_mut(&pair) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.pairs.remove(&pair);
            }
        }
    }

    /// Takes one off the lists of those that a call may adopt.
    pub(super) fn unlist(&mut self, id: Id, key: &StreamKey) {
        for endpoint in [key.source, key.destination] {
            if let Some(ids) = self.at.get_mut(&endpoint) {
                // The oldest goes first, unless it is adopted.
                if let Some(place) = ids.iter().position(|&one| one == id) {
                    ids.remove(place);
                }
                if ids.is_empty() {
                    self.at.remove(&endpoint);
                }
            }
        }
    }

    /// Says whether so many streams are listed at one of the endpoints that there is little room for others to wait.
    fn is_crowded(&self, key: &StreamKey) -> bool {
        let listed = |endpoint| self.at.get(endpoint).map_or(0, VecDeque::len);
        listed(&key.source).max(listed(&key.destination)) > limits::PENDING_PER_ENDPOINT / 2
    }

    /// Those at an endpoint that a call may adopt, the oldest first.
    pub(super) fn at(&self, endpoint: Endpoint) -> Vec<Id> {
        self.at.get(&endpoint).map_or_else(Vec::new, |ids| ids.iter().copied().collect())
    }

    /// The oldest in the queue.
    pub(super) fn oldest(&self) -> Option<Id> {
        self.queue.front().copied()
    }

    /// Takes the oldest off the queue.
    pub(super) fn take_oldest(&mut self) -> Option<Id> {
        self.queue.pop_front()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Entries of its tables.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> usize {
        self.at.len().max(self.pairs.len())
    }
}

impl Media {
    /// Lets a stream wait. What nobody announced at a port of something else is no media.
    ///
    /// # Errors
    /// Why it does not wait.
    pub(super) fn begin_pending(&mut self, key: StreamKey, stream: Stream) -> Result<Id, Reason> {
        let is_other = |port| port < FIRST_MEDIA_PORT || port == IPSEC_PORT;
        if is_other(key.source.port) || is_other(key.destination.port) {
            return Err(Reason::NotVoip);
        }
        if !self.pending.has_room(&key) {
            return Err(Reason::PendingFull);
        }
        while self.pending.len() >= self.settings.tables.pending
            && let Some(oldest) = self.pending.take_oldest()
        {
            if self.release_pending(oldest, Reason::PendingFull) {
                self.counters.evicted_pending += 1;
            }
        }
        let id = self.insert(key, stream, PENDING).ok_or(Reason::TooManyStreams)?;
        self.pending.add(key, id);
        self.due = self.due.min(self.now.after(self.settings.timeouts.pending));
        Ok(id)
    }

    /// Ends the wait of a stream that nobody announced: it becomes a stream of its own, or its packets are dropped.
    /// False when it waits no more.
    pub(super) fn release_pending(&mut self, id: Id, reason: Reason) -> bool {
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
        self.pending.settle(&key);
        if !keeps || self.pending.is_crowded(&key) {
            self.pending.unlist(id, &key);
        }
        if !keeps {
            self.forget_stream(id);
        }
        true
    }

    /// Lets go of what has waited long enough.
    pub(super) fn advance_pending(&mut self) {
        while let Some(id) = self.pending.oldest() {
            let waiting = self.streams.get(id).filter(|one| one.owner == PENDING);
            if waiting.is_some_and(|one| one.stream.first.after(self.settings.timeouts.pending) > self.now) {
                break;
            }
            self.pending.take_oldest();
            self.release_pending(id, Reason::NoSignalling);
        }
    }

    /// Ends the wait of all RTP that waits: there will be no more signalling.
    pub fn finish_pending(&mut self) {
        while let Some(id) = self.pending.take_oldest() {
            self.release_pending(id, Reason::NoSignalling);
        }
    }
}

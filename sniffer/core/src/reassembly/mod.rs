//! IP packets out of their fragments, in whatever order they come, bounded in packets, pieces, bytes and time.
//!
//! Copies are kept apart: where several sources deliver the same fragments, one packet comes out for each full set, as
//! for packets that are not fragmented. Fragments that contradict each other spoil their packet (RFC 5722); an IPv4
//! fragment with other content in the same place means that its sender has used the number again.

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use crate::{
    decode::{Fragment, Path},
    drops::{Reason, Tally},
    ingress::{Held, Raw, held_bytes},
    limits,
    time::Timestamp,
};

/// What tells packets apart: addresses, number, and in IPv4 the protocol (RFC 791; RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: std::net::IpAddr,
    destination: std::net::IpAddr,
    id: u32,
    protocol: Option<u8>,
}

/// A packet that is whole.
#[derive(Debug)]
pub struct Whole {
    /// The way to its first fragment.
    pub path: Path,
    /// The protocol of the payload.
    pub protocol: u8,
    /// The payload.
    pub payload: Vec<u8>,
    /// Frames it came in before the last one: they count as waiting until the outcome is known.
    pub frames_before: u64,
    /// All frames it came in, where they are held.
    pub frames: Vec<Held>,
}

/// A packet that waits for fragments.
#[derive(Debug)]
struct Packet {
    serial: u64,
    began: Timestamp,
    path: Path,
    protocol: u8,
    /// Length of the whole payload, once the last fragment came.
    total: Option<usize>,
    /// In the order of their places.
    pieces: Vec<Piece>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came out yet.
    Incomplete,
    /// A whole packet came out: what is there or comes are copies.
    Copies,
    /// Its fragments contradict each other: nothing will come out.
    Spoilt,
}

#[derive(Debug)]
struct Piece {
    start: usize,
    bytes: Box<[u8]>,
    /// How often it came and was not used yet.
    times: u64,
    /// The frames of those times, where they are held.
    frames: Vec<Held>,
}

impl Piece {
    fn end(&self) -> usize {
        self.start.saturating_add(self.bytes.len())
    }

    /// The part of its bytes between two places of the packet.
    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from.saturating_sub(self.start)..to.saturating_sub(self.start)).unwrap_or_default()
    }

    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(limits::REASSEMBLY_OVERHEAD).saturating_add(held_bytes(&self.frames))
    }
}

impl Packet {
    fn frames(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.times).sum()
    }

    fn cost(&self) -> usize {
        self.pieces.iter().map(Piece::cost).sum::<usize>().saturating_add(limits::REASSEMBLY_OVERHEAD)
    }

    fn reason(&self) -> Reason {
        match self.state {
            State::Incomplete => Reason::FragmentExpired,
            State::Copies => Reason::FragmentCopy,
            State::Spoilt => Reason::FragmentOverlap,
        }
    }

    /// How a fragment goes with the pieces that are there.
    fn fit(&self, fragment: &Fragment<'_>, start: usize, end: usize) -> Fit {
        let other_total = match self.total {
            Some(total) => end > total || (!fragment.more && end != total),
            None => !fragment.more && self.pieces.last().is_some_and(|piece| piece.end() > end),
        };
        let mut fit = if other_total { Fit::Contradicts } else { Fit::New };
        for (place, piece) in self.pieces.iter().enumerate() {
            let (from, to) = (piece.start.max(start), piece.end().min(end));
            if from >= to {
                continue;
            }
            let same_place = (piece.start, piece.end()) == (start, end);
            let ours = fragment.payload.get(from.saturating_sub(start)..to.saturating_sub(start)).unwrap_or_default();
            if piece.part(from, to) != ours {
                return if same_place { Fit::Replaces } else { Fit::Contradicts };
            }
            if same_place {
                fit = if other_total { Fit::Contradicts } else { Fit::Copy(place) };
            }
        }
        fit
    }

    /// The payload, when the pieces cover all of it.
    fn whole(&self) -> Option<Vec<u8>> {
        let total = self.total?;
        let mut covered = 0;
        for piece in &self.pieces {
            if piece.start > covered {
                return None;
            }
            covered = covered.max(piece.end());
        }
        if covered < total {
            return None;
        }
        let mut payload = Vec::with_capacity(total);
        for piece in &self.pieces {
            payload.extend_from_slice(piece.part(payload.len(), piece.end()));
        }
        Some(payload)
    }
}

/// Holds the frame of a fragment. Behind the headers of UDP and RTP in the first one is what media says.
fn hold(fragment: &Fragment<'_>, raw: &Raw<'_>) -> Vec<Held> {
    raw.hold(fragment.payload, if fragment.offset == 0 { 8 + 12 } else { 0 })
}

enum Fit {
    /// Its bytes are missing, or agree where they overlap.
    New,
    /// It is there already.
    Copy(usize),
    /// Other bytes for exactly the same place.
    Replaces,
    /// Other bytes where it overlaps, or another end of the packet.
    Contradicts,
}

/// The packets that wait for fragments.
#[derive(Debug)]
pub struct Fragments {
    packets: HashMap<Key, Packet, FixedState>,
    /// When each began, oldest first; entries of packets that are gone are passed over.
    order: VecDeque<(Timestamp, u64, Key)>,
    serial: u64,
    bytes: usize,
    limit: usize,
}

impl Fragments {
    /// A table that holds at most `limit` bytes.
    pub fn new(limit: usize, hash_seed: u64) -> Self {
        Self {
            packets: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            order: VecDeque::new(),
            serial: 0,
            bytes: 0,
            limit,
        }
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest packet expires.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.order.front().map(|(began, ..)| began.after(limits::FRAGMENT_AGE))
    }

    /// Takes a fragment: gives the packet when it is whole, keeps the fragment otherwise.
    ///
    /// # Errors
    /// Why the fragment is not kept.
    pub fn add(&mut self, fragment: &Fragment<'_>, raw: &Raw<'_>, tally: &mut Tally) -> Result<Option<Whole>, Reason> {
        let path = fragment.path;
        let key = Key {
            source: path.source,
            destination: path.destination,
            id: fragment.id,
            protocol: path.source.is_ipv4().then_some(fragment.protocol),
        };
        let cost = fragment.payload.len().saturating_add(limits::REASSEMBLY_OVERHEAD);
        if cost.saturating_add(limits::REASSEMBLY_OVERHEAD) > self.limit {
            return Err(Reason::FragmentLimit);
        }
        let is_new = !self.packets.contains_key(&key);
        while self.bytes.saturating_add(cost) > self.limit
            || (is_new && self.packets.len() >= limits::FRAGMENTED_PACKETS)
        {
            if !self.remove_oldest(tally) {
                break;
            }
        }
        self.insert(key, fragment, raw, tally)
    }

    fn insert(
        &mut self,
        key: Key,
        fragment: &Fragment<'_>,
        raw: &Raw<'_>,
        tally: &mut Tally,
    ) -> Result<Option<Whole>, Reason> {
        let now = raw.now;
        let start = usize::from(fragment.offset);
        let end = start.saturating_add(fragment.payload.len());
        let is_old =
            |packet: &Packet| packet.state == State::Copies && now.since(packet.began) > limits::FRAGMENT_COPY_AGE;
        if self.packets.get(&key).is_some_and(is_old) {
            self.remove(&key, None, tally);
        }
        let Some(packet) = self.packets.get_mut(&key) else {
            self.begin(key, fragment, now);
            return self.insert_piece(key, fragment, raw, tally);
        };
        match (packet.state, packet.fit(fragment, start, end)) {
            (State::Spoilt, _) => Err(Reason::FragmentOverlap),
            (State::Incomplete | State::Copies, Fit::New) => self.insert_piece(key, fragment, raw, tally),
            (State::Incomplete | State::Copies, Fit::Copy(place)) => {
                if let Some(piece) = packet.pieces.get_mut(place) {
                    piece.times = piece.times.saturating_add(1);
                    let frames = hold(fragment, raw);
                    self.bytes = self.bytes.saturating_add(held_bytes(&frames));
                    piece.frames.extend(frames);
                    tally.wait();
                }
                Ok(None)
            }
            // The sender has come round to the number again, and what was there will stay incomplete.
            (State::Incomplete | State::Copies, Fit::Replaces) if key.protocol.is_some() => {
                self.remove(&key, None, tally);
                self.begin(key, fragment, now);
                self.insert_piece(key, fragment, raw, tally)
            }
            (State::Incomplete | State::Copies, Fit::Replaces | Fit::Contradicts) => {
                packet.state = State::Spoilt;
                let frames = packet.frames();
                self.bytes = self.bytes.saturating_sub(packet.pieces.drain(..).map(|piece| piece.cost()).sum());
                tally.drop(Reason::FragmentOverlap, frames);
                Err(Reason::FragmentOverlap)
            }
        }
    }

    fn begin(&mut self, key: Key, fragment: &Fragment<'_>, now: Timestamp) {
        self.serial = self.serial.wrapping_add(1);
        let packet = Packet {
            serial: self.serial,
            began: now,
            path: fragment.path,
            protocol: fragment.protocol,
            total: None,
            pieces: Vec::new(),
            state: State::Incomplete,
        };
        self.bytes = self.bytes.saturating_add(limits::REASSEMBLY_OVERHEAD);
        self.packets.insert(key, packet);
        self.order.push_back((now, self.serial, key));
        if self.order.len() > limits::FRAGMENTED_PACKETS.saturating_mul(2) {
            let packets = &self.packets;
            self.order.retain(|(_, serial, key)| packets.get(key).is_some_and(|packet| packet.serial == *serial));
        }
    }

    fn insert_piece(
        &mut self,
        key: Key,
        fragment: &Fragment<'_>,
        raw: &Raw<'_>,
        tally: &mut Tally,
    ) -> Result<Option<Whole>, Reason> {
        let start = usize::from(fragment.offset);
        let Some(packet) = self.packets.get_mut(&key) else { return Err(Reason::FragmentLimit) };
        if packet.pieces.len() >= limits::FRAGMENTS_PER_PACKET {
            return Err(Reason::FragmentLimit);
        }
        let piece = Piece { start, bytes: fragment.payload.into(), times: 1, frames: hold(fragment, raw) };
        self.bytes = self.bytes.saturating_add(piece.cost());
        if !fragment.more {
            packet.total = Some(piece.end());
        }
        // The first fragment says what the packet is (RFC 8200, section 4.5).
        if start == 0 {
            packet.path = fragment.path;
            packet.protocol = fragment.protocol;
        }
        let place = packet.pieces.partition_point(|other| (other.start, other.end()) < (start, piece.end()));
        packet.pieces.insert(place, piece);
        let Some(payload) = packet.whole() else {
            tally.wait();
            return Ok(None);
        };
        let mut whole =
            Whole { path: packet.path, protocol: packet.protocol, payload, frames_before: 0, frames: Vec::new() };
        let (mut frames, mut freed) = (0_u64, 0_usize);
        packet.pieces.retain_mut(|piece| {
            frames = frames.saturating_add(1);
            piece.times = piece.times.saturating_sub(1);
            let before = piece.cost();
            // Each time brought as many frames: the first ones belong together.
            let left = usize::try_from(piece.times).unwrap_or(usize::MAX);
            let each = piece.frames.len().checked_div(left.saturating_add(1)).unwrap_or(0);
            whole.frames.extend(piece.frames.drain(..each));
            freed = freed.saturating_add(if piece.times == 0 { before } else { before.saturating_sub(piece.cost()) });
            piece.times > 0
        });
        packet.state = State::Copies;
        self.bytes = self.bytes.saturating_sub(freed);
        whole.frames_before = frames.saturating_sub(1);
        whole.frames.sort_by_key(|frame| frame.number);
        Ok(Some(whole))
    }

    /// Takes a packet out; its fragments count under `reason`, or the packet's own.
    fn remove(&mut self, key: &Key, reason: Option<Reason>, tally: &mut Tally) {
        let Some(packet) = self.packets.remove(key) else { return };
        let frames = packet.frames();
        self.bytes = self.bytes.saturating_sub(packet.cost());
        tally.drop(reason.unwrap_or(packet.reason()), frames);
    }

    /// Takes the oldest packet out before its time. False when there is none.
    fn remove_oldest(&mut self, tally: &mut Tally) -> bool {
        while let Some((_, serial, key)) = self.order.pop_front() {
            if self.packets.get(&key).is_some_and(|packet| packet.serial == serial) {
                self.remove(&key, Some(Reason::FragmentLimit), tally);
                return true;
            }
        }
        false
    }

    /// Takes packets out whose time has come.
    pub fn expire(&mut self, now: Timestamp, tally: &mut Tally) {
        while self.deadline().is_some_and(|deadline| deadline <= now)
            && let Some((_, serial, key)) = self.order.pop_front()
        {
            if self.packets.get(&key).is_some_and(|packet| packet.serial == serial) {
                self.remove(&key, None, tally);
            }
        }
    }

    /// Takes all packets out: there will be no more frames.
    pub fn finish(&mut self, tally: &mut Tally) {
        while let Some((_, serial, key)) = self.order.pop_front() {
            if self.packets.get(&key).is_some_and(|packet| packet.serial == serial) {
                self.remove(&key, None, tally);
            }
        }
    }
}

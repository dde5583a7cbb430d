//! SIP over SCTP (RFC 4168): each user message is one SIP message. Messages are put together from DATA chunks (RFC 9260)
//! and I-DATA chunks (RFC 8260); what does not begin like SIP is passed over at once.

mod chunk;

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use self::chunk::{Chunk, Flow, Lane, data_chunk};
use crate::{
    decode::{Datagram, SctpPacket, Transport},
    drops::{Reason, Taken, Tally},
    ingress::{Held, Raw, aging::Aging, held_bytes},
    limits, sip,
    time::Timestamp,
};

/// A chunk that waits.
#[derive(Debug)]
struct Piece {
    number: u32,
    begins: bool,
    ends: bool,
    came: Timestamp,
    data: Box<[u8]>,
    /// One, or zero where the frame counts with another chunk.
    frames: u64,
    /// The frame itself, where it is held.
    held: Vec<Held>,
}

impl Piece {
    fn cost(&self) -> usize {
        self.data.len().saturating_add(limits::REASSEMBLY_OVERHEAD).saturating_add(held_bytes(&self.held))
    }
}

/// A message that is whole: its bytes, how many frames it came in before, and all its frames where they are held.
type Whole = (Vec<u8>, u64, Vec<Held>);

/// TSNs that were seen: the highest, and a bit for each of the 128 up to it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    highest: u32,
    bits: u128,
}

impl Seen {
    /// Takes note of a TSN. False when it was seen before.
    fn is_first(&mut self, tsn: u32) -> bool {
        let ahead = tsn.wrapping_sub(self.highest);
        if ahead != 0 && ahead < 1 << 31 {
            self.bits = self.bits.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = tsn;
            return true;
        }
        let Some(bit) = 1_u128.checked_shl(self.highest.wrapping_sub(tsn)) else {
            // Far behind: a new association with the same tag is likelier than so late a copy.
            *self = Self { highest: tsn, bits: 1 };
            return true;
        };
        let is_first = self.bits & bit == 0;
        self.bits |= bit;
        is_first
    }
}

/// The associations that carry SIP, and the messages that wait for chunks.
#[derive(Debug)]
pub struct Sctp {
    seen: Aging<Flow, Seen>,
    lanes: HashMap<Lane, (u64, Vec<Piece>), FixedState>,
    order: VecDeque<(Timestamp, u64, Lane)>,
    serial: u64,
    bytes: usize,
    limit: usize,
    messages: u64,
}

impl Sctp {
    /// A table of so many directions of associations, that holds at most `limit` bytes.
    pub fn new(flows: usize, limit: usize, hash_seed: u64) -> Self {
        Self {
            seen: Aging::new(flows, hash_seed),
            lanes: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            order: VecDeque::new(),
            serial: 0,
            bytes: 0,
            limit,
            messages: 0,
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

    /// Directions of associations that were forgotten for want of room.
    pub fn evicted(&self) -> u64 {
        self.seen.evicted()
    }

    /// When the oldest chunk expires.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.order.front().map(|(began, ..)| began.after(limits::SCTP_AGE))
    }

    /// Takes a packet: gives each message that is whole to `out`.
    ///
    /// # Errors
    /// Why nothing of it is of use.
    pub fn packet(
        &mut self,
        packet: &SctpPacket<'_>,
        raw: &Raw<'_>,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        // Its messages may be of several calls: once for all of them.
        let mut held: Option<Vec<Held>> = None;
        let flow = Flow::of(packet);
        let mut outcome = Err(Reason::SctpEmpty);
        let mut rest = packet.chunks;
        let mut kept = None;
        for _ in 0..limits::SCTP_CHUNKS {
            let Some(&[kind, flags, length0, length1]) = rest.first_chunk() else { break };
            let length = usize::from(u16::from_be_bytes([length0, length1]));
            if length < 4 {
                outcome = better(outcome, Err(Reason::SctpHeader));
                break;
            }
            let body = rest.get(4..length.min(rest.len())).unwrap_or_default();
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            let Some(chunk) = data_chunk(flow, kind, flags, body) else { continue };
            let held = held.get_or_insert_with(|| raw.hold(chunk.data, 0));
            match self.chunk(&chunk, packet, &Raw { joined: held, frame: None, ..*raw }, tally, out) {
                Ok(Some(taken)) => outcome = better(outcome, Ok(taken)),
                Ok(None) => kept = Some((chunk.lane, chunk.number)),
                Err(reason) => outcome = better(outcome, Err(reason)),
            }
        }
        // The frame counts once: delivered where a chunk of it was, else with a chunk that waits.
        if let (Err(_), Some((lane, number))) = (outcome, kept)
            && let Some((_, pieces)) = self.lanes.get_mut(&lane)
            && let Some(piece) = pieces.iter_mut().find(|piece| piece.number == number)
        {
            piece.frames = 1;
            tally.wait();
            return Ok(Taken::Waiting);
        }
        outcome
    }

    /// Takes a chunk; none means that it is kept.
    fn chunk(
        &mut self,
        chunk: &Chunk<'_>,
        packet: &SctpPacket<'_>,
        raw: &Raw<'_>,
        tally: &mut Tally,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Option<Taken>, Reason> {
        let is_sip = if chunk.begins {
            sip::looks_like_sip(chunk.data)
        } else {
            chunk.payload_protocol.is_none_or(|protocol| protocol == 0)
        };
        if !is_sip || chunk.data.is_empty() {
            return Err(Reason::Sctp);
        }
        match self.seen.get_mut(&chunk.lane.flow) {
            Some(seen) => {
                if !seen.is_first(chunk.tsn) {
                    return Err(Reason::SctpRepeated);
                }
            }
            None => self.seen.insert(chunk.lane.flow, Seen { highest: chunk.tsn, bits: 1 }, |_| ()),
        }
        if chunk.begins && chunk.ends {
            self.messages = self.messages.saturating_add(1);
            return out(&message(packet, chunk.data, raw.joined)).map(Some);
        }
        let Some((data, frames, held)) = self.keep(chunk, raw, tally)? else { return Ok(None) };
        self.messages = self.messages.saturating_add(1);
        let taken = out(&message(packet, &data, &held));
        tally.settle(taken, frames);
        taken.map(Some)
    }

    /// Keeps a chunk. When its message is whole with it: see [`Whole`].
    fn keep(&mut self, chunk: &Chunk<'_>, raw: &Raw<'_>, tally: &mut Tally) -> Result<Option<Whole>, Reason> {
        let Chunk { number, begins, ends, .. } = *chunk;
        let (data, held) = (chunk.data.into(), raw.joined.to_vec());
        let piece = Piece { number, begins, ends, came: raw.now, data, frames: 0, held };
        let cost = piece.cost();
        if cost > self.limit {
            return Err(Reason::SctpLimit);
        }
        let is_new = !self.lanes.contains_key(&chunk.lane);
        while (self.bytes.saturating_add(cost) > self.limit || (is_new && self.lanes.len() >= limits::SCTP_MESSAGES))
            && let Some((_, serial, lane)) = self.order.pop_front()
        {
            self.remove(serial, &lane, Reason::SctpLimit, tally);
        }
        let (serial, order) = (&mut self.serial, &mut self.order);
        let (_, pieces) = self.lanes.entry(chunk.lane).or_insert_with(|| {
            *serial = serial.wrapping_add(1);
            order.push_back((raw.now, *serial, chunk.lane));
            (*serial, Vec::new())
        });
        if pieces.len() >= limits::SCTP_CHUNKS_PER_MESSAGE {
            return Err(Reason::SctpLimit);
        }
        let place = pieces.partition_point(|piece| piece.number.wrapping_sub(chunk.number) >= 1 << 31);
        pieces.insert(place, piece);
        self.bytes = self.bytes.saturating_add(cost);
        let Some((first, last)) = run(pieces, place) else { return Ok(None) };
        let (mut data, mut frames, mut held) = (Vec::new(), 0_u64, Vec::new());
        for piece in pieces.drain(first..=last) {
            data.extend_from_slice(&piece.data);
            frames = frames.saturating_add(piece.frames);
            self.bytes = self.bytes.saturating_sub(piece.cost());
            held.extend(piece.held);
        }
        held.dedup();
        if pieces.is_empty() {
            self.lanes.remove(&chunk.lane);
            if self.order.len() > limits::SCTP_MESSAGES.saturating_mul(2) {
                let lanes = &self.lanes;
                self.order.retain(|(_, serial, lane)| lanes.get(lane).is_some_and(|(current, _)| current == serial));
            }
        }
        Ok(Some((data, frames, held)))
    }

    fn remove(&mut self, serial: u64, lane: &Lane, reason: Reason, tally: &mut Tally) {
        if self.lanes.get(lane).is_none_or(|(current, _)| *current != serial) {
            return;
        }
        for piece in self.lanes.remove(lane).into_iter().flat_map(|(_, pieces)| pieces) {
            self.bytes = self.bytes.saturating_sub(piece.cost());
            tally.drop(reason, piece.frames);
        }
    }

    /// Takes out the chunks that have waited for too long; those that came after them in the same stream wait on.
    pub fn expire(&mut self, now: Timestamp, tally: &mut Tally) {
        while self.deadline().is_some_and(|deadline| deadline <= now)
            && let Some((_, serial, lane)) = self.order.pop_front()
        {
            let Some((_, pieces)) = self.lanes.get_mut(&lane).filter(|(current, _)| *current == serial) else {
                continue;
            };
            let bytes = &mut self.bytes;
            pieces.retain(|piece| {
                let waits = piece.came.after(limits::SCTP_AGE) > now;
                if !waits {
                    *bytes = bytes.saturating_sub(piece.cost());
                    tally.drop(Reason::SctpExpired, piece.frames);
                }
                waits
            });
            match pieces.iter().map(|piece| piece.came).min() {
                Some(oldest) => self.order.push_back((oldest, serial, lane)),
                None => drop(self.lanes.remove(&lane)),
            }
        }
    }

    /// Takes out everything: there will be no more frames.
    pub fn finish(&mut self, tally: &mut Tally) {
        while let Some((_, serial, lane)) = self.order.pop_front() {
            self.remove(serial, &lane, Reason::SctpExpired, tally);
        }
    }
}

/// The places of the first and the last piece of a whole message around a place.
fn run(pieces: &[Piece], place: usize) -> Option<(usize, usize)> {
    let follows = |first: usize| {
        let (one, next) = (pieces.get(first)?, pieces.get(first.saturating_add(1))?);
        (one.number.wrapping_add(1) == next.number && !one.ends && !next.begins).then_some(())
    };
    let mut first = place;
    while !pieces.get(first)?.begins {
        first = first.checked_sub(1)?;
        follows(first)?;
    }
    let mut last = place;
    while !pieces.get(last)?.ends {
        follows(last)?;
        last = last.saturating_add(1);
    }
    Some((first, last))
}

/// The better of two outcomes: what was delivered, then what waits, then a reason that says more than "no data".
fn better(one: Result<Taken, Reason>, two: Result<Taken, Reason>) -> Result<Taken, Reason> {
    match (one, two) {
        (Ok(Taken::Delivered), _) | (_, Ok(Taken::Delivered)) => Ok(Taken::Delivered),
        (Ok(Taken::Waiting), _) | (_, Ok(Taken::Waiting)) => Ok(Taken::Waiting),
        (Err(Reason::SctpEmpty | Reason::Sctp), Err(reason)) | (Err(reason), Err(_)) => Err(reason),
    }
}

fn message<'a>(packet: &SctpPacket<'_>, payload: &'a [u8], frames: &'a [Held]) -> Datagram<'a> {
    Datagram {
        source: packet.source,
        destination: packet.destination,
        vlan: packet.path.vlan,
        dscp: packet.path.dscp,
        ip_id: None,
        transport: Transport::Sctp,
        payload,
        frames,
    }
}

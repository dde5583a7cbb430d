//! One direction of a TCP connection that may carry SIP: bytes in order to the framer, the others kept until the hole
//! before them is filled or given up.

use crate::{
    decode::{Datagram, Endpoint, Path, Segment, Transport},
    drops::{Reason, Taken, Tally},
    ingress::{Held, Raw, held_bytes},
    limits,
    sip::framing::{Carrier, Framer, Verdict},
    time::Timestamp,
};

/// See the module's text.
#[derive(Debug)]
pub struct Flow {
    source: Endpoint,
    destination: Endpoint,
    path: Path,
    framer: Framer,
    /// The sequence number that comes next.
    next: u32,
    /// In the order of their sequence numbers.
    pieces: Vec<Piece>,
    /// Bytes of the pieces.
    piece_bytes: usize,
    last: Timestamp,
    /// The sequence number of FIN.
    end: Option<u32>,
    /// Frames that wait until it is known whether this is SIP.
    undecided: u64,
    holes: u64,
    /// Frames of which the framer has bytes that are no message yet, where they are held.
    held: Vec<Held>,
    /// How many of them the last piece brought: they may hold the beginning of another message.
    fresh: usize,
    given_up: u64,
    /// Which entry of the queue of waiting flows is this one's.
    pub ticket: Option<u64>,
}

/// A segment that waits.
#[derive(Debug)]
struct Piece {
    sequence: u32,
    bytes: Box<[u8]>,
    missing: usize,
    came: Timestamp,
    /// Its frame, where it is held.
    held: Vec<Held>,
}

impl Piece {
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(limits::REASSEMBLY_OVERHEAD).saturating_add(held_bytes(&self.held))
    }
}

/// What a segment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Outcome {
    /// The frame is delivered, is kept and counted as waiting, or goes no further.
    pub frame: Result<Taken, Reason>,
    /// The flow is not SIP: there is nothing more to be had from it.
    pub is_other: bool,
}

impl Outcome {
    const OTHER: Self = Self { frame: Err(Reason::Tcp), is_other: true };

    fn of(frame: Result<Taken, Reason>) -> Self {
        Self { frame, is_other: false }
    }

    /// With a further step of the same frame: a message that was delivered counts, then a reason that says something.
    fn and(self, frame: Result<Taken, Reason>) -> Self {
        let frame = match (self.frame, frame) {
            (Ok(_), _) | (_, Ok(_)) => Ok(Taken::Delivered),
            (Err(Reason::Empty), frame) => frame,
            (frame, _) => frame,
        };
        Self { frame, ..self }
    }
}

/// How far `to` is ahead of `from`; negative when it is behind (RFC 9293, section 3.4: numbers wrap).
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

/// Sequence numbers count modulo 2^32.
fn low(length: usize) -> u32 {
    u32::try_from(length & 0xffff_ffff).unwrap_or(0)
}

impl Flow {
    /// A flow whose next byte has the number `next`. `from_the_start`: no byte came before it.
    pub fn new(segment: &Segment<'_>, next: u32, from_the_start: bool, now: Timestamp) -> Self {
        let mut framer = Framer::new();
        if !from_the_start {
            framer.hole();
        }
        Self {
            source: segment.source,
            destination: segment.destination,
            path: segment.path,
            framer,
            next,
            pieces: Vec::new(),
            piece_bytes: 0,
            last: now,
            end: None,
            undecided: 0,
            holes: 0,
            held: Vec::new(),
            fresh: 0,
            given_up: 0,
            ticket: None,
        }
    }

    /// The sequence number that comes next.
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.piece_bytes.saturating_add(self.framer.buffered()).saturating_add(held_bytes(&self.held))
    }

    /// Holes that were given up since the last time it was asked.
    pub fn take_holes(&mut self) -> u64 {
        std::mem::take(&mut self.holes)
    }

    /// Held frames that were given up since the last time it was asked.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// When it was first seen that there is a hole before the first piece, if there is one: all pieces lie behind it.
    pub fn hole_since(&self) -> Option<Timestamp> {
        self.pieces.iter().map(|piece| piece.came).min()
    }

    /// All bytes up to FIN came.
    pub fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| distance(self.next, end) <= 0)
    }

    /// Takes a segment, whose data begin at `sequence`.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        sequence: u32,
        raw: &Raw<'_>,
        tally: &mut Tally,
        messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Outcome {
        let now = raw.now;
        let silence = now.since(self.last);
        self.last = now;
        self.path = segment.path;
        let length = segment.payload.len().saturating_add(segment.missing);
        if segment.fin {
            self.end = Some(sequence.wrapping_add(low(length)));
        }
        let ahead = distance(self.next, sequence);
        let is_elsewhere =
            ahead.unsigned_abs() > limits::TCP_WINDOW || (ahead < 0 && silence > limits::TCP_SILENCE && length > 1);
        if is_elsewhere && length > 0 {
            if self.skip_holes(tally, messages) {
                return Outcome::OTHER;
            }
            self.hole(sequence);
        }
        if length == 0 {
            return Outcome::of(Err(Reason::TcpEmpty));
        }
        let ahead = distance(self.next, sequence);
        if ahead > 0 {
            return self.keep(segment, sequence, raw, tally, messages);
        }
        let seen = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
        if seen >= length {
            return Outcome::of(Err(Reason::TcpRepeated));
        }
        let fresh = segment.payload.get(seen..).unwrap_or_default();
        let missing = length.saturating_sub(seen).saturating_sub(fresh.len());
        let mut outcome = self.push(fresh, raw.hold(segment.payload, 0), missing, tally, messages);
        if !outcome.is_other {
            outcome.is_other = self.drain(tally, messages);
        }
        outcome
    }

    /// Keeps a segment before which bytes are missing.
    fn keep(
        &mut self,
        segment: &Segment<'_>,
        sequence: u32,
        raw: &Raw<'_>,
        tally: &mut Tally,
        messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Outcome {
        let end = sequence.wrapping_add(low(segment.payload.len()));
        let covers = |piece: &Piece| {
            let piece_end = piece.sequence.wrapping_add(low(piece.bytes.len()));
            distance(piece.sequence, sequence) >= 0 && distance(end, piece_end) >= 0
        };
        if self.pieces.iter().any(covers) {
            return Outcome::of(Err(Reason::TcpRepeated));
        }
        let held = raw.hold(segment.payload, 0);
        let bytes = segment.payload.into();
        let piece = Piece { sequence, bytes, missing: segment.missing, came: raw.now, held };
        self.piece_bytes = self.piece_bytes.saturating_add(piece.cost());
        tally.wait();
        let place = self.pieces.partition_point(|other| distance(other.sequence, sequence) >= 0);
        self.pieces.insert(place, piece);
        // The segment itself is among the pieces, whose frames are settled as they go.
        let is_full = self.pieces.len() > limits::TCP_SEGMENTS || self.piece_bytes > limits::TCP_SEGMENT_BYTES;
        let is_other = is_full && self.skip_holes(tally, messages);
        Outcome { frame: Ok(Taken::Waiting), is_other }
    }

    /// Gives the pieces that follow without a hole to the framer. True when the flow is not SIP.
    fn drain(&mut self, tally: &mut Tally, messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) -> bool {
        let mut is_other = false;
        while !is_other && self.pieces.first().is_some_and(|piece| distance(self.next, piece.sequence) <= 0) {
            let piece = self.pieces.remove(0);
            self.piece_bytes = self.piece_bytes.saturating_sub(piece.cost());
            let seen = usize::try_from(distance(piece.sequence, self.next)).unwrap_or(0);
            let fresh = piece.bytes.get(seen..).unwrap_or_default();
            if fresh.is_empty() && piece.missing == 0 {
                tally.drop(Reason::TcpRepeated, 1);
                continue;
            }
            let outcome = self.push(fresh, piece.held, piece.missing, tally, messages);
            match outcome.frame {
                // It goes on waiting, as one that is not decided, and has been counted as that.
                Ok(Taken::Waiting) => tally.waiting = tally.waiting.saturating_sub(1),
                taken => tally.settle(taken, 1),
            }
            is_other = outcome.is_other;
        }
        is_other
    }

    /// Gives up all holes: what is kept goes to the framer, which is told where bytes are missing. True when the flow is
    /// not SIP.
    pub fn skip_holes(
        &mut self,
        tally: &mut Tally,
        messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> bool {
        while let Some(piece) = self.pieces.first() {
            let sequence = piece.sequence;
            self.hole(sequence);
            // What a hole sets free is no frame's: its frames are settled.
            let freed = self.flush(messages);
            if freed.is_other || self.drain(tally, messages) {
                return true;
            }
        }
        false
    }

    /// Bytes are missing up to a sequence number.
    fn hole(&mut self, sequence: u32) {
        self.holes = self.holes.saturating_add(1);
        self.framer.hole();
        self.next = sequence;
    }

    /// Gives the framer the next bytes, and what it makes of them to `messages`. `missing` bytes after them were sent and
    /// cannot be had.
    fn push(
        &mut self,
        bytes: &[u8],
        held: Vec<Held>,
        missing: usize,
        tally: &mut Tally,
        messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Outcome {
        self.next = self.next.wrapping_add(low(bytes.len()));
        self.framer.push(bytes);
        let fresh = held.len();
        self.held.extend(held);
        let most = self.held.len().saturating_sub(limits::TCP_HELD_FRAMES);
        self.given_up = self.given_up.saturating_add(u64::try_from(self.held.drain(..most).count()).unwrap_or(0));
        self.fresh = fresh;
        let mut outcome = self.flush(messages);
        if missing > 0 && !outcome.is_other {
            self.hole(self.next.wrapping_add(low(missing)));
            let freed = self.flush(messages);
            outcome = Outcome { is_other: freed.is_other, ..outcome.and(freed.frame) };
        }
        if outcome.is_other {
            return Outcome::OTHER;
        }
        if self.framer.verdict() == Verdict::Open {
            self.undecided = self.undecided.saturating_add(1);
            tally.wait();
            return Outcome::of(Ok(Taken::Waiting));
        }
        tally.deliver(std::mem::take(&mut self.undecided));
        match outcome.frame {
            // Line breaks between messages keep the connection open (RFC 5626, section 3.5.1).
            Err(Reason::Empty) if is_keep_alive(bytes) => Outcome::of(Err(Reason::KeepAlive)),
            Err(Reason::Empty) => Outcome::of(Ok(Taken::Delivered)),
            _ => outcome,
        }
    }

    /// Gives the messages that the framer has found to `messages`. [`Reason::Empty`] when there was none.
    fn flush(&mut self, messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) -> Outcome {
        let (source, destination, path) = (self.source, self.destination, self.path);
        let mut outcome = Outcome::of(Err(Reason::Empty));
        let (held, fresh) = (&mut self.held, self.fresh);
        while let Some(frame) = self.framer.next() {
            let transport = match frame.carrier {
                Carrier::Tcp => Transport::Tcp,
                Carrier::WebSocket => Transport::WebSocket,
            };
            outcome = outcome.and(messages(&Datagram {
                source,
                destination,
                vlan: path.vlan,
                dscp: path.dscp,
                ip_id: None,
                transport,
                payload: frame.bytes,
                frames: held,
            }));
            held.drain(..held.len().saturating_sub(fresh));
        }
        if self.framer.is_between_messages() {
            self.held.clear();
        }
        outcome.is_other = self.framer.verdict() == Verdict::Other;
        outcome
    }

    /// There will be no more bytes: gives up all holes, and the framer gives what it has.
    pub fn finish(&mut self, tally: &mut Tally, messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        if !self.skip_holes(tally, messages) {
            self.framer.hole();
            // What comes out of this is no frame's: its frames are settled.
            let _settled = self.flush(messages);
        }
        self.settle(tally);
    }

    /// Settles the frames that are still kept.
    pub fn settle(&mut self, tally: &mut Tally) {
        let undecided = std::mem::take(&mut self.undecided);
        if self.framer.verdict() == Verdict::Sip {
            tally.deliver(undecided);
        } else {
            tally.drop(Reason::Tcp, undecided);
        }
        self.held.clear();
        let pieces = u64::try_from(self.pieces.len()).unwrap_or(u64::MAX);
        self.pieces.clear();
        self.piece_bytes = 0;
        let reason = if self.framer.verdict() == Verdict::Other { Reason::Tcp } else { Reason::TcpLimit };
        tally.drop(reason, pieces);
    }

    /// Gives up what is kept, to make room.
    pub fn give_up(&mut self, tally: &mut Tally, messages: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        self.finish(tally, messages);
        let is_sip = self.framer.verdict() == Verdict::Sip;
        self.framer = Framer::new();
        if is_sip {
            self.framer.hole();
        }
    }
}

fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

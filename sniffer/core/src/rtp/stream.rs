//! One RTP stream: one SSRC from one endpoint to another. Taking a packet allocates nothing but once for each kind of
//! thing that most streams do not have (loss, late packets, a second payload type) and every ten seconds for the time line.

mod figures;
mod measure;
mod steady;

pub use super::payload::{PayloadType, Timing};
use super::{
    Packet,
    delay::{DelayVariation, MediaClock},
    jitter::Jitter,
    payload::PayloadTypes,
    playout::Playout,
    sequence::{Arrival, Sequence},
    timeline::Timeline,
};
use crate::{
    codec::Media,
    decode::Endpoint,
    ends::{Ends, EndsV4},
    limits,
    rtcp::session::Session,
    time::Timestamp,
};

/// How closely a copy follows in nanoseconds: see [`limits::COPY_MILLIS`].
const COPY: i64 = 100_000_000;
const _: () = assert!(limits::COPY_MILLIS == 100);

/// What names a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// The state of a stream.
#[derive(Clone, Debug)]
pub struct Stream {
    ends: Ends,
    ssrc: u32,
    /// The VLAN of its first packet.
    pub vlan: Option<u16>,
    /// Time of the first packet.
    pub first: Timestamp,
    /// Time of the last packet, copies that follow at once left out.
    pub last: Timestamp,
    sequence: Sequence,
    clock: MediaClock,
    jitter: Jitter,
    delay: DelayVariation,
    playout: Playout,
    timeline: Timeline,
    types: PayloadTypes,
    counts: Counts,
    seldom: Option<Box<Seldom>>,
}

/// Small figures of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Different packets with sound: no events, comfort noise or silence descriptors.
    pub sounding: u32,
    /// Ticks from one packet with speech to the next in order: those of most.
    pub interval: u32,
    /// Shortest and longest time between two packets, in microseconds; they mean something from two packets on.
    pub shortest_gap: u32,
    /// See `shortest_gap`.
    pub longest_gap: u32,
    /// Differentiated services code point of the first packet.
    pub dscp: u8,
    /// That of the last packet.
    pub dscp_last: u8,
    /// There were packets with another one than the first's.
    pub dscp_changed: bool,
    last_marker: bool,
    /// By how many packets `interval` is ahead of all others.
    votes: u8,
    /// The last packet had no speech.
    last_silent: bool,
    /// The last packet came after a pause that its timestamp knows nothing of, and has not been judged.
    is_frozen: bool,
}

/// What few streams have.
#[derive(Clone, Debug, Default)]
struct Seldom {
    /// Packets of payload types without a known clock rate.
    early: Vec<Early>,
    /// What RTCP says of it while no call is known that it belongs to.
    rtcp: Session,
    silent: u32,
    events: u32,
    last_event: u32,
}

impl Seldom {
    /// Takes a packet of an event, which has the timestamp of its beginning.
    fn event(&mut self, timestamp: u32) {
        let is_new = self.events == 0 || self.last_event != timestamp;
        self.events = self.events.saturating_add(u32::from(is_new));
        self.last_event = timestamp;
    }

    fn silence(&mut self) {
        self.silent = self.silent.saturating_add(1);
    }
}

impl Counts {
    /// Takes the distance of two packets. The one that most have stays, whatever the others are: pauses, and what
    /// is sent in them, have others.
    #[inline]
    fn vote(&mut self, ticks: u32) {
        if self.interval == ticks {
            self.votes = self.votes.saturating_add(1);
        } else if self.votes == 0 {
            (self.interval, self.votes) = (ticks, 1);
        } else {
            self.votes -= 1;
        }
    }
}

/// How a packet comes after the one before.
#[derive(Clone, Copy, Debug)]
struct Follows {
    /// Its number is the next.
    follows: bool,
    /// Both have speech.
    is_speech: bool,
}

/// A packet that waits for its clock rate.
#[derive(Clone, Copy, Debug)]
struct Early {
    arrival: Timestamp,
    timestamp: u32,
    number: u16,
    payload_type: u8,
    marker: bool,
}

impl Stream {
    /// Begins a stream; its first packet is given to [`Stream::on`].
    #[must_use]
    pub fn new(key: StreamKey, vlan: Option<u16>, time: Timestamp) -> Self {
        Self {
            ends: Ends::new(key.source, key.destination),
            ssrc: key.ssrc,
            vlan,
            first: time,
            last: time,
            sequence: Sequence::default(),
            clock: MediaClock::default(),
            jitter: Jitter::default(),
            delay: DelayVariation::default(),
            playout: Playout::default(),
            timeline: Timeline::default(),
            types: PayloadTypes::default(),
            counts: Counts { shortest_gap: u32::MAX, ..Counts::default() },
            seldom: None,
        }
    }

    /// What names it.
    #[must_use]
    pub fn key(&self) -> StreamKey {
        StreamKey { source: self.ends.source(), destination: self.ends.destination(), ssrc: self.ssrc }
    }

    /// Says whether this names it.
    #[must_use]
    #[inline]
    pub fn is(&self, key: &StreamKey) -> bool {
        self.ssrc == key.ssrc && self.ends.are(&key.source, &key.destination)
    }

    /// Says whether this names it, between two endpoints of IPv4.
    #[must_use]
    #[inline]
    pub fn is_v4(&self, ends: EndsV4, ssrc: u32) -> bool {
        self.ssrc == ssrc && self.ends.are_v4(ends)
    }

    /// Takes a packet. `timing_of` is asked once for each payload type.
    #[inline]
    pub fn on(&mut self, packet: &Packet<'_>, timing_of: impl FnOnce(u8) -> Option<Timing>) {
        if self.steady(packet).is_none() {
            self.on_any(packet, timing_of);
        }
    }

    /// Takes any packet.
    #[inline(never)]
    fn on_any(&mut self, packet: &Packet<'_>, timing_of: impl FnOnce(u8) -> Option<Timing>) {
        let Packet { time, header, .. } = *packet;
        let begins_slot = self.timeline.is_over(self.first, time);
        if begins_slot {
            self.begin_slot(time);
        }
        let is_first = self.sequence.packets() == 0;
        let arrival = self.sequence.on(header.sequence, packet.ip_id);
        if let Arrival::InOrder { skipped: skipped @ 1.. } = arrival
            && begins_slot
        {
            self.timeline.spread(self.first, self.last, time, skipped);
        }
        self.note(packet, is_first, arrival);
        let timing = self.types.count(header.payload_type, timing_of);
        let follows = match arrival {
            // A copy says nothing about the network's timing: it may come from a second mirror port. A single packet
            // far from the others may be another stream's.
            Arrival::Duplicate | Arrival::Jump => return,
            Arrival::Restart => {
                self.clock.restart();
                if let Some(seldom) = &mut self.seldom {
                    seldom.early = Vec::new();
                }
                false
            }
            Arrival::InOrder { skipped } => skipped == 0,
            Arrival::Late => false,
        };
        let early = Early {
            arrival: time,
            timestamp: header.timestamp,
            number: header.sequence,
            payload_type: header.payload_type,
            marker: header.marker,
        };
        let Some(timing) = timing else {
            self.keep_early(early);
            return;
        };
        match timing.media {
            Media::Event => {
                self.counts.last_silent = true;
                self.seldom().event(header.timestamp);
            }
            Media::Noise => {
                self.counts.last_silent = true;
                self.seldom().silence();
            }
            Media::Audio | Media::Video => {
                let is_silent = timing.silence_octets > 0 && is_silence(packet.bytes, timing.silence_octets);
                let was_silent = std::mem::replace(&mut self.counts.last_silent, is_silent);
                if is_silent {
                    self.seldom().silence();
                } else {
                    self.counts.sounding = self.counts.sounding.saturating_add(1);
                }
                self.measure(early, timing, Follows { follows, is_speech: !is_silent && !was_silent });
            }
        }
    }

    #[cold]
    fn begin_slot(&mut self, time: Timestamp) {
        self.timeline.advance(self.first, time, &self.sequence);
        self.playout.begin_slot(self.delay.reference());
        self.delay.begin_slot();
    }

    /// What every packet has. The time of a copy says nothing.
    #[inline]
    fn note(&mut self, packet: &Packet<'_>, is_first: bool, arrival: Arrival) {
        let counts = &mut self.counts;
        if is_first {
            (counts.dscp, counts.dscp_last) = (packet.dscp, packet.dscp);
        } else if arrival != Arrival::Duplicate {
            let gap = packet.time.nanos_since(self.last).max(0).cast_unsigned() / 1000;
            let gap = u32::try_from(gap).unwrap_or(u32::MAX);
            counts.shortest_gap = counts.shortest_gap.min(gap);
            counts.longest_gap = counts.longest_gap.max(gap);
            counts.dscp_changed |= packet.dscp != counts.dscp_last;
            counts.dscp_last = packet.dscp;
        }
        // A copy follows at once; what repeats a packet much later shows that the stream lives.
        let is_copy = arrival == Arrival::Duplicate && packet.time.nanos_since(self.last) < COPY;
        if !is_copy {
            self.last = self.last.max(packet.time);
        }
    }

    fn seldom(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    fn keep_early(&mut self, packet: Early) {
        // No SDP will come for it: what is kept is of no use any more.
        if packet.arrival.since(self.first) > limits::EARLY_AGE {
            if let Some(seldom) = &mut self.seldom {
                seldom.early = Vec::new();
            }
            return;
        }
        let early = &mut self.seldom().early;
        if early.len() < limits::EARLY_PACKETS {
            early.push(packet);
        }
    }

    /// Looks again for clock rates that were not known: SDP came after the packets. What was kept of them is measured
    /// as if it had come before.
    pub fn resolve(&mut self, timing_of: impl Fn(u8) -> Option<Timing>) {
        if !self.types.resolve(timing_of) {
            return;
        }
        let Some(early) = self.seldom.as_mut().map(|seldom| std::mem::take(&mut seldom.early)) else { return };
        let mut before: Option<u16> = None;
        for packet in early {
            let follows = before.replace(packet.number) == Some(packet.number.wrapping_sub(1));
            match self.types.timing(packet.payload_type) {
                Some(timing) if matches!(timing.media, Media::Audio | Media::Video) => {
                    self.counts.sounding = self.counts.sounding.saturating_add(1);
                    self.measure(packet, timing, Follows { follows, is_speech: true });
                }
                Some(Timing { media: Media::Noise, .. }) => self.seldom().silence(),
                Some(_) => self.seldom().event(packet.timestamp),
                None => self.keep_early(packet),
            }
        }
    }
}

/// Says whether a packet has a payload, and one so small that it can only be a silence descriptor.
#[inline(never)]
fn is_silence(datagram: &[u8], largest: u8) -> bool {
    super::payload(datagram).is_some_and(|payload| !payload.is_empty() && payload.len() <= usize::from(largest))
}

#[cfg(test)]
mod tests;

//! One RTP stream: one SSRC from one endpoint to another. Taking a packet allocates nothing but once for each kind of
//! thing that most streams do not have (loss, late packets, a second payload type) and every ten seconds for the time line.

use std::time::Duration;

pub use super::payload::{PayloadType, Timing};
use super::{
    Packet,
    delay::{DelayVariation, MediaClock, Transit},
    jitter::Jitter,
    payload::PayloadTypes,
    playout::{Arriving, Playout},
    sequence::{Arrival, Sequence},
    timeline::Timeline,
};
use crate::{codec::Media, decode::Endpoint, ends::Ends, limits, rtcp::session::Session, time::Timestamp};

/// How closely a copy follows: see [`limits::COPY_MILLIS`].
const COPY: Duration = Duration::from_millis(100);

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

    /// Takes a packet. `timing_of` is asked once for each payload type.
    pub fn on(&mut self, packet: &Packet<'_>, timing_of: impl FnOnce(u8) -> Option<Timing>) {
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
    fn note(&mut self, packet: &Packet<'_>, is_first: bool, arrival: Arrival) {
        let counts = &mut self.counts;
        if is_first {
            (counts.dscp, counts.dscp_last) = (packet.dscp, packet.dscp);
        } else if arrival != Arrival::Duplicate {
            let gap = packet.time.as_nanos().saturating_sub(self.last.as_nanos()).max(0) / 1000;
            let gap = u32::try_from(gap).unwrap_or(u32::MAX);
            counts.shortest_gap = counts.shortest_gap.min(gap);
            counts.longest_gap = counts.longest_gap.max(gap);
            counts.dscp_changed |= packet.dscp != counts.dscp_last;
            counts.dscp_last = packet.dscp;
        }
        // A copy follows at once; what repeats a packet much later shows that the stream lives.
        let is_copy = arrival == Arrival::Duplicate && packet.time.since(self.last) < COPY;
        if !is_copy {
            self.last = self.last.max(packet.time);
        }
    }

    /// Times a packet with a known clock rate.
    fn measure(&mut self, packet: Early, timing: Timing, after: Follows) {
        let silence = self.clock.silence(packet.arrival);
        let transit = self.clock.on(packet.arrival, packet.timestamp, timing.clock_rate);
        let marker = packet.marker && !self.counts.last_marker;
        self.counts.last_marker = packet.marker;
        let jitter = transit.difference.map(|difference| self.jitter.on(difference));
        if after.follows && after.is_speech && !packet.marker && transit.ticks > 0 {
            self.counts.vote(transit.ticks.unsigned_abs());
        }
        let mut jump = transit.difference.is_none_or(|difference| is_longer(difference, limits::PLAYOUT_RESTART));
        if transit.difference.is_none() {
            self.counts.votes = 0;
        }
        let mut is_late = self.judge_freeze(packet.number, &transit, timing, &mut jump);
        if after.follows && !packet.marker && is_freeze(&transit, timing.clock_rate) {
            // The packets behind it tell whether the network held it back, or its sender paused.
            self.counts.is_frozen = true;
            self.timeline.measured(jitter, is_late);
            return;
        }
        if jump {
            self.delay.restart();
            self.playout.restart();
        }
        self.delay.on(transit.nanos);
        if timing.media == Media::Audio {
            let is_fresh = jump || marker || silence > limits::PLAYOUT_RESTART;
            let arriving = Arriving { number: packet.number, transit: transit.nanos, is_fresh };
            let sequence = &self.sequence;
            is_late |= self.playout.on(arriving, || sequence.predecessor_came(packet.number));
        }
        self.timeline.measured(jitter, is_late);
    }

    /// Judges the packet before, if it came after a pause that its timestamp knows nothing of: when this one follows at
    /// once, the network held both back, and the one before was late; else its sender paused, and time begins anew. Says
    /// whether the packet before was late.
    fn judge_freeze(&mut self, number: u16, transit: &Transit, timing: Timing, jump: &mut bool) -> bool {
        if !std::mem::take(&mut self.counts.is_frozen) {
            return false;
        }
        let Some(difference) = transit.difference.filter(|_| transit.ticks > 0) else { return false };
        if difference > -media_nanos(transit.ticks, timing.clock_rate) / 2 {
            *jump = true;
            return false;
        }
        *jump = false;
        let before = transit.nanos.saturating_sub(difference);
        self.delay.on(before);
        if timing.media != Media::Audio {
            return false;
        }
        let number = number.wrapping_sub(1);
        let sequence = &self.sequence;
        let arriving = Arriving { number, transit: before, is_fresh: false };
        self.playout.on(arriving, || sequence.predecessor_came(number))
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

    /// The payload type with most packets; the first one seen wins a draw.
    #[must_use]
    pub fn main_type(&self) -> Option<PayloadType> {
        self.types.main()
    }

    /// Packets seen, duplicates included.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.sequence.packets()
    }

    /// The state of the sequence numbers; none before the first packet.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        Some(&self.sequence).filter(|sequence| sequence.packets() > 0)
    }

    /// Interarrival jitter; empty when the clock rate is not known.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// Delay variation; empty when the clock rate is not known.
    #[must_use]
    pub fn delay(&self) -> &DelayVariation {
        &self.delay
    }

    /// What the jitter buffers made of it; empty when the clock rate is not known, and for video.
    #[must_use]
    pub fn playout(&self) -> &Playout {
        &self.playout
    }

    /// The time line.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Small figures.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Different packets with comfort noise or a silence descriptor.
    #[must_use]
    pub fn silent(&self) -> u32 {
        self.seldom.as_ref().map_or(0, |seldom| seldom.silent)
    }

    /// The last packet was comfort noise or a silence descriptor: what follows may be a pause.
    #[must_use]
    pub fn ends_in_silence(&self) -> bool {
        self.counts.last_silent && self.silent() > 0
    }

    /// Events (RFC 4733). Which ones is nobody's business.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.seldom.as_ref().map_or(0, |seldom| seldom.events)
    }

    /// What RTCP says of it while no call is known that it belongs to.
    #[must_use]
    pub fn rtcp(&self) -> Option<&Session> {
        self.seldom.as_ref().map(|seldom| &seldom.rtcp)
    }

    /// The same, to add to it.
    pub fn rtcp_mut(&mut self) -> &mut Session {
        &mut self.seldom().rtcp
    }

    /// Gives it away, to the call that it belongs to; none where there was no RTCP.
    pub fn take_rtcp(&mut self) -> Option<Session> {
        let rtcp = std::mem::take(&mut self.seldom.as_mut()?.rtcp);
        (rtcp != Session::default()).then_some(rtcp)
    }

    /// The clock rate that packets are measured with, in hertz.
    #[must_use]
    pub fn clock_rate(&self) -> Option<u32> {
        self.clock.rate()
    }

    /// Bytes on the heap: the time line, the pattern of losses, packets that wait for their clock rate, and so on.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let early = |seldom: &Seldom| seldom.early.capacity().saturating_mul(size_of::<Early>());
        let seldom = self.seldom.as_ref().map_or(0, |seldom| size_of::<Seldom>().saturating_add(early(seldom)));
        let parts = [
            self.timeline.heap_bytes(),
            self.sequence.heap_bytes(),
            self.playout.heap_bytes(),
            self.types.heap_bytes(),
        ];
        parts.iter().fold(seldom, |sum, part| sum.saturating_add(*part))
    }
}

/// How much media so many ticks are, in nanoseconds.
fn media_nanos(ticks: i32, clock_rate: u32) -> i64 {
    i64::from(ticks).saturating_mul(1_000_000_000).checked_div(i64::from(clock_rate)).unwrap_or(0)
}

fn is_longer(nanos: i64, than: Duration) -> bool {
    u128::from(nanos.unsigned_abs()) > than.as_nanos()
}

/// Says whether a packet came much later than the one before although its timestamp is the next.
fn is_freeze(transit: &Transit, clock_rate: u32) -> bool {
    let is_next = transit.ticks > 0 && !is_longer(media_nanos(transit.ticks, clock_rate), limits::PLAYOUT_RESTART);
    transit.difference.is_some_and(|difference| {
        is_next
            && difference > 0
            && is_longer(difference, limits::PLAYOUT_RESTART)
            && !is_longer(difference, limits::FREEZE)
    })
}

/// Says whether a packet has a payload, and one so small that it can only be a silence descriptor.
fn is_silence(datagram: &[u8], largest: u8) -> bool {
    super::payload(datagram).is_some_and(|payload| !payload.is_empty() && payload.len() <= usize::from(largest))
}

#[cfg(test)]
mod tests;

//! One direction of media: RTP packets (RFC 3550, section 5.1) every 20 ms, what happens to them on the way, and what
//! an observer behind that can count. First and last packet always arrive, so that what was sent can be known.

use super::TimedFrame;
use super::frame::{Station, udp_frame};
use super::heard::Heard;
use super::random::Random;
use super::truth::{Observer, StreamTruth};
use anyhow::Result;
use std::time::Duration;

/// Packets are sent this often.
const PTIME: Duration = Duration::from_millis(20);
/// Timestamp units per packet: 20 ms at 8000 Hz, the clock of all codecs here (RFC 3551, table 4).
const TICKS: u32 = 160;

/// A codec with a static payload type (RFC 3551, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.729.
    G729,
}

impl Codec {
    /// The payload type.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G729 => 18,
        }
    }

    /// The encoding name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G729 => "G729",
        }
    }

    /// Bytes of 20 ms.
    fn bytes(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 160,
            Self::G729 => 20,
        }
    }
}

/// What happens to the packets of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// How many of a hundred are lost.
    pub lost_percent: f64,
    /// Each is late by up to this; less than half of the packet's 20 ms keeps the order.
    pub jitter: Duration,
    /// How many of a hundred come twice.
    pub doubled_percent: f64,
    /// How many of a hundred change places with the next one.
    pub swapped_percent: f64,
    /// A time in which nothing comes.
    pub hole: Option<Hole>,
}

/// A time in which nothing comes, from the beginning of the media. The first and the last packet come all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub length: Duration,
}

impl Hole {
    fn holds(&self, sent: Duration) -> bool {
        (self.at..self.at + self.length).contains(&sent)
    }
}

/// One direction of a call's media.
pub struct Direction<'a> {
    pub codec: Codec,
    pub vlan: Option<u16>,
    pub from: (&'a Station, u16),
    pub to: (&'a Station, u16),
    pub start: Duration,
    pub talk: Duration,
    pub faults: Faults,
}

/// Makes the frames of a direction and what is true of them.
pub fn stream(plan: &Direction<'_>, random: &mut Random, frames: &mut Vec<TimedFrame>) -> Result<StreamTruth> {
    let ssrc = random.word();
    let first_sequence = u16::try_from(random.below(65_536))?;
    let first_timestamp = random.word();
    let count = u32::try_from(plan.talk.as_millis() / PTIME.as_millis())?.max(2);
    let mut arrivals: Vec<(Duration, u32)> = Vec::new();
    let mut index = 0;
    while index < count {
        let is_edge = index == 0 || index + 1 >= count;
        let late = Duration::from_micros(random.below(u64::try_from(plan.faults.jitter.as_micros())? + 1));
        let late = if is_edge { Duration::ZERO } else { late };
        let at = plan.start + PTIME * index + late;
        if !is_edge && plan.faults.hole.is_some_and(|hole| hole.holds(PTIME * index)) {
            index += 1;
            continue;
        }
        let can_swap = !is_edge && index + 2 < count;
        if can_swap && random.happens(plan.faults.swapped_percent) {
            // The next packet overtakes this one.
            arrivals.push((plan.start + PTIME * (index + 1), index + 1));
            arrivals.push((plan.start + PTIME * (index + 1) + Duration::from_millis(1), index));
            index += 2;
            continue;
        }
        if is_edge || !random.happens(plan.faults.lost_percent) {
            arrivals.push((at, index));
            if !is_edge && random.happens(plan.faults.doubled_percent) {
                arrivals.push((at + Duration::from_micros(300), index));
            }
        }
        index += 1;
    }
    arrivals.sort();
    let mut observer = Observer::new(count);
    let heard = Heard::of(count, &arrivals, plan.codec);
    for (at, index) in arrivals {
        let timestamp = first_timestamp.wrapping_add(TICKS.wrapping_mul(index));
        let sequence = first_sequence.wrapping_add(u16::try_from(index % 65_536)?);
        let payload = packet(plan.codec, index == 0, sequence, timestamp, ssrc, random);
        frames.push(TimedFrame { at, bytes: udp_frame(plan.vlan, plan.from, plan.to, &payload)? });
        observer.see(index, at, TICKS);
    }
    Ok(observer.truth(ssrc, plan.from.0.at(plan.from.1), plan.to.0.at(plan.to.1), plan.codec, heard))
}

fn packet(codec: Codec, is_first: bool, sequence: u16, timestamp: u32, ssrc: u32, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0x80, codec.payload_type() | if is_first { 0x80 } else { 0 }];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    // Comfort noise: the low bits of the quietest values.
    let quiet = if codec == Codec::Pcma { 0xd4 } else { 0xfc };
    while bytes.len() < 12 + codec.bytes() {
        let noise = random.next().to_le_bytes().map(|byte| quiet | (byte & 3));
        let room = (12 + codec.bytes() - bytes.len()).min(noise.len());
        bytes.extend(noise.iter().take(room));
    }
    bytes
}

//! Frames to whole datagrams and framed SIP messages. What is complete in one frame goes straight through without a
//! copy; what is not is kept, bounded, until it is. Its clock is the frames' own.

pub(crate) mod aging;
mod held;

use std::collections::BTreeMap;

pub use self::held::{Held, HeldFrame};
pub(crate) use self::held::{Raw, bytes as held_bytes};
use crate::{
    decode::{self, Datagram, Found, LinkType},
    drops::{Reason, Taken, Tally},
    engine::FrameMeta,
    limits,
    reassembly::Fragments,
    sctp::Sctp,
    tcp::Tcp,
    time::Timestamp,
};

/// How an ingress is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that everything which waits may hold together.
    pub memory_bytes: usize,
    /// Directions of TCP connections that carry SIP.
    pub tcp_flows: usize,
    /// Directions of SCTP associations that carry SIP.
    pub sctp_flows: usize,
    /// Seed of the tables' hash.
    pub hash_seed: u64,
    /// Hold the frames of messages that come in several, for who keeps packets.
    pub holds_frames: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_bytes: limits::REASSEMBLY_BYTES,
            tcp_flows: limits::TCP_SIP_FLOWS,
            sctp_flows: limits::SCTP_FLOWS,
            hash_seed: 0,
            holds_frames: false,
        }
    }
}

/// What is counted besides frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// IP packets put together from fragments.
    pub fragmented_packets: u64,
    /// SIP messages framed out of TCP connections.
    pub tcp_messages: u64,
    /// Holes in TCP connections that were given up.
    pub tcp_holes: u64,
    /// SIP messages from SCTP associations.
    pub sctp_messages: u64,
    /// Frames that were held for their message and given up before it was whole: it is kept without them.
    pub frames_given_up: u64,
}

impl Joined {
    /// Adds what another ingress has put together.
    pub fn add(&mut self, other: Self) {
        self.fragmented_packets += other.fragmented_packets;
        self.tcp_messages += other.tcp_messages;
        self.tcp_holes += other.tcp_holes;
        self.sctp_messages += other.sctp_messages;
        self.frames_given_up += other.frames_given_up;
    }

    /// The counts that are not zero, by kind.
    #[must_use]
    pub fn by_kind(&self) -> BTreeMap<String, u64> {
        let kinds = [
            ("fragmented_packets", self.fragmented_packets),
            ("tcp_messages", self.tcp_messages),
            ("tcp_holes", self.tcp_holes),
            ("sctp_messages", self.sctp_messages),
            ("frames_given_up", self.frames_given_up),
        ];
        kinds.into_iter().filter(|&(_, count)| count > 0).map(|(kind, count)| (kind.to_owned(), count)).collect()
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Ingress {
    fragments: Fragments,
    tcp: Tcp,
    sctp: Sctp,
    fragmented_packets: u64,
    tally: Tally,
    due: Timestamp,
    holds_frames: bool,
    /// Which frame of all it is, from 1.
    number: u64,
}

impl Default for Ingress {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Ingress {
    /// An ingress that has seen nothing. TCP may hold half of the memory, fragments and SCTP a quarter each.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let quarter = settings.memory_bytes.checked_div(4).unwrap_or(0);
        let seed = settings.hash_seed;
        Self {
            fragments: Fragments::new(quarter, seed),
            tcp: Tcp::new(settings.tcp_flows, quarter.saturating_mul(2), seed),
            sctp: Sctp::new(settings.sctp_flows, quarter, seed),
            fragmented_packets: 0,
            tally: Tally::default(),
            due: Timestamp::NEVER,
            holds_frames: settings.holds_frames,
            number: 0,
        }
    }

    /// Takes a frame, and gives each datagram or message that is complete with it to `out`. A frame that is kept is
    /// [`Taken::Waiting`] and counted here, in [`Ingress::tally`], until its datagram is complete or given up; the frame
    /// that completes a datagram has the outcome that `out` gave.
    ///
    /// # Errors
    /// Why the frame goes no further.
    #[inline]
    pub fn frame(
        &mut self,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        self.number = self.number.wrapping_add(1);
        if link == LinkType::Ethernet
            && let Some(datagram) = decode::plain_udp(meta.vlan, frame)
        {
            return out(&datagram);
        }
        self.slow_frame(link, meta, frame, out)
    }

    #[cold]
    #[inline(never)]
    fn slow_frame(
        &mut self,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        if meta.time >= self.due {
            self.advance(meta.time, out);
        }
        let found = decode::decode(link, meta.vlan, frame)?;
        if let Found::Datagram(datagram) = found {
            return out(&datagram);
        }
        let raw =
            Raw { now: meta.time, frame: self.holds_frames.then_some((self.number, link, meta, frame)), joined: &[] };
        let taken = self.found(found, &raw, out);
        self.schedule();
        taken
    }

    /// What was found goes its way. A packet that becomes whole may carry a fragment again, in a tunnel: that ends with
    /// the layers which a packet may have.
    fn found(
        &mut self,
        found: Found<'_>,
        raw: &Raw<'_>,
        out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>,
    ) -> Result<Taken, Reason> {
        match found {
            Found::Datagram(datagram) => out(&Datagram { frames: raw.joined, ..datagram }),
            Found::Tcp(segment) => self.tcp.segment(&segment, raw, &mut self.tally, out),
            Found::Sctp(packet) => self.sctp.packet(&packet, raw, &mut self.tally, out),
            Found::Fragment(fragment) => {
                let Some(whole) = self.fragments.add(&fragment, raw, &mut self.tally)? else {
                    return Ok(Taken::Waiting);
                };
                self.fragmented_packets = self.fragmented_packets.saturating_add(1);
                let raw = Raw { joined: &whole.frames, ..*raw };
                let taken = decode::decode_payload(whole.path, whole.protocol, &whole.payload)
                    .and_then(|found| self.found(found, &raw, out));
                self.tally.settle(taken, whole.frames_before);
                taken
            }
        }
    }

    fn schedule(&mut self) {
        let deadlines = [self.fragments.deadline(), self.tcp.deadline(), self.sctp.deadline()];
        self.due = deadlines.into_iter().flatten().min().unwrap_or(Timestamp::NEVER);
    }

    /// When [`Ingress::advance`] has something to do.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// Gives up what has waited too long; messages that a given up hole held back go to `out`.
    pub fn advance(&mut self, now: Timestamp, out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        self.fragments.expire(now, &mut self.tally);
        self.tcp.expire(now, &mut self.tally, out);
        self.sctp.expire(now, &mut self.tally);
        self.schedule();
    }

    /// Gives up everything that waits: there will be no more frames.
    pub fn finish(&mut self, out: &mut impl FnMut(&Datagram<'_>) -> Result<Taken, Reason>) {
        self.fragments.finish(&mut self.tally);
        self.tcp.finish(&mut self.tally, out);
        self.sctp.finish(&mut self.tally);
        self.schedule();
    }

    /// What became of frames that were kept.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.fragments.bytes().saturating_add(self.tcp.bytes()).saturating_add(self.sctp.bytes())
    }

    /// Directions of TCP connections, and of SCTP associations, that were forgotten for want of room.
    #[must_use]
    pub fn evicted(&self) -> [u64; 2] {
        [self.tcp.evicted(), self.sctp.evicted()]
    }

    /// What was put together.
    #[must_use]
    pub fn joined(&self) -> Joined {
        Joined {
            fragmented_packets: self.fragmented_packets,
            tcp_messages: self.tcp.messages(),
            tcp_holes: self.tcp.holes(),
            sctp_messages: self.sctp.messages(),
            frames_given_up: self.tcp.given_up(),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a worker does with datagrams: each is told by what it carries, and goes to its parser and to who tracks it.

use crate::{
    classify::{Class, classify, is_surely_rtp},
    decode::{Datagram, LinkType, Plain},
    drops::{Dropped, Reason, Taken},
    engine::{EngineCounters, FrameKind, FrameMeta, FrameUse, HeldFrames, Media, PacketUse, Settings, Whose},
    ingress::{Held, Ingress},
    limits, rtp,
    sip::{self, Message},
    time::Timestamp,
    turn,
};

/// See the module's text.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) now: Timestamp,
    received: u64,
    delivered: u64,
    dropped: Dropped,
    pub(super) media: Media,
    used: FrameUse,
    pub(super) held: Vec<HeldFrames>,
    /// Frames that were held and that nobody took.
    held_given_up: u64,
}

impl Desk {
    pub(super) fn new(settings: &Settings, number: u8) -> Self {
        Self {
            now: Timestamp::default(),
            received: 0,
            delivered: 0,
            dropped: Dropped::default(),
            media: Media::new(settings, number),
            used: FrameUse::default(),
            held: Vec::new(),
            held_given_up: 0,
        }
    }

    /// Takes a frame through the ingress.
    #[inline]
    pub(super) fn frame(
        &mut self,
        ingress: &mut Ingress,
        link: LinkType,
        meta: FrameMeta,
        frame: &[u8],
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> FrameUse {
        self.now = meta.time;
        self.received += 1;
        self.used = FrameUse { keep: frame.len(), ..FrameUse::default() };
        match ingress.frame(link, meta, frame, &mut |datagram| self.datagram(datagram, frame, sip)) {
            Ok(Taken::Delivered) => self.delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => self.dropped.add(reason, 1),
        }
        self.used
    }

    /// Takes a packet of a stream that is known: what [`Desk::frame`] does with nearly all. None where it is something
    /// else, and nothing has happened.
    #[inline]
    pub(super) fn known_rtp(&mut self, meta: FrameMeta, frame: &[u8]) -> Option<FrameUse> {
        let plain = Plain::of(meta.vlan, frame)?;
        if !is_surely_rtp(&plain) {
            return None;
        }
        let header = rtp::parse(plain.payload)?;
        let PacketUse { taken, call, stream, place } = self.media.known_rtp(meta.time, &plain, header)?;
        self.now = meta.time;
        self.received += 1;
        self.delivered += u64::from(taken == Taken::Delivered);
        let keep = usize::from(plain.payload_at).saturating_add(rtp::header_length(plain.payload));
        let rtp_at = Some(plain.payload_at);
        Some(FrameUse { kind: FrameKind::Rtp, owner: call, stream, place, keep, rtp_at, ..FrameUse::default() })
    }

    /// Takes note of the time, and lets go of what has waited too long.
    pub(super) fn advance(
        &mut self,
        ingress: &mut Ingress,
        now: Timestamp,
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) {
        self.now = now;
        if now >= ingress.due() {
            ingress.advance(now, &mut |datagram| self.datagram(datagram, &[], sip));
        }
        if now >= self.media.due() {
            self.media.advance(now);
        }
    }

    /// Takes a datagram that is whole, the last of it from this frame; empty where time completed it.
    ///
    /// # Errors
    /// Why it goes no further.
    pub(super) fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        frame: &[u8],
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> Result<Taken, Reason> {
        let class = match classify(datagram) {
            Ok(class) => class,
            Err(reason) => return self.other(datagram, frame, reason, sip),
        };
        match class {
            Class::Rtp => {
                let header = rtp::parse(datagram.payload).ok_or(Reason::RtpHeader)?;
                let used = self.media.rtp(self.now, datagram, header)?;
                (self.used.keep, self.used.rtp_at) = keep(frame, datagram.payload);
                Ok(self.use_packet(FrameKind::Rtp, used, datagram.frames))
            }
            Class::Sip => {
                let message = sip::parse(datagram.payload)?;
                self.used.kind = FrameKind::Sip;
                let whose = sip(self.now, datagram, &message)?;
                self.used.owner = whose.and_then(Whose::call);
                self.used.other = whose.and_then(Whose::other);
                if !datagram.frames.is_empty() {
                    self.hold_out(datagram.frames);
                }
                Ok(Taken::Delivered)
            }
            Class::Rtcp => {
                let used = self.media.rtcp(self.now, datagram)?;
                Ok(self.use_packet(FrameKind::Rtcp, used, datagram.frames))
            }
            Class::Udptl => {
                let used = self.media.fax(self.now, datagram)?;
                Ok(self.use_packet(FrameKind::Fax, used, datagram.frames))
            }
        }
    }

    /// What is neither SIP nor media may have to do with media: keys for it, or media on its way to a TURN server.
    #[cold]
    fn other(
        &mut self,
        datagram: &Datagram<'_>,
        frame: &[u8],
        reason: Reason,
        sip: &mut impl FnMut(Timestamp, &Datagram<'_>, &Message<'_>) -> Result<Option<Whose>, Reason>,
    ) -> Result<Taken, Reason> {
        if let Some(encryption) = rtp::key_exchange(datagram.payload) {
            self.media.keys(datagram, encryption);
        }
        if matches!(reason, Reason::TurnChannel | Reason::Stun)
            && let Some(relayed) = turn::relayed(datagram.payload).filter(|relayed| rtp::has_version_2(relayed))
        {
            return self.datagram(&Datagram { payload: relayed, ..*datagram }, frame, sip);
        }
        Err(reason)
    }

    /// Adds what is counted here.
    pub(super) fn count(&self, counters: &mut EngineCounters) {
        counters.received += self.received;
        counters.delivered += self.delivered;
        counters.dropped.merge(&self.dropped);
        counters.add_media(self.media.counters());
        counters.joined.frames_given_up += self.held_given_up;
    }

    #[inline]
    fn use_packet(&mut self, kind: FrameKind, used: PacketUse, frames: &[Held]) -> Taken {
        self.used.kind = kind;
        self.used.owner = used.call;
        (self.used.stream, self.used.place) = (used.stream, used.place);
        if !frames.is_empty() {
            self.hold_out(frames);
        }
        used.taken
    }

    /// Gives frames that came together to who keeps packets.
    #[cold]
    fn hold_out(&mut self, frames: &[Held]) {
        self.used.is_held = true;
        let whose = self.used.whose();
        if whose.is_none() && self.used.stream.is_none() {
            return;
        }
        let is_new = |frame: &&Held| whose.is_none_or(|whose| frame.give(whose));
        let frames: Vec<Held> = frames.iter().filter(is_new).cloned().collect();
        if self.held.len() >= limits::HELD_FRAMES {
            self.held_given_up = self.held_given_up.saturating_add(u64::try_from(frames.len()).unwrap_or(0));
        } else if !frames.is_empty() {
            self.held.push(HeldFrames { used: self.used, frames });
        }
    }
}

/// Where the payload of an RTP packet begins in its frame, and the packet itself; the frame's length where the packet is
/// not in the frame.
#[inline]
fn keep(frame: &[u8], packet: &[u8]) -> (usize, Option<u8>) {
    let at = packet.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
    let end = at.saturating_add(rtp::header_length(packet));
    if at < frame.len() && end <= frame.len() { (end, u8::try_from(at).ok()) } else { (frame.len(), None) }
}

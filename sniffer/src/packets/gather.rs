//! What a worker holds: a block of each kind that fills up. It locks nothing but to hand a full block over, which it has
//! sealed: what waits for the disk is no more than what is written.

use std::sync::Arc;

use sniffer_core::{
    decode::LinkType,
    engine::{FrameKind, FrameMeta, FrameUse, HeldFrames},
    time::Timestamp,
};

use super::{
    Kind, Owner, Packet, Shape,
    gathering::Gathering,
    seal::seal,
    write::{Message, Shared},
};
use crate::limits;

/// The way of a worker's packets to the store. Each worker has its own.
#[derive(Debug)]
pub struct Gatherer {
    shared: Arc<Shared>,
    signalling: Gathering,
    other: Gathering,
    media: Gathering,
    /// Since when the first thing waits, and until when it may; never while nothing does.
    since: Timestamp,
    due: Timestamp,
}

impl Gatherer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let [signalling, other, media] = [Kind::Signalling, Kind::Other, Kind::Media].map(Gathering::new);
        Self { shared, signalling, other, media, since: Timestamp::NEVER, due: Timestamp::NEVER }
    }

    /// Keeps a packet.
    #[inline]
    pub fn keep(&mut self, kind: Kind, owner: Owner, packet: &Packet<'_>, shape: &Shape) {
        let bytes = match (kind, self.shared.settings.media) {
            (Kind::Media, super::MediaKept::None) => return,
            (Kind::Media, super::MediaKept::Headers) => packet.bytes.get(..shape.head).unwrap_or(packet.bytes),
            (Kind::Media, super::MediaKept::Full) | (Kind::Signalling | Kind::Other, _) => packet.bytes,
        };
        let gathering = self.gathering(kind);
        gathering.add(owner, &Packet { bytes, ..*packet }, shape);
        if gathering.is_full() {
            self.hand_over(kind);
        }
        self.tick(packet.time);
    }

    /// Keeps a frame as what the engine took it for.
    #[inline]
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, bytes: &[u8], used: FrameUse) {
        let owner = match (used.owner, used.stream, used.other) {
            (Some(call), _, _) => Owner::Call(call.get()),
            (None, Some(stream), _) => Owner::Stream(stream.get()),
            (None, None, Some(other)) => Owner::Other(other.get()),
            (None, None, None) => return self.tick(meta.time),
        };
        let kind = match used.kind {
            FrameKind::Sip if used.owner.is_none() => Kind::Other,
            FrameKind::Sip => Kind::Signalling,
            FrameKind::Rtp | FrameKind::Rtcp | FrameKind::Fax => Kind::Media,
            FrameKind::Other => return self.tick(meta.time),
        };
        // With the others of its message it comes by `held`.
        if used.is_held {
            return self.tick(meta.time);
        }
        let (Ok(link), Ok(original)) = (u16::try_from(link.number()), u32::try_from(bytes.len())) else { return };
        let stream = used.stream.map(|stream| (stream.get(), used.place));
        let shape = Shape { head: used.keep, rtp: used.rtp_at, vlan: meta.vlan, stream };
        self.keep(kind, owner, &Packet { time: meta.time, link, original, bytes }, &shape);
    }

    /// Keeps frames that came together as what the engine took them for.
    pub fn held(&mut self, together: &HeldFrames) {
        for frame in &together.frames {
            let used = FrameUse { keep: frame.head, rtp_at: None, is_held: false, ..together.used };
            self.frame(frame.link, frame.meta, &frame.bytes, used);
        }
    }

    /// Takes note that a call has adopted a stream, whose packets were kept under the stream.
    pub fn adopted(&mut self, stream: u64, call: u64, now: Timestamp) {
        self.shared.adopt_mark(stream, call);
        self.media.adopt(stream, call, now);
        self.tick(now);
    }

    /// Takes note of the time: what has waited long enough is handed over.
    #[inline]
    pub fn tick(&mut self, now: Timestamp) {
        if now >= self.due || now < self.since {
            self.turn(now);
        }
    }

    #[cold]
    fn turn(&mut self, now: Timestamp) {
        // The first thing that waits only begins the wait.
        if self.due != Timestamp::NEVER {
            self.flush();
        }
        (self.since, self.due) = (now, now.after(limits::PACKET_WAIT));
    }

    /// Hands over what there is.
    pub fn flush(&mut self) {
        self.hand_over(Kind::Signalling);
        self.hand_over(Kind::Other);
        self.hand_over(Kind::Media);
        (self.since, self.due) = (Timestamp::NEVER, Timestamp::NEVER);
    }

    fn gathering(&mut self, kind: Kind) -> &mut Gathering {
        match kind {
            Kind::Signalling => &mut self.signalling,
            Kind::Other => &mut self.other,
            Kind::Media => &mut self.media,
        }
    }

    fn hand_over(&mut self, kind: Kind) {
        let run = self.shared.settings.run;
        let gathering = self.gathering(kind);
        if gathering.is_empty() {
            return;
        }
        let sealed = seal(gathering, run);
        gathering.clear();
        self.shared.send(Message::Block(Box::new(sealed)));
    }
}

impl Drop for Gatherer {
    fn drop(&mut self) {
        self.flush();
    }
}

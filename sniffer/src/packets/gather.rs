//! What a worker holds: a block of each kind that fills up. It locks nothing but to hand a full block over.

use std::{sync::Arc, time::Duration};

use sniffer_core::{
    decode::LinkType,
    engine::{FrameKind, FrameMeta, FrameUse, HeldFrames},
    time::Timestamp,
};

use super::{
    Kind, Owner, Packet,
    block::{Entry, add_record},
    write::{Message, Shared},
};
use crate::limits;

/// Packets of one kind that are being gathered.
#[derive(Debug)]
pub struct Gathering {
    /// Of which kind.
    pub kind: Kind,
    /// Their records.
    pub records: Vec<u8>,
    /// Where each is and whose.
    pub entries: Vec<Entry>,
    /// Streams that calls adopted meanwhile.
    pub adoptions: Vec<(u64, u64)>,
    /// Earliest and latest time of a packet.
    pub times: (Timestamp, Timestamp),
}

impl Gathering {
    /// Holds nothing.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            records: Vec::new(),
            entries: Vec::new(),
            adoptions: Vec::new(),
            times: (Timestamp::from_nanos(i64::MAX), Timestamp::from_nanos(i64::MIN)),
        }
    }

    /// Holds nothing again, and keeps its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.entries.clear();
        self.adoptions.clear();
        self.times = (Timestamp::from_nanos(i64::MAX), Timestamp::from_nanos(i64::MIN));
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.adoptions.is_empty()
    }

    fn see(&mut self, time: Timestamp) {
        self.times = (self.times.0.min(time), self.times.1.max(time));
    }
}

/// The way of a worker's packets to the store. Each worker has its own.
#[derive(Debug)]
pub struct Gatherer {
    shared: Arc<Shared>,
    signalling: Gathering,
    other: Gathering,
    media: Gathering,
    /// The time of the first thing that waits.
    since: Option<Timestamp>,
}

impl Gatherer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let [signalling, other, media] =
            [Kind::Signalling, Kind::Other, Kind::Media].map(|kind| shared.take_empty(kind));
        Self { shared, signalling, other, media, since: None }
    }

    /// Keeps a packet. `head` is how many of its octets are kept of media where only headers are.
    pub fn keep(&mut self, kind: Kind, owner: Owner, packet: &Packet<'_>, head: usize, vlan: Option<u16>) {
        let bytes = match (kind, self.shared.settings.media) {
            (Kind::Media, super::MediaKept::None) => return,
            (Kind::Media, super::MediaKept::Headers) => packet.bytes.get(..head).unwrap_or(packet.bytes),
            (Kind::Media, super::MediaKept::Full) | (Kind::Signalling | Kind::Other, _) => packet.bytes,
        };
        let gathering = self.gathering(kind);
        let at = gathering.records.len();
        add_record(&mut gathering.records, &Packet { bytes, ..*packet }, vlan);
        let length = gathering.records.len().saturating_sub(at);
        let (Ok(at), Ok(length)) = (u32::try_from(at), u32::try_from(length)) else { return };
        gathering.entries.push(Entry { owner: owner.number(), at, length });
        gathering.see(packet.time);
        if gathering.records.len() >= limits::PACKET_BLOCK {
            self.hand_over(kind);
        }
        self.tick(packet.time);
    }

    /// Keeps a frame as what the engine took it for.
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
        self.keep(kind, owner, &Packet { time: meta.time, link, original, bytes }, used.keep, meta.vlan);
    }

    /// Keeps frames that came together as what the engine took them for.
    pub fn held(&mut self, together: &HeldFrames) {
        for frame in &together.frames {
            let used = FrameUse { keep: frame.head, is_held: false, ..together.used };
            self.frame(frame.link, frame.meta, &frame.bytes, used);
        }
    }

    /// Takes note that a call has adopted a stream, whose packets were kept under the stream.
    pub fn adopted(&mut self, stream: u64, call: u64, now: Timestamp) {
        self.shared.adopt_mark(stream, call);
        let gathering = self.gathering(Kind::Media);
        gathering.adoptions.push((stream, call));
        gathering.see(now);
        self.tick(now);
    }

    /// Takes note of the time: what has waited long enough is handed over.
    pub fn tick(&mut self, now: Timestamp) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) >= limits::PACKET_WAIT || since.since(now) > Duration::ZERO {
            self.flush();
        }
    }

    /// Hands over what there is.
    pub fn flush(&mut self) {
        self.hand_over(Kind::Signalling);
        self.hand_over(Kind::Other);
        self.hand_over(Kind::Media);
        self.since = None;
    }

    fn gathering(&mut self, kind: Kind) -> &mut Gathering {
        match kind {
            Kind::Signalling => &mut self.signalling,
            Kind::Other => &mut self.other,
            Kind::Media => &mut self.media,
        }
    }

    fn hand_over(&mut self, kind: Kind) {
        if self.gathering(kind).is_empty() {
            return;
        }
        let empty = self.shared.take_empty(kind);
        let full = std::mem::replace(self.gathering(kind), empty);
        self.shared.send(Message::Block(Box::new(full)));
    }
}

impl Drop for Gatherer {
    fn drop(&mut self) {
        self.flush();
    }
}

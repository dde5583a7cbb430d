//! The packets of calls: signalling in full, media as headers, in full or not at all.
//!
//! A worker packs packets as they come, each against the one before it of its stream (`codec`), without any lock
//! ([`Gatherer`]). After half a second it puts those of each call together into a block and hands that to one thread, which
//! appends it to a segment, a file of bounded size. Of the packets of one call only their own groups are read: a block
//! begins with an index of its groups. Segments are deleted whole, the oldest first. Nothing here waits in the capture
//! path: where the thread is behind or room is short, packets are counted and the calls concerned are named.

mod block;
mod codec;
mod cut;
mod gather;
mod gathering;
mod pcapng;
mod seal;
mod segments;
mod write;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;

pub use self::{
    block::{Owner, Packet},
    codec::Shape,
    cut::{Cut, Wanted},
    gather::Gatherer,
    pcapng::PcapngWriter,
    segments::{Segments, Usage},
    write::{Dropped, PacketStore, Queue, Settings},
};

/// What kind of packet it is: each kind has its own segments, bounds and ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SIP of calls.
    Signalling,
    /// SIP of registrations, subscriptions and all else.
    Other,
    /// RTP and RTCP.
    Media,
}

/// How much of media is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKept {
    /// Nothing.
    None,
    /// The headers up to RTP's own with its extension, and RTCP in full.
    #[default]
    Headers,
    /// Every octet: the calls can be listened to.
    Full,
}

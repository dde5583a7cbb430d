//! What an engine is told of a frame, and what it says of it to who keeps packets.

use super::{CallSerial, OtherSerial, StreamSerial, Whose};
use crate::{ingress, time::Timestamp};

/// What a capture knows of a frame besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameMeta {
    /// When it was captured.
    pub time: Timestamp,
    /// The VLAN tag that the network card took out of the frame.
    pub vlan: Option<u16>,
}

/// What a frame was, for who keeps packets. A frame that completes several messages says it of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameUse {
    /// What it carried.
    pub kind: FrameKind,
    /// The call it belongs to.
    pub owner: Option<CallSerial>,
    /// The registration, subscription or exchange it belongs to.
    pub other: Option<OtherSerial>,
    /// The stream it belongs to. With no owner yet it waits for its SDP: [`Event::Adopted`](super::Event::Adopted) says
    /// later whose it is.
    pub stream: Option<StreamSerial>,
    /// The stream's place in its table, which another one takes when it has ended: a small number by which to find what
    /// belongs to a stream.
    pub place: u32,
    /// Where the payload of RTP begins in the frame; for everything else, and for what was put together from several
    /// frames, the frame's length.
    pub keep: usize,
    /// Where RTP itself begins in the frame; none for everything else, and far behind many tunnels.
    pub rtp_at: Option<u8>,
    /// It is held, alone or with the other frames of its message: who keeps packets gets it with
    /// [`Engine::take_held`](super::Engine::take_held) and not from here.
    pub is_held: bool,
}

impl FrameUse {
    /// Whose it is, where that is known and it is no stream's.
    #[must_use]
    pub fn whose(&self) -> Option<Whose> {
        self.owner.map(Whose::Call).or(self.other.map(Whose::Other))
    }
}

/// Frames that carried one message or packet together, in the order in which they came.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldFrames {
    /// What they carried, and whose it is.
    pub used: FrameUse,
    /// The frames that were not given for the same call before.
    pub frames: Vec<ingress::Held>,
}

/// What a frame carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameKind {
    /// A SIP message.
    Sip,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
    /// Fax by T.38.
    Fax,
    /// Anything else, and what waits for the rest of its datagram.
    #[default]
    Other,
}

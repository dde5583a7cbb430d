//! What media is told, what it tells, and what it counts.

use std::net::IpAddr;

use crate::{
    decode::Endpoint,
    drops::Taken,
    engine::{CallSerial, Side, StrayRtcp, StreamSerial},
    record::StreamRecord,
    rtcp::session::Session,
    sdp::Media as Announcement,
    time::Timestamp,
};

/// What signalling tells media: one side of a call said where it wants its media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The call.
    pub call: CallSerial,
    /// Who receives there.
    pub side: Side,
    /// Where, and what is sent.
    pub media: Announcement,
    /// The endpoint belongs to this call. False: another call that is alive has it, and only the codecs are of use.
    pub takes: bool,
    /// The address where the message was seen, when there is a NAT between that and the announced one: its media may be
    /// seen there too.
    pub behind: Option<IpAddr>,
}

/// A place from which a side of a call sends although it announced another: it is behind a NAT, or sends and receives on
/// different ports. What is sent back to that place belongs to the call too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The call.
    pub call: CallSerial,
    /// Who sends from there, and so receives there.
    pub side: Side,
    /// The place.
    pub endpoint: Endpoint,
}

/// What media tells the rest of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Media of a call flows: at most once for each stream and second. The time is cut off to the second, so that it is
    /// the same however streams are spread over workers.
    Active {
        /// The call.
        call: CallSerial,
        /// The second of the packet.
        last: Timestamp,
    },
    /// A stream that waited is a call's.
    Adopted {
        /// The stream.
        stream: StreamSerial,
        /// Its call.
        call: CallSerial,
    },
    /// A side of a call sends from a place that it did not announce.
    Learnt(Learnt),
    /// A stream without a call has ended.
    Stream {
        /// Its serial.
        serial: StreamSerial,
        /// The stream.
        record: Box<StreamRecord>,
    },
    /// RTCP of which only another worker can know.
    Rtcp(Box<StrayRtcp>),
}

/// What media knows of a call that comes to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Its streams, without their Call-ID.
    pub streams: Vec<StreamRecord>,
    /// Its packets that found no place: the call's figures are not to be trusted.
    pub refused: u64,
    /// What RTCP says of its streams.
    pub rtcp: Option<Box<Session>>,
}

/// What is counted of media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounters {
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets parsed.
    pub rtcp_packets: u64,
    /// Packets of fax (T.38 in UDPTL) to or from a place that an SDP announced for it.
    pub fax_packets: u64,
    /// Streams begun: of a call, or without signalling where that is switched on.
    pub streams: u64,
    /// Streams that waited and were given up early because the table was full.
    pub evicted_pending: u64,
}

/// Whose an RTP or RTCP packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketUse {
    /// Delivered, or waiting for its SDP.
    pub taken: Taken,
    /// The call, where it is known.
    pub call: Option<CallSerial>,
    /// The stream; none for RTCP of no stream.
    pub stream: Option<StreamSerial>,
    /// The stream's place in the table.
    pub place: u32,
}

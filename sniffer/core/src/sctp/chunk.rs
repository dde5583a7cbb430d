//! The chunks of SCTP that carry user data (RFC 9260, section 3.3.1; RFC 8260, section 2.1), and where they belong.

use std::net::Ipv4Addr;

use crate::{
    bytes::{u16_at, u32_at},
    decode::{Endpoint, SctpPacket},
};

/// One direction of an association. Its hosts may have several addresses each, and use any two of them for a packet
/// (RFC 9260, section 6.4): what it is known by is its tag, which is random (section 5.3.1), with the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) source: Endpoint,
    destination: Endpoint,
    tag: u32,
}

/// Tags below this are not random: of traffic that a simple tool has made up, all associations may have the same.
const FIRST_RANDOM_TAG: u32 = 0x1_0000;

impl Flow {
    pub(super) fn of(packet: &SctpPacket<'_>) -> Self {
        let any = |end: Endpoint| Endpoint { address: Ipv4Addr::UNSPECIFIED.into(), ..end };
        let (source, destination) = if packet.tag < FIRST_RANDOM_TAG {
            (packet.source, packet.destination)
        } else {
            (any(packet.source), any(packet.destination))
        };
        Self { source, destination, tag: packet.tag }
    }
}

/// Where the fragments of a message belong: the flow, its stream, and in I-DATA the message's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) flow: Flow,
    stream: u16,
    unordered: bool,
    message: Option<u32>,
}

/// A chunk with user data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) tsn: u32,
    pub(super) lane: Lane,
    /// Consecutive within a message: the TSN, or the fragment's number in I-DATA.
    pub(super) number: u32,
    /// Says what the data are, where it is known; zero is "nothing said", as SIP has it.
    pub(super) payload_protocol: Option<u32>,
    pub(super) begins: bool,
    pub(super) ends: bool,
    pub(super) data: &'a [u8],
}

/// A DATA or I-DATA chunk; none for the chunks that run the association.
pub(super) fn data_chunk(flow: Flow, kind: u8, flags: u8, body: &[u8]) -> Option<Chunk<'_>> {
    let tsn = u32_at(body, 0)?;
    let stream = u16_at(body, 4)?;
    let (unordered, begins, ends) = (flags & 4 != 0, flags & 2 != 0, flags & 1 != 0);
    match kind {
        0 => Some(Chunk {
            tsn,
            lane: Lane { flow, stream, unordered, message: None },
            number: tsn,
            payload_protocol: Some(u32_at(body, 8)?),
            begins,
            ends,
            data: body.get(12..)?,
        }),
        // The same field says what the data are in the first fragment, and the fragment's number in the others.
        64 => {
            let field = u32_at(body, 12)?;
            Some(Chunk {
                tsn,
                lane: Lane { flow, stream, unordered, message: Some(u32_at(body, 8)?) },
                number: if begins { 0 } else { field },
                payload_protocol: begins.then_some(field),
                begins,
                ends,
                data: body.get(16..)?,
            })
        }
        _ => None,
    }
}

//! UDP (RFC 768), UDP-Lite (RFC 3828), TCP (RFC 9293) and SCTP (RFC 9260) headers.

use super::{Endpoint, Found, Path, tunnel};
use crate::{
    bytes::{u8_at, u16_at, u32_at},
    drops::Reason,
};

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The way to it.
    pub path: Path,
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// Sequence number of the first byte, or of SYN.
    pub sequence: u32,
    /// The connection begins.
    pub syn: bool,
    /// The sender has no more to say.
    pub fin: bool,
    /// The connection is torn down.
    pub reset: bool,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Bytes after the payload that were sent and that the capture cut off.
    pub missing: usize,
}

/// An SCTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpPacket<'a> {
    /// The way to it.
    pub path: Path,
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// Verification tag: one for each direction of an association.
    pub tag: u32,
    /// The chunks.
    pub chunks: &'a [u8],
}

/// Ports at the beginning of every transport header.
fn ports(segment: &[u8]) -> Option<(u16, u16)> {
    Some((u16_at(segment, 0)?, u16_at(segment, 2)?))
}

fn ends(path: &Path, ports: (u16, u16)) -> (Endpoint, Endpoint) {
    (Endpoint { address: path.source, port: ports.0 }, Endpoint { address: path.destination, port: ports.1 })
}

/// A UDP datagram, or what it tunnels.
pub fn udp(path: Path, segment: &[u8]) -> Result<Found<'_>, Reason> {
    let (Some(ports), Some(length), Some(rest)) = (ports(segment), u16_at(segment, 4), segment.get(8..)) else {
        return Err(Reason::Truncated);
    };
    let length = match usize::from(length) {
        // Zero: longer than 65,535 bytes (RFC 2675), or left to the network card.
        0 => rest.len(),
        length => length.checked_sub(8).ok_or(Reason::UdpLength)?,
    };
    let payload = rest.get(..length).unwrap_or(rest);
    if tunnel::is_port(ports.1)
        && let Some(found) = tunnel::udp(path, ports.1, payload)
    {
        return found;
    }
    Ok(Found::Datagram(path.datagram(ports, payload)))
}

/// UDP-Lite has the checksum's coverage where UDP has the length.
pub fn udp_lite(path: Path, segment: &[u8]) -> Result<Found<'_>, Reason> {
    let (Some(ports), Some(payload)) = (ports(segment), segment.get(8..)) else { return Err(Reason::Truncated) };
    Ok(Found::Datagram(path.datagram(ports, payload)))
}

/// A TCP segment.
pub fn tcp(path: Path, segment: &[u8], missing: usize) -> Result<Found<'_>, Reason> {
    let (Some(ports), Some(sequence), Some(offset), Some(flags)) =
        (ports(segment), u32_at(segment, 4), u8_at(segment, 12), u8_at(segment, 13))
    else {
        return Err(Reason::Truncated);
    };
    let header = usize::from(offset >> 4).saturating_mul(4);
    if header < 20 {
        return Err(Reason::TcpHeader);
    }
    let payload = segment.get(header..).ok_or(Reason::Truncated)?;
    let (source, destination) = ends(&path, ports);
    Ok(Found::Tcp(Segment {
        path,
        source,
        destination,
        sequence,
        syn: flags & 0x02 != 0,
        fin: flags & 0x01 != 0,
        reset: flags & 0x04 != 0,
        payload,
        missing,
    }))
}

/// An SCTP packet.
pub fn sctp(path: Path, segment: &[u8]) -> Result<Found<'_>, Reason> {
    let (Some(ports), Some(tag), Some(chunks)) = (ports(segment), u32_at(segment, 4), segment.get(12..)) else {
        return Err(Reason::Truncated);
    };
    let (source, destination) = ends(&path, ports);
    Ok(Found::Sctp(SctpPacket { path, source, destination, tag, chunks }))
}

//! Frames to UDP datagrams. It borrows from the frame and copies nothing; what it cannot decode it names.

mod ip;
mod link;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

pub use link::LinkType;

use crate::drops::Reason;

/// An address and a UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IP address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// A UDP datagram within a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// The outermost VLAN's number.
    pub vlan: Option<u16>,
    /// What it carries; shorter than what was sent when the capture cut the frame.
    pub payload: &'a [u8],
}

impl Datagram<'_> {
    /// The same datagram with another payload.
    #[must_use]
    pub fn with_payload<'b>(&self, payload: &'b [u8]) -> Datagram<'b> {
        Datagram { source: self.source, destination: self.destination, vlan: self.vlan, payload }
    }
}

/// Finds the UDP datagram in a frame.
///
/// # Errors
/// The reason why there is none.
pub fn decode(link: LinkType, frame: &[u8]) -> Result<Datagram<'_>, Reason> {
    let (vlan, packet) = link::network_layer(link, frame)?;
    let (source, destination, segment) = ip::transport_layer(packet)?;
    // RFC 768: source port, destination port, length with this header, checksum.
    let (Some(source_port), Some(destination_port), Some(length), Some(rest)) = (
        crate::bytes::u16_at(segment, 0),
        crate::bytes::u16_at(segment, 2),
        crate::bytes::u16_at(segment, 4),
        segment.get(8..),
    ) else {
        return Err(Reason::Truncated);
    };
    let length = match usize::from(length) {
        // Zero: longer than 65,535 bytes (RFC 2675), or left to the network card.
        0 => rest.len(),
        length => length.checked_sub(8).ok_or(Reason::UdpLength)?,
    };
    Ok(Datagram {
        source: Endpoint { address: source, port: source_port },
        destination: Endpoint { address: destination, port: destination_port },
        vlan,
        payload: rest.get(..length).unwrap_or(rest),
    })
}

#[cfg(test)]
mod tests;

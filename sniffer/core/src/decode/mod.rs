//! Frames to datagrams, TCP segments, SCTP packets and IP fragments, through every tunnel on the way. It borrows from the
//! frame, copies nothing and remembers nothing; what it cannot decode it names.

mod ether;
mod ip;
mod link;
mod plain;
mod transport;
mod tunnel;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use foldhash::quality::FixedState;

pub use link::LinkType;
pub use plain::{Plain, plain_udp};
pub use transport::{SctpPacket, Segment};

use crate::{drops::Reason, ingress::Held, limits};

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IP address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(address) = self.address else { return SocketAddr::new(self.address, self.port).fmt(f) };
        // Each record has four: a general formatter takes as long as all the rest of a call's record.
        let mut text = Digits::default();
        for (place, octet) in address.octets().into_iter().enumerate() {
            if place > 0 {
                text.push(b'.');
            }
            text.number(octet.into());
        }
        text.push(b':');
        text.number(self.port);
        f.pad(text.as_str())
    }
}

/// An address and a port of IPv4 as text: at most 21 characters.
#[derive(Default)]
struct Digits {
    text: [u8; 24],
    length: usize,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.length) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    fn number(&mut self, number: u16) {
        let mut divisor = 10_000;
        while divisor > 1 && number < divisor {
            divisor /= 10;
        }
        while divisor > 0 {
            self.push(b'0'.wrapping_add(u8::try_from(number / divisor % 10).unwrap_or(0)));
            divisor /= 10;
        }
    }

    fn as_str(&self) -> &str {
        self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// What carried a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP: the payload is one framed message.
    Tcp,
    /// SCTP: the payload is one user message (RFC 4168).
    Sctp,
    /// WebSocket over TCP: the payload is one message (RFC 7118).
    WebSocket,
}

/// A UDP datagram, or a message that a stream carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// The outermost VLAN's number.
    pub vlan: Option<u16>,
    /// Differentiated services code point (RFC 2474) of the innermost IP header.
    pub dscp: u8,
    /// Identification field of the innermost IPv4 header: copies of one packet have the same, repetitions another.
    pub ip_id: Option<u16>,
    /// What carried it.
    pub transport: Transport,
    /// What it carries; shorter than what was sent when the capture cut the frame.
    pub payload: &'a [u8],
    /// All frames that it came in, where they were held; empty for what came in one.
    pub frames: &'a [Held],
}

impl Datagram<'_> {
    /// The same datagram with another payload.
    #[must_use]
    pub fn with_payload<'b>(&self, payload: &'b [u8]) -> Datagram<'b> {
        let Self { source, destination, vlan, dscp, ip_id, transport, payload: _, frames: _ } = *self;
        Datagram { source, destination, vlan, dscp, ip_id, transport, payload, frames: &[] }
    }

    /// A hash of the payload. With the addresses and `ip_id` it tells copies of one packet, which several SPAN sources
    /// deliver, from repetitions by the sender.
    #[must_use]
    pub fn content_hash(&self) -> u64 {
        use std::hash::BuildHasher;
        FixedState::with_seed(0x0063_6f70_6965_7321).hash_one(self.payload)
    }
}

/// What was found on the way to the innermost IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Source address of the innermost IP packet.
    pub source: IpAddr,
    /// Destination address of the innermost IP packet.
    pub destination: IpAddr,
    /// The outermost VLAN's number.
    pub vlan: Option<u16>,
    /// DSCP of the innermost IP packet.
    pub dscp: u8,
    /// Identification of the innermost IPv4 packet.
    pub ip_id: Option<u16>,
    /// Link layers and IP packets entered so far.
    layers: u8,
}

impl Path {
    /// A path that begins; `vlan` is the tag that the network card took out of the frame.
    #[must_use]
    pub fn new(vlan: Option<u16>) -> Self {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { source: unspecified, destination: unspecified, vlan, dscp: 0, ip_id: None, layers: 0 }
    }

    /// Goes one layer deeper.
    fn enter(&mut self) -> Result<(), Reason> {
        self.layers = self.layers.saturating_add(1);
        if self.layers > limits::LAYERS { Err(Reason::TunnelDepth) } else { Ok(()) }
    }

    fn datagram<'a>(&self, ports: (u16, u16), payload: &'a [u8]) -> Datagram<'a> {
        Datagram {
            source: Endpoint { address: self.source, port: ports.0 },
            destination: Endpoint { address: self.destination, port: ports.1 },
            vlan: self.vlan,
            dscp: self.dscp,
            ip_id: self.ip_id,
            transport: Transport::Udp,
            payload,
            frames: &[],
        }
    }
}

/// A fragment of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The way to it.
    pub path: Path,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// The protocol of the payload. In IPv6 only that of the first fragment counts (RFC 8200, section 4.5).
    pub protocol: u8,
    /// Where it belongs in the packet's payload, in bytes.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Its bytes, all that were sent.
    pub payload: &'a [u8],
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A UDP datagram.
    Datagram(Datagram<'a>),
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// An SCTP packet.
    Sctp(SctpPacket<'a>),
    /// A fragment of an IP packet, of whatever protocol.
    Fragment(Fragment<'a>),
}

/// Finds what a frame carries; `vlan` is the tag that the network card took out of it.
///
/// # Errors
/// The reason why there is nothing to go on with.
pub fn decode(link: LinkType, vlan: Option<u16>, frame: &[u8]) -> Result<Found<'_>, Reason> {
    link::frame(Path::new(vlan), link, frame)
}

/// Finds what the payload of an IP packet carries, as of one that was put together from its fragments.
///
/// # Errors
/// The reason why there is nothing to go on with.
pub fn decode_payload(path: Path, protocol: u8, payload: &[u8]) -> Result<Found<'_>, Reason> {
    ip::payload(path, protocol, payload, 0)
}

#[cfg(test)]
mod tests;

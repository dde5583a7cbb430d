//! The two endpoints of a flow in sixteen bytes where both are IPv4, which nearly all are: every call and stream has them.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::Endpoint;

/// From where and to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends(Kind);

/// Two endpoints of IPv4 as numbers, which is how every packet is compared with the flows that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndsV4 {
    /// The source's address in the upper half, the destination's in the lower.
    pub addresses: u64,
    /// The same with the ports.
    pub ports: u32,
}

impl EndsV4 {
    /// The two endpoints, where both are of IPv4.
    #[must_use]
    #[inline]
    pub fn of(source: &Endpoint, destination: &Endpoint) -> Option<Self> {
        match (source.address, destination.address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => Some(Self::new([one, other], [source.port, destination.port])),
            _ => None,
        }
    }

    #[inline]
    fn new(addresses: [Ipv4Addr; 2], ports: [u16; 2]) -> Self {
        let [source, destination] = addresses.map(Ipv4Addr::to_bits);
        let [from, to] = ports;
        Self {
            addresses: (u64::from(source) << 32) | u64::from(destination),
            ports: (u32::from(from) << 16) | u32::from(to),
        }
    }

    /// From where.
    #[must_use]
    #[inline]
    pub fn source(self) -> Endpoint {
        Self::endpoint(self.addresses >> 32, self.ports >> 16)
    }

    /// To where.
    #[must_use]
    #[inline]
    pub fn destination(self) -> Endpoint {
        Self::endpoint(self.addresses & u64::from(u32::MAX), self.ports & 0xffff)
    }

    #[inline]
    fn endpoint(address: u64, port: u32) -> Endpoint {
        let address = Ipv4Addr::from_bits(u32::try_from(address).unwrap_or(0));
        Endpoint { address: IpAddr::V4(address), port: u16::try_from(port).unwrap_or(0) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    // Not the struct as it is: its padding would make this larger.
    V4 { addresses: u64, ports: u32 },
    Other(Box<(Endpoint, Endpoint)>),
}

impl Ends {
    /// Keeps two endpoints.
    #[must_use]
    pub fn new(source: Endpoint, destination: Endpoint) -> Self {
        Self(match EndsV4::of(&source, &destination) {
            Some(EndsV4 { addresses, ports }) => Kind::V4 { addresses, ports },
            None => Kind::Other(Box::new((source, destination))),
        })
    }

    /// From where.
    #[must_use]
    pub fn source(&self) -> Endpoint {
        match &self.0 {
            Kind::V4 { addresses, ports } => EndsV4 { addresses: *addresses, ports: *ports }.source(),
            Kind::Other(ends) => ends.0,
        }
    }

    /// To where.
    #[must_use]
    pub fn destination(&self) -> Endpoint {
        match &self.0 {
            Kind::V4 { addresses, ports } => EndsV4 { addresses: *addresses, ports: *ports }.destination(),
            Kind::Other(ends) => ends.1,
        }
    }

    /// Says whether it is these two.
    #[must_use]
    #[inline]
    pub fn are(&self, source: &Endpoint, destination: &Endpoint) -> bool {
        match &self.0 {
            Kind::V4 { addresses, ports } => {
                let ends = EndsV4 { addresses: *addresses, ports: *ports };
                ends.source() == *source && ends.destination() == *destination
            }
            Kind::Other(ends) => ends.0 == *source && ends.1 == *destination,
        }
    }

    /// Says whether it is these two of IPv4.
    #[must_use]
    #[inline]
    pub fn are_v4(&self, wanted: EndsV4) -> bool {
        matches!(&self.0, Kind::V4 { addresses, ports } if *addresses == wanted.addresses && *ports == wanted.ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_given_whatever_the_addresses() {
        let places = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:2", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"];
        let places: Vec<Endpoint> = places
            .iter()
            .map(|text| text.parse::<std::net::SocketAddr>().unwrap())
            .map(|place| Endpoint { address: place.ip(), port: place.port() })
            .collect();
        for one in &places {
            for other in &places {
                let ends = Ends::new(*one, *other);
                assert_eq!((ends.source(), ends.destination()), (*one, *other));
                for third in &places {
                    assert_eq!(ends.are(one, third), third == other);
                    assert_eq!(ends.are(third, other), third == one);
                    if let Kind::V4 { addresses, ports } = Ends::new(*one, *third).0 {
                        assert_eq!(ends.are_v4(EndsV4 { addresses, ports }), third == other);
                    }
                }
            }
        }
        assert_eq!(size_of::<Ends>(), 16);
    }
}

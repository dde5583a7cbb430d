//! The two endpoints of a flow in sixteen bytes where both are IPv4, which nearly all are: every call and stream has them.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::Endpoint;

/// From where and to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    V4 { addresses: [Ipv4Addr; 2], ports: [u16; 2] },
    Other(Box<(Endpoint, Endpoint)>),
}

impl Ends {
    /// Keeps two endpoints.
    #[must_use]
    pub fn new(source: Endpoint, destination: Endpoint) -> Self {
        Self(match (source.address, destination.address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                Kind::V4 { addresses: [one, other], ports: [source.port, destination.port] }
            }
            _ => Kind::Other(Box::new((source, destination))),
        })
    }

    /// From where.
    #[must_use]
    pub fn source(&self) -> Endpoint {
        match &self.0 {
            Kind::V4 { addresses: [address, _], ports: [port, _] } => {
                Endpoint { address: IpAddr::V4(*address), port: *port }
            }
            Kind::Other(ends) => ends.0,
        }
    }

    /// To where.
    #[must_use]
    pub fn destination(&self) -> Endpoint {
        match &self.0 {
            Kind::V4 { addresses: [_, address], ports: [_, port] } => {
                Endpoint { address: IpAddr::V4(*address), port: *port }
            }
            Kind::Other(ends) => ends.1,
        }
    }

    /// Says whether it is these two.
    #[must_use]
    #[inline]
    pub fn are(&self, source: &Endpoint, destination: &Endpoint) -> bool {
        match &self.0 {
            Kind::V4 { addresses: [one, other], ports } => {
                *ports == [source.port, destination.port]
                    && source.address == IpAddr::V4(*one)
                    && destination.address == IpAddr::V4(*other)
            }
            Kind::Other(ends) => ends.0 == *source && ends.1 == *destination,
        }
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
                }
            }
        }
        assert_eq!(size_of::<Ends>(), 16);
    }
}

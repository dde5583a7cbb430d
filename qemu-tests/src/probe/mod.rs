//! What a stranger on the network sends to find out about a machine: ARP, ping, neighbour and router solicitations,
//! connection attempts. Frames go out as they are; answers are read from the frames that come back.

mod answer;

pub use answer::{addresses_of, arp_answer, is_ping_answer, v4_of};

use crate::wire::Wire;
use answer::{Answer, arp_question, neighbour_question, sender, tcp_answer};
use anyhow::{Result, bail};
use etherparse::icmpv6::TYPE_NEIGHBOR_SOLICITATION;
use etherparse::{IcmpEchoHeader, Icmpv4Type, Icmpv6Type, PacketBuilder, SlicedPacket, TransportSlice};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// An answer comes at once, or on a loaded machine somewhat later.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Ports tried before the open one is tried again, which shows that those before it were looked at.
const BATCH: usize = 256;

/// A stranger's place on the network.
#[derive(Debug, Clone, Copy)]
pub struct Stranger {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
}

/// The machine that is asked.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its address.
    pub ip: IpAddr,
}

/// What the ports of a machine answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// Those that accept connections.
    pub open: BTreeSet<u16>,
    /// Those that refuse, and so betray that a machine is there.
    pub refused: BTreeSet<u16>,
}

impl Stranger {
    /// A station of QEMU's router's network (10.0.2.0/24).
    #[must_use]
    pub fn beside_the_router() -> Self {
        Self {
            mac: [0x02, 0, 0, 0, 0x5c, 0x01],
            v4: Ipv4Addr::new(10, 0, 2, 77),
            v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77),
        }
    }

    /// Who has this IPv4 address? (RFC 826)
    #[must_use]
    pub fn arp_request(&self, wanted: Ipv4Addr) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend_from_slice(&self.mac);
        frame.extend_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
        self.arp_end(&mut frame, [0; 6], wanted);
        frame
    }

    fn arp_reply(&self, to: [u8; 6], whose: Ipv4Addr) -> Vec<u8> {
        let mut frame = to.to_vec();
        frame.extend_from_slice(&self.mac);
        frame.extend_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2]);
        self.arp_end(&mut frame, to, whose);
        frame
    }

    fn arp_end(&self, frame: &mut Vec<u8>, mac: [u8; 6], ip: Ipv4Addr) {
        frame.extend_from_slice(&self.mac);
        frame.extend_from_slice(&self.v4.octets());
        frame.extend_from_slice(&mac);
        frame.extend_from_slice(&ip.octets());
        frame.resize(60, 0);
    }

    /// A ping (RFC 792, RFC 4443).
    ///
    /// # Errors
    /// Never for addresses.
    pub fn ping(&self, target: &Target) -> Result<Vec<u8>> {
        let echo = IcmpEchoHeader { id: 7, seq: 1 };
        let builder = PacketBuilder::ethernet2(self.mac, target.mac);
        let mut frame = Vec::new();
        match target.ip {
            IpAddr::V4(ip) => {
                let step = builder.ipv4(self.v4.octets(), ip.octets(), 64);
                step.icmpv4(Icmpv4Type::EchoRequest(echo)).write(&mut frame, b"callward")?;
            }
            IpAddr::V6(ip) => {
                let step = builder.ipv6(self.v6.octets(), ip.octets(), 64);
                step.icmpv6(Icmpv6Type::EchoRequest(echo)).write(&mut frame, b"callward")?;
            }
        }
        Ok(frame)
    }

    /// Who has this IPv6 address? (RFC 4861, section 4.3)
    ///
    /// # Errors
    /// Never for addresses.
    pub fn neighbour_solicitation(&self, wanted: Ipv6Addr) -> Result<Vec<u8>> {
        let [.., a, b, c] = wanted.octets();
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
        let mut body = wanted.octets().to_vec();
        body.extend_from_slice(&[1, 1]);
        body.extend_from_slice(&self.mac);
        self.icmpv6([0x33, 0x33, 0xff, a, b, c], group, TYPE_NEIGHBOR_SOLICITATION, &body)
    }

    /// Is there a router, and does any host answer to all of them? (RFC 4861, section 4.1)
    ///
    /// # Errors
    /// Never.
    pub fn router_solicitation(&self) -> Result<Vec<u8>> {
        let mut body = vec![1, 1];
        body.extend_from_slice(&self.mac);
        self.icmpv6([0x33, 0x33, 0, 0, 0, 1], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 133, &body)
    }

    /// A router's advertisement, which makes a host give itself an address (RFC 4861, section 4.2).
    ///
    /// # Errors
    /// Never.
    pub fn router_advertisement(&self) -> Result<Vec<u8>> {
        let mut body = vec![0, 0, 0, 0, 0, 0, 0, 0];
        // Prefix information: 2001:db8:77::/64, on link, for own addresses, valid for an hour.
        body.extend_from_slice(&[3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
        body.extend_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0).octets());
        self.icmpv6([0x33, 0x33, 0, 0, 0, 1], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 134, &body)
    }

    fn icmpv6(&self, mac: [u8; 6], to: Ipv6Addr, kind: u8, body: &[u8]) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        let step = PacketBuilder::ethernet2(self.mac, mac).ipv6(self.v6.octets(), to.octets(), 255);
        let (first, rest) = if kind == 134 { ([64, 0, 0x07, 0x08], body) } else { ([0; 4], body) };
        step.icmpv6_raw(kind, 0, first).write(&mut frame, rest)?;
        Ok(frame)
    }

    /// Asks to open a connection to this TCP port.
    ///
    /// # Errors
    /// Never for addresses.
    pub fn connect(&self, target: &Target, port: u16) -> Result<Vec<u8>> {
        self.tcp(target, 44_000, port, false)
    }

    /// Asks to open a connection (RFC 9293, section 3.5), or with `is_reset` gives one up.
    fn tcp(&self, target: &Target, from: u16, to: u16, is_reset: bool) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2(self.mac, target.mac);
        let (sequence, window) = (1000 + u32::from(is_reset), 64_240);
        let step = match target.ip {
            IpAddr::V4(ip) => builder.ipv4(self.v4.octets(), ip.octets(), 64).tcp(from, to, sequence, window),
            IpAddr::V6(ip) => builder.ipv6(self.v6.octets(), ip.octets(), 64).tcp(from, to, sequence, window),
        };
        if is_reset { step.rst() } else { step.syn() }.write(&mut frame, &[])?;
        Ok(frame)
    }

    fn udp(&self, target: &Target, from: u16, to: u16) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2(self.mac, target.mac);
        match target.ip {
            IpAddr::V4(ip) => builder.ipv4(self.v4.octets(), ip.octets(), 64).udp(from, to).write(&mut frame, b"?")?,
            IpAddr::V6(ip) => builder.ipv6(self.v6.octets(), ip.octets(), 64).udp(from, to).write(&mut frame, b"?")?,
        }
        Ok(frame)
    }

    /// Answers what the machine asks about this stranger's own address, so that it can answer the stranger.
    fn answer(&self, wire: &Wire, frame: &[u8]) -> Result<()> {
        if let Some(asker) = arp_question(frame, self.v4) {
            wire.send(&self.arp_reply(asker.0, asker.1))?;
        }
        if let Some(asker) = neighbour_question(frame, self.v6) {
            let mut body = self.v6.octets().to_vec();
            body.extend_from_slice(&[2, 1]);
            body.extend_from_slice(&self.mac);
            let mut answer = Vec::new();
            let step = PacketBuilder::ethernet2(self.mac, asker.0).ipv6(self.v6.octets(), asker.1.octets(), 255);
            // Solicited, override (RFC 4861, section 4.4).
            step.icmpv6_raw(136, 0, [0x60, 0, 0, 0]).write(&mut answer, &body)?;
            wire.send(&answer)?;
        }
        Ok(())
    }

    /// Sends a frame and waits for one that gives a value, answering questions about the stranger meanwhile.
    ///
    /// # Errors
    /// When the wire takes no frame.
    pub fn ask<T>(&self, wire: &Wire, frame: &[u8], mut find: impl FnMut(&[u8]) -> Option<T>) -> Result<Option<T>> {
        let mark = wire.count();
        wire.send(frame)?;
        let mut failure = None;
        let found = wire.wait_for(mark, ANSWER_LIMIT, |seen| {
            if let Err(error) = self.answer(wire, seen) {
                failure = Some(error);
            }
            find(seen)
        });
        failure.map_or(Ok(found), Err)
    }

    /// Tries every TCP port from 1 to 65535. After each batch the port that is known to be open must answer, so that
    /// silence means that a port was looked at and not that frames were lost.
    ///
    /// # Errors
    /// When the known port does not answer.
    pub fn scan_tcp(&self, wire: &Wire, target: &Target, known_open: u16) -> Result<Ports> {
        let all: Vec<u16> = (1..=u16::MAX).filter(|port| *port != known_open).collect();
        let begin = wire.count();
        for (batch, ports) in (0_u16..).zip(all.chunks(BATCH)) {
            for port in ports {
                wire.send(&self.tcp(target, 40_000, *port, false)?)?;
            }
            self.touch(wire, target, known_open, 41_000 + batch)?;
        }
        let mut found = Ports { open: BTreeSet::from([known_open]), refused: BTreeSet::new() };
        for frame in wire.received().iter().skip(begin) {
            if let Some(answer) = tcp_answer(frame, target).filter(|answer| answer.to == 40_000) {
                if answer.is_open {
                    found.open.insert(answer.from)
                } else {
                    found.refused.insert(answer.from)
                };
            }
        }
        Ok(found)
    }

    /// Sends a datagram to each of these UDP ports; what answers, or refuses by ICMP, is in the result.
    ///
    /// # Errors
    /// When the known TCP port does not answer.
    pub fn scan_udp(&self, wire: &Wire, target: &Target, ports: &[u16], known_open_tcp: u16) -> Result<Vec<Vec<u8>>> {
        let begin = wire.count();
        for (batch, ports) in (0_u16..).zip(ports.chunks(BATCH)) {
            for port in ports {
                wire.send(&self.udp(target, 42_000, *port)?)?;
            }
            self.touch(wire, target, known_open_tcp, 43_000 + batch)?;
        }
        let is_answer = |frame: &&Vec<u8>| {
            let Ok(packet) = SlicedPacket::from_ethernet(frame) else { return false };
            if sender(&packet) != Some(target.mac) {
                return false;
            }
            match packet.transport {
                Some(TransportSlice::Udp(udp)) => udp.destination_port() == 42_000,
                Some(TransportSlice::Icmpv4(icmp)) => icmp.type_u8() == 3,
                Some(TransportSlice::Icmpv6(icmp)) => icmp.type_u8() == 1,
                Some(TransportSlice::Tcp(_) | TransportSlice::Igmp(_)) | None => false,
            }
        };
        Ok(wire.received().iter().skip(begin).filter(is_answer).cloned().collect())
    }

    fn touch(&self, wire: &Wire, target: &Target, port: u16, from: u16) -> Result<()> {
        let question = self.tcp(target, from, port, false)?;
        let answered =
            |frame: &[u8]| tcp_answer(frame, target).filter(|answer| answer.to == from && answer.from == port);
        let answer = self.ask(wire, &question, answered)?;
        match answer {
            Some(Answer { is_open: true, .. }) => wire.send(&self.tcp(target, from, port, true)?),
            Some(Answer { is_open: false, .. }) => bail!("port {port} refuses"),
            None => bail!("port {port} of {} does not answer", target.ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_told_apart() {
        let stranger = Stranger::beside_the_router();
        let wanted = Ipv4Addr::new(10, 0, 2, 15);
        let question = stranger.arp_request(wanted);
        assert_eq!(arp_question(&question, wanted), Some((stranger.mac, stranger.v4)));
        assert_eq!(arp_question(&question, stranger.v4), None);
        assert_eq!(arp_answer(&question, wanted), None);
        assert_eq!(arp_answer(&stranger.arp_reply([1; 6], wanted), stranger.v4), Some(stranger.mac));
        let v6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 1, 2, 3, 4);
        let solicitation = stranger.neighbour_solicitation(v6).unwrap();
        assert_eq!(neighbour_question(&solicitation, v6), Some((stranger.mac, stranger.v6)));
        let target = Target { mac: [2; 6], ip: wanted.into() };
        assert!(!is_ping_answer(&stranger.ping(&target).unwrap()));
    }

    #[test]
    fn an_open_and_a_refusing_port_differ() {
        let target = Target { mac: [2; 6], ip: Ipv4Addr::new(10, 0, 2, 15).into() };
        let answer = |is_open: bool| {
            let mut frame = Vec::new();
            let step = PacketBuilder::ethernet2(target.mac, [1; 6]).ipv4([10, 0, 2, 15], [10, 0, 2, 77], 64);
            let step = step.tcp(443, 40_000, 1, 1);
            if is_open { step.syn().ack(1001) } else { step.rst() }.write(&mut frame, &[]).unwrap();
            tcp_answer(&frame, &target).map(|answer| (answer.from, answer.is_open))
        };
        assert_eq!((answer(true), answer(false)), (Some((443, true)), Some((443, false))));
    }
}

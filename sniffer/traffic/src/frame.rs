//! Frames with correct headers and checksums, built by etherparse.

use anyhow::{Context, Result};
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader, UdpHeader, VlanId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What carries a call: documentation addresses (RFC 5737, RFC 3849), with or without a VLAN tag (IEEE 802.1Q).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// The VLAN, 1 to 4094.
    pub vlan: Option<u16>,
    /// IPv6 instead of IPv4.
    pub is_v6: bool,
}

/// One end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// Its address.
    pub ip: IpAddr,
}

impl Station {
    /// The `number`th station of a side: callers are side 1, callees 2, servers 3. Numbers below 16,000 have documentation
    /// addresses.
    #[must_use]
    pub fn numbered(side: u8, number: u32, is_v6: bool) -> Self {
        let [.., high, low] = number.to_be_bytes();
        let mac = [0x02, 0x00, 0x5e, side, high, low];
        // Each side has an addresses' worth of hosts: callers share them, as behind an office's gateway.
        let host = low.max(1);
        let ip = match (is_v6, side) {
            // More calls than those networks have room for: 198.18.0.0/15, for benchmarks (RFC 2544).
            (false, 1 | 2) if number >= 16_000 => IpAddr::V4(Ipv4Addr::new(198, 17 + side, high, host)),
            (true, _) => {
                let groups = [0x2001, 0xdb8, 0, u16::from(side), 0, 0, u16::from(high), u16::from(host)];
                IpAddr::V6(Ipv6Addr::from(groups))
            }
            (false, 1) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)),
            (false, 2) => IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)),
            (false, _) => IpAddr::V4(Ipv4Addr::new(203, 0, 113, host)),
        };
        Self { mac, ip }
    }

    /// Its address with a port.
    #[must_use]
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }
}

/// A UDP datagram as a whole frame.
///
/// # Errors
/// When the payload is too long, the VLAN is none, or the ends have different IP versions.
pub fn udp_frame(vlan: Option<u16>, from: (&Station, u16), to: (&Station, u16), payload: &[u8]) -> Result<Vec<u8>> {
    let step: PacketBuilderStep<UdpHeader> = ip(vlan, from.0, to.0)?.udp(from.1, to.1);
    let mut bytes = Vec::with_capacity(step.size(payload.len()));
    step.write(&mut bytes, payload)?;
    Ok(bytes)
}

/// A TCP segment as a whole frame. The flags are those of RFC 9293, section 3.1.
///
/// # Errors
/// As for [`udp_frame`].
pub fn tcp_frame(
    vlan: Option<u16>,
    from: (&Station, u16),
    to: (&Station, u16),
    sequence: u32,
    acknowledged: u32,
    flags: u8,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let mut header = TcpHeader::new(from.1, to.1, sequence, 65_000);
    header.acknowledgment_number = acknowledged;
    (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
    (header.psh, header.ack) = (flags & 8 != 0, flags & 16 != 0);
    let step = ip(vlan, from.0, to.0)?.tcp_header(header);
    let mut bytes = Vec::with_capacity(step.size(payload.len()));
    step.write(&mut bytes, payload)?;
    Ok(bytes)
}

fn ip(vlan: Option<u16>, from: &Station, to: &Station) -> Result<PacketBuilderStep<IpHeaders>> {
    let builder = PacketBuilder::ethernet2(from.mac, to.mac);
    Ok(match (vlan, from.ip, to.ip) {
        (None, IpAddr::V4(source), IpAddr::V4(target)) => builder.ipv4(source.octets(), target.octets(), 64),
        (Some(id), IpAddr::V4(source), IpAddr::V4(target)) => {
            builder.single_vlan(VlanId::try_new(id).context("a VLAN")?).ipv4(source.octets(), target.octets(), 64)
        }
        (None, IpAddr::V6(source), IpAddr::V6(target)) => builder.ipv6(source.octets(), target.octets(), 64),
        (Some(id), IpAddr::V6(source), IpAddr::V6(target)) => {
            builder.single_vlan(VlanId::try_new(id).context("a VLAN")?).ipv6(source.octets(), target.octets(), 64)
        }
        _ => anyhow::bail!("{} and {} speak different versions of IP", from.ip, to.ip),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::SlicedPacket;

    #[test]
    fn frames_parse_back_with_their_tag_and_ports() {
        for is_v6 in [false, true] {
            for vlan in [None, Some(42)] {
                let (from, to) = (Station::numbered(1, 7, is_v6), Station::numbered(2, 9, is_v6));
                let bytes = udp_frame(vlan, (&from, 5060), (&to, 5061), b"hello").unwrap();
                let packet = SlicedPacket::from_ethernet(&bytes).unwrap();
                assert_eq!(packet.vlan_ids().first().map(|id| id.value()), vlan);
                let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else { panic!("no UDP") };
                assert_eq!((udp.source_port(), udp.destination_port(), udp.payload()), (5060, 5061, &b"hello"[..]));
            }
        }
    }
}

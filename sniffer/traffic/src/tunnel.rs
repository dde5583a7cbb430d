//! Ethernet frames within other frames, as monitoring ports of carriers and data centres deliver them.

use anyhow::{Context, Result};

/// What the frames of a call are wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tunnel {
    /// Nothing.
    #[default]
    None,
    /// Two VLAN tags (IEEE 802.1ad around 802.1Q).
    Qinq,
    /// Two MPLS labels (RFC 3032).
    Mpls,
    /// PPPoE session (RFC 2516).
    Pppoe,
    /// GRE (RFC 2784).
    Gre,
    /// ERSPAN type II (draft-foschiano-erspan).
    Erspan,
    /// IP in IPv4 (RFC 2003, RFC 4213).
    IpInIp,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281).
    GtpU,
}

impl Tunnel {
    /// All of them, none included.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Qinq,
        Self::Mpls,
        Self::Pppoe,
        Self::Gre,
        Self::Erspan,
        Self::IpInIp,
        Self::Vxlan,
        Self::Geneve,
        Self::GtpU,
    ];

    /// Wraps a frame.
    ///
    /// # Errors
    /// When it is no Ethernet frame with IP, or too long for the tunnel.
    pub fn wrap(self, frame: &[u8]) -> Result<Vec<u8>> {
        let short = || "a frame without an IP packet";
        let (kind, packet) = network_layer(frame).with_context(short)?;
        let is_v6 = kind == IPV6;
        let ethernet = frame.get(..12).with_context(short)?;
        let length = |more: usize| u16::try_from(packet.len() + more).context("a packet too long for the tunnel");
        Ok(match self {
            Self::None => frame.to_vec(),
            Self::Qinq => {
                let tags = [0x88, 0xa8, 0x20, 0x64, 0x81, 0x00, 0x00, 0xc8];
                [ethernet, &tags, &kind, packet].concat()
            }
            Self::Mpls => {
                // Labels 100 and 200, the second at the bottom of the stack, TTL 64.
                let labels = [0x88, 0x47, 0x00, 0x06, 0x40, 0x40, 0x00, 0x0c, 0x81, 0x40];
                [ethernet, &labels, packet].concat()
            }
            Self::Pppoe => {
                let protocol: [u8; 2] = if is_v6 { [0x00, 0x57] } else { [0x00, 0x21] };
                let header = [0x88, 0x64, 0x11, 0x00, 0x00, 0x07];
                [ethernet, &header, &length(2)?.to_be_bytes(), &protocol, packet].concat()
            }
            Self::Gre => outer(ethernet, 47, &[&[0, 0], &kind, packet].concat())?,
            Self::Erspan => {
                // GRE with a sequence number; ERSPAN version 1, VLAN 0, session 1.
                let header = [0x10, 0x00, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x00, 0x00, 0x01, 0, 0, 0, 0];
                outer(ethernet, 47, &[&header, frame].concat())?
            }
            Self::IpInIp => outer(ethernet, if is_v6 { 41 } else { 4 }, packet)?,
            Self::Vxlan => udp(ethernet, 4789, &[&[0x08, 0, 0, 0, 0, 0, 42, 0], frame].concat())?,
            Self::Geneve => udp(ethernet, 6081, &[&[0, 0, 0x65, 0x58, 0, 0, 42, 0], frame].concat())?,
            Self::GtpU => {
                let header: [&[u8]; 4] = [&[0x30, 0xff], &length(0)?.to_be_bytes(), &[0, 0, 0, 9], packet];
                udp(ethernet, 2152, &header.concat())?
            }
        })
    }
}

pub const IPV4: [u8; 2] = [0x08, 0x00];
pub const IPV6: [u8; 2] = [0x86, 0xdd];

/// The EtherType and the packet of a frame with at most one VLAN tag; the tag is left out.
pub fn network_layer(frame: &[u8]) -> Option<([u8; 2], &[u8])> {
    let kind = *frame.get(12..)?.first_chunk()?;
    if kind == [0x81, 0x00] {
        Some((*frame.get(16..)?.first_chunk()?, frame.get(18..)?))
    } else {
        Some((kind, frame.get(14..)?))
    }
}

/// An IPv4 packet between two routers (RFC 791), in an Ethernet frame.
fn outer(ethernet: &[u8], protocol: u8, payload: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(payload.len() + 20).context("a packet too long for the tunnel")?;
    let [high, low] = length.to_be_bytes();
    let mut header = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0, 203, 0, 113, 1, 203, 0, 113, 2];
    let sum = checksum(&header).to_be_bytes();
    if let Some(place) = header.get_mut(10..12) {
        place.copy_from_slice(&sum);
    }
    Ok([ethernet, &IPV4, &header, payload].concat())
}

fn udp(ethernet: &[u8], port: u16, payload: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(payload.len() + 8).context("a packet too long for the tunnel")?;
    // Checksum zero: none, as tunnels over IPv4 commonly have it.
    let header = [49_152_u16.to_be_bytes(), port.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    outer(ethernet, 17, &[header.as_slice(), payload].concat())
}

/// The internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let high = pair.first().copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([high, pair.get(1).copied().unwrap_or(0)]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Station, udp_frame};

    #[test]
    fn every_tunnel_holds_the_packet_at_its_end() {
        for is_v6 in [false, true] {
            let (from, to) = (Station::numbered(1, 7, is_v6), Station::numbered(2, 9, is_v6));
            let frame = udp_frame(None, (&from, 5060), (&to, 5061), b"hello").unwrap();
            for tunnel in Tunnel::ALL {
                let wrapped = tunnel.wrap(&frame).unwrap();
                assert!(wrapped.ends_with(&frame[14..]), "{tunnel:?}");
                assert_eq!(tunnel == Tunnel::None, wrapped.len() == frame.len(), "{tunnel:?}");
            }
        }
    }

    #[test]
    fn the_outer_header_has_a_correct_checksum() {
        let (from, to) = (Station::numbered(1, 7, false), Station::numbered(2, 9, false));
        let frame = udp_frame(None, (&from, 5060), (&to, 5061), b"hello").unwrap();
        let wrapped = Tunnel::Vxlan.wrap(&frame).unwrap();
        // Over a header with its checksum the sum is zero.
        assert_eq!(checksum(&wrapped[14..34]), 0);
        assert_eq!(checksum(&frame[14..34]), 0);
    }
}

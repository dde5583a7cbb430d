//! The common case in a few nanoseconds: Ethernet, at most one VLAN tag, IPv4 without options, a whole UDP datagram that
//! goes to no tunnel's port. `None` is no judgement: [`super::decode`] has the last word, and says the same where this
//! says something.

use super::{Datagram, Transport, ether, ip, tunnel};
use crate::ends::EndsV4;

/// A datagram of the common case.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// From where and to where.
    pub ends: EndsV4,
    /// The VLAN's number.
    pub vlan: Option<u16>,
    /// Differentiated services code point.
    pub dscp: u8,
    /// Identification field.
    pub ip_id: u16,
    /// What it carries.
    pub payload: &'a [u8],
    /// Where that begins in the frame.
    pub payload_at: u8,
}

impl<'a> Plain<'a> {
    /// The datagram in a frame; `vlan` is the tag that the network card took out of it.
    #[must_use]
    #[inline]
    pub fn of(vlan: Option<u16>, frame: &'a [u8]) -> Option<Self> {
        let ([_, _, _, _, _, _, _, _, _, _, _, _, type0, type1], rest) = frame.split_first_chunk::<14>()?;
        let (vlan, packet, payload_at) = match (type0, type1) {
            (0x08, 0x00) => (vlan, rest, 42),
            (0x81, 0x00) => match rest.split_first_chunk::<4>()? {
                ([tag0, tag1, 0x08, 0x00], packet) => (vlan.or(ether::vlan_number(*tag0, *tag1)), packet, 46),
                _ => return None,
            },
            _ => return None,
        };
        let (header, body) = packet.split_first_chunk::<28>()?;
        let [0x45, tos, total0, total1, id0, id1, fragment0, fragment1, _, ip::UDP, _, _, rest @ ..] = header else {
            return None;
        };
        let [s0, s1, s2, s3, d0, d1, d2, d3, sp0, sp1, dp0, dp1, length0, length1, _, _] = rest;
        let total = usize::from(u16::from_be_bytes([*total0, *total1]));
        let length = usize::from(u16::from_be_bytes([*length0, *length1]));
        // The lower 14 bits of the field: more fragments, and the offset.
        if (fragment0 & 0x3f) | fragment1 != 0
            || total > packet.len()
            || length.checked_add(20)? > total
            || tunnel::is_port(u16::from_be_bytes([*dp0, *dp1]))
        {
            return None;
        }
        Some(Self {
            ends: EndsV4 {
                addresses: u64::from_be_bytes([*s0, *s1, *s2, *s3, *d0, *d1, *d2, *d3]),
                ports: u32::from_be_bytes([*sp0, *sp1, *dp0, *dp1]),
            },
            vlan,
            dscp: tos >> 2,
            ip_id: u16::from_be_bytes([*id0, *id1]),
            payload: body.get(..length.checked_sub(8)?)?,
            payload_at,
        })
    }

    /// The same as any datagram.
    #[must_use]
    #[inline]
    pub fn datagram(&self) -> Datagram<'a> {
        Datagram {
            source: self.ends.source(),
            destination: self.ends.destination(),
            vlan: self.vlan,
            dscp: self.dscp,
            ip_id: Some(self.ip_id),
            transport: Transport::Udp,
            payload: self.payload,
            frames: &[],
        }
    }
}

/// The datagram of the common case in a frame: see the module's text.
#[must_use]
#[inline]
pub fn plain_udp<'a>(vlan: Option<u16>, frame: &'a [u8]) -> Option<Datagram<'a>> {
    Plain::of(vlan, frame).map(|plain| plain.datagram())
}

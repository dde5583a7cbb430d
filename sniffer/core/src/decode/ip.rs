//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200) to the UDP segment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::link::version;
use crate::{
    bytes::{u8_at, u16_at},
    drops::Reason,
    limits,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

type Segment<'a> = (IpAddr, IpAddr, &'a [u8]);

/// Finds the UDP segment in an IP packet, and its addresses.
pub fn transport_layer(packet: &[u8]) -> Result<Segment<'_>, Reason> {
    match version(packet)? {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => Err(Reason::IpHeader),
    }
}

fn ipv4(packet: &[u8]) -> Result<Segment<'_>, Reason> {
    let header = packet.first_chunk::<20>().ok_or(Reason::Truncated)?;
    let [first, _, total_high, total_low, _, _, fragment_high, fragment_low, _, protocol, _, _, addresses @ ..] =
        header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_length = usize::from(first & 0x0f).saturating_mul(4);
    if header_length < 20 {
        return Err(Reason::IpHeader);
    }
    let total = match usize::from(u16::from_be_bytes([*total_high, *total_low])) {
        // Left to the network card (segmentation offload).
        0 => packet.len(),
        total if total < header_length => return Err(Reason::IpHeader),
        total => total.min(packet.len()),
    };
    // More fragments, or an offset: only the first fragment has ports, and it lacks the rest.
    if u16::from_be_bytes([*fragment_high, *fragment_low]) & 0x3fff != 0 {
        return Err(Reason::IpFragment);
    }
    check_protocol(*protocol)?;
    let segment = packet.get(header_length..total).ok_or(Reason::Truncated)?;
    Ok((IpAddr::V4(Ipv4Addr::new(*s0, *s1, *s2, *s3)), IpAddr::V4(Ipv4Addr::new(*d0, *d1, *d2, *d3)), segment))
}

fn ipv6(packet: &[u8]) -> Result<Segment<'_>, Reason> {
    let payload_length = usize::from(u16_at(packet, 4).ok_or(Reason::Truncated)?);
    let mut next = u8_at(packet, 6).ok_or(Reason::Truncated)?;
    let (Some(source), Some(destination)) = (
        packet.get(8..).and_then(|rest| rest.first_chunk::<16>()),
        packet.get(24..).and_then(|rest| rest.first_chunk()),
    ) else {
        return Err(Reason::Truncated);
    };
    let rest = packet.get(40..).ok_or(Reason::Truncated)?;
    // Zero: a jumbogram, or left to the network card.
    let rest = if payload_length == 0 { rest } else { rest.get(..payload_length).unwrap_or(rest) };
    let mut at = 0_usize;
    for _ in 0..=limits::IPV6_EXTENSIONS {
        let length = match next {
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6: length in 8 bytes, less the first.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let units = u8_at(rest, at.saturating_add(1)).ok_or(Reason::Truncated)?;
                usize::from(units).saturating_add(1).saturating_mul(8)
            }
            // Authentication header (RFC 4302): length in 4 bytes, less two.
            51 => {
                let units = u8_at(rest, at.saturating_add(1)).ok_or(Reason::Truncated)?;
                usize::from(units).saturating_add(2).saturating_mul(4)
            }
            44 => {
                let field = u16_at(rest, at.saturating_add(2)).ok_or(Reason::Truncated)?;
                // An atomic fragment (RFC 6946) has neither offset nor more to come: it is the whole packet.
                if field & 0xfff9 != 0 {
                    return Err(Reason::IpFragment);
                }
                8
            }
            _ => {
                check_protocol(next)?;
                let segment = rest.get(at..).ok_or(Reason::Truncated)?;
                return Ok((IpAddr::V6(Ipv6Addr::from(*source)), IpAddr::V6(Ipv6Addr::from(*destination)), segment));
            }
        };
        next = u8_at(rest, at).ok_or(Reason::Truncated)?;
        at = at.saturating_add(length);
    }
    Err(Reason::Ipv6Extensions)
}

fn check_protocol(protocol: u8) -> Result<(), Reason> {
    match protocol {
        UDP => Ok(()),
        TCP => Err(Reason::Tcp),
        _ => Err(Reason::Transport),
    }
}

//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200): to fragments, tunnels and transport protocols.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Found, Fragment, Path, ether, transport, tunnel};
use crate::{
    bytes::{u8_at, u16_at, u32_at},
    drops::Reason,
    limits,
};

/// The protocol number of UDP.
pub const UDP: u8 = 17;
const TCP: u8 = 6;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// An IP packet of either version.
pub fn packet(mut path: Path, packet: &[u8]) -> Result<Found<'_>, Reason> {
    path.enter()?;
    match u8_at(packet, 0).ok_or(Reason::Truncated)? >> 4 {
        4 => ipv4(path, packet),
        6 => ipv6(path, packet),
        _ => Err(Reason::IpHeader),
    }
}

fn ipv4(mut path: Path, packet: &[u8]) -> Result<Found<'_>, Reason> {
    let header = packet.first_chunk::<20>().ok_or(Reason::Truncated)?;
    let [first, tos, total0, total1, id0, id1, fragment0, fragment1, _, protocol, _, _, addresses @ ..] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_length = usize::from(first & 0x0f).saturating_mul(4);
    if header_length < 20 {
        return Err(Reason::IpHeader);
    }
    let total = match usize::from(u16::from_be_bytes([total0, total1])) {
        // Left to the network card (segmentation offload).
        0 => packet.len(),
        total if total < header_length => return Err(Reason::IpHeader),
        total => total,
    };
    let id = u16::from_be_bytes([id0, id1]);
    path.source = IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3));
    path.destination = IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3));
    path.dscp = tos >> 2;
    path.ip_id = Some(id);
    let body = packet.get(header_length..total.min(packet.len())).ok_or(Reason::Truncated)?;
    let missing = total.saturating_sub(packet.len());
    let fragment = u16::from_be_bytes([fragment0, fragment1]);
    // More fragments, or an offset in units of eight bytes.
    if fragment & 0x3fff == 0 {
        return payload(path, protocol, body, missing);
    }
    fragment_of(Fragment {
        path,
        id: u32::from(id),
        protocol,
        offset: (fragment & 0x1fff) << 3,
        more: fragment & 0x2000 != 0,
        payload: whole(body, missing)?,
    })
}

fn ipv6(mut path: Path, packet: &[u8]) -> Result<Found<'_>, Reason> {
    let (header, rest) = packet.split_first_chunk::<40>().ok_or(Reason::Truncated)?;
    let [first, second, _, _, length0, length1, next, _, addresses @ ..] = header;
    let (Some(source), Some(destination)) = (addresses.first_chunk::<16>(), addresses.last_chunk::<16>()) else {
        return Err(Reason::Truncated);
    };
    path.source = IpAddr::V6(Ipv6Addr::from(*source));
    path.destination = IpAddr::V6(Ipv6Addr::from(*destination));
    path.dscp = (u16::from_be_bytes([*first, *second]) >> 6 & 0x3f).try_into().unwrap_or(0);
    path.ip_id = None;
    match usize::from(u16::from_be_bytes([*length0, *length1])) {
        // A jumbogram, or left to the network card.
        0 => payload(path, *next, rest, 0),
        length => payload(path, *next, rest.get(..length).unwrap_or(rest), length.saturating_sub(rest.len())),
    }
}

/// What a protocol number announces, past extension headers. `missing` are bytes that the capture cut off.
pub fn payload(path: Path, mut protocol: u8, mut rest: &[u8], missing: usize) -> Result<Found<'_>, Reason> {
    for _ in 0..=limits::IPV6_EXTENSIONS {
        let length = match protocol {
            UDP => return transport::udp(path, rest),
            TCP => return transport::tcp(path, rest, missing),
            SCTP => return transport::sctp(path, rest),
            UDP_LITE => return transport::udp_lite(path, rest),
            4 | 41 => return packet(path, rest),
            47 => return tunnel::gre(path, rest),
            // EtherIP (RFC 3378): version 3 and zeros.
            97 => return ether::ethernet(path, rest.strip_prefix(&[0x30, 0]).ok_or(Reason::Transport)?),
            115 => return tunnel::l2tp_over_ip(path, rest),
            // MPLS in IP (RFC 4023).
            137 => return ether::mpls(path, rest),
            // Authentication header (RFC 4302): length in 4 bytes, less two.
            51 => {
                let units = u8_at(rest, 1).ok_or(Reason::Truncated)?;
                usize::from(units).saturating_add(2).saturating_mul(4)
            }
            _ if path.source.is_ipv4() => return Err(Reason::Transport),
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6: length in 8 bytes, less the first.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let units = u8_at(rest, 1).ok_or(Reason::Truncated)?;
                usize::from(units).saturating_add(1).saturating_mul(8)
            }
            44 => {
                let (Some(next), Some(field), Some(id), Some(body)) =
                    (u8_at(rest, 0), u16_at(rest, 2), u32_at(rest, 4), rest.get(8..))
                else {
                    return Err(Reason::Truncated);
                };
                // An atomic fragment (RFC 6946) has neither offset nor more to come: it is the whole packet.
                if field & 0xfff9 != 0 {
                    let (offset, more) = (field & 0xfff8, field & 1 == 1);
                    let payload = whole(body, missing)?;
                    return fragment_of(Fragment { path, id, protocol: next, offset, more, payload });
                }
                8
            }
            _ => return Err(Reason::Transport),
        };
        protocol = u8_at(rest, 0).ok_or(Reason::Truncated)?;
        rest = rest.get(length..).ok_or(Reason::Truncated)?;
    }
    Err(Reason::Ipv6Extensions)
}

/// A fragment that the capture cut would leave a hole in its packet.
fn whole(body: &[u8], missing: usize) -> Result<&[u8], Reason> {
    if missing == 0 { Ok(body) } else { Err(Reason::Truncated) }
}

/// A fragment must carry something, end within the longest packet, and where more follows end on eight bytes.
fn fragment_of(fragment: Fragment<'_>) -> Result<Found<'_>, Reason> {
    let length = fragment.payload.len();
    let end = usize::from(fragment.offset).saturating_add(length);
    if length == 0 || end > usize::from(u16::MAX) || (fragment.more && !length.is_multiple_of(8)) {
        return Err(Reason::FragmentSize);
    }
    Ok(Found::Fragment(fragment))
}

/// Says whether bytes are an IP packet rather than something else that begins with 4 or 6: an IPv4 header has a right
/// checksum (RFC 1071), an IPv6 header a length that fits.
pub fn is_plausible(packet: &[u8]) -> bool {
    match packet.first() {
        Some(first) if first >> 4 == 4 => {
            let length = usize::from(first & 0x0f).saturating_mul(4);
            let Some(header) = packet.get(..length) else { return false };
            let total = usize::from(u16_at(packet, 2).unwrap_or(0));
            length >= 20 && (total == 0 || total >= length) && checksum(header) == 0xffff
        }
        Some(first) if first >> 4 == 6 => {
            let known = matches!(u8_at(packet, 6), Some(0 | 4 | 6 | 17 | 41 | 43 | 44 | 47 | 50 | 51 | 58..=60 | 132));
            let length = usize::from(u16_at(packet, 4).unwrap_or(0)).saturating_add(40);
            // An Ethernet frame is filled up to 60 bytes.
            known && (length..length.saturating_add(46)).contains(&packet.len())
        }
        _ => false,
    }
}

/// The ones' complement sum of 16-bit words.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum >> 16).saturating_add(sum & 0xffff);
    (folded >> 16).saturating_add(folded & 0xffff)
}

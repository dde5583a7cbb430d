//! Tunnels: GRE (RFC 2784, 2890, 2637), ERSPAN I to III (draft-foschiano-erspan-03), and over UDP VXLAN (RFC 7348),
//! VXLAN-GPE, GENEVE (RFC 8926), GTP-U (3GPP TS 29.281), MPLS (RFC 7510), L2TP (RFC 2661, 3931) and TZSP.
//!
//! A port is a hint and no proof: what does not also look like the tunnel is an ordinary datagram, so that RTP to such a
//! port is not eaten.

use super::{Found, Path, ether, ip};
use crate::{
    bytes::{u8_at, u16_at},
    drops::Reason,
    limits,
};

const VXLAN: u16 = 4789;
/// Linux's default for VXLAN, from before the number was given out.
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const MPLS: u16 = 6635;
const L2TP: u16 = 1701;
const TZSP: u16 = 37008;

/// Ports of tunnels, their lowest six bits as places in a word: most ports are told apart with one shift.
const HINT: u64 = place(VXLAN)
    | place(VXLAN_LINUX)
    | place(VXLAN_GPE)
    | place(GENEVE)
    | place(GTP_U)
    | place(MPLS)
    | place(L2TP)
    | place(TZSP);

const fn place(port: u16) -> u64 {
    1 << (port & 63)
}

/// Says whether a datagram to this port may be a tunnel's.
#[inline]
pub fn is_port(port: u16) -> bool {
    HINT & place(port) != 0 && matches!(port, VXLAN | VXLAN_LINUX | VXLAN_GPE | GENEVE | GTP_U | MPLS | L2TP | TZSP)
}

/// What a datagram to a tunnel's port carries. `None`: it does not look like the tunnel.
pub fn udp(path: Path, port: u16, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    match port {
        VXLAN | VXLAN_LINUX => vxlan(path, payload),
        VXLAN_GPE => vxlan_gpe(path, payload),
        GENEVE => geneve(path, payload),
        GTP_U => gtp(path, payload),
        MPLS => mpls(path, payload),
        L2TP => l2tp(path, payload),
        TZSP => tzsp(path, payload),
        _ => None,
    }
}

/// The flag "there is a network identifier" and a plausible frame. Other flags belong to extensions (group policy).
fn vxlan(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let ([flags, ..], frame) = payload.split_first_chunk::<8>()?;
    (flags & 0x08 != 0 && ether::is_plausible(frame)).then(|| ether::ethernet(path, frame))
}

fn vxlan_gpe(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let ([flags, _, _, next, ..], inner) = payload.split_first_chunk::<8>()?;
    if flags & 0xc8 != 0x08 {
        return None;
    }
    match next {
        // Without the flag "next protocol" it is Ethernet.
        _ if flags & 0x04 == 0 && ether::is_plausible(inner) => Some(ether::ethernet(path, inner)),
        1 if inner.first()? >> 4 == 4 => Some(ip::packet(path, inner)),
        2 if inner.first()? >> 4 == 6 => Some(ip::packet(path, inner)),
        3 if ether::is_plausible(inner) => Some(ether::ethernet(path, inner)),
        _ => None,
    }
}

/// Version 0, options in units of four bytes, reserved bits that are zero, and a protocol.
fn geneve(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let (&[first, flags, type0, type1, _, _, _, reserved], rest) = payload.split_first_chunk::<8>()?;
    if first >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 {
        return None;
    }
    let inner = rest.get(usize::from(first & 0x3f).saturating_mul(4)..)?;
    match u16::from_be_bytes([type0, type1]) {
        0x6558 if ether::is_plausible(inner) => Some(ether::ethernet(path, inner)),
        0x0800 if inner.first()? >> 4 == 4 => Some(ip::packet(path, inner)),
        0x86dd if inner.first()? >> 4 == 6 => Some(ip::packet(path, inner)),
        protocol @ (0x8847 | 0x8848) => Some(ether::follow(path, protocol, inner)),
        _ => None,
    }
}

/// Version 1, protocol type GTP, message G-PDU, a length that fits; then extension headers. RTP begins with another
/// version and SIP with a letter.
fn gtp(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let (&[flags, kind, length0, length1, ..], rest) = payload.split_first_chunk::<8>()?;
    let length = usize::from(u16::from_be_bytes([length0, length1]));
    if flags & 0xf0 != 0x30 || kind != 255 || length < rest.len() {
        return None;
    }
    Some(gtp_payload(path, flags, rest))
}

fn gtp_payload(path: Path, flags: u8, rest: &[u8]) -> Result<Found<'_>, Reason> {
    // Sequence number, N-PDU number and the kind of the first extension are there when any of them is.
    let inner = if flags & 0x07 == 0 {
        rest
    } else {
        let ([_, _, _, next], inner) = rest.split_first_chunk::<4>().ok_or(Reason::Truncated)?;
        gtp_extensions(if flags & 0x04 == 0 { 0 } else { *next }, inner)?
    };
    match u8_at(inner, 0).ok_or(Reason::Truncated)? >> 4 {
        4 | 6 if ip::is_plausible(inner) => ip::packet(path, inner),
        _ if ether::is_plausible(inner) => ether::ethernet(path, inner),
        4 | 6 => ip::packet(path, inner),
        _ if inner.starts_with(&[0xff, 0x03]) => ether::ppp(path, inner),
        _ => Err(Reason::NotIp),
    }
}

/// Each extension: its length in units of four bytes, its content, the kind of the next.
fn gtp_extensions(mut next: u8, mut rest: &[u8]) -> Result<&[u8], Reason> {
    for _ in 0..=limits::GTP_EXTENSIONS {
        if next == 0 {
            return Ok(rest);
        }
        let length = usize::from(u8_at(rest, 0).ok_or(Reason::Truncated)?).saturating_mul(4);
        let (extension, after) = rest.split_at_checked(length).ok_or(Reason::Truncated)?;
        next = *extension.last().ok_or(Reason::TunnelHeader)?;
        rest = after;
    }
    Err(Reason::TunnelHeader)
}

/// A label stack with something plausible below it.
fn mpls(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let labels = payload.as_chunks::<4>().0.iter().take(limits::MPLS_LABELS);
    let bottom = labels.clone().position(|[_, _, bottom, _]| bottom & 1 == 1)?;
    let inner = payload.get(bottom.saturating_add(1).saturating_mul(4)..)?;
    let has_control_word = inner.first()? >> 4 == 0 && inner.get(4..).is_some_and(ether::is_plausible);
    let is_plausible = ip::is_plausible(inner) || ether::is_plausible(inner) || has_control_word;
    is_plausible.then(|| ether::mpls(path, payload))
}

/// L2TP version 3 over IP (RFC 3931, section 4.1.1): session zero is for control messages.
pub fn l2tp_over_ip(path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    let session = rest.split_first_chunk::<4>().filter(|(session, _)| **session != [0; 4]);
    session.and_then(|(_, inner)| pseudowire(path, inner)).ok_or(Reason::Transport)?
}

/// An Ethernet pseudowire behind the session's number (RFC 4719). Both ends agree on a cookie of 0, 4 or 8 bytes and on
/// four bytes of sublayer in messages that may not have been seen: the frame is where it looks like one.
fn pseudowire(path: Path, inner: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let frames = [0, 4, 8, 12].into_iter().filter_map(|at| inner.get(at..));
    frames.into_iter().find(|frame| ether::is_plausible(frame)).map(|frame| ether::ethernet(path, frame))
}

/// L2TP: a data message of version 3 over UDP (RFC 3931, section 4.1.2), or of version 2: optional length, numbers and padding, then PPP with its address and control bytes, or
/// the protocol number of IP.
fn l2tp(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    if let [0, 3, 0, 0, _, _, _, _, inner @ ..] = payload {
        return pseudowire(path, inner);
    }
    let flags = u16_at(payload, 0)?;
    // A control message, other versions, bits that must be zero.
    if flags & 0xb4ff != 0x0002 {
        return None;
    }
    let mut at = 2_usize;
    if flags & 0x4000 != 0 {
        at = at.saturating_add(2);
    }
    at = at.saturating_add(4);
    if flags & 0x0800 != 0 {
        at = at.saturating_add(4);
    }
    if flags & 0x0200 != 0 {
        at = at.saturating_add(2).saturating_add(usize::from(u16_at(payload, at)?));
    }
    let inner = payload.get(at..)?;
    matches!(inner, [0xff, 0x03, ..] | [0x00, 0x21 | 0x57, ..] | [0x21 | 0x57, ..]).then(|| ether::ppp(path, inner))
}

/// Version 1, a received or transmitted packet, Ethernet; then fields of a kind and a length up to the kind 1.
fn tzsp(path: Path, payload: &[u8]) -> Option<Result<Found<'_>, Reason>> {
    let [1, 0 | 1, 0, 1, fields @ ..] = payload else { return None };
    let mut rest = fields;
    for _ in 0..limits::TZSP_FIELDS {
        rest = match rest {
            [1, frame @ ..] => return ether::is_plausible(frame).then(|| ether::ethernet(path, frame)),
            [0, rest @ ..] => rest,
            [_, length, rest @ ..] => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
    None
}

/// GRE: flags, protocol, and the fields that the flags announce.
pub fn gre(path: Path, packet: &[u8]) -> Result<Found<'_>, Reason> {
    let (&[high, low, type0, type1], mut rest) = packet.split_first_chunk::<4>().ok_or(Reason::Truncated)?;
    let skip = |rest: &'_ mut &[u8], count: usize| -> Result<(), Reason> {
        *rest = rest.get(count..).ok_or(Reason::Truncated)?;
        Ok(())
    };
    let protocol = u16::from_be_bytes([type0, type1]);
    let has_sequence = high & 0x10 != 0;
    // Checksum, which is also there with source routes (RFC 1701).
    if high & 0xc0 != 0 {
        skip(&mut rest, 4)?;
    }
    let mut length = usize::MAX;
    if high & 0x20 != 0 {
        // Version 1 (PPTP) keeps the payload's length in the key.
        if low & 0x07 == 1 {
            length = usize::from(u16_at(rest, 0).ok_or(Reason::Truncated)?);
        }
        skip(&mut rest, 4)?;
    }
    if has_sequence {
        skip(&mut rest, 4)?;
    }
    match low & 0x07 {
        0 => {}
        1 => {
            // Acknowledgement number.
            if low & 0x80 != 0 {
                skip(&mut rest, 4)?;
            }
            return ether::ppp(path, rest.get(..length).unwrap_or(rest));
        }
        _ => return Err(Reason::TunnelHeader),
    }
    if high & 0x40 != 0 {
        rest = source_routes(rest)?;
    }
    match protocol {
        0x88be => erspan(path, rest, has_sequence),
        0x22eb => erspan3(path, rest),
        // WCCP: four bytes of its own before the packet in version 2.
        0x883e if rest.first().is_some_and(|first| first >> 4 != 4) => {
            ip::packet(path, rest.get(4..).ok_or(Reason::Truncated)?)
        }
        0x883e => ip::packet(path, rest),
        // Keep-alives and bridged frames that begin with their length do not carry EtherTypes.
        0..=0x05dc => Err(Reason::NotIp),
        protocol => ether::follow(path, protocol, rest),
    }
}

/// Source route entries (RFC 1701): family, offset, length, bytes; the last has neither family nor length.
fn source_routes(mut rest: &[u8]) -> Result<&[u8], Reason> {
    for _ in 0..=limits::GTP_EXTENSIONS {
        let (&[family0, family1, _, length], after) = rest.split_first_chunk::<4>().ok_or(Reason::Truncated)?;
        rest = after.get(usize::from(length)..).ok_or(Reason::Truncated)?;
        if (family0, family1, length) == (0, 0, 0) {
            return Ok(rest);
        }
    }
    Err(Reason::TunnelHeader)
}

/// Type II has a sequence number in GRE and a header of eight bytes with version 1; type I has neither.
fn erspan(mut path: Path, rest: &[u8], has_sequence: bool) -> Result<Found<'_>, Reason> {
    if has_sequence
        && let Some(([first, second, ..], frame)) = rest.split_first_chunk::<8>()
        && first >> 4 == 1
    {
        path.vlan = path.vlan.or(ether::vlan_number(*first, *second));
        return ether::ethernet(path, frame);
    }
    ether::ethernet(path, rest)
}

/// Type III: twelve bytes with version 2, eight more when the last bit says so; an Ethernet frame or an IP packet.
fn erspan3(mut path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    let (&[first, second, .., kind, last], mut inner) = rest.split_first_chunk::<12>().ok_or(Reason::Truncated)?;
    if first >> 4 != 2 {
        return Err(Reason::TunnelHeader);
    }
    path.vlan = path.vlan.or(ether::vlan_number(first, second));
    if last & 1 == 1 {
        inner = inner.get(8..).ok_or(Reason::Truncated)?;
    }
    match kind >> 2 & 0x1f {
        0 => ether::ethernet(path, inner),
        2 => ip::packet(path, inner),
        _ => Err(Reason::NotIp),
    }
}

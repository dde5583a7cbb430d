//! Between the link and IP: Ethernet, VLAN and other tags, LLC and SNAP, MPLS with pseudowires, PPPoE, PPP, Cisco HDLC.

use super::{Found, Path, ip};
use crate::{
    bytes::{u8_at, u16_at},
    drops::Reason,
    limits,
};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// An Ethernet frame.
pub fn ethernet(mut path: Path, frame: &[u8]) -> Result<Found<'_>, Reason> {
    path.enter()?;
    let (Some(protocol), Some(rest)) = (u16_at(frame, 12), frame.get(14..)) else { return Err(Reason::Truncated) };
    follow(path, protocol, rest)
}

/// The number of an 802.1Q tag. Zero is a priority without a VLAN.
pub fn vlan_number(tag0: u8, tag1: u8) -> Option<u16> {
    let number = u16::from_be_bytes([tag0 & 0x0f, tag1]);
    (number != 0).then_some(number)
}

/// Goes from an EtherType to the IP packet, past tags.
pub fn follow(mut path: Path, mut protocol: u16, mut rest: &[u8]) -> Result<Found<'_>, Reason> {
    for _ in 0..=limits::VLAN_TAGS {
        let after = match protocol {
            IPV4 | IPV6 => return ip::packet(path, rest),
            // 802.1Q, 802.1ad and the older numbers for the outer tag.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                let [tag0, tag1, ..] = *chunk::<4>(rest)?;
                path.vlan = path.vlan.or(vlan_number(tag0, tag1));
                2
            }
            // Cisco's VN-Tag, 802.1BR's E-Tag.
            0x8926 => 4,
            0x893f => 6,
            0x8847 | 0x8848 => return mpls(path, rest),
            0x8864 => return pppoe(path, rest),
            0x880b => return ppp(path, rest),
            // Provider backbone bridging (802.1ah): the service's tag, then the customer's frame; in GRE and GENEVE,
            // Ethernet as such.
            0x88e7 => return ethernet(path, rest.get(4..).ok_or(Reason::Truncated)?),
            0x6558 => return ethernet(path, rest),
            // A length: IEEE 802.3.
            0..=0x05dc => return llc(path, rest),
            _ => return Err(Reason::NotIp),
        };
        protocol = u16_at(rest, after).ok_or(Reason::Truncated)?;
        rest = rest.get(after.saturating_add(2)..).ok_or(Reason::Truncated)?;
    }
    Err(Reason::VlanDepth)
}

fn chunk<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Reason> {
    bytes.first_chunk().ok_or(Reason::Truncated)
}

/// LLC: SNAP with an EtherType, or IP by its own number.
pub fn llc(mut path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    path.enter()?;
    match rest {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, type0, type1, rest @ ..] => {
            match u16::from_be_bytes([*type0, *type1]) {
                // A length here would come back to LLC.
                0..=0x05dc => Err(Reason::NotIp),
                protocol => follow(path, protocol, rest),
            }
        }
        // Bridged Ethernet over ATM (RFC 2684), with and without check sequence.
        [0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0x00, 0x01 | 0x07, _, _, rest @ ..] => ethernet(path, rest),
        [0x06, 0x06, 0x03, rest @ ..] => ip::packet(path, rest),
        _ if rest.len() < 3 => Err(Reason::Truncated),
        _ => Err(Reason::NotIp),
    }
}

/// MPLS (RFC 3032): labels up to the bottom of the stack.
pub fn mpls(mut path: Path, mut rest: &[u8]) -> Result<Found<'_>, Reason> {
    path.enter()?;
    for _ in 0..limits::MPLS_LABELS {
        let (label, after) = rest.split_first_chunk::<4>().ok_or(Reason::Truncated)?;
        rest = after;
        let [_, _, bottom, _] = label;
        if bottom & 1 == 1 {
            return below_labels(path, rest);
        }
    }
    Err(Reason::LabelDepth)
}

/// Labels do not say what they carry: IP, or Ethernet with or without a control word (RFC 4385, RFC 4448). A frame whose
/// address begins with 4 or 6 looks like IP at first, one that begins with 0 like a control word. IPv4 has a checksum;
/// what is else both plausible is rather Ethernet, whose EtherType an IPv6 address would have to hit.
fn below_labels(path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    let first = u8_at(rest, 0).ok_or(Reason::Truncated)? >> 4;
    if first == 4 && ip::is_plausible(rest) {
        return ip::packet(path, rest);
    }
    if first == 0
        && let Some(frame) = rest.get(4..)
        && is_plausible(frame)
    {
        return ethernet(path, frame);
    }
    if is_plausible(rest) {
        return ethernet(path, rest);
    }
    if matches!(first, 4 | 6) { ip::packet(path, rest) } else { Err(Reason::NotIp) }
}

/// Says whether bytes look like an Ethernet frame that carries IP, perhaps with VLAN tags or in PPPoE. What carries
/// something else is of no interest, and not worth mistaking other bytes for it.
pub fn is_plausible(frame: &[u8]) -> bool {
    let mut at = 12_usize;
    for _ in 0..=limits::VLAN_TAGS {
        let Some(protocol) = u16_at(frame, at) else { return false };
        let body = frame.get(at.saturating_add(2)..).unwrap_or_default();
        match protocol {
            IPV4 => return body.first().is_some_and(|first| (0x45..=0x4f).contains(first)),
            IPV6 => return body.first().is_some_and(|first| first >> 4 == 6),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => at = at.saturating_add(4),
            0x8864 => {
                return matches!(
                    body,
                    [0x11, 0, _, _, _, _, 0, 0x21 | 0x57, ..] | [0x11, 0, _, _, _, _, 0x21 | 0x57, ..]
                );
            }
            _ => return false,
        }
    }
    false
}

/// A PPPoE session (RFC 2516): version, type, code, session, length.
pub fn pppoe(path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    let (&[version, code, _, _, length0, length1], rest) = rest.split_first_chunk::<6>().ok_or(Reason::Truncated)?;
    // Codes other than zero are discovery.
    if version != 0x11 || code != 0 {
        return Err(Reason::NotIp);
    }
    let length = usize::from(u16::from_be_bytes([length0, length1]));
    ppp(path, rest.get(..length).unwrap_or(rest))
}

/// PPP (RFC 1661), with HDLC's address and control (RFC 1662) or without, the protocol in one byte or two; or Cisco's
/// HDLC, which has an EtherType.
pub fn ppp(mut path: Path, rest: &[u8]) -> Result<Found<'_>, Reason> {
    path.enter()?;
    let rest = match rest {
        [0x0f | 0x8f, 0x00, type0, type1, rest @ ..] => {
            return follow(path, u16::from_be_bytes([*type0, *type1]), rest);
        }
        [0xff, 0x03, rest @ ..] => rest,
        rest => rest,
    };
    let (protocol, rest) = match rest {
        [low, rest @ ..] if low & 1 == 1 => (u16::from(*low), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Reason::Truncated),
    };
    match protocol {
        0x0021 | 0x0057 => ip::packet(path, rest),
        0x0281 | 0x0283 => mpls(path, rest),
        // Bridging (RFC 3518): flags, the kind of frame; 1 is Ethernet.
        0x0031 => match rest {
            [_, 1, frame @ ..] => ethernet(path, frame),
            _ => Err(Reason::NotIp),
        },
        _ => Err(Reason::NotIp),
    }
}

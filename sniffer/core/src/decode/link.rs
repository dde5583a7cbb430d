//! Link layers: Ethernet with VLAN tags, Linux cooked captures, raw IP, BSD null and loopback.

use crate::{
    bytes::{u8_at, u16_at},
    drops::Reason,
    limits,
};

/// How frames begin; the numbers are libpcap's LINKTYPE_ values (tcpdump.org/linktypes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// BSD null: the address family as 32 bits in the writer's byte order; also LOOP, the same in network order.
    Null,
    /// Ethernet.
    Ethernet,
    /// IPv4 or IPv6 without anything before it.
    RawIp,
    /// Linux cooked, version 1.
    LinuxCooked,
    /// Linux cooked, version 2.
    LinuxCooked2,
    /// Anything else, by its number.
    Other(u32),
}

impl LinkType {
    /// The link type with this number in a capture file.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            // 12 and 14 are what some systems write for DLT_RAW; 228 and 229 are raw IPv4 and IPv6.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }

    /// The number under which a capture file carries it.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
            Self::Other(number) => number,
        }
    }
}

/// Goes past the link layer: the outermost VLAN and the IP packet.
pub fn network_layer(link: LinkType, frame: &[u8]) -> Result<(Option<u16>, &[u8]), Reason> {
    match link {
        LinkType::RawIp => Ok((None, frame)),
        LinkType::Null => Ok((None, frame.get(4..).ok_or(Reason::Truncated)?)),
        LinkType::Ethernet => ether_type(frame, 12),
        LinkType::LinuxCooked => ether_type(frame, 14),
        LinkType::LinuxCooked2 => {
            let protocol = u16_at(frame, 0).ok_or(Reason::Truncated)?;
            payload_of(protocol, frame, 20)
        }
        LinkType::Other(_) => Err(Reason::LinkType),
    }
}

fn ether_type(frame: &[u8], at: usize) -> Result<(Option<u16>, &[u8]), Reason> {
    let protocol = u16_at(frame, at).ok_or(Reason::Truncated)?;
    payload_of(protocol, frame, at.saturating_add(2))
}

/// Follows VLAN tags from the EtherType to the IP packet.
fn payload_of(mut protocol: u16, frame: &[u8], mut at: usize) -> Result<(Option<u16>, &[u8]), Reason> {
    let mut vlan = None;
    for _ in 0..=limits::VLAN_TAGS {
        match protocol {
            0x0800 | 0x86dd => return Ok((vlan, frame.get(at..).ok_or(Reason::Truncated)?)),
            // 802.1Q, 802.1ad and the older number for the outer tag.
            0x8100 | 0x88a8 | 0x9100 => {
                let (Some(tag), Some(next)) = (u16_at(frame, at), u16_at(frame, at.saturating_add(2))) else {
                    return Err(Reason::Truncated);
                };
                vlan = vlan.or(Some(tag & 0x0fff));
                protocol = next;
                at = at.saturating_add(4);
            }
            _ => return Err(Reason::NotIp),
        }
    }
    Err(Reason::VlanDepth)
}

/// Says which IP version a packet has.
pub fn version(packet: &[u8]) -> Result<u8, Reason> {
    Ok(u8_at(packet, 0).ok_or(Reason::Truncated)? >> 4)
}

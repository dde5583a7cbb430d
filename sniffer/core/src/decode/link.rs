//! Link layers of capture files and ports: where the network layer begins.

use super::{Found, Path, ether, ip};
use crate::{
    bytes::{u8_at, u16_at, u32_at},
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
    /// PPP, with or without the address and control bytes of HDLC; also Cisco's HDLC.
    Ppp,
    /// PPP with a byte before it that says the direction.
    PppWithDirection,
    /// A PPPoE session without Ethernet.
    PppEther,
    /// LLC and SNAP, as over ATM (RFC 2684).
    Llc,
    /// The packet filter's log of Linux (NFLOG).
    NetfilterLog,
    /// The packet filter's log of BSD (PFLOG).
    PacketFilterLog,
    /// OpenBSD's enc interface: family, SPI and flags before the packet.
    Enc,
    /// MPLS labels without Ethernet.
    Mpls,
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
            9 | 50 | 104 => Self::Ppp,
            51 => Self::PppEther,
            // 12 and 14 are what some systems write for DLT_RAW; 228 and 229 are raw IPv4 and IPv6.
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            11 | 100 => Self::Llc,
            109 => Self::Enc,
            113 => Self::LinuxCooked,
            117 => Self::PacketFilterLog,
            166 | 204 => Self::PppWithDirection,
            219 => Self::Mpls,
            239 => Self::NetfilterLog,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }

    /// A number that a capture file may have for it.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::PppEther => 51,
            Self::Llc => 100,
            Self::RawIp => 101,
            Self::Enc => 109,
            Self::LinuxCooked => 113,
            Self::PacketFilterLog => 117,
            Self::PppWithDirection => 204,
            Self::Mpls => 219,
            Self::NetfilterLog => 239,
            Self::LinuxCooked2 => 276,
            Self::Other(number) => number,
        }
    }
}

/// Goes past the link layer.
pub fn frame(path: Path, link: LinkType, frame: &[u8]) -> Result<Found<'_>, Reason> {
    match link {
        LinkType::Ethernet => ether::ethernet(path, frame),
        LinkType::RawIp => raw(path, frame),
        LinkType::Null => null(path, frame),
        LinkType::LinuxCooked => {
            let (protocol, rest) = (u16_at(frame, 14), frame.get(16..));
            cooked(path, u16_at(frame, 2), protocol, rest)
        }
        LinkType::LinuxCooked2 => {
            let (protocol, rest) = (u16_at(frame, 0), frame.get(20..));
            cooked(path, u16_at(frame, 8), protocol, rest)
        }
        LinkType::Ppp => ether::ppp(path, frame),
        LinkType::PppWithDirection => ether::ppp(path, frame.get(1..).ok_or(Reason::Truncated)?),
        LinkType::PppEther => ether::pppoe(path, frame),
        LinkType::Llc => ether::llc(path, frame),
        LinkType::NetfilterLog => netfilter_log(path, frame),
        LinkType::PacketFilterLog => {
            let length = usize::from(u8_at(frame, 0).ok_or(Reason::Truncated)?).next_multiple_of(4);
            ip::packet(path, frame.get(length..).ok_or(Reason::Truncated)?)
        }
        LinkType::Enc => ip::packet(path, frame.get(12..).ok_or(Reason::Truncated)?),
        LinkType::Mpls => ether::mpls(path, frame),
        LinkType::Other(_) => Err(Reason::LinkType),
    }
}

/// Raw IP. OpenBSD numbers LOOP as others number raw IP, so that a family may be there after all: no IP packet begins
/// with zeros.
fn raw(path: Path, frame: &[u8]) -> Result<Found<'_>, Reason> {
    if frame.starts_with(&[0, 0, 0]) { null(path, frame) } else { ip::packet(path, frame) }
}

/// The family's number: 2 is IPv4 everywhere; IPv6 is 10 in Linux, 24 in NetBSD and OpenBSD, 28 in FreeBSD, 30 in macOS.
fn null(path: Path, frame: &[u8]) -> Result<Found<'_>, Reason> {
    let (Some(family), Some(rest)) = (u32_at(frame, 0), frame.get(4..)) else { return Err(Reason::Truncated) };
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        2 | 10 | 24 | 28 | 30 => ip::packet(path, rest),
        _ => Err(Reason::NotIp),
    }
}

/// Linux cooked: hardware type, then a protocol that is usually an EtherType.
fn cooked<'a>(
    path: Path,
    hardware: Option<u16>,
    protocol: Option<u16>,
    rest: Option<&'a [u8]>,
) -> Result<Found<'a>, Reason> {
    let (Some(hardware), Some(protocol), Some(rest)) = (hardware, protocol, rest) else {
        return Err(Reason::Truncated);
    };
    match (hardware, protocol) {
        // ARPHRD_NETLINK: the protocol is netlink's.
        (824, _) => Err(Reason::NotIp),
        // ARPHRD_FRAD, and the pseudo protocols LINUX_SLL_P_802_2 and ETH_P_PPP_MP (0x0008).
        (_, 4) => ether::llc(path, rest),
        (_, 0x0007 | 0x0008) => ether::ppp(path, rest),
        // LINUX_SLL_P_802_3 is Novell's frame without LLC; CAN and others have small numbers too.
        (_, 0..=0x05ff) => Err(Reason::NotIp),
        (_, protocol) => ether::follow(path, protocol, rest),
    }
}

/// NFLOG: four bytes, then attributes of which number 9 is the packet. Lengths and numbers are in the writer's order.
fn netfilter_log(path: Path, frame: &[u8]) -> Result<Found<'_>, Reason> {
    let mut rest = frame.get(4..).ok_or(Reason::Truncated)?;
    for _ in 0..limits::NFLOG_ATTRIBUTES {
        let ([l0, l1, t0, t1], after) = rest.split_first_chunk::<4>().ok_or(Reason::Truncated)?;
        // An attribute's number is small, so that the zero byte of it tells the order.
        let (length, kind) = if *t0 == 0 && *t1 != 0 {
            (u16::from_be_bytes([*l0, *l1]), *t1)
        } else {
            (u16::from_le_bytes([*l0, *l1]), *t0)
        };
        let body = usize::from(length).checked_sub(4).ok_or(Reason::Truncated)?;
        if kind == 9 {
            return ip::packet(path, after.get(..body).unwrap_or(after));
        }
        rest = after.get(body.next_multiple_of(4)..).ok_or(Reason::Truncated)?;
    }
    Err(Reason::Truncated)
}

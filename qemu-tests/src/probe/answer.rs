//! Reads what a machine answered out of frames.

use super::Target;
use anyhow::{Context, Result};
use etherparse::icmpv6::TYPE_NEIGHBOR_SOLICITATION;
use etherparse::{LinkSlice, NetSlice, SlicedPacket, TransportSlice};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a TCP port said.
pub(super) struct Answer {
    pub from: u16,
    pub to: u16,
    pub is_open: bool,
}

pub(super) fn tcp_answer(frame: &[u8], target: &Target) -> Option<Answer> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    // QEMU's router on the same network refuses connections in the target's name; only the Ethernet address tells.
    if source(&packet)? != target.ip || sender(&packet)? != target.mac {
        return None;
    }
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { return None };
    let answer = Answer { from: tcp.source_port(), to: tcp.destination_port(), is_open: tcp.syn() && tcp.ack() };
    (answer.is_open || tcp.rst()).then_some(answer)
}

pub(super) fn source(packet: &SlicedPacket<'_>) -> Option<IpAddr> {
    match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Ipv6(ip) => Some(ip.header().source_addr().into()),
        NetSlice::Arp(_) => None,
    }
}

pub(super) fn sender(packet: &SlicedPacket<'_>) -> Option<[u8; 6]> {
    match packet.link.as_ref()? {
        LinkSlice::Ethernet2(header) => Some(header.source()),
        LinkSlice::LinuxSll(_) | LinkSlice::EtherPayload(_) | LinkSlice::LinuxSllPayload(_) => None,
    }
}

/// The asker of an ARP request for this address: its Ethernet and its IPv4 address.
pub(super) fn arp_question(frame: &[u8], wanted: Ipv4Addr) -> Option<([u8; 6], Ipv4Addr)> {
    let is_request = frame.get(12..14)? == [0x08, 0x06] && frame.get(20..22)? == [0, 1];
    let target = <[u8; 4]>::try_from(frame.get(38..42)?).ok()?;
    if !is_request || Ipv4Addr::from(target) != wanted {
        return None;
    }
    let ip = <[u8; 4]>::try_from(frame.get(28..32)?).ok()?;
    Some((frame.get(22..28)?.try_into().ok()?, ip.into()))
}

/// The asker of a neighbour solicitation for this address.
pub(super) fn neighbour_question(frame: &[u8], wanted: Ipv6Addr) -> Option<([u8; 6], Ipv6Addr)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Icmpv6(icmp)) = &packet.transport else { return None };
    let target = <[u8; 16]>::try_from(icmp.payload().get(..16)?).ok()?;
    let (Some(IpAddr::V6(ip)), Some(mac)) = (source(&packet), sender(&packet)) else { return None };
    (icmp.type_u8() == TYPE_NEIGHBOR_SOLICITATION && Ipv6Addr::from(target) == wanted).then_some((mac, ip))
}

/// Whether a frame answers a ping of this stranger.
#[must_use]
pub fn is_ping_answer(frame: &[u8]) -> bool {
    let Ok(packet) = SlicedPacket::from_ethernet(frame) else { return false };
    match packet.transport {
        Some(TransportSlice::Icmpv4(icmp)) => icmp.type_u8() == 0,
        Some(TransportSlice::Icmpv6(icmp)) => icmp.type_u8() == 129,
        Some(TransportSlice::Tcp(_) | TransportSlice::Udp(_) | TransportSlice::Igmp(_)) | None => false,
    }
}

/// The Ethernet address that an ARP reply gives for this address.
#[must_use]
pub fn arp_answer(frame: &[u8], wanted: Ipv4Addr) -> Option<[u8; 6]> {
    let is_reply = frame.get(12..14)? == [0x08, 0x06] && frame.get(20..22)? == [0, 2];
    let said = <[u8; 4]>::try_from(frame.get(28..32)?).ok()?;
    (is_reply && Ipv4Addr::from(said) == wanted).then_some(frame.get(22..28)?.try_into().ok()?)
}

/// The addresses that the machine with this Ethernet address has used as its own in what it sent, with how often.
#[must_use]
pub fn addresses_of(frames: &[Vec<u8>], mac: [u8; 6]) -> BTreeMap<IpAddr, u64> {
    let mut found = BTreeMap::new();
    for frame in frames {
        let Ok(packet) = SlicedPacket::from_ethernet(frame) else { continue };
        if let (Some(from), Some(ip)) = (sender(&packet), source(&packet))
            && from == mac
            && !ip.is_unspecified()
        {
            *found.entry(ip).or_insert(0) += 1;
        }
    }
    found
}

/// The machine's IPv4 address, which it must have used.
///
/// # Errors
/// When it has sent nothing with one.
pub fn v4_of(frames: &[Vec<u8>], mac: [u8; 6]) -> Result<Ipv4Addr> {
    let v4 = |ip: &IpAddr| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None };
    addresses_of(frames, mac).keys().find_map(v4).context("the machine has used no IPv4 address")
}

//! Live capture from a port: a TPACKET_V3 ring that is mapped from the kernel (Documentation/networking/packet_mmap).
//! The only module with unsafe code. It gives frames away and sends nothing.

mod interface;
mod ring;
mod upstream;

use std::time::Duration;

use sniffer_core::{decode::LinkType, engine::FrameMeta};
use thiserror::Error;

pub use interface::link;
pub use ring::Ring;
pub use upstream::{Lost, Upstream, is_unhandled, softnet_dropped};

/// Why a port cannot be captured.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// There is no such interface.
    #[error("there is no interface of this name")]
    Missing,
    /// The kernel refused a step.
    #[error("{step}")]
    System {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        #[source]
        error: std::io::Error,
    },
    /// Frames of this kind of interface are not decoded.
    #[error("interfaces of hardware type {0} cannot be captured")]
    HardwareType(u16),
}

/// A frame in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it came, and the VLAN tag that the card took out.
    pub meta: FrameMeta,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What the kernel counted since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets for this port, the dropped ones included.
    pub packets: u64,
    /// Packets dropped because the ring was full.
    pub drops: u64,
}

/// Whether an interface can receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Switched on and with a link.
    Up,
    /// Switched off or without a link.
    Down,
    /// Not there.
    Missing,
}

/// How a ring is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Bytes of a block: a multiple of the page size.
    pub block: u32,
    /// Number of blocks.
    pub blocks: u32,
    /// How long the kernel holds a block that is not full.
    pub wait: Duration,
}

/// The link type of frames from an interface with this hardware type (ARPHRD_ of linux/if_arp.h).
fn link_type(hardware: u16) -> Result<LinkType, CaptureError> {
    match hardware {
        // Ethernet; loopback, whose frames have an Ethernet header of zeroes.
        1 | 772 => Ok(LinkType::Ethernet),
        // No link layer: tun, raw IP.
        519 | 65534 => Ok(LinkType::RawIp),
        other => Err(CaptureError::HardwareType(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_what_their_interface_is_and_others_are_refused_by_name() {
        let known =
            [(1, LinkType::Ethernet), (772, LinkType::Ethernet), (519, LinkType::RawIp), (65534, LinkType::RawIp)];
        for (hardware, link) in known {
            assert_eq!(link_type(hardware).unwrap(), link, "{hardware}");
        }
        // Radiotap, a 6in4 tunnel, InfiniBand: their frames begin with something else.
        for hardware in [0, 32, 512, 776, 803] {
            let error = link_type(hardware).unwrap_err();
            assert_eq!(error.to_string(), format!("interfaces of hardware type {hardware} cannot be captured"));
        }
    }
}

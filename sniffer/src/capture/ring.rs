//! The ring itself. Each unsafe block is one system call or one view of memory that the kernel has handed over.
#![expect(unsafe_code, reason = "packet sockets, mmap and ioctl have no safe interface; conventions.md, 22")]

mod map;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sniffer_core::{decode::LinkType, engine::FrameMeta, time::Timestamp};

use self::{
    map::Map,
    socket::{bind, check, detach_filter, filter_all, hardware_type, length_of, set_option},
};
use super::{CaptureError, Frame, Layout, Statistics, interface::index, link_type};

/// linux/if_packet.h: do not give us what this machine sends.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// linux/if_packet.h: the ring is one of a group among which packets are dealt out.
const PACKET_FANOUT: libc::c_int = 18;
/// By the hash of the flow, which is the same for both directions.
const PACKET_FANOUT_HASH: u32 = 0;
/// Fragments are put together first: later ones have no ports, and would go elsewhere.
const PACKET_FANOUT_FLAG_DEFRAG: u32 = 0x8000;
/// The group leaves out what this machine sends: the option of each socket counts for nothing once it is in a group.
const PACKET_FANOUT_FLAG_IGNORE_OUTGOING: u32 = 0x4000;
/// linux/if_packet.h: tpacket_versions::TPACKET_V3.
const TPACKET_V3: libc::c_int = 2;
/// The block belongs to us; otherwise to the kernel.
const STATUS_USER: u32 = 1;
/// The VLAN fields of a packet's header hold a tag.
const STATUS_VLAN_VALID: u32 = 1 << 4;
/// Offsets in `tpacket_block_desc`: version and private offset (8 bytes) come first.
const BLOCK_STATUS: usize = 8;
const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;

/// An open port: a packet socket and its mapped ring.
#[derive(Debug)]
pub struct Ring {
    socket: OwnedFd,
    map: Map,
    block: usize,
    blocks: usize,
    current: usize,
    link: LinkType,
    interface: libc::c_int,
}

impl Ring {
    /// Opens a port for capture, promiscuous, and without what this machine sends itself. Needs CAP_NET_RAW. With a group,
    /// this ring has a share of the port's flows: both directions of a flow and all its fragments go to the same ring.
    ///
    /// # Errors
    /// When there is no such interface, or the kernel refuses.
    pub fn open(name: &str, layout: Layout, group: Option<u16>) -> Result<Self, CaptureError> {
        let interface = index(name).ok_or(CaptureError::Missing)?;
        // Protocol 0: nothing is received until the ring is mapped, so that start-up counts no false drops.
        // SAFETY: a system call without pointers; the result is checked.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        check(socket, "open a packet socket (CAP_NET_RAW is needed)")?;
        // SAFETY: the descriptor was made above and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        set_option(&socket, libc::PACKET_VERSION, &TPACKET_V3, "choose TPACKET_V3")?;
        // Kernels before 4.20 do not know it; a monitoring port sends nothing anyway.
        let ignored = set_option(&socket, PACKET_IGNORE_OUTGOING, &1_i32, "leave out what is sent");
        if let Err(error) = ignored {
            tracing::debug!("port {name}: {error}");
        }
        let request = libc::tpacket_req3 {
            tp_block_size: layout.block,
            tp_block_nr: layout.blocks,
            // Packets of V3 have no fixed size; the kernel wants a divisor of the block's.
            tp_frame_size: 2048,
            tp_frame_nr: (layout.block / 2048).saturating_mul(layout.blocks),
            tp_retire_blk_tov: u32::try_from(layout.wait.as_millis()).unwrap_or(u32::MAX),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        set_option(&socket, libc::PACKET_RX_RING, &request, "make the ring")?;
        let (block, blocks) = (size(layout.block), size(layout.blocks));
        let map = Map::new(&socket, block.saturating_mul(blocks))?;
        if group.is_some() {
            // Between binding and joining the group a ring would get the packets of its fellows too.
            filter_all(&socket)?;
        }
        bind(&socket, interface)?;
        if let Some(group) = group {
            let way = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
            set_option(&socket, PACKET_FANOUT, &(u32::from(group) | way << 16), "share the port out among workers")?;
            detach_filter(&socket)?;
        }
        let membership = libc::packet_mreq {
            mr_ifindex: interface,
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or(1),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set_option(&socket, libc::PACKET_ADD_MEMBERSHIP, &membership, "switch to promiscuous")?;
        let link = link_type(hardware_type(&socket)?)?;
        Ok(Self { socket, map, block, blocks, current: 0, link, interface })
    }

    /// How frames of this port begin.
    #[must_use]
    pub fn link_type(&self) -> LinkType {
        self.link
    }

    /// Says whether the interface that was opened is the one that has the name: it may have been taken out and put in
    /// again, and then this ring stays silent for ever.
    #[must_use]
    pub fn is_interface(&self, name: &str) -> bool {
        index(name) == Some(self.interface)
    }

    /// Waits until a block is ready, at most so long. An interface that goes down ends the wait too.
    ///
    /// # Errors
    /// When waiting itself fails.
    pub fn wait(&self, longest: Duration) -> io::Result<()> {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::ZERO);
        let mut sockets = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN | PollFlags::POLLERR)];
        match poll(&mut sockets, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let failed = sockets.iter().any(|one| one.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)));
        if failed {
            // Takes the pending error (ENETDOWN), or poll would return at once for ever.
            self.take_error();
        }
        Ok(())
    }

    fn take_error(&self) {
        let mut error: libc::c_int = 0;
        let mut length = length_of::<libc::c_int>();
        // SAFETY: the pointers are to a local number and its size; the descriptor is open.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                std::ptr::from_mut(&mut error).cast(),
                &raw mut length,
            )
        };
        tracing::debug!(result, error, "The packet socket had an error");
    }

    /// Gives the frames of the next block away, and the block back to the kernel. False when no block is ready.
    pub fn next_block(&mut self, mut take: impl FnMut(Frame<'_>)) -> bool {
        let start = self.current.saturating_mul(self.block);
        let Some(status) = self.map.word(start.saturating_add(BLOCK_STATUS)) else { return false };
        if status.load(Ordering::Acquire) & STATUS_USER == 0 {
            return false;
        }
        // SAFETY: the status says that the block is ours: the kernel does not write to it before it is given back below,
        // after the last use of this view.
        if let Some(block) = unsafe { self.map.bytes(start, self.block) } {
            frames(block, &mut take);
        }
        // What was read must not be moved behind the store that gives the block back.
        fence(Ordering::SeqCst);
        status.store(0, Ordering::Release);
        self.current = self.current.saturating_add(1).checked_rem(self.blocks).unwrap_or(0);
        true
    }

    /// What the kernel counted since this was last asked.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn statistics(&self) -> Result<Statistics, CaptureError> {
        // tpacket_stats_v3: packets, drops, and how often the ring was frozen.
        let mut numbers = [0_u32; 3];
        let mut length = length_of::<[u32; 3]>();
        // SAFETY: the pointers are to a local array and its size; the descriptor is open.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                numbers.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        check(result, "read the port's statistics")?;
        let [packets, drops, _] = numbers;
        Ok(Statistics { packets: u64::from(packets), drops: u64::from(drops) })
    }
}

/// Walks the packets of a block. Offsets come from the kernel and are checked all the same.
fn frames(block: &[u8], take: &mut impl FnMut(Frame<'_>)) {
    let u32_at =
        |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_ne_bytes(*bytes));
    let u16_at =
        |at: usize| block.get(at..).and_then(|rest| rest.first_chunk()).map(|bytes| u16::from_ne_bytes(*bytes));
    let packets = u32_at(BLOCK_PACKETS).unwrap_or(0);
    let mut at = size(u32_at(BLOCK_FIRST).unwrap_or(0));
    for _ in 0..packets {
        // tpacket3_hdr: next, seconds, nanoseconds, captured, length, status, offset of the frame, …, VLAN tag at 32.
        let field = |offset: usize| u32_at(at.saturating_add(offset));
        let (Some(next), Some(seconds), Some(nanos), Some(captured), Some(status), Some(frame), Some(tag)) =
            (field(0), field(4), field(8), field(12), field(20), u16_at(at.saturating_add(24)), field(32))
        else {
            return;
        };
        let start = at.saturating_add(usize::from(frame));
        let Some(bytes) = block.get(start..).and_then(|rest| rest.get(..size(captured))) else { return };
        let vlan = (status & STATUS_VLAN_VALID != 0).then(|| u16::try_from(tag & 0x0fff).unwrap_or(0));
        let time = Timestamp::from_parts(u64::from(seconds), u64::from(nanos));
        take(Frame { meta: FrameMeta { time, vlan }, bytes });
        at = at.saturating_add(size(next));
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

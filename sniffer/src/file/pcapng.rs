//! The pcapng format (draft-ietf-opsawg-pcapng): blocks. Read are section headers, interfaces and the three kinds of
//! packets; all other blocks are passed over.

use std::io::Read;

use sniffer_core::{decode::LinkType, time::Timestamp};

use super::{FileError, Order, Packet, Source, size};
use crate::limits;

/// The first four bytes of a section, the same in both byte orders.
pub const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// What the section says.
#[derive(Debug)]
pub struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
    /// The time of the last packet that had one: those without are taken to come at the same time.
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Units of time in a second.
    resolution: Resolution,
    /// Seconds to add to each time.
    offset: i64,
    snap_length: u32,
}

#[derive(Clone, Copy, Debug)]
enum Resolution {
    /// 10^-n s.
    Decimal(u8),
    /// 2^-n s.
    Binary(u8),
}

impl PcapNg {
    /// Reads the first section header, whose first four bytes have been read.
    pub fn open<R: Read>(source: &mut Source<R>) -> Result<Self, FileError> {
        let mut this = Self { order: Order::Little, interfaces: Vec::new(), last: Timestamp::default() };
        let header = source.take(8)?;
        let (length, magic) = header.split_at_checked(4).ok_or(FileError::Cut)?;
        let length: [u8; 4] = length.first_chunk().copied().ok_or(FileError::Cut)?;
        this.section(length, magic.first_chunk().copied().ok_or(FileError::Cut)?, source)?;
        Ok(this)
    }

    /// Begins a section: its byte order is in the magic after the length, and its interfaces are its own.
    fn section<R: Read>(&mut self, length: [u8; 4], magic: [u8; 4], source: &mut Source<R>) -> Result<(), FileError> {
        self.order = match magic {
            [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
            _ => return Err(FileError::Damaged("a section has no byte order")),
        };
        self.interfaces.clear();
        let length = self.order.u32(&length, 0).ok_or(FileError::Cut)?;
        // Type, length and magic have been read; the length is there once more at the end.
        source.take(body_length(length, 28)?.saturating_sub(4).saturating_add(4))?;
        Ok(())
    }

    /// The next packet.
    pub fn next_packet<'a, R: Read>(&mut self, source: &'a mut Source<R>) -> Result<Option<Packet<'a>>, FileError> {
        loop {
            let Some(header) = source.take_or_end(8)? else { return Ok(None) };
            let (kind, length) = header.split_at_checked(4).ok_or(FileError::Cut)?;
            let kind: [u8; 4] = kind.first_chunk().copied().ok_or(FileError::Cut)?;
            let length: [u8; 4] = length.first_chunk().copied().ok_or(FileError::Cut)?;
            if kind == SECTION_HEADER {
                let magic = source.take(4)?.first_chunk().copied().ok_or(FileError::Cut)?;
                self.section(length, magic, source)?;
                continue;
            }
            let kind = self.order.u32(&kind, 0).ok_or(FileError::Cut)?;
            let length = self.order.u32(&length, 0).ok_or(FileError::Cut)?;
            if !matches!(kind, INTERFACE | OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
                // Keys, names and what others have put there may be longer than any packet.
                source.pass(possible(length, 12)?.saturating_sub(8))?;
                continue;
            }
            let body = body_length(length, 12)?;
            match kind {
                INTERFACE => {
                    let block = source.take(body.saturating_add(4))?;
                    let interface = interface(self.order, block.get(..body).unwrap_or_default())?;
                    if self.interfaces.len() >= limits::FILE_INTERFACES {
                        return Err(FileError::Damaged("a section has too many interfaces"));
                    }
                    self.interfaces.push(interface);
                }
                _ => {
                    let block = source.take(body.saturating_add(4))?;
                    return self.packet(kind, block.get(..body).unwrap_or_default()).map(Some);
                }
            }
        }
    }

    fn packet<'a>(&mut self, kind: u32, block: &'a [u8]) -> Result<Packet<'a>, FileError> {
        let order = self.order;
        let number = |at| order.u32(block, at).ok_or(FileError::Damaged("a packet's block is too short"));
        let interface = match kind {
            SIMPLE_PACKET => 0,
            OLD_PACKET => u32::from(self.order.u16(block, 0).unwrap_or(0)),
            _ => number(0)?,
        };
        let interface = *self
            .interfaces
            .get(size(interface))
            .ok_or(FileError::Damaged("a packet names an interface that is not there"))?;
        if kind == SIMPLE_PACKET {
            // It has no time, and its length is what was on the wire.
            let data = block.get(4..).unwrap_or_default();
            let snap = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
            let captured = size(number(0)?.min(snap)).min(data.len());
            let frame = data.get(..captured).unwrap_or(data);
            return Ok(Packet { link: interface.link, time: self.last, frame });
        }
        let units = (u64::from(number(4)?) << 32) | u64::from(number(8)?);
        let captured = size(number(12)?);
        let frame = block
            .get(20..)
            .and_then(|data| data.get(..captured))
            .ok_or(FileError::Damaged("a packet is longer than its block"))?;
        self.last = interface.time(units);
        Ok(Packet { link: interface.link, time: self.last, frame })
    }
}

impl Interface {
    fn time(&self, units: u64) -> Timestamp {
        // Microseconds and nanoseconds are what is usual, and need no wide arithmetic.
        if let (Resolution::Decimal(digits @ (6 | 9)), 0) = (self.resolution, self.offset) {
            let per_second = if digits == 6 { 1_000_000 } else { 1_000_000_000 };
            let nanos_per_unit = if digits == 6 { 1000 } else { 1 };
            return Timestamp::from_parts(units / per_second, units % per_second * nanos_per_unit);
        }
        let units = u128::from(units);
        let (seconds, nanos) = match self.resolution {
            Resolution::Decimal(digits) => {
                let per_second = 10_u128.saturating_pow(u32::from(digits));
                (
                    units / per_second.max(1),
                    (units % per_second.max(1)).saturating_mul(1_000_000_000) / per_second.max(1),
                )
            }
            Resolution::Binary(bits) => {
                let mask = 1_u128.checked_shl(u32::from(bits)).map_or(u128::MAX, |one| one.saturating_sub(1));
                let whole = units.checked_shr(u32::from(bits)).unwrap_or(0);
                let part = (units & mask).saturating_mul(1_000_000_000);
                (whole, part.checked_shr(u32::from(bits)).unwrap_or(0))
            }
        };
        let seconds = i128::try_from(seconds).unwrap_or(i128::MAX).saturating_add(i128::from(self.offset));
        Timestamp::from_parts(u64::try_from(seconds.max(0)).unwrap_or(u64::MAX), u64::try_from(nanos).unwrap_or(0))
    }
}

fn interface(order: Order, block: &[u8]) -> Result<Interface, FileError> {
    let short = || FileError::Damaged("an interface's block is too short");
    let link = u32::from(order.u16(block, 0).ok_or_else(short)?);
    let snap_length = order.u32(block, 4).ok_or_else(short)?;
    let mut interface =
        Interface { link: LinkType::from_number(link), resolution: Resolution::Decimal(6), offset: 0, snap_length };
    let mut options = block.get(8..).unwrap_or_default();
    while let (Some(code), Some(length)) = (order.u16(options, 0), order.u16(options, 2)) {
        let length = usize::from(length);
        let Some(value) = options.get(4..).and_then(|rest| rest.get(..length)) else { break };
        match (code, value) {
            (0, _) => break,
            (9, [bits, ..]) if bits & 0x80 != 0 => interface.resolution = Resolution::Binary(bits & 0x7f),
            (9, [digits, ..]) => interface.resolution = Resolution::Decimal(*digits),
            (14, value) => {
                let seconds = order.u64(value, 0).unwrap_or(0);
                interface.offset = seconds.cast_signed();
            }
            _ => {}
        }
        // Options are padded to 32 bits.
        options = options.get(length.next_multiple_of(4).saturating_add(4)..).unwrap_or_default();
    }
    Ok(interface)
}

/// Length of a block's body from the block's total length, which counts the type and the length twice.
fn body_length(total: u32, least: u32) -> Result<usize, FileError> {
    let total = possible(total, least)?;
    if total > limits::FILE_BLOCK {
        return Err(FileError::Damaged("a block is longer than any packet"));
    }
    Ok(total.saturating_sub(12))
}

/// The length of a whole block, in whole words.
fn possible(total: u32, least: u32) -> Result<usize, FileError> {
    if total < least || !total.is_multiple_of(4) {
        return Err(FileError::Damaged("a block's length is not possible"));
    }
    Ok(size(total))
}

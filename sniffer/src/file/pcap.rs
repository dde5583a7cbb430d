//! The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets with 16 bytes before each.

use std::io::Read;

use sniffer_core::{decode::LinkType, time::Timestamp};

use super::{FileError, Order, Packet, Source, size};
use crate::limits;

/// Bytes before each packet.
const HEADER: usize = 16;

/// What the file's header says.
#[derive(Debug)]
pub struct Pcap {
    order: Order,
    nanos_per_unit: u64,
    /// Bytes between a record's header and its frame: the "modified" format of old Linux systems has 8.
    extra: usize,
    link: LinkType,
}

impl Pcap {
    /// Reads the header, whose first four bytes are `magic`.
    pub fn open<R: Read>(magic: [u8; 4], source: &mut Source<R>) -> Result<Self, FileError> {
        let (order, nanos_per_unit, extra) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1000, 0),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1000, 0),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1, 0),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1, 0),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, 1000, 8),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, 1000, 8),
            _ => return Err(FileError::UnknownFormat),
        };
        let header = source.take(20)?;
        // The upper half says whether frames end with a check sequence, and of which length.
        let link = order.u32(header, 16).ok_or(FileError::Cut)? & 0xffff;
        Ok(Self { order, nanos_per_unit, extra, link: LinkType::from_number(link) })
    }

    /// The next packet.
    #[inline]
    pub fn next_packet<'a, R: Read>(&self, source: &'a mut Source<R>) -> Result<Option<Packet<'a>>, FileError> {
        if let Some((time, captured)) = self.next_of(source.left()) {
            let frame = source.lend(HEADER.saturating_add(self.extra), captured);
            return Ok(Some(Packet { link: self.link, time, frame }));
        }
        self.next_at_edge(source)
    }

    /// The time and the length of the next packet, where it lies in these bytes as a whole.
    #[inline]
    fn next_of(&self, left: &[u8]) -> Option<(Timestamp, usize)> {
        let [s0, s1, s2, s3, u0, u1, u2, u3, c0, c1, c2, c3, ..] = *left.first_chunk::<HEADER>()?;
        let fields = [[s0, s1, s2, s3], [u0, u1, u2, u3], [c0, c1, c2, c3]];
        let [seconds, units, captured] = match self.order {
            Order::Little => fields.map(u32::from_le_bytes),
            Order::Big => fields.map(u32::from_be_bytes),
        };
        let captured = size(captured);
        let is_whole = captured <= limits::FILE_FRAME && HEADER.saturating_add(self.extra) + captured <= left.len();
        is_whole.then(|| (self.time(seconds, units), captured))
    }

    #[inline]
    fn time(&self, seconds: u32, units: u32) -> Timestamp {
        Timestamp::from_parts(u64::from(seconds), u64::from(units).saturating_mul(self.nanos_per_unit))
    }

    /// The next packet where the file is read on for it, or ends, or is damaged.
    #[cold]
    fn next_at_edge<'a, R: Read>(&self, source: &'a mut Source<R>) -> Result<Option<Packet<'a>>, FileError> {
        let Some(header) = source.take_or_end(HEADER.saturating_add(self.extra))? else { return Ok(None) };
        let (Some(seconds), Some(units), Some(captured)) =
            (self.order.u32(header, 0), self.order.u32(header, 4), self.order.u32(header, 8))
        else {
            return Err(FileError::Cut);
        };
        if size(captured) > limits::FILE_FRAME {
            return Err(FileError::Damaged("a packet is longer than the format allows"));
        }
        let time = self.time(seconds, units);
        let frame = source.take(size(captured))?;
        Ok(Some(Packet { link: self.link, time, frame }))
    }
}

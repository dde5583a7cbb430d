//! A block: packets grouped by whose they are, behind an index of the groups. All numbers are little endian.
//!
//! `header | adoptions | index | groups`. The header tells the time range and the lengths, and has a checksum; so have the
//! adoptions, the index and each group. A group is records one behind the other, packed where it pays ([`super::codec`]).

use sniffer_core::time::Timestamp;

use super::{codec, order::by_owner};
use crate::limits;

/// Whose a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A call's, by its serial.
    Call(u64),
    /// A stream's that no call has claimed yet, by its serial.
    Stream(u64),
    /// A registration's, a subscription's or an exchange's, by its serial.
    Other(u64),
}

const STREAM: u64 = 1 << 63;
const OTHER: u64 = 1 << 62;

impl Owner {
    /// As a number: calls, all else, streams.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Call(serial) => serial & !(STREAM | OTHER),
            Self::Other(serial) => serial & !STREAM | OTHER,
            Self::Stream(serial) => serial | STREAM,
        }
    }

    /// The owner with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        match (number & STREAM, number & OTHER) {
            (0, 0) => Self::Call(number),
            (0, _) => Self::Other(number & !OTHER),
            _ => Self::Stream(number & !STREAM),
        }
    }
}

/// A packet as it was captured, or its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When.
    pub time: Timestamp,
    /// Link type, as pcap numbers them.
    pub link: u16,
    /// How long it was on the wire.
    pub original: u32,
    /// What is kept of it.
    pub bytes: &'a [u8],
}

/// Adds a record: time, original length, length, link type, the packet's octets. A VLAN tag that the card took out goes back to its place in an Ethernet frame.
pub fn add_record(bytes: &mut Vec<u8>, packet: &Packet<'_>, vlan: Option<u16>) {
    let vlan = vlan.filter(|_| packet.link == 1 && packet.bytes.len() >= 12);
    let tag = if vlan.is_some() { 4_usize } else { 0 };
    let length = u32::try_from(packet.bytes.len().saturating_add(tag)).unwrap_or(u32::MAX);
    let original = packet.original.saturating_add(u32::try_from(tag).unwrap_or(0)).max(length);
    bytes.extend(packet.time.as_nanos().to_le_bytes());
    bytes.extend(original.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(packet.link.to_le_bytes());
    match (vlan, packet.bytes.split_at_checked(12)) {
        (Some(vlan), Some((addresses, rest))) => {
            bytes.extend_from_slice(addresses);
            bytes.extend([0x81, 0x00]);
            bytes.extend(vlan.to_be_bytes());
            bytes.extend_from_slice(rest);
        }
        _ => bytes.extend_from_slice(packet.bytes),
    }
}

/// The first record, and what follows it; none when it is damaged.
#[must_use]
pub fn split_record(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let (original, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (link, rest) = rest.split_first_chunk::<2>()?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let packet = Packet {
        time: Timestamp::from_nanos(i64::from_le_bytes(*time)),
        link: u16::from_le_bytes(*link),
        original: u32::from_le_bytes(*original),
        bytes,
    };
    Some((packet, rest))
}

/// A packet in a block that is being gathered.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Whose it is, as a number.
    pub owner: u64,
    /// Where its record begins.
    pub at: u32,
    /// How long the record is.
    pub length: u32,
}

const MAGIC: &[u8; 8] = b"CWBLOCK1";
/// Octets of a block's header.
pub const HEADER: usize = 72;
/// Octets of an adoption: the stream and its call.
const ADOPTION: usize = 16;
/// Octets of a group in the index.
const GROUP: usize = 32;

/// The header of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The run of the program: serials are unique in it.
    pub run: u64,
    /// Time of the earliest packet.
    pub earliest: Timestamp,
    /// Time of the latest packet.
    pub latest: Timestamp,
    /// How many packets.
    pub packets: u32,
    /// How many adoptions.
    pub adoptions: u32,
    /// How many groups.
    pub groups: u32,
    /// Octets of all groups.
    pub data: u32,
    adoptions_checksum: u32,
    index_checksum: u32,
}

impl Header {
    /// The header in these octets; none when they are none.
    #[must_use]
    pub fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if !body.starts_with(MAGIC) || crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let long = |at: usize| body.get(at..)?.first_chunk().copied().map(u64::from_le_bytes);
        let short = |at: usize| body.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let header = Self {
            run: long(8)?,
            earliest: Timestamp::from_nanos(long(16)?.cast_signed()),
            latest: Timestamp::from_nanos(long(24)?.cast_signed()),
            packets: short(32)?,
            adoptions: short(36)?,
            groups: short(40)?,
            data: short(44)?,
            adoptions_checksum: short(48)?,
            index_checksum: short(52)?,
        };
        // Nothing true is larger: what is read into memory is bounded by it.
        let most = u64::try_from(limits::PACKET_BLOCK).unwrap_or(0).saturating_mul(4);
        (header.length() <= most).then_some(header)
    }

    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(self.run.to_le_bytes());
        bytes.extend(self.earliest.as_nanos().to_le_bytes());
        bytes.extend(self.latest.as_nanos().to_le_bytes());
        for number in
            [self.packets, self.adoptions, self.groups, self.data, self.adoptions_checksum, self.index_checksum]
        {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(HEADER.saturating_sub(4), 0);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER])
    }

    /// Octets of the adoptions, which follow the header.
    #[must_use]
    pub fn adoptions_length(&self) -> u64 {
        u64::from(self.adoptions).saturating_mul(16)
    }

    /// Octets of the index, which follows the adoptions.
    #[must_use]
    pub fn index_length(&self) -> u64 {
        u64::from(self.groups).saturating_mul(32)
    }

    /// Where the groups begin, from the block's beginning.
    #[must_use]
    pub fn data_at(&self) -> u64 {
        self.adoptions_length().saturating_add(self.index_length()).saturating_add(72)
    }

    /// Octets of the whole block.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.data_at().saturating_add(u64::from(self.data))
    }

    /// Streams and the calls that adopted them; none when the octets are damaged.
    #[must_use]
    pub fn read_adoptions(&self, bytes: &[u8]) -> Option<Vec<(u64, u64)>> {
        if crc32fast::hash(bytes) != self.adoptions_checksum {
            return None;
        }
        bytes
            .as_chunks::<ADOPTION>()
            .0
            .iter()
            .map(|pair| {
                let (stream, call) = pair.split_first_chunk::<8>()?;
                Some((u64::from_le_bytes(*stream), u64::from_le_bytes(*call.first_chunk()?)))
            })
            .collect()
    }

    /// The groups of an index; none when it is damaged.
    #[must_use]
    pub fn read_index(&self, bytes: &[u8]) -> Option<Vec<Group>> {
        if crc32fast::hash(bytes) != self.index_checksum {
            return None;
        }
        bytes.as_chunks::<GROUP>().0.iter().map(Group::read).collect()
    }

    /// The groups of these owners only, by a search of a sorted index; none when it is damaged.
    #[must_use]
    pub fn find(&self, bytes: &[u8], owners: &[Owner]) -> Option<Vec<Group>> {
        if crc32fast::hash(bytes) != self.index_checksum {
            return None;
        }
        let (groups, _) = bytes.as_chunks::<GROUP>();
        let number = |group: &[u8; GROUP]| group.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let mut found = Vec::new();
        for owner in owners {
            if let Ok(place) = groups.binary_search_by_key(&owner.number(), number)
                && let Some(group) = groups.get(place)
            {
                found.push(Group::read(group)?);
            }
        }
        Some(found)
    }
}

/// Where a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whose it is, as a number.
    pub owner: u64,
    /// From the beginning of the groups.
    pub at: u32,
    /// Octets as stored.
    pub stored: u32,
    /// Octets of its records.
    pub raw: u32,
    /// Packets in it.
    pub packets: u32,
    checksum: u32,
    is_packed: bool,
}

impl Group {
    fn read(bytes: &[u8; GROUP]) -> Option<Self> {
        let short = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        Some(Self {
            owner: bytes.first_chunk().copied().map(u64::from_le_bytes)?,
            at: short(8)?,
            stored: short(12)?,
            raw: short(16)?,
            packets: short(20)?,
            checksum: short(24)?,
            is_packed: short(28)? == 1,
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.owner.to_le_bytes());
        for number in [self.at, self.stored, self.raw, self.packets, self.checksum, u32::from(self.is_packed)] {
            bytes.extend(number.to_le_bytes());
        }
    }

    /// The records of the group in these octets; none when they are damaged.
    #[must_use]
    pub fn records(&self, stored: &[u8]) -> Option<Vec<u8>> {
        if crc32fast::hash(stored) != self.checksum {
            return None;
        }
        if self.is_packed { codec::unpack(stored, usize::try_from(self.raw).ok()?) } else { Some(stored.to_vec()) }
    }
}

/// What a block is made of.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// The run of the program.
    pub run: u64,
    /// Records, one behind the other.
    pub records: &'a [u8],
    /// Streams and the calls that adopted them.
    pub adoptions: &'a [(u64, u64)],
    /// Earliest and latest time.
    pub times: (Timestamp, Timestamp),
}

/// The block of these packets. `entries` come out sorted.
#[must_use]
pub fn seal(parts: &Parts<'_>, entries: &mut [Entry]) -> Vec<u8> {
    by_owner(entries);
    let (mut data, mut index, mut groups) = (Vec::with_capacity(parts.records.len() / 2), Vec::new(), 0_u32);
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    for group in entries.chunk_by(|a, b| a.owner == b.owner) {
        let records: Vec<&[u8]> = group.iter().filter_map(|entry| record(parts.records, entry)).collect();
        let raw = records.iter().map(|record| record.len()).sum();
        let at = data.len();
        let packed = codec::pack(&records, raw);
        match &packed {
            Some(packed) => data.extend_from_slice(packed),
            None => records.iter().for_each(|record| data.extend_from_slice(record)),
        }
        let stored = data.get(at..).unwrap_or_default();
        let group = Group {
            owner: group.first().map_or(0, |entry| entry.owner),
            at: number(at),
            stored: number(stored.len()),
            raw: number(raw),
            packets: number(records.len()),
            checksum: crc32fast::hash(stored),
            is_packed: packed.is_some(),
        };
        group.write(&mut index);
        groups = groups.saturating_add(1);
    }
    let mut adoptions = Vec::with_capacity(parts.adoptions.len().saturating_mul(ADOPTION));
    for (stream, call) in parts.adoptions {
        adoptions.extend(stream.to_le_bytes());
        adoptions.extend(call.to_le_bytes());
    }
    let header = Header {
        run: parts.run,
        earliest: parts.times.0,
        latest: parts.times.1,
        packets: number(entries.len()),
        adoptions: number(parts.adoptions.len()),
        groups,
        data: number(data.len()),
        adoptions_checksum: crc32fast::hash(&adoptions),
        index_checksum: crc32fast::hash(&index),
    };
    let mut block = header.to_bytes().to_vec();
    block.reserve(adoptions.len().saturating_add(index.len()).saturating_add(data.len()));
    block.extend(adoptions);
    block.extend(index);
    block.extend(data);
    block
}

fn record<'a>(records: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
    let at = usize::try_from(entry.at).ok()?;
    records.get(at..at.checked_add(usize::try_from(entry.length).ok()?)?)
}

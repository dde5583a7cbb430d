//! A block: packets grouped by whose they are, behind an index of the groups. All numbers are little endian.
//!
//! `header | adoptions | directory | index | groups`. The header tells the time range and the lengths. The index has an
//! entry for each group, sorted by owner, in pages of [`PAGE`] entries; the directory has the first owner of each page,
//! so that of a block with many groups only one page is read for a call. A group is runs of packets one behind the other
//! ([`super::codec`]). Header, adoptions, directory, each page and each group have a checksum. Blocks of another format
//! have another magic number, and are not read.

use sniffer_core::time::Timestamp;

use super::codec::Unpacking;
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
    #[inline]
    pub fn number(self) -> u64 {
        match self {
            Self::Call(serial) => serial & !(STREAM | OTHER),
            Self::Other(serial) => serial & !STREAM | OTHER,
            Self::Stream(serial) => serial | STREAM,
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

const MAGIC: &[u8; 8] = b"CWBLOCK2";
/// Octets of a block's header.
pub const HEADER: usize = 72;
/// Octets of an adoption: the stream and its call.
pub const ADOPTION: usize = 16;
/// Octets of a page in the directory: its first owner and its checksum.
pub const PAGE_ENTRY: usize = 12;
/// Octets of a group in the index.
pub const GROUP: usize = 24;
/// Groups of a page: one page is read for a call, and 4 KiB are what a disk gives at once.
pub const PAGE: usize = 128;

/// As a length in a file.
pub fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A piece of the block, from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub at: u64,
    /// Its octets.
    pub length: u64,
}

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
    /// Checksum of the adoptions.
    pub adoptions_checksum: u32,
    /// Checksum of the directory.
    pub directory_checksum: u32,
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
            directory_checksum: short(52)?,
        };
        // Nothing true is larger: what is read into memory is bounded by it.
        let most = u64::try_from(limits::PACKET_BLOCK).unwrap_or(0).saturating_mul(4);
        (header.length() <= most).then_some(header)
    }

    /// Its octets.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(self.run.to_le_bytes());
        bytes.extend(self.earliest.as_nanos().to_le_bytes());
        bytes.extend(self.latest.as_nanos().to_le_bytes());
        for number in
            [self.packets, self.adoptions, self.groups, self.data, self.adoptions_checksum, self.directory_checksum]
        {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(HEADER.saturating_sub(4), 0);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER])
    }

    /// The adoptions.
    #[must_use]
    pub fn adoptions(&self) -> Piece {
        Piece { at: long(HEADER), length: u64::from(self.adoptions).saturating_mul(long(ADOPTION)) }
    }

    /// Pages of the index.
    fn pages(&self) -> u64 {
        u64::from(self.groups).div_ceil(long(PAGE))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> Piece {
        let Piece { at, length } = self.adoptions();
        Piece { at: at.saturating_add(length), length: self.pages().saturating_mul(long(PAGE_ENTRY)) }
    }

    /// The whole index.
    #[must_use]
    pub fn index(&self) -> Piece {
        let Piece { at, length } = self.directory();
        Piece { at: at.saturating_add(length), length: u64::from(self.groups).saturating_mul(long(GROUP)) }
    }

    /// A page of the index.
    #[must_use]
    pub fn page(&self, page: &Page) -> Piece {
        let Piece { at, length } = self.index();
        let before = long(page.number).saturating_mul(long(PAGE.saturating_mul(GROUP)));
        Piece { at: at.saturating_add(before), length: length.saturating_sub(before).min(long(PAGE * GROUP)) }
    }

    /// The octets of a group.
    #[must_use]
    pub fn group(&self, group: &Group) -> Piece {
        let Piece { at, length } = self.index();
        let data = at.saturating_add(length);
        Piece { at: data.saturating_add(u64::from(group.at)), length: u64::from(group.stored) }
    }

    /// Octets of the whole block.
    #[must_use]
    pub fn length(&self) -> u64 {
        let Piece { at, length } = self.index();
        at.saturating_add(length).saturating_add(u64::from(self.data))
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

    /// The pages of the index; none when the octets are damaged.
    #[must_use]
    pub fn read_directory(&self, bytes: &[u8]) -> Option<Vec<Page>> {
        if crc32fast::hash(bytes) != self.directory_checksum {
            return None;
        }
        let (entries, _) = bytes.as_chunks::<PAGE_ENTRY>();
        entries.iter().enumerate().map(|(number, entry)| Page::read(number, entry)).collect()
    }
}

/// A page of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    number: usize,
    first: u64,
    checksum: u32,
}

impl Page {
    fn read(number: usize, bytes: &[u8; PAGE_ENTRY]) -> Option<Self> {
        let (first, checksum) = bytes.split_first_chunk::<8>()?;
        let checksum = u32::from_le_bytes(*checksum.first_chunk()?);
        Some(Self { number, first: u64::from_le_bytes(*first), checksum })
    }

    /// The page that has a group of this owner if any has.
    #[must_use]
    pub fn of(pages: &[Self], owner: u64) -> Option<&Self> {
        pages.get(pages.partition_point(|page| page.first <= owner).checked_sub(1)?)
    }

    /// Its groups; none when the octets are damaged.
    #[must_use]
    pub fn read_groups(&self, bytes: &[u8]) -> Option<Vec<Group>> {
        if crc32fast::hash(bytes) != self.checksum {
            return None;
        }
        bytes.as_chunks::<GROUP>().0.iter().map(Group::read).collect()
    }
}

/// Where a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whose it is, as a number.
    pub owner: u64,
    /// From the beginning of the groups.
    pub at: u32,
    /// Its octets.
    pub stored: u32,
    /// Packets in it.
    pub packets: u32,
    /// Checksum of its octets.
    pub checksum: u32,
}

impl Group {
    fn read(bytes: &[u8; GROUP]) -> Option<Self> {
        let short = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let owner = bytes.first_chunk().copied().map(u64::from_le_bytes)?;
        Some(Self { owner, at: short(8)?, stored: short(12)?, packets: short(16)?, checksum: short(20)? })
    }

    /// Adds its octets.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.owner.to_le_bytes());
        for number in [self.at, self.stored, self.packets, self.checksum] {
            bytes.extend(number.to_le_bytes());
        }
    }

    /// Its packets, packed; none when the octets are damaged.
    #[must_use]
    pub fn packets<'a>(&self, stored: &'a [u8]) -> Option<Unpacking<'a>> {
        (crc32fast::hash(stored) == self.checksum).then(|| Unpacking::new(stored))
    }

    /// Says whether all its packets can be read.
    #[must_use]
    pub fn is_whole(&self, stored: &[u8]) -> bool {
        let Some(mut packets) = self.packets(stored) else { return false };
        let mut count = 0_u32;
        while packets.next_packet().is_some() {
            count = count.saturating_add(1);
        }
        packets.is_over() && count == self.packets
    }
}

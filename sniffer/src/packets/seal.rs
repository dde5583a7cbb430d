//! Making a block of what was gathered: the packets of each owner are put behind each other, with an index before them.

use sniffer_core::time::Timestamp;

use super::{
    Kind,
    block::{ADOPTION, GROUP, Group, HEADER, Header, PAGE, PAGE_ENTRY},
    gathering::Gathering,
};

/// A block as it is written.
#[derive(Debug)]
pub struct Sealed {
    /// Of which kind.
    pub kind: Kind,
    /// Its octets.
    pub bytes: Vec<u8>,
    /// Whose packets are in it, as numbers.
    pub owners: Vec<u64>,
    /// How many packets.
    pub packets: u64,
    /// Time of the earliest.
    pub earliest: Timestamp,
}

/// A number that the format has in four octets: a block has a few megabytes.
fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The block of these packets. What is gathered stays.
#[must_use]
pub fn seal(gathering: &Gathering, run: u64) -> Sealed {
    let groups = gathering.groups();
    // Those of an owner in the order in which their first packets came.
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|place| groups.get(*place).map_or(u64::MAX, |group| group.owner));
    let mut places = vec![0_usize; groups.len()];
    let mut found: Vec<Group> = Vec::with_capacity(groups.len());
    let mut end = 0_usize;
    for place in order {
        let (Some(own), Some(at)) = (groups.get(place), places.get_mut(place)) else { continue };
        *at = end;
        match found.last_mut().filter(|last| last.owner == own.owner) {
            Some(group) => {
                group.stored = group.stored.saturating_add(own.octets);
                group.packets = group.packets.saturating_add(own.packets());
            }
            None => found.push(Group {
                owner: own.owner,
                at: short(end),
                stored: own.octets,
                packets: own.packets(),
                checksum: 0,
            }),
        }
        end = end.saturating_add(usize::try_from(own.octets).unwrap_or(0));
    }
    let pages = found.len().div_ceil(PAGE);
    let front = HEADER
        .saturating_add(gathering.adoptions().len().saturating_mul(ADOPTION))
        .saturating_add(pages.saturating_mul(PAGE_ENTRY))
        .saturating_add(found.len().saturating_mul(GROUP));
    let mut bytes = vec![0; front.saturating_add(end)];
    let (before, data) = bytes.split_at_mut_checked(front).unwrap_or((&mut [], &mut []));
    gathering.put_records(&mut places, data);
    let mut adoptions = Vec::with_capacity(gathering.adoptions().len().saturating_mul(ADOPTION));
    for (stream, call) in gathering.adoptions() {
        adoptions.extend(stream.to_le_bytes());
        adoptions.extend(call.to_le_bytes());
    }
    let (mut directory, mut index) = (Vec::with_capacity(pages.saturating_mul(PAGE_ENTRY)), Vec::new());
    for page in found.chunks_mut(PAGE) {
        let at = index.len();
        for group in &mut *page {
            let begin = usize::try_from(group.at).unwrap_or(0);
            let length = usize::try_from(group.stored).unwrap_or(0);
            let stored = data.get(begin..).and_then(|rest| rest.get(..length)).unwrap_or_default();
            group.checksum = crc32fast::hash(stored);
            group.write(&mut index);
        }
        directory.extend(page.first().map_or(0, |group| group.owner).to_le_bytes());
        directory.extend(crc32fast::hash(index.get(at..).unwrap_or_default()).to_le_bytes());
    }
    let (earliest, latest) = gathering.times();
    let packets = gathering.packets();
    let header = Header {
        run,
        earliest,
        latest,
        packets: short(packets),
        adoptions: short(gathering.adoptions().len()),
        groups: short(found.len()),
        data: short(end),
        adoptions_checksum: crc32fast::hash(&adoptions),
        directory_checksum: crc32fast::hash(&directory),
    };
    let mut place = before;
    for part in [&header.to_bytes()[..], &adoptions, &directory, &index] {
        if let Some((own, left)) = std::mem::take(&mut place).split_at_mut_checked(part.len()) {
            own.copy_from_slice(part);
            place = left;
        }
    }
    let owners = found.iter().map(|group| group.owner).collect();
    Sealed { kind: gathering.kind(), bytes, owners, packets: u64::try_from(packets).unwrap_or(u64::MAX), earliest }
}

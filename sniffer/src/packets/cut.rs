//! Cutting the packets of one call out of the store, in the order of their times.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    io,
    sync::Arc,
};

use sniffer_core::time::Timestamp;

use super::{
    Owner, Packet, PacketStore, Segments,
    block::{Group, Header, Page},
    segments::read_piece,
};
use crate::{disk::DiskFile, limits};

/// Which packets are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The run of the program that kept them.
    pub run: u64,
    /// Whose they are.
    pub owner: Owner,
    /// From when on.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
}

/// What a cut took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Packets given.
    pub packets: u64,
    /// Blocks looked at.
    pub blocks: u64,
    /// Groups read.
    pub groups: u64,
}

/// A block of the call's time: its segments, its segment, its place and its header.
type Block = (Arc<Segments>, Arc<dyn DiskFile>, u64, Header);

/// A group of the call, and its block.
struct Place {
    block: Block,
    group: Group,
}

impl PacketStore {
    /// Gives the packets of a call to `give`, in the order of their times. Looks at the indexes of the blocks of that
    /// time and reads the call's own groups.
    ///
    /// # Errors
    /// When the disk fails, or `give` does.
    pub fn cut(&self, wanted: &Wanted, mut give: impl FnMut(&Packet<'_>) -> io::Result<()>) -> io::Result<Cut> {
        let mut cut = Cut::default();
        // Packets that came before the call's first message, as RTP that overtook it, and those of its last seconds.
        let earliest = Timestamp::from_nanos(wanted.start.as_nanos().saturating_sub(nanos(limits::PACKET_DISORDER)));
        let latest = wanted.end.after(limits::PACKET_TRAIL);
        let mut blocks: Vec<Block> = Vec::new();
        let mut streams: BTreeSet<u64> = BTreeSet::new();
        for segments in self.all_segments() {
            for segment in segments.between(earliest, latest) {
                let Some(found) = segments.blocks(&segment)? else { continue };
                let in_time = |header: &Header| {
                    header.run == wanted.run && header.earliest <= latest && header.latest >= earliest
                };
                for (at, header) in found.headers.into_iter().filter(|(_, header)| in_time(header)) {
                    if header.adoptions > 0 {
                        let bytes = read_piece(&*found.file, at, header.adoptions())?;
                        match bytes.and_then(|bytes| header.read_adoptions(&bytes)) {
                            Some(pairs) => {
                                let mine = pairs.into_iter().filter(|(_, call)| Owner::Call(*call) == wanted.owner);
                                streams.extend(mine.map(|(stream, _)| stream));
                            }
                            None => segments.count_damage(),
                        }
                    }
                    blocks.push((Arc::clone(segments), Arc::clone(&found.file), at, header));
                }
            }
        }
        let mut owners = vec![wanted.owner.number()];
        owners.extend(streams.into_iter().map(|stream| Owner::Stream(stream).number()));
        let mut places = Vec::new();
        for block in blocks {
            cut.blocks = cut.blocks.saturating_add(1);
            let Some(groups) = groups_of(&block, &owners)? else {
                block.0.count_damage();
                continue;
            };
            places.extend(groups.into_iter().map(|group| Place { block: block.clone(), group }));
        }
        places.sort_by_key(|place| place.block.3.earliest);
        cut.packets = give_in_order(places, &mut cut.groups, &mut give)?;
        Ok(cut)
    }
}

/// The groups of these owners in a block; none where it is damaged. Of its index only the pages that can have them are
/// read.
fn groups_of(block: &Block, owners: &[u64]) -> io::Result<Option<Vec<Group>>> {
    let (_, file, at, header) = block;
    let directory = read_piece(&**file, *at, header.directory())?;
    let Some(pages) = directory.and_then(|bytes| header.read_directory(&bytes)) else { return Ok(None) };
    let mut found = Vec::new();
    let mut read: Option<(&Page, Vec<Group>)> = None;
    for owner in owners {
        let Some(page) = Page::of(&pages, *owner) else { continue };
        if read.as_ref().is_none_or(|(last, _)| *last != page) {
            let bytes = read_piece(&**file, *at, header.page(page))?;
            let Some(groups) = bytes.and_then(|bytes| page.read_groups(&bytes)) else { return Ok(None) };
            read = Some((page, groups));
        }
        let Some((_, groups)) = &read else { continue };
        if let Ok(place) = groups.binary_search_by_key(owner, |group| group.owner) {
            found.extend(groups.get(place).copied());
        }
    }
    Ok(Some(found))
}

/// Packets that wait: time, order of arrival, link type, original length, octets.
type Waiting = BinaryHeap<Reverse<(Timestamp, u64, u16, u32, Vec<u8>)>>;

/// Packets wait until no group that is still to come can have an earlier one.
fn give_in_order(
    places: Vec<Place>,
    groups: &mut u64,
    give: &mut impl FnMut(&Packet<'_>) -> io::Result<()>,
) -> io::Result<u64> {
    let (mut count, mut number) = (0_u64, 0_u64);
    let mut waiting = Waiting::new();
    let mut give_until = |waiting: &mut Waiting, until: Option<Timestamp>| -> io::Result<()> {
        while let Some(Reverse((time, _, _, _, _))) = waiting.peek()
            && until.is_none_or(|until| *time < until)
        {
            if let Some(Reverse((time, _, link, original, bytes))) = waiting.pop() {
                give(&Packet { time, link, original, bytes: &bytes })?;
                count = count.saturating_add(1);
            }
        }
        Ok(())
    };
    for place in places {
        let (segments, file, at, header) = &place.block;
        give_until(&mut waiting, Some(header.earliest))?;
        let stored = read_piece(&**file, *at, header.group(&place.group))?.unwrap_or_default();
        let Some(mut packets) = place.group.packets(&stored) else {
            segments.count_damage();
            continue;
        };
        *groups = groups.saturating_add(1);
        while let Some(packet) = packets.next_packet() {
            number = number.saturating_add(1);
            waiting.push(Reverse((packet.time, number, packet.link, packet.original, packet.bytes.to_vec())));
        }
    }
    give_until(&mut waiting, None)?;
    Ok(count)
}

fn nanos(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

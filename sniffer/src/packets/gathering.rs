//! Packets of one kind that fill a block. Each is packed when it comes, behind all others, as what differs from the one
//! before it of its stream; the block puts those of an owner together ([`super::seal`]).

use std::{collections::HashMap, mem::size_of};

use foldhash::fast::FixedState;
use sniffer_core::time::Timestamp;

use super::{
    Kind, Owner, Packet,
    codec::{Run, Shape},
};
use crate::limits;

/// The packets of a stream, or those of an owner that belong to no stream: two cache lines, since every packet looks its
/// group up.
#[derive(Debug)]
#[repr(align(64))]
pub struct Group {
    /// Whose they are, as a number.
    pub owner: u64,
    /// Octets of their records.
    pub octets: u32,
    /// How many.
    pub packets: u32,
    run: Run,
}

const _: () = assert!(size_of::<Group>() == 128);

/// A record: of which group, and how long.
#[derive(Clone, Copy, Debug)]
struct Entry {
    group: u32,
    length: u32,
}

/// See the module's text.
#[derive(Debug)]
pub struct Gathering {
    kind: Kind,
    /// The records in the order in which they came.
    records: Vec<u8>,
    entries: Vec<Entry>,
    groups: Vec<Group>,
    /// Where the group of a stream or of an owner is.
    places: HashMap<u64, u32, FixedState>,
    /// Streams that calls adopted meanwhile.
    adoptions: Vec<(u64, u64)>,
    /// Earliest and latest time of a packet.
    times: (Timestamp, Timestamp),
}

const NO_TIMES: (Timestamp, Timestamp) = (Timestamp::from_nanos(i64::MAX), Timestamp::from_nanos(i64::MIN));

impl Gathering {
    /// Holds nothing.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            records: Vec::new(),
            entries: Vec::new(),
            groups: Vec::new(),
            places: HashMap::default(),
            adoptions: Vec::new(),
            times: NO_TIMES,
        }
    }

    /// Holds nothing again. Of the memory that was not needed much is given back.
    pub fn clear(&mut self) {
        shrink(&mut self.records);
        shrink(&mut self.entries);
        shrink(&mut self.groups);
        shrink(&mut self.adoptions);
        if self.places.capacity() / 8 > self.places.len().max(64) {
            self.places = HashMap::default();
        }
        self.places.clear();
        self.times = NO_TIMES;
    }

    /// Says whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.adoptions.is_empty()
    }

    /// Says whether it is time to write it: by the memory it takes.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        let entries = self.entries.len().saturating_mul(size_of::<Entry>());
        let groups = self.groups.len().saturating_mul(size_of::<Group>());
        self.records.len().saturating_add(entries).saturating_add(groups) >= limits::PACKET_BLOCK
    }

    /// Adds a packet.
    #[inline]
    pub fn add(&mut self, owner: Owner, packet: &Packet<'_>, shape: &Shape) {
        let owner = owner.number();
        let key = shape.stream.map_or(owner, |stream| Owner::Stream(stream).number());
        let known = self.places.get(&key).copied().filter(|place| self.owner(*place) == Some(owner));
        let place = known.unwrap_or_else(|| self.begin(key, owner));
        let at = self.records.len();
        let Some(group) = usize::try_from(place).ok().and_then(|place| self.groups.get_mut(place)) else { return };
        group.run.pack(&mut self.records, packet, shape);
        let length = u32::try_from(self.records.len().saturating_sub(at)).unwrap_or(u32::MAX);
        group.octets = group.octets.saturating_add(length);
        group.packets = group.packets.saturating_add(1);
        self.entries.push(Entry { group: place, length });
        self.see(packet.time);
    }

    /// Begins a group. A stream that a call has adopted meanwhile has another owner than its packets before.
    #[cold]
    fn begin(&mut self, key: u64, owner: u64) -> u32 {
        let place = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.groups.push(Group { owner, octets: 0, packets: 0, run: Run::default() });
        self.places.insert(key, place);
        place
    }

    #[inline]
    fn owner(&self, place: u32) -> Option<u64> {
        self.groups.get(usize::try_from(place).ok()?).map(|group| group.owner)
    }

    /// Takes note that a call has adopted a stream.
    pub fn adopt(&mut self, stream: u64, call: u64, now: Timestamp) {
        self.adoptions.push((stream, call));
        self.see(now);
    }

    fn see(&mut self, time: Timestamp) {
        self.times = (self.times.0.min(time), self.times.1.max(time));
    }

    /// Of which kind the packets are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many packets there are.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.entries.len()
    }

    /// The groups in the order in which they began.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Streams and the calls that adopted them.
    #[must_use]
    pub fn adoptions(&self) -> &[(u64, u64)] {
        &self.adoptions
    }

    /// Earliest and latest time of a packet.
    #[must_use]
    pub fn times(&self) -> (Timestamp, Timestamp) {
        self.times
    }

    /// Puts the records into `data`, those of each group one behind the other from its place on.
    pub fn put_records(&self, places: &mut [usize], data: &mut [u8]) {
        let mut records = &self.records[..];
        for entry in &self.entries {
            let length = usize::try_from(entry.length).unwrap_or(0);
            let Some((record, rest)) = records.split_at_checked(length) else { return };
            records = rest;
            let Some(place) = usize::try_from(entry.group).ok().and_then(|group| places.get_mut(group)) else { return };
            let end = place.saturating_add(length);
            if let Some(own) = data.get_mut(*place..end) {
                own.copy_from_slice(record);
            }
            *place = end;
        }
    }

    /// Bytes that it takes, used or not.
    #[cfg(test)]
    pub fn memory(&self) -> usize {
        self.records.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.groups.capacity() * size_of::<Group>()
            + self.places.capacity() * 16
    }
}

/// Empties a list, and gives its memory back where four times less would have done.
fn shrink<T>(list: &mut Vec<T>) {
    let used = list.len();
    list.clear();
    if list.capacity() / 4 > used {
        list.shrink_to(used.saturating_mul(2));
    }
}

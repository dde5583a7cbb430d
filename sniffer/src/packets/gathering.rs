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
    /// The last bits of the stream's serial; zero where they belong to none.
    stream: u32,
    /// Octets of their records.
    pub octets: u32,
    run: Run,
}

const _: () = assert!(size_of::<Group>() == 128);

impl Group {
    /// How many packets there are.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.run.packets()
    }
}

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
    /// Where the group of a stream is, by the stream's number.
    streams: Vec<u32>,
    /// Where the group of an owner is.
    owners: HashMap<u64, u32, FixedState>,
    /// Streams that calls adopted meanwhile.
    adoptions: Vec<(u64, u64)>,
    /// Earliest and latest time of a packet.
    times: (Timestamp, Timestamp),
}

/// No group has so high a place.
const NO_GROUP: u32 = u32::MAX;
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
            streams: Vec::new(),
            owners: HashMap::default(),
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
        // Numbers of streams say nothing of how many there are.
        self.streams.clear();
        if self.owners.capacity() / 8 > self.owners.len().max(64) {
            self.owners = HashMap::default();
        }
        self.owners.clear();
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
        let place = match shape.stream {
            Some((stream, number)) => self.of_stream(stream, number, owner),
            None => self.of_owner(owner),
        };
        let at = self.records.len();
        let Some(group) = usize::try_from(place).ok().and_then(|place| self.groups.get_mut(place)) else { return };
        group.run.pack(&mut self.records, packet, shape);
        let length = u32::try_from(self.records.len().saturating_sub(at)).unwrap_or(u32::MAX);
        group.octets = group.octets.saturating_add(length);
        self.entries.push(Entry { group: place, length });
        self.see(packet.time);
    }

    /// The group of a stream. One that a call has adopted meanwhile has another owner than its packets before.
    #[inline]
    fn of_stream(&mut self, stream: u64, number: u32, owner: u64) -> u32 {
        let known =
            usize::try_from(number).ok().and_then(|number| self.streams.get(number)).copied().unwrap_or(NO_GROUP);
        let group = usize::try_from(known).ok().and_then(|place| self.groups.get(place));
        match group.filter(|group| group.owner == owner && group.stream == low(stream)) {
            Some(_) => known,
            None => self.begin_stream(stream, number, owner),
        }
    }

    #[cold]
    fn begin_stream(&mut self, stream: u64, number: u32, owner: u64) -> u32 {
        let group = self.begin(owner, low(stream));
        // A number is the stream's place in a table that is bounded.
        let Ok(number) = usize::try_from(number) else { return group };
        if number >= self.streams.len() {
            self.streams.resize(number.saturating_add(1), NO_GROUP);
        }
        if let Some(place) = self.streams.get_mut(number) {
            *place = group;
        }
        group
    }

    /// The group of what an owner has besides streams.
    fn of_owner(&mut self, owner: u64) -> u32 {
        if let Some(known) = self.owners.get(&owner) {
            return *known;
        }
        let group = self.begin(owner, 0);
        self.owners.insert(owner, group);
        group
    }

    fn begin(&mut self, owner: u64, stream: u32) -> u32 {
        let place = u32::try_from(self.groups.len()).unwrap_or(NO_GROUP);
        self.groups.push(Group { owner, stream, octets: 0, run: Run::default() });
        place
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
            + self.streams.capacity() * 4
            + self.owners.capacity() * 16
    }
}

/// The last bits of a stream's serial, which tell it from all others that have its number within half a second.
#[inline]
fn low(stream: u64) -> u32 {
    u32::try_from(stream & u64::from(u32::MAX)).unwrap_or(0)
}

/// Empties a list, and gives its memory back where four times less would have done.
fn shrink<T>(list: &mut Vec<T>) {
    let used = list.len();
    list.clear();
    if list.capacity() / 4 > used {
        list.shrink_to(used.saturating_mul(2));
    }
}

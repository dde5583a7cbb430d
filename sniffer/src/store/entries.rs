//! Entries of the index, many in one piece of memory: where each begins, its first octets as a number and its head lie
//! beside each other, so that sorting seldom looks at the octets. As vectors of their own, sorting and freeing them was a
//! fifth of what a call cost in the store.

use std::cmp::Ordering;

use super::value::Head;

/// An entry in the list.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Its first octets, in two parts so that a slot has 32: they decide nearly always.
    high: u64,
    low: u64,
    at: u32,
    length: u16,
    head: Head,
}

impl Slot {
    /// Its first octets as a number that orders as they do.
    #[inline]
    fn begin(&self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    fn octets<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        bytes.get(at..at.saturating_add(self.length.into())).unwrap_or_default()
    }
}

/// The first octets of an entry as two numbers that order as they do.
fn begin_of(entry: &[u8]) -> (u64, u64) {
    let mut first = [0; 16];
    match entry.first_chunk::<16>() {
        Some(own) => first = *own,
        None => first.iter_mut().zip(entry).for_each(|(to, from)| *to = *from),
    }
    let [a, b, c, d, e, f, g, h, rest @ ..] = first;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes(rest))
}

/// Entries with the heads of what they stand for.
#[derive(Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl Entries {
    /// Adds an entry, which is put together of parts. Beyond 4 GB none is added: a run has some megabytes.
    pub fn add(&mut self, parts: &[&[u8]], head: Head) {
        let at = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let entry = self.bytes.get(at..).unwrap_or_default();
        let ((high, low), length) = (begin_of(entry), u16::try_from(entry.len()));
        if let (Ok(at), Ok(length)) = (u32::try_from(at), length) {
            self.slots.push(Slot { high, low, at, length, head });
        }
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Head)> {
        self.slots.iter().map(|slot| (slot.octets(&self.bytes), slot.head))
    }

    /// Sorts them, and leaves the last of equal ones.
    pub fn sort(&mut self) {
        let Self { bytes, slots } = self;
        let octets = |slot: &Slot| slot.octets(bytes);
        // A comparison that looks at the octets too, although it seldom has to, takes five times as long.
        slots.sort_unstable_by_key(Slot::begin);
        for alike in slots.chunk_by_mut(|a, b| a.begin() == b.begin()).filter(|alike| alike.len() > 1) {
            // Equal ones stay in the order in which they came.
            alike.sort_unstable_by(|a, b| octets(a).cmp(octets(b)).then_with(|| a.at.cmp(&b.at)));
        }
        slots.dedup_by(|later, before| {
            let is_same = later.begin() == before.begin() && octets(later) == octets(before);
            if is_same {
                before.head = later.head;
            }
            is_same
        });
    }

    /// Puts sorted entries and newer sorted ones together, sorted; of equal ones the newer stays.
    #[must_use]
    pub fn merged(self, newer: Self) -> Self {
        let Self { mut bytes, slots: old } = self;
        let Ok(shift) = u32::try_from(bytes.len()) else { return newer };
        bytes.extend_from_slice(&newer.bytes);
        let mut slots = Vec::with_capacity(old.len().saturating_add(newer.slots.len()));
        let mut old = old.into_iter().peekable();
        for slot in newer.slots {
            let slot = Slot { at: slot.at.saturating_add(shift), ..slot };
            let order = |before: &Slot| {
                before.begin().cmp(&slot.begin()).then_with(|| before.octets(&bytes).cmp(slot.octets(&bytes)))
            };
            while let Some(before) = old.next_if(|before| order(before) == Ordering::Less) {
                slots.push(before);
            }
            old.next_if(|before| order(before) == Ordering::Equal);
            slots.push(slot);
        }
        slots.extend(old);
        Self { bytes, slots }
    }

    /// Those of sorted ones from an entry on.
    pub fn from<'a>(&'a self, entry: &[u8]) -> impl Iterator<Item = (&'a [u8], Head)> + use<'a> {
        let begin = self.slots.partition_point(|slot| slot.octets(&self.bytes) < entry);
        let rest = self.slots.get(begin..).unwrap_or_default();
        rest.iter().map(|slot| (slot.octets(&self.bytes), slot.head))
    }
}

/// All entries of sorted lists of which later ones are newer, in order, each once.
#[must_use]
pub fn all_of<'a>(lists: impl Iterator<Item = &'a Entries>) -> Vec<(&'a [u8], Head)> {
    let slots =
        lists.flat_map(|list| list.slots.iter().map(|slot| (slot.begin(), slot.octets(&list.bytes), slot.head)));
    let mut all: Vec<_> = slots.collect();
    // Stable, and quick where parts are in order already.
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    all.dedup_by(|later, before| {
        let is_same = later.0 == before.0 && later.1 == before.1;
        if is_same {
            before.2 = later.2;
        }
        is_same
    });
    all.into_iter().map(|(_, octets, head)| (octets, head)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn head(code: u8) -> Head {
        Head::from_bytes([4, 0, code, 0, 0, 0, 0])
    }

    fn list(entries: &Entries) -> Vec<(Vec<u8>, Head)> {
        entries.iter().map(|(entry, head)| (entry.to_vec(), head)).collect()
    }

    #[test]
    fn sorted_and_merged_entries_are_those_of_a_map_whatever_their_lengths() {
        let mut random = 1_u64;
        let mut next = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % most
        };
        for round in 0..50_u8 {
            let mut truth = BTreeMap::new();
            let mut merged = Entries::default();
            for _ in 0..3 {
                let mut entries = Entries::default();
                for step in 0..round * 5 {
                    // Many begin alike, end with zeros, or are the same.
                    let octets: Vec<u8> = (0..next(20)).map(|_| u8::try_from(next(2)).unwrap()).collect();
                    let (one, other) = octets.split_at(octets.len() / 2);
                    entries.add(&[one, other], head(step));
                    truth.insert(octets, head(step));
                }
                entries.sort();
                merged = merged.merged(entries);
            }
            assert_eq!(list(&merged), truth.clone().into_iter().collect::<Vec<_>>());
            assert_eq!((merged.len(), merged.is_empty()), (truth.len(), truth.is_empty()));
            let from: Vec<_> = merged.from(&[1, 0]).map(|(entry, _)| entry.to_vec()).collect();
            assert_eq!(from, truth.range(vec![1, 0]..).map(|(entry, _)| entry.clone()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn of_equal_entries_the_newest_stays() {
        let of = |codes: &[(&[u8], u8)]| {
            let mut entries = Entries::default();
            codes.iter().for_each(|(entry, code)| entries.add(&[entry], head(*code)));
            entries.sort();
            entries
        };
        let (old, new) = (of(&[(b"b", 1), (b"a", 2), (b"b", 3)]), of(&[(b"b", 4), (b"c", 5)]));
        assert_eq!(list(&old), [(b"a".to_vec(), head(2)), (b"b".to_vec(), head(3))]);
        let all = all_of([&old, &new].into_iter());
        assert_eq!(all, [(&b"a"[..], head(2)), (b"b", head(4)), (b"c", head(5))]);
        assert_eq!(list(&old.merged(new)).len(), 3);
    }
}

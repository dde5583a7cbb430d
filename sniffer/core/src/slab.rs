//! A table with small, stable ids. An id whose entry is gone finds nothing, also when the place is used again.

/// The id of an entry in a [`Slab`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    index: u32,
    generation: u32,
}

impl Id {
    /// The place of the entry, which another takes when it is gone.
    pub fn place(self) -> u32 {
        self.index
    }
}

/// Entries of one piece of memory. The table grows by pieces: what is in it never moves, and growing takes no longer
/// when there is much of it.
const PIECE: usize = 64;
const PIECE_BITS: u32 = PIECE.trailing_zeros();

/// A table with a bound.
#[derive(Debug)]
pub struct Slab<T> {
    pieces: Vec<Vec<Slot<T>>>,
    /// Places that were ever in use.
    places: u32,
    free: Vec<u32>,
    limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A place as a piece and an offset in it.
#[inline]
fn split(index: u32) -> (usize, usize) {
    let offset = usize::try_from(index).unwrap_or(usize::MAX) & (PIECE - 1);
    (usize::try_from(index >> PIECE_BITS).unwrap_or(usize::MAX), offset)
}

impl<T> Slab<T> {
    /// Makes a table for at most `limit` entries. It grows as entries come.
    pub fn new(limit: usize) -> Self {
        Self { pieces: Vec::new(), places: 0, free: Vec::new(), limit }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.places).unwrap_or(usize::MAX).saturating_sub(self.free.len())
    }

    /// Says whether another entry does not fit.
    pub fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        let (piece, offset) = split(index);
        self.pieces.get(piece)?.get(offset)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        let (piece, offset) = split(index);
        self.pieces.get_mut(piece)?.get_mut(offset)
    }

    /// Adds an entry; `None` when the table is full.
    pub fn insert(&mut self, value: T) -> Option<Id> {
        if self.is_full() {
            return None;
        }
        if let Some(index) = self.free.pop() {
            let slot = self.slot_mut(index)?;
            slot.value = Some(value);
            return Some(Id { index, generation: slot.generation });
        }
        let index = self.places;
        let (piece, offset) = split(index);
        if offset == 0 {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        self.pieces.get_mut(piece)?.push(Slot { generation: 0, value: Some(value) });
        self.places = index.checked_add(1)?;
        Some(Id { index, generation: 0 })
    }

    /// The entry with this id.
    #[inline]
    pub fn get(&self, id: Id) -> Option<&T> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// The entry with this id, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        self.slot_mut(id.index).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// Takes the entry with this id out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slot_mut(id.index).filter(|slot| slot.generation == id.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(value)
    }

    /// The entry at a place, whichever it is.
    #[inline]
    pub fn peek(&self, place: u32) -> Option<&T> {
        self.slot(place)?.value.as_ref()
    }

    /// The entry at a place, to change it.
    #[inline]
    pub fn peek_mut(&mut self, place: u32) -> Option<&mut T> {
        self.slot_mut(place)?.value.as_mut()
    }

    /// Says whether there ever was an entry at a place.
    pub fn has_place(&self, place: u32) -> bool {
        place < self.places
    }

    /// The id of the entry at a place; none when the place is free.
    pub fn at(&self, index: u32) -> Option<Id> {
        let slot = self.slot(index)?;
        slot.value.as_ref().map(|_| Id { index, generation: slot.generation })
    }

    /// All entries in the order of their places, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pieces.iter_mut().flatten().filter_map(|slot| slot.value.as_mut())
    }

    /// All entries in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.pieces.iter().flatten().zip(0..).filter_map(|(slot, index)| {
            slot.value.as_ref().map(|value| (Id { index, generation: slot.generation }, value))
        })
    }
}

/// Entries at places that another table gives out.
#[derive(Debug)]
pub struct Places<T> {
    pieces: Vec<Vec<Option<T>>>,
    count: usize,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), count: 0 }
    }
}

impl<T> Places<T> {
    fn slot_mut(&mut self, place: u32) -> Option<&mut Option<T>> {
        let (piece, offset) = split(place);
        self.pieces.get_mut(piece)?.get_mut(offset)
    }

    /// The entry at a place.
    #[inline]
    pub fn get(&self, place: u32) -> Option<&T> {
        let (piece, offset) = split(place);
        self.pieces.get(piece)?.get(offset)?.as_ref()
    }

    /// The entry at a place, to change it.
    pub fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.slot_mut(place)?.as_mut()
    }

    /// Puts an entry at a place; what was there is given back.
    pub fn put(&mut self, place: u32, value: T) -> Option<T> {
        let (piece, _) = split(place);
        if piece >= self.pieces.len() {
            self.pieces.resize_with(piece.saturating_add(1), Vec::new);
        }
        let entries = self.pieces.get_mut(piece)?;
        if entries.is_empty() {
            entries.reserve_exact(PIECE);
            entries.resize_with(PIECE, || None);
        }
        let old = self.slot_mut(place)?.replace(value);
        self.count = self.count.saturating_add(usize::from(old.is_none()));
        old
    }

    /// Takes the entry at a place out.
    pub fn take(&mut self, place: u32) -> Option<T> {
        let old = self.slot_mut(place)?.take();
        self.count = self.count.saturating_sub(usize::from(old.is_some()));
        old
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_at_the_places_they_were_put_at() {
        let mut places = Places::default();
        assert_eq!(places.take(1000), None);
        assert_eq!(places.get(1000), None);
        for place in [1000, 3, 64, 63] {
            assert_eq!(places.put(place, place), None);
        }
        assert_eq!(places.put(3, 33), Some(3));
        assert_eq!(places.len(), 4);
        assert_eq!(
            (places.get(1000), places.get(3), places.get(4), places.get(2000)),
            (Some(&1000), Some(&33), None, None)
        );
        *places.get_mut(64).unwrap() = 65;
        assert_eq!(places.take(64), Some(65));
        assert_eq!(places.take(64), None);
        assert_eq!(places.len(), 3);
    }

    #[test]
    fn an_old_id_does_not_find_the_entry_that_took_its_place() {
        let mut slab = Slab::new(1);
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.insert('b'), None);
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!((slab.get(first), slab.get(second), slab.len()), (None, Some(&'b'), 1));
        assert_eq!(slab.remove(first), None);
    }

    #[test]
    fn entries_keep_their_places_while_the_table_grows_and_shrinks() {
        let mut slab = Slab::new(1000);
        let ids: Vec<_> = (0..1000).map(|n| slab.insert(n).unwrap()).collect();
        assert!(slab.is_full() && slab.insert(7).is_none());
        for (n, &id) in ids.iter().enumerate().filter(|(n, _)| n % 3 == 0) {
            assert_eq!(slab.remove(id), Some(n));
        }
        assert!(ids.iter().enumerate().all(|(n, &id)| slab.get(id).copied() == (n % 3 != 0).then_some(n)));
        assert_eq!((slab.len(), slab.iter().count()), (666, 666));
        assert_eq!(slab.iter().next(), Some((ids[1], &1)));
        assert_eq!((slab.at(ids[1].place()), slab.at(ids[3].place())), (Some(ids[1]), None));
    }
}

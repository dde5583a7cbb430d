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

/// A table with a bound.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    /// Makes a table for at most `limit` entries. It grows as entries come.
    pub fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), limit }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Says whether another entry does not fit.
    pub fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Adds an entry; `None` when the table is full.
    pub fn insert(&mut self, value: T) -> Option<Id> {
        if self.is_full() {
            return None;
        }
        if let Some(index) = self.free.pop() {
            let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
            slot.value = Some(value);
            return Some(Id { index, generation: slot.generation });
        }
        let index = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Some(Id { index, generation: 0 })
    }

    /// The entry with this id.
    pub fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        if slot.generation == id.generation { slot.value.as_ref() } else { None }
    }

    /// The entry with this id, to change it.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        if slot.generation == id.generation { slot.value.as_mut() } else { None }
    }

    /// Takes the entry with this id out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(value)
    }

    /// The id of the entry at a place; none when the place is free.
    pub fn at(&self, index: u32) -> Option<Id> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        slot.value.as_ref().map(|_| Id { index, generation: slot.generation })
    }

    /// All entries in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            slot.value.as_ref().map(|value| (Id { index, generation: slot.generation }, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

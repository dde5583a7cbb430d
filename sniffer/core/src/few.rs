//! A list of which most have one or two entries: those take no heap memory.

/// See the module's text.
#[derive(Debug)]
pub struct Few<T, const N: usize> {
    first: [Option<T>; N],
    #[expect(clippy::box_collection, reason = "most lists have no more, and a pointer is a third of a Vec")]
    more: Option<Box<Vec<T>>>,
}

impl<T, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self { first: [const { None }; N], more: None }
    }
}

impl<T, const N: usize> Few<T, N> {
    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().flatten().chain(self.more.iter().flat_map(|more| more.iter()))
    }

    /// The entries in their order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().flatten().chain(self.more.iter_mut().flat_map(|more| more.iter_mut()))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.more {
            Some(more) => more.len().saturating_add(N),
            None => self.first.iter().flatten().count(),
        }
    }

    /// Adds an entry at the end.
    pub fn push(&mut self, entry: T) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(entry),
            None => {
                let more = self.more.get_or_insert_default();
                more.reserve_exact(1);
                more.push(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_in_order_wherever_they_lie() {
        let mut few = Few::<u32, 2>::default();
        for entry in 0..5 {
            assert_eq!(few.len(), usize::try_from(entry).unwrap());
            assert_eq!(few.more.is_some(), entry > 2);
            few.push(entry);
        }
        few.iter_mut().for_each(|entry| *entry += 10);
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [10, 11, 12, 13, 14]);
    }
}

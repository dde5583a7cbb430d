//! Names of calls and streams that are never used twice while the process runs.

/// A call. Serials grow in the order in which calls began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSerial(u64);

/// A stream. Streams have serials of their own, also before anybody knows whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamSerial(u64);

/// Bits of a call's serial that are its place in the table: a serial finds its call without a search. 40 bits are left
/// for the count, 34 years of 1,000 calls a second.
const PLACE_BITS: u32 = 24;
/// Bits of a stream's serial below its worker's number.
const WORKER_SHIFT: u32 = 56;

impl CallSerial {
    /// The serial of the call that is the `count`th, counted from 1, and has this place in its table.
    #[must_use]
    pub(super) fn new(count: u64, place: u32) -> Self {
        Self((count << PLACE_BITS) | (u64::from(place) & ((1 << PLACE_BITS) - 1)))
    }

    /// The place in the table of calls.
    pub(super) fn place(self) -> u32 {
        u32::try_from(self.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(u32::MAX)
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl StreamSerial {
    /// The serial of the `count`th stream of a worker, counted from 1.
    #[must_use]
    pub(super) fn new(count: u64, worker: u8) -> Self {
        Self((u64::from(worker) << WORKER_SHIFT) | count)
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_grow_and_keep_their_place() {
        let (first, second) = (CallSerial::new(1, 77), CallSerial::new(2, 5));
        assert!(first < second);
        assert_eq!((first.place(), second.place()), (77, 5));
        assert_ne!(StreamSerial::new(1, 0), StreamSerial::new(1, 1));
    }
}

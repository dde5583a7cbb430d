//! Names of calls and streams that are never used twice while the process runs.

use std::num::NonZero;

/// A call. Serials grow in the order in which calls began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSerial(NonZero<u64>);

/// A stream. Streams have serials of their own, also before anybody knows whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamSerial(NonZero<u64>);

/// A registration, a subscription or an exchange, which have serials in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherSerial(NonZero<u64>);

/// Whose a SIP message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// A call's.
    Call(CallSerial),
    /// A registration's, a subscription's or an exchange's.
    Other(OtherSerial),
}

impl Whose {
    /// The call.
    #[must_use]
    pub fn call(self) -> Option<CallSerial> {
        match self {
            Self::Call(call) => Some(call),
            Self::Other(_) => None,
        }
    }

    /// What is no call.
    #[must_use]
    pub fn other(self) -> Option<OtherSerial> {
        match self {
            Self::Call(_) => None,
            Self::Other(other) => Some(other),
        }
    }
}

/// Bits of a call's serial that are its place in the table: a serial finds its call without a search. 40 bits are left
/// for the count, 34 years of 1,000 calls a second.
const PLACE_BITS: u32 = 24;
/// Bits of a stream's serial below its worker's number.
const WORKER_SHIFT: u32 = 56;

impl CallSerial {
    /// The serial of the call that is the `count`th, counted from 1, and has this place in its table.
    #[must_use]
    pub(super) fn new(count: u64, place: u32) -> Self {
        let serial = (count.max(1) << PLACE_BITS) | (u64::from(place) & ((1 << PLACE_BITS) - 1));
        Self(NonZero::new(serial).unwrap_or(NonZero::<u64>::MIN))
    }

    /// The place in the table of calls.
    pub(super) fn place(self) -> u32 {
        u32::try_from(self.get() & ((1 << PLACE_BITS) - 1)).unwrap_or(u32::MAX)
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl OtherSerial {
    /// The serial of the `count`th, counted from 1.
    #[must_use]
    pub(super) fn new(count: u64) -> Self {
        Self(NonZero::new(count).unwrap_or(NonZero::<u64>::MIN))
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl StreamSerial {
    /// The serial of the `count`th stream of a worker, counted from 1.
    #[must_use]
    pub(super) fn new(count: u64, worker: u8) -> Self {
        let serial = (u64::from(worker) << WORKER_SHIFT) | count.max(1);
        Self(NonZero::new(serial).unwrap_or(NonZero::<u64>::MIN))
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
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
        assert_eq!((size_of::<Option<CallSerial>>(), size_of::<Option<StreamSerial>>()), (8, 8));
    }
}

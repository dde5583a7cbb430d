//! Seeds of the tables' hash: nobody who sends packets, or writes a capture file, may know them. They change nothing
//! that comes out.

use std::hash::{BuildHasher, RandomState};

/// A seed from the system's own randomness.
#[must_use]
pub fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

//! Tests of the engine as a whole: what memory it takes, and that workers do not change what it says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking, like the tests")]

mod flood;
mod floods;
mod held;
mod memory;
mod noise;
mod scene;
mod workers;

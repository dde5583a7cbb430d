//! Tests of the engine as a whole: what memory it takes, and that workers do not change what it says.

mod flood;
mod memory;
mod scene;
mod workers;

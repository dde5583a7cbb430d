//! What is fuzzed: a plain function for each parser and one for the whole engine. The fuzzer runs them
//! (`fuzz_targets/`), and an ordinary test runs them for some seconds (`sniffer/tests/fuzz.rs`). A target fails by
//! panicking: on a panic of the code, or where a rule that must hold for every input does not. `corpus/` has a folder for
//! each.

pub mod core;
pub mod seeds;
pub mod shell;
mod target;

pub use self::{seeds::Material, target::Target};

/// All targets.
pub fn all() -> Vec<Target> {
    [core::ALL, shell::ALL].concat()
}

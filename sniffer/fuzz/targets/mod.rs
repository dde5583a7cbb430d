//! What is fuzzed: a plain function for each parser and one for the whole engine. The fuzzer runs them
//! (`fuzz_targets/`), and an ordinary test runs them for some seconds (`sniffer/tests/fuzz.rs`). A target fails by
//! panicking: on a panic of the code, or where a rule that must hold for every input does not. `corpus/` has a folder for
//! each.

pub mod core;
pub mod files;

/// A target.
pub type Target = fn(&[u8]);

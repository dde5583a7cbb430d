//! What a target is.

use super::Material;

/// Something that is fuzzed. The lists in `core` and `shell` are the only ones there are.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which its folders have too.
    pub name: &'static str,
    /// Takes an input, and panics where a rule does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn(&Material) -> Vec<Vec<u8>>,
}

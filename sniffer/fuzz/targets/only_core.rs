//! What of the targets needs nothing but `sniffer-core`.

#[path = "core/mod.rs"]
pub mod core;
#[path = "seeds.rs"]
pub mod seeds;
#[path = "target.rs"]
mod target;

pub use self::{seeds::Material, target::Target};

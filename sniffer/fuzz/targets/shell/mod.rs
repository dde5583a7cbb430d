//! The targets of the shell: files that others have written, and what is read back from our own disk.

mod files;
mod memory;
mod packets;
mod store;

use super::{Material, Target, seeds};

/// All of them.
pub const ALL: &[Target] = &[
    Target { name: "capture_file", run: files::capture_file, seeds: files::captures },
    Target { name: "config", run: files::config, seeds: |_| files::configs() },
    Target { name: "packets", run: packets::packets, seeds: |_| seeds::scripts() },
    Target { name: "store", run: store::store, seeds: |_| store::seeds() },
];

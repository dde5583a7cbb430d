//! What a build gave: sizes, hashes, packages, libraries and the time of each step, for tests and for the README.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::context::write;
use crate::hash::sha256_file;
use crate::libraries::Library;
use crate::lock::Lock;
use crate::steps::Step;

/// The files of a build, in the order they are made.
pub const OUTPUTS: [&str; 7] =
    ["root.erofs", "root.verity", "roothash", "vmlinuz", "cmdline", "callward.efi", "disk.raw"];

#[derive(Serialize)]
struct Manifest {
    version: String,
    kernel: String,
    root_hash: String,
    files: BTreeMap<String, Output>,
    packages: BTreeMap<String, String>,
    libraries: BTreeMap<String, BTreeSet<String>>,
    steps: Vec<Step>,
    cpu_seconds: f64,
}

#[derive(Serialize)]
struct Output {
    /// Bytes as the file says.
    size: u64,
    /// Bytes it takes on this disk; less where it is sparse.
    on_disk: u64,
    sha256: Option<String>,
}

/// What the manifest tells beside the files.
pub struct Facts<'a> {
    /// The release built.
    pub version: &'a str,
    /// The kernel's release.
    pub kernel: &'a str,
    /// The root hash.
    pub root_hash: &'a str,
    /// The packages drawn on.
    pub packages: &'a Lock,
    /// The libraries in the root.
    pub libraries: &'a BTreeMap<String, Library>,
}

/// Writes `manifest.json` into `out`.
///
/// # Errors
/// Fails when an output cannot be read.
pub fn write_manifest(out: &Path, facts: &Facts<'_>, steps: Vec<Step>) -> Result<()> {
    let mut files = BTreeMap::new();
    for name in OUTPUTS {
        let path = out.join(name);
        let metadata = fs::metadata(&path).with_context(|| format!("measure {}", path.display()))?;
        // The disk is gigabytes of nothing; its parts are hashed one by one.
        let sha256 = if name == "disk.raw" { None } else { Some(sha256_file(&path)?) };
        files.insert(name.to_owned(), Output { size: metadata.len(), on_disk: metadata.blocks() * 512, sha256 });
    }
    let manifest = Manifest {
        version: facts.version.to_owned(),
        kernel: facts.kernel.to_owned(),
        root_hash: facts.root_hash.to_owned(),
        files,
        packages: facts.packages.0.iter().map(|(name, pinned)| (name.clone(), pinned.version.clone())).collect(),
        libraries: facts.libraries.iter().map(|(name, library)| (name.clone(), library.needed_by.clone())).collect(),
        cpu_seconds: (steps.iter().map(|step| step.cpu_seconds).sum::<f64>() * 10.0).round() / 10.0,
        steps,
    };
    write(&out.join("manifest.json"), serde_json::to_string_pretty(&manifest).context("print the manifest")?)
}

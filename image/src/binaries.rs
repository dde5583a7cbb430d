//! Our own programs: builds them in the tools tree, whose libraries are the image's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::system::Program;

/// The programs, which are named like their packages.
pub const BINARIES: [&str; 3] = ["psa", "psa-helper", "sniffer"];

/// Where a program lies on the target.
pub fn target_path(binary: &str) -> PathBuf {
    Path::new("/usr/bin").join(binary)
}

/// Builds the programs and returns their folder, or checks that `given` has them all.
///
/// # Errors
/// Fails when cargo does or a program is missing.
pub fn binaries(context: &Context, given: Option<&Path>) -> Result<PathBuf> {
    let folder = match given {
        Some(folder) => folder.to_owned(),
        None => build(context)?,
    };
    for binary in BINARIES {
        if !folder.join(binary).is_file() {
            bail!("{} has no program {binary:?}", folder.display());
        }
    }
    Ok(folder)
}

fn build(context: &Context) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| context.cache.join("target"), PathBuf::from);
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| context.cache.join("cargo"), PathBuf::from);
    // No path of this machine and no build id, so that the same sources give the same bytes anywhere.
    let mut flags = OsString::from("-Clink-arg=-Wl,--build-id=none");
    let mut c_flags = String::new();
    for (from, to) in [(&context.repo, "/callward"), (&cargo_home, "/cargo"), (&target, "/target")] {
        flags.push(format!(" --remap-path-prefix={}={to}", from.display()));
        c_flags.push_str(&format!(" -ffile-prefix-map={}={to}", from.display()));
    }
    BINARIES
        .iter()
        .fold(Program::new("/usr/bin/cargo").args(["build", "--release", "--locked"]), |cargo, binary| {
            cargo.args(["--package", binary])
        })
        .folder(&context.repo)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", flags)
        .env("CFLAGS", c_flags.trim_start())
        .env("SOURCE_DATE_EPOCH", context.release.epoch.to_string())
        .run()
        .context("build psa, psa-helper and sniffer")?;
    Ok(target.join("release"))
}

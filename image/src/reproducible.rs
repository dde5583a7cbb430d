//! Builds root, hash tree and boot file twice, in different folders, and compares them byte for byte.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::build::{inputs, parts};
use crate::context::Context;
use crate::hash::sha256_file;
use crate::steps::Steps;

/// What must be the same bytes each time.
const SAME: [&str; 5] = ["root.erofs", "root.verity", "roothash", "cmdline", "callward.efi"];

/// Builds twice from the same inputs and compares.
///
/// # Errors
/// Fails when a build does, or naming the files that differ.
pub fn verify(context: &Context, given: Option<&Path>, allow_drift: bool) -> Result<()> {
    let mut steps = Steps::default();
    let inputs = inputs(context, &mut steps, given, allow_drift)?;
    let folder = || tempfile::tempdir_in(&context.cache).context("make a folder to build in");
    let (first, second) = (folder()?, folder()?);
    for out in [&first, &second] {
        parts(context, &mut steps, &inputs, out.path())?;
    }
    let differing = differing(first.path(), second.path())?;
    if !differing.is_empty() {
        bail!("not the same bytes twice: {}", differing.join(", "));
    }
    eprintln!("== the same bytes twice: {}", SAME.join(", "));
    Ok(())
}

fn differing(first: &Path, second: &Path) -> Result<Vec<&'static str>> {
    let mut names = Vec::new();
    for name in SAME {
        if sha256_file(&first.join(name))? != sha256_file(&second.join(name))? {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{SAME, differing};

    #[test]
    fn one_differing_byte_is_named() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in SAME {
            std::fs::write(first.path().join(name), name).unwrap();
            std::fs::write(second.path().join(name), name).unwrap();
        }
        assert_eq!(differing(first.path(), second.path()).unwrap(), <[&str; 0]>::default());
        std::fs::write(second.path().join("root.verity"), "root.verify").unwrap();
        assert_eq!(differing(first.path(), second.path()).unwrap(), ["root.verity"]);
    }
}

//! The whole build in the order of its steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::file_system::VerifiedRoot;
use crate::kernel::Kernel;
use crate::libraries::Library;
use crate::manifest::{Facts, write_manifest};
use crate::packages::Tree;
use crate::steps::Steps;
use crate::{binaries, boot, check, disk, file_system, kernel, packages, root};

/// What is asked of one build.
pub struct Wish {
    /// The folder to write to.
    pub out: PathBuf,
    /// A folder with programs that are built already.
    pub binaries: Option<PathBuf>,
    /// Whether to go on when packages are not those of the lock file.
    pub allow_drift: bool,
}

/// What goes into an image.
pub struct Inputs {
    /// The packages' files.
    pub tree: Tree,
    /// The kernel.
    pub kernel: Kernel,
    /// The folder with our programs.
    pub binaries: PathBuf,
}

/// The parts of an image that must be the same bytes each time.
pub struct Parts {
    /// The root and its hash tree.
    pub root: VerifiedRoot,
    /// The boot file.
    pub boot_file: PathBuf,
    /// The libraries in the root.
    pub libraries: BTreeMap<String, Library>,
}

/// Builds the image.
///
/// # Errors
/// Fails with the first step that does.
pub fn build(context: &Context, wish: &Wish) -> Result<()> {
    let mut steps = Steps::default();
    let inputs = inputs(context, &mut steps, wish.binaries.as_deref(), wish.allow_drift)?;
    fs::create_dir_all(&wish.out).with_context(|| format!("make {}", wish.out.display()))?;
    let out = fs::canonicalize(&wish.out).with_context(|| format!("find {}", wish.out.display()))?;
    let parts = parts(context, &mut steps, &inputs, &out)?;
    let vmlinuz = out.join("vmlinuz");
    fs::copy(&inputs.kernel.image, &vmlinuz).with_context(|| format!("write {}", vmlinuz.display()))?;
    let values = boot::values(context, &parts.root)?;
    steps.step("disk", || disk::make(context, &parts.root, &parts.boot_file, &values, &out))?;
    let facts = Facts {
        version: &context.release.version,
        kernel: &inputs.kernel.release,
        root_hash: &parts.root.root_hash,
        packages: &inputs.tree.packages,
        libraries: &parts.libraries,
    };
    write_manifest(&out, &facts, steps.into_done())
}

/// Gets what goes into an image: packages, kernel, programs.
///
/// # Errors
/// Fails with the first step that does.
pub fn inputs(context: &Context, steps: &mut Steps, given: Option<&Path>, allow_drift: bool) -> Result<Inputs> {
    Ok(Inputs {
        tree: steps.step("packages", || packages::tree(context, allow_drift))?,
        kernel: steps.step("kernel", || kernel::kernel(context))?,
        binaries: steps.step("programs", || binaries::binaries(context, given))?,
    })
}

/// Makes root, hash tree and boot file in `out`, and checks the root.
///
/// # Errors
/// Fails with the first step that does.
pub fn parts(context: &Context, steps: &mut Steps, inputs: &Inputs, out: &Path) -> Result<Parts> {
    let staging = tempfile::tempdir_in(&context.cache).context("make a folder to assemble in")?;
    let folder = staging.path().join("root");
    let libraries =
        steps.step("assemble", || root::assemble(context, &inputs.tree.folder, &inputs.binaries, &folder))?;
    let root = steps.step("root and hash tree", || file_system::make(context, &folder, out))?;
    steps.step("check", || check::check_build(context, out))?;
    let boot_file = steps.step("boot file", || {
        let values = boot::values(context, &root)?;
        boot::boot_file(context, &inputs.kernel, &boot::command_line(context, &values)?, out)
    })?;
    Ok(Parts { root, boot_file, libraries })
}

//! The disk: partitions as `image/disk/*.conf` define them, made by systemd-repart in one sparse file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::context::{Context, files_with_extension, read, write};
use crate::file_system::VerifiedRoot;
use crate::fill::{Values, fill};
use crate::system::Program;

/// The smallest disk the appliance runs on, which is the size of the file; it fills a larger one at its first boot.
const SIZE: &str = "4G";
/// From the package systemd-boot-efi: the boot menu, which picks the newest boot file that works.
const BOOT_MENU: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// Fixed, so that the disk's identifiers are the same in each build of the same root.
const SEED: &str = "5d1e7a90-2b64-4f0c-8e3d-9c4b7a6f5e21";

/// Makes the disk in `out`.
///
/// # Errors
/// Fails when a definition names an unknown value or systemd-repart fails.
pub fn make(context: &Context, root: &VerifiedRoot, boot_file: &Path, values: &Values, out: &Path) -> Result<PathBuf> {
    let work = tempfile::tempdir_in(out).context("make a folder for the partition definitions")?;
    let path = |path: &Path| path.display().to_string();
    let mut values = values.clone();
    values.extend([
        ("root_image", path(&root.image)),
        ("hash_tree", path(&root.hash_tree)),
        ("boot_file", path(boot_file)),
        ("boot_menu", BOOT_MENU.to_owned()),
        ("loader_conf", path(&context.image().join("boot/loader.conf"))),
    ]);
    for definition in files_with_extension(&context.image().join("disk"), "conf")? {
        let name = definition.file_name().context("a definition without name")?;
        write(&work.path().join(name), fill(&read(&definition)?, &values)?)?;
    }
    let disk = out.join("disk.raw");
    if disk.exists() {
        fs::remove_file(&disk).with_context(|| format!("remove {}", disk.display()))?;
    }
    Program::new("/usr/bin/systemd-repart")
        .env("SOURCE_DATE_EPOCH", context.release.epoch.to_string())
        .args(["--offline=yes", "--empty=create", "--dry-run=no", "--sector-size=512", "--architecture=x86-64"])
        .option("size", SIZE)
        .option("seed", SEED)
        .option("definitions", work.path())
        .arg(&disk)
        .run()?;
    Ok(disk)
}

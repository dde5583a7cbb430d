//! A stock Debian 13 disk to compare boot times with: Debian's kernel and initramfs, nothing taken out, booted by the same
//! machine. No part of the appliance.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::context::{Context, write};
use crate::packages::debian;
use crate::steps::Steps;
use crate::system::Program;

/// What a server installation of Debian boots with.
const PACKAGES: &str =
    "systemd,systemd-sysv,udev,dbus,linux-image-amd64,initramfs-tools,ifupdown,openssh-server,chrony,nftables";
/// Bytes of the disk; the file is sparse.
const SIZE: &str = "2G";
/// How the disk is booted: the label is how the initramfs finds the root.
const COMMAND_LINE: &str = "root=LABEL=stock ro console=ttyS0,115200";

/// Makes `stock.raw`, `stock.vmlinuz`, `stock.initrd` and `stock.cmdline` in `out`.
///
/// # Errors
/// Fails when a step does.
pub fn build(context: &Context, out: &Path) -> Result<()> {
    let mut steps = Steps::default();
    fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    let work = tempfile::tempdir_in(&context.cache).context("make a folder for the stock system")?;
    let tree = work.path().join("tree");
    steps.step("stock packages", || debian(&tree, "important", PACKAGES, &[]))?;
    steps.step("stock disk", || {
        for (from, to) in [("vmlinuz-", "stock.vmlinuz"), ("initrd.img-", "stock.initrd")] {
            let boot = tree.join("boot");
            let source = files_starting(&boot, from)?;
            fs::copy(&source, out.join(to)).with_context(|| format!("copy {}", source.display()))?;
        }
        write(&tree.join("etc/fstab"), "LABEL=stock / ext4 rw 0 1\n")?;
        write(&tree.join("etc/hostname"), "stock\n")?;
        let disk = out.join("stock.raw");
        if disk.exists() {
            fs::remove_file(&disk).with_context(|| format!("remove {}", disk.display()))?;
        }
        Program::new("/usr/sbin/mke2fs")
            .args(["-q", "-t", "ext4", "-L", "stock", "-d"])
            .arg(&tree)
            .arg(&disk)
            .arg(SIZE)
            .run()?;
        write(&out.join("stock.cmdline"), COMMAND_LINE)
    })
}

fn files_starting(folder: &Path, start: &str) -> Result<std::path::PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)))
        .with_context(|| format!("no {start}… in {}", folder.display()))
}

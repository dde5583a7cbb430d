//! The root is verified: what differs from the root hash in one bit is never served.

use anyhow::{Context, Result, bail, ensure};
use qemu_tests::https;
use qemu_tests::machine::{BOOT_LIMIT, Boot, Image, Machine, Overlay, Partition, partitions};

/// What the kernel says when a block does not fit its hash (drivers/md/dm-verity-target.c).
const REFUSED: &str = "is corrupted";
/// What it says in the end, without a root that it can read.
const ENDED: &str = "Kernel panic";
/// What a machine says that has come too far. A root which is only unreadable says none of all these.
const STARTED: &[&str] = &["systemd[1]:", "Welcome to", "Setup code", "Address:"];
/// The first block of a hash tree's file is its description; the second is the top of the tree (cryptsetup's
/// `verity` on-disk format, version 1). The kernel reads it for every block.
const TREE_TOP: u64 = 4096;
/// The super block of erofs (kernel, Documentation/filesystems/erofs.rst) is read before anything else.
const SUPER_BLOCK: u64 = 1024;

pub fn the_command_line_carries_the_root_hash(image: &Image) -> Result<()> {
    let (line, hash) = (image.command_line()?, image.root_hash()?);
    ensure!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash:?} is no SHA-256");
    ensure!(line.contains(&format!("sha256 {hash} ")), "the command line does not carry {hash}: {line}");
    ensure!(line.contains("root=/dev/dm-0") && line.split_whitespace().any(|word| word == "ro"), "{line}");
    // The same line is in the boot file that the firmware starts.
    let boot_file = std::fs::read(image.file("callward.efi"))?;
    ensure!(boot_file.windows(hash.len()).any(|window| window == hash.as_bytes()), "the boot file has another line");
    Ok(())
}

pub fn a_flipped_bit_in_the_root_is_never_served(image: &Image) -> Result<()> {
    never_served(image, |partition| !partition.name.ends_with("_verity"), SUPER_BLOCK)
}

pub fn a_flipped_bit_in_the_hash_tree_is_never_served(image: &Image) -> Result<()> {
    never_served(image, |partition| partition.name.ends_with("_verity"), TREE_TOP)
}

fn never_served(image: &Image, is_it: impl Fn(&Partition) -> bool, at: u64) -> Result<()> {
    let all = partitions(&image.disk())?;
    let is_slot = |partition: &&Partition| partition.name.starts_with("callward_") && is_it(partition);
    let partition = all.iter().find(is_slot).with_context(|| format!("not on the disk: {all:?}"))?;
    let folder = tempfile::tempdir()?;
    let overlay = Overlay::make(&image.disk(), &folder.path().join("disk.qcow2"))?;
    overlay.flip_bit(&image.disk(), partition.start + at)?;
    let mut machine = Machine::builder(Boot::Kernel(image.clone())).disk(&overlay.path).start()?;
    let ends: Vec<&str> = [REFUSED, ENDED].into_iter().chain(STARTED.iter().copied()).collect();
    let line = machine.serial.wait_for_failure(&ends, BOOT_LIMIT)?;
    ensure!(line.contains("verity") && line.contains(REFUSED), "the first that the machine says is {line:?}");
    println!("FIGURE one bit of {} flipped: {:?}", partition.name, line.trim());
    machine.serial.wait_for_failure(&[ENDED], BOOT_LIMIT)?;
    let text = machine.serial.text();
    for sign in STARTED {
        ensure!(!text.contains(sign), "the machine got as far as {sign:?}:\n{text}");
    }
    machine.check()?;
    match https::certificate(machine.psa) {
        Err(_) => Ok(()),
        Ok(certificate) => bail!("the PSA answers: {certificate:?}"),
    }
}

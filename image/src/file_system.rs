//! Turns the assembled root into one file, and makes the hash tree that the kernel checks each block of it against.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::{Context, write};
use crate::system::Program;

/// Fixed, so that equal files give equal bytes. They name the kind of thing, not one machine's copy of it.
const ROOT_UUID: &str = "6b1f5d0a-3c52-4c8e-9a0b-7f1d2e3c4b5a";
const VERITY_UUID: &str = "0f9a8b7c-6d5e-4f3a-8b2c-1d0e9f8a7b6c";
/// Against nobody: the tree guards integrity, and a known salt is what makes it reproducible.
const VERITY_SALT: &str = "63616c6c776172640000000000000000000000000000000000000000000000ff";
/// Bytes of a data block and of a hash block.
pub const BLOCK: u64 = 4096;
/// Level 19 with deduplication saves 3 of 16 MB and costs 180 CPU seconds in place of a few.
const COMPRESSION: &str = "zstd,9";

/// The root file system with what the kernel must know to verify it.
pub struct VerifiedRoot {
    /// The erofs image.
    pub image: PathBuf,
    /// The hash tree.
    pub hash_tree: PathBuf,
    /// The hash that stands for all of it, 64 hexadecimal digits.
    pub root_hash: String,
    /// Number of data blocks.
    pub blocks: u64,
}

impl VerifiedRoot {
    /// The salt of the hash tree, in hexadecimal.
    pub fn salt(&self) -> &'static str {
        VERITY_SALT
    }

    /// The two partition identifiers that follow from the root hash: its first half for the data, its second for the
    /// tree (Discoverable Partitions Specification), so that each slot's boot file finds its own.
    ///
    /// # Errors
    /// Fails when the root hash is not 64 hexadecimal digits.
    pub fn partition_ids(&self) -> Result<(String, String)> {
        let (Some(first), Some(second)) = (self.root_hash.get(..32), self.root_hash.get(32..64)) else {
            bail!("a root hash of {} digits", self.root_hash.len());
        };
        Ok((uuid(first)?, uuid(second)?))
    }
}

/// Makes root file system and hash tree in `out`.
///
/// # Errors
/// Fails when a tool does.
pub fn make(context: &Context, staging: &Path, out: &Path) -> Result<VerifiedRoot> {
    let image = out.join("root.erofs");
    let hash_tree = out.join("root.verity");
    for old in [&image, &hash_tree] {
        if old.exists() {
            std::fs::remove_file(old).with_context(|| format!("remove {}", old.display()))?;
        }
    }
    Program::new("/usr/bin/mkfs.erofs")
        .arg("--quiet")
        .arg(format!("-z{COMPRESSION}"))
        .args(["-C65536", "--all-root", "-x-1"])
        .arg(format!("-T{}", context.release.epoch))
        .arg(format!("-U{ROOT_UUID}"))
        .arg(&image)
        .arg(staging)
        .run()?;
    let bytes = std::fs::metadata(&image).context("measure the root")?.len();
    if bytes % BLOCK != 0 {
        bail!("the root is {bytes} bytes, not a multiple of {BLOCK}");
    }
    let printed = Program::new("/usr/sbin/veritysetup")
        .arg("format")
        .option("salt", VERITY_SALT)
        .option("uuid", VERITY_UUID)
        .option("data-block-size", BLOCK.to_string())
        .option("hash-block-size", BLOCK.to_string())
        .arg(&image)
        .arg(&hash_tree)
        .output()?;
    let root_hash = root_hash_of(&printed).with_context(|| format!("no root hash in {printed:?}"))?;
    write(&out.join("roothash"), format!("{root_hash}\n"))?;
    Ok(VerifiedRoot { image, hash_tree, root_hash, blocks: bytes / BLOCK })
}

fn root_hash_of(printed: &str) -> Option<String> {
    let value = printed.lines().find_map(|line| line.strip_prefix("Root hash:"))?.trim();
    (value.len() == 64 && value.chars().all(|digit| digit.is_ascii_hexdigit())).then(|| value.to_owned())
}

fn uuid(digits: &str) -> Result<String> {
    let part = |from: usize, to: usize| digits.get(from..to).context("32 hexadecimal digits make a UUID");
    Ok([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

#[cfg(test)]
mod tests {
    use super::{VerifiedRoot, root_hash_of};

    const HASH: &str = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";

    #[test]
    fn the_partitions_are_named_by_the_halves_of_the_root_hash() {
        let root = VerifiedRoot { image: "a".into(), hash_tree: "b".into(), root_hash: HASH.to_owned(), blocks: 1 };
        let (data, tree) = root.partition_ids().unwrap();
        assert_eq!(data, "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(tree, "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn the_root_hash_is_read_from_what_veritysetup_prints() {
        let printed = format!("VERITY header information for x\nHash type:       \t1\nRoot hash:      \t{HASH}\n");
        assert_eq!(root_hash_of(&printed).as_deref(), Some(HASH));
        assert_eq!(root_hash_of("Root hash: 12"), None);
    }
}

//! Disks: overlays over an image that is never written, and where the image's partitions lie (UEFI specification 2.10,
//! section 5.3, GUID partition table).

use crate::process::Program;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The disk a machine gets at least, in bytes: STATE takes 4 GiB, CAPTURE the rest. Only what is written takes room.
const MIN_DISK: u64 = 12 * 1024 * 1024 * 1024;
const SECTOR: u64 = 512;

/// A disk on top of an image: reads see the image until something else is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The file, in QEMU's qcow2 format.
    pub path: PathBuf,
}

impl Overlay {
    /// Makes an overlay over a raw image.
    ///
    /// # Errors
    /// When the image cannot be read, or the overlay not made.
    pub fn make(base: &Path, path: &Path) -> Result<Self> {
        let size = std::fs::metadata(base).with_context(|| format!("read {}", base.display()))?.len();
        Program::new("/usr/bin/qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
            .arg(base)
            .arg(path)
            .arg(size.max(MIN_DISK).to_string())
            .run()?;
        Ok(Self { path: path.to_owned() })
    }

    /// Flips the lowest bit of one byte, as it is in the raw image.
    ///
    /// # Errors
    /// When the byte lies outside the image, or cannot be written.
    pub fn flip_bit(&self, base: &Path, at: u64) -> Result<()> {
        let sector_start = at / SECTOR * SECTOR;
        let mut sector = [0; 512];
        File::open(base)?.read_exact_at(&mut sector, sector_start).context("read the sector to change")?;
        let byte = sector.get_mut(usize::try_from(at - sector_start)?).context("inside the sector")?;
        *byte ^= 1;
        let changed = tempfile::NamedTempFile::new()?;
        std::fs::write(changed.path(), sector)?;
        let command = format!("write -s {} {sector_start} {SECTOR}", changed.path().display());
        Program::new("/usr/bin/qemu-io").args(["-f", "qcow2", "-c"]).arg(command).arg(&self.path).run().map(drop)
    }
}

/// A partition of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name in the table, such as `root-a`.
    pub name: String,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its length, in bytes.
    pub length: u64,
}

/// Reads the partition table of a raw image.
///
/// # Errors
/// When there is none.
pub fn partitions(disk: &Path) -> Result<Vec<Partition>> {
    let file = File::open(disk).with_context(|| format!("open {}", disk.display()))?;
    let mut header = [0; 512];
    file.read_exact_at(&mut header, SECTOR)?;
    if header.get(..8) != Some(b"EFI PART") {
        bail!("{} has no GUID partition table", disk.display());
    }
    let table = u64_at(&header, 72)? * SECTOR;
    let (count, size) = (u32_at(&header, 80)?, u32_at(&header, 84)?);
    if count > 1024 || !(128..=4096).contains(&size) {
        bail!("a partition table of {count} entries of {size} bytes");
    }
    let mut found = Vec::new();
    for index in 0..count {
        let mut entry = vec![0; usize::try_from(size)?];
        file.read_exact_at(&mut entry, table + u64::from(index) * u64::from(size))?;
        let is_used = entry.get(..16).is_some_and(|kind| kind.iter().any(|byte| *byte != 0));
        if is_used {
            let (first, last) = (u64_at(&entry, 32)?, u64_at(&entry, 40)?);
            let name = entry.get(56..128).unwrap_or_default();
            let units: Vec<u16> = name
                .chunks_exact(2)
                .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
                .map(u16::from_le_bytes)
                .collect();
            let name = String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned();
            found.push(Partition { name, start: first * SECTOR, length: (last + 1 - first) * SECTOR });
        }
    }
    Ok(found)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    let field = bytes.get(at..at + 8).context("a short partition table")?;
    Ok(u64::from_le_bytes(field.try_into()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let field = bytes.get(at..at + 4).context("a short partition table")?;
    Ok(u32::from_le_bytes(field.try_into()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flipped_bit_is_in_the_overlay_and_not_in_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let (base, top, flat) = (folder.path().join("base"), folder.path().join("top"), folder.path().join("flat"));
        let content: Vec<u8> = (0..4096_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&base, &content).unwrap();
        Overlay::make(&base, &top).unwrap().flip_bit(&base, 5001).unwrap();
        let convert = ["convert", "-f", "qcow2", "-O", "raw"];
        Program::new("/usr/bin/qemu-img").args(convert).arg(&top).arg(&flat).run().unwrap();
        let mut read = vec![0; content.len()];
        File::open(&flat).unwrap().read_exact_at(&mut read, 0).unwrap();
        let differing: Vec<usize> = (0..content.len()).filter(|at| read[*at] != content[*at]).collect();
        assert_eq!(differing, [5001]);
        assert_eq!(read[5001] ^ content[5001], 1);
        assert_eq!(std::fs::read(&base).unwrap(), content);
    }

    #[test]
    fn partitions_have_names_and_places() {
        let mut bytes = vec![0; 64 * 1024];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(512, b"EFI PART");
        put(512 + 72, &2_u64.to_le_bytes());
        put(512 + 80, &4_u32.to_le_bytes());
        put(512 + 84, &128_u32.to_le_bytes());
        for (entry, (name, first, last)) in [("root-a", 2048_u64, 4095_u64), ("state", 4096, 5119)].iter().enumerate() {
            let at = 1024 + entry * 2 * 128;
            put(at, &[0xaa; 16]);
            put(at + 32, &first.to_le_bytes());
            put(at + 40, &last.to_le_bytes());
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            put(at + 56, &units);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let disk = file.path().to_owned();
        let found = partitions(&disk).unwrap();
        assert_eq!(found[0], Partition { name: "root-a".into(), start: 1024 * 1024, length: 1024 * 1024 });
        assert_eq!(found[1].name, "state");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_file_without_a_table_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0; 4096]).unwrap();
        assert!(partitions(file.path()).is_err());
    }
}

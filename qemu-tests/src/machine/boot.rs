//! The ways in which a machine boots, and the files of an image that each of them needs.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// A folder with a built image, as `callward-image build` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    folder: PathBuf,
}

impl Image {
    /// The image in this folder.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let folder = folder.canonicalize().with_context(|| format!("no image in {}", folder.display()))?;
        let image = Self { folder };
        for file in [image.disk(), image.kernel(), image.file("cmdline")] {
            if !file.is_file() {
                bail!("{} is missing: build the image first", file.display());
            }
        }
        Ok(image)
    }

    /// The image that `CALLWARD_IMAGE` names; `None` without the variable.
    ///
    /// # Errors
    /// When the variable names a folder without an image.
    pub fn from_environment() -> Result<Option<Self>> {
        match std::env::var_os("CALLWARD_IMAGE") {
            Some(folder) => Self::open(PathBuf::from(folder)).map(Some),
            None => Ok(None),
        }
    }

    /// A file of the image.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The whole disk, which is only ever read.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.file("disk.raw")
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> PathBuf {
        self.file("vmlinuz")
    }

    /// The kernel's command line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn command_line(&self) -> Result<String> {
        let file = self.file("cmdline");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(text.trim().to_owned())
    }

    /// The root hash of its verity tree, in hexadecimal.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn root_hash(&self) -> Result<String> {
        let file = self.file("roothash");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(text.trim().to_owned())
    }
}

/// Another operating system, to compare with: `callward-image stock` makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its disk, which is only ever read.
    pub disk: PathBuf,
    /// Its kernel.
    pub kernel: PathBuf,
    /// Its initial file system.
    pub initrd: PathBuf,
    /// Its kernel's command line.
    pub command_line: String,
}

impl Foreign {
    /// The stock Debian of this folder.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn open(folder: &Path) -> Result<Self> {
        let command_line = std::fs::read_to_string(folder.join("stock.cmdline"))
            .with_context(|| format!("no stock system in {}", folder.display()))?;
        Ok(Self {
            disk: folder.join("stock.raw").canonicalize()?,
            kernel: folder.join("stock.vmlinuz"),
            initrd: folder.join("stock.initrd"),
            command_line: command_line.trim().to_owned(),
        })
    }
}

/// How a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boot {
    /// QEMU loads the kernel and hands it the command line: the quick way.
    Kernel(Image),
    /// UEFI firmware finds the boot file on the disk: the way of a real machine.
    Firmware(Image),
    /// QEMU loads the kernel of another system.
    Foreign(Foreign),
}

impl Boot {
    /// The disk that the machine's own one is laid over.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        match self {
            Self::Kernel(image) | Self::Firmware(image) => image.disk(),
            Self::Foreign(system) => system.disk.clone(),
        }
    }
}

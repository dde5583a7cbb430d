//! Files as the stores use them: the few operations on which durability rests, behind a trait so that a test can cut the
//! power between any two of them ([`simulated`](self)).
//!
//! What is written may be lost until [`DiskFile::sync`]; a name that was made, changed or removed may be lost until
//! [`Disk::sync_folder`]. Must not know what the files mean.

#[cfg(test)]
pub mod simulated;

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

/// Bytes of what `st_blocks` counts (stat(2)), whatever the file system has.
const BLOCK: u64 = 512;

/// How a file is opened; always for reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It must be there.
    Existing,
    /// It is made where it is not there.
    Made,
    /// It is made, and emptied where it is there.
    Emptied,
}

/// A file on a [`Disk`].
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When the file system fails.
    fn length(&self) -> io::Result<u64>;

    /// Fills the buffer from this offset on.
    ///
    /// # Errors
    /// When the file system fails, or the file ends before.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of it at this offset.
    ///
    /// # Errors
    /// When the file system fails.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// When the file system fails.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the file system fails.
    fn sync(&self) -> io::Result<()>;

    /// Takes the file for this process alone; false when another one has it.
    ///
    /// # Errors
    /// When the file system fails.
    fn lock(&self) -> io::Result<bool>;
}

/// A file in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes of the disk that it takes: less than its length where it has holes.
    pub taken: u64,
}

/// Room on a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What an unprivileged process may still write.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// When the file system fails.
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, over one that may be there.
    ///
    /// # Errors
    /// When the file system fails.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; it is no error when there is none.
    ///
    /// # Errors
    /// When the file system fails.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The files in a folder, by name.
    ///
    /// # Errors
    /// When the file system fails.
    fn list(&self, folder: &Path) -> io::Result<Vec<Found>>;

    /// Makes a folder with its parents, durably; it is no error when it is there.
    ///
    /// # Errors
    /// When the file system fails.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// When the file system fails.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// How much room there is where this folder lies.
    ///
    /// # Errors
    /// When the file system fails.
    fn space(&self, folder: &Path) -> io::Result<Space>;
}

/// The machine's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(how != How::Existing).truncate(how == How::Emptied).mode(0o600);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // A name that is not UTF-8 is none of ours.
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                found.push(Found { name, bytes: metadata.len(), taken: metadata.blocks().saturating_mul(BLOCK) });
            }
        }
        found.sort();
        Ok(found)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.make_folder(parent)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        parent.map_or(Ok(()), |parent| self.sync_folder(parent))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let found = nix::sys::statvfs::statvfs(folder).map_err(io::Error::from)?;
        let unit = found.fragment_size();
        Ok(Space { free: found.blocks_available().saturating_mul(unit), total: found.blocks().saturating_mul(unit) })
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // With the length, which fdatasync writes too where it changed.
        self.0.sync_data()
    }

    fn lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

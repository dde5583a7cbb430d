//! The store of calls: the one module that knows sled. What it says is stored survives a power cut.
//!
//! sled's own `flush` does not reach the disk (it calls sync_file_range), so each flush here is followed by `sync_all`
//! on its file. Values carry a version and a checksum. A store that cannot be opened is left as it is: nothing here
//! deletes or renames a folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sniffer_core::{
    query::{CallKey, CallSummary},
    record::CallState,
};
use thiserror::Error;

use crate::limits;

/// What this version writes. Another number is not read.
const FORMAT: &[u8] = b"callward calls 1";

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be read or written.
    #[error("the folder {folder:?} cannot be used")]
    Folder {
        /// The store's folder.
        folder: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The database is damaged.
    #[error(
        "the database in {folder:?} is damaged; nothing was changed in it. Move the folder away to begin a new one"
    )]
    Database {
        /// The store's folder.
        folder: PathBuf,
        /// What sled says.
        #[source]
        error: sled::Error,
    },
    /// Another version of the sniffer wrote it.
    #[error(
        "the database in {folder:?} has another format; nothing was changed in it. Move the folder away to begin a new one"
    )]
    Format {
        /// The store's folder.
        folder: PathBuf,
    },
}

impl StoreError {
    fn of(folder: &Path, error: sled::Error) -> Self {
        let folder = folder.to_owned();
        if let sled::Error::Io(error) = error {
            Self::Folder { folder, error }
        } else {
            Self::Database { folder, error }
        }
    }
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    database: sled::Db,
    calls: sled::Tree,
    /// Keys of calls in progress.
    open: sled::Tree,
    meta: sled::Tree,
    keep: u64,
    lost_calls: bool,
}

/// A page of calls.
#[derive(Debug, Default)]
pub struct Page {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// There are older ones.
    pub more: bool,
    /// Values that were damaged and passed over.
    pub damaged: u64,
}

impl Store {
    /// Opens the store in a folder, or makes it. Calls that were in progress when the sniffer last stopped become
    /// interrupted. `keep` is how many calls are kept.
    ///
    /// # Errors
    /// When it cannot be opened; the folder stays as it is.
    pub fn open(folder: &Path, keep: u64) -> Result<Self, StoreError> {
        let folder_error = |error| StoreError::Folder { folder: folder.to_owned(), error };
        let damaged = |error| StoreError::of(folder, error);
        fs::create_dir_all(folder).map_err(folder_error)?;
        let database = sled::Config::new()
            .path(folder)
            .cache_capacity(limits::STORE_CACHE)
            // Flushing is ours.
            .flush_every_ms(None)
            .open()
            .map_err(damaged)?;
        let meta = database.open_tree("meta").map_err(damaged)?;
        match meta.get("format").map_err(damaged)? {
            Some(format) if format.as_ref() == FORMAT => {}
            None if !database.was_recovered() || meta.is_empty() && database.tree_names().len() <= 2 => {
                meta.insert("format", FORMAT).map_err(damaged)?;
            }
            _ => return Err(StoreError::Format { folder: folder.to_owned() }),
        }
        let store = Self {
            folder: folder.to_owned(),
            calls: database.open_tree("calls").map_err(damaged)?,
            open: database.open_tree("open").map_err(damaged)?,
            meta,
            database,
            keep,
            lost_calls: false,
        };
        let (marked, flushed) = (store.marked().map_err(folder_error)?, store.flushed()?);
        let store = Self { lost_calls: marked > flushed, ..store };
        // The next flush must not come out as an older one than the mark.
        store.set_flushed(marked.max(flushed))?;
        store.interrupt_open()?;
        store.flush()?;
        for name in ["conf", "."] {
            File::open(folder.join(name)).and_then(|file| file.sync_all()).map_err(folder_error)?;
        }
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|file| file.sync_all()).map_err(folder_error)?;
        }
        Ok(store)
    }

    fn damaged(&self, error: sled::Error) -> StoreError {
        StoreError::of(&self.folder, error)
    }

    fn interrupt_open(&self) -> Result<(), StoreError> {
        for key in self.open.iter().keys() {
            let key = key.map_err(|error| self.damaged(error))?;
            let value = self.calls.get(&key).map_err(|error| self.damaged(error))?;
            if let Some(mut call) = value.as_deref().and_then(decode)
                && !call.state.is_final()
            {
                call.state = CallState::Interrupted;
                call.lost_here = true;
                self.put(&call)?;
            }
            self.open.remove(&key).map_err(|error| self.damaged(error))?;
        }
        Ok(())
    }

    /// Keeps a call, or what is known of it by now. Durable after the next [`Store::flush`]. Says whether the call was
    /// not there before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put(&self, call: &CallSummary) -> Result<bool, StoreError> {
        let key = call.id.to_bytes();
        let Some(value) = encode(call) else { return Ok(false) };
        let before = self.calls.insert(key, value).map_err(|error| self.damaged(error))?;
        let open = if call.state.is_final() { self.open.remove(key) } else { self.open.insert(key, &[]) };
        open.map_err(|error| self.damaged(error))?;
        Ok(before.is_none())
    }

    /// Makes everything that was kept durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn flush(&self) -> Result<(), StoreError> {
        let number = self.flushed()?.saturating_add(1);
        self.set_flushed(number)?;
        self.database.flush().map_err(|error| self.damaged(error))?;
        File::open(self.folder.join("db"))
            .and_then(|file| file.sync_all())
            .and_then(|()| self.mark(number))
            .map_err(|error| StoreError::Folder { folder: self.folder.clone(), error })
    }

    /// Says whether calls that had been made durable were missing when the store was opened: its file was damaged, and
    /// sled kept what lay before the damage without a word.
    #[must_use]
    pub fn lost_calls(&self) -> bool {
        self.lost_calls
    }

    /// The number of the last flush, as the database has it.
    fn flushed(&self) -> Result<u64, StoreError> {
        let value = self.meta.get("flushes").map_err(|error| self.damaged(error))?;
        Ok(value.and_then(|value| value.first_chunk().copied()).map_or(0, u64::from_be_bytes))
    }

    fn set_flushed(&self, number: u64) -> Result<(), StoreError> {
        self.meta.insert("flushes", &number.to_be_bytes()).map(|_| ()).map_err(|error| self.damaged(error))
    }

    /// The number of the last flush, as the file beside the database has it. A cut one counts as none.
    fn marked(&self) -> io::Result<u64> {
        match fs::read(self.folder.join("mark")) {
            Ok(bytes) => Ok(bytes.first_chunk().copied().map_or(0, u64::from_be_bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Eight bytes over eight bytes: a disk writes its sector whole or not at all. It comes after the database's own
    /// data, so that it is never ahead of what is durable.
    fn mark(&self, number: u64) -> io::Result<()> {
        let mut file = File::options().create(true).truncate(false).write(true).open(self.folder.join("mark"))?;
        file.write_all(&number.to_be_bytes())?;
        file.sync_data()
    }

    /// How many calls are kept. Counts them all: ask rarely.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.calls.len()).unwrap_or(u64::MAX)
    }

    /// Deletes the oldest calls beyond what is to be kept; `count` is how many there are. Returns how many are left.
    ///
    /// # Errors
    /// When the database fails.
    pub fn retain(&self, mut count: u64) -> Result<u64, StoreError> {
        while count > self.keep {
            let oldest = self.calls.pop_min().map_err(|error| self.damaged(error))?;
            let Some((key, _)) = oldest else { return Ok(0) };
            self.open.remove(key).map_err(|error| self.damaged(error))?;
            count = count.saturating_sub(1);
        }
        Ok(count)
    }

    /// A page of calls, newest first, before a call or from the newest on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn page(&self, limit: usize, before: Option<CallKey>) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let end = before.map_or([0xff; 16], CallKey::to_bytes);
        for entry in self.calls.range(..end).rev() {
            let (_, value) = entry.map_err(|error| self.damaged(error))?;
            let Some(call) = decode(&value) else {
                page.damaged = page.damaged.saturating_add(1);
                continue;
            };
            if page.calls.len() == limit {
                page.more = true;
                break;
            }
            page.calls.push(call);
        }
        Ok(page)
    }
}

/// A value: CRC-32 of the rest, then JSON.
fn encode(call: &CallSummary) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(call).ok().filter(|json| json.len() <= limits::STORE_VALUE)?;
    let mut value = crc32fast::hash(&json).to_be_bytes().to_vec();
    value.extend(json);
    Some(value)
}

fn decode(value: &[u8]) -> Option<CallSummary> {
    let (checksum, json) = value.split_first_chunk::<4>()?;
    (json.len() <= limits::STORE_VALUE && crc32fast::hash(json) == u32::from_be_bytes(*checksum)).then_some(())?;
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests;

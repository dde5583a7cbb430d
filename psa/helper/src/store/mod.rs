//! `Durable`: the helper's embedded store (sled 0.34), and the cure of what sled does wrong. No other module sees sled.
//!
//! sled's `flush` uses `sync_file_range`, which survives no power cut: after each flush the database's file is synced
//! here once more. sled also opens a damaged file without a word and leaves out what it cannot read: each value carries
//! a checksum, each change a number, and every change is also exported to a plain file. What is opened must agree with
//! the export or be one change ahead of it; otherwise the helper starts from the export.

mod export;

use crate::disk::{Disk, sync_folder};
use crate::limits;
use nix::fcntl::{Flock, FlockArg};
use openssl::sha::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// The format of keys and values. A store of another format is not touched.
const FORMAT: u32 = 1;
/// The key that holds [`FORMAT`].
const FORMAT_KEY: &str = "format";
/// The key that holds the number of the last change.
const SEQUENCE_KEY: &str = "sequence";
/// Keys with this prefix are not exported: they are worth nothing after a repair.
pub const VOLATILE: &str = "session/";
/// Bytes of a value's checksum: enough to notice damage; the store is no place that an enemy writes to.
const CHECKSUM: usize = 8;

/// Why the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// sled failed.
    #[error("the embedded store failed")]
    Sled(#[from] sled::Error),
    /// The file system failed.
    #[error("the store's files failed")]
    Io(#[from] io::Error),
    /// A value's checksum or JSON is wrong.
    #[error("the value of {0:?} is damaged")]
    Damaged(String),
    /// A value cannot be written as JSON.
    #[error("the value of {0:?} cannot be stored")]
    NotStorable(String, #[source] serde_json::Error),
    /// Another helper has it open.
    #[error("another psa-helper uses the store")]
    Busy,
    /// The store was made by another version.
    #[error("the store has format {0}, this version reads format {FORMAT}")]
    OtherFormat(u32),
}

/// How the store came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was none: it was made, empty.
    Made,
    /// As it was left.
    AsItWas,
    /// It was broken; it holds what the last export held. The broken folder was kept.
    FromExport {
        /// Where the broken folder lies.
        broken: PathBuf,
    },
    /// It was broken and there was no readable export: it is empty. The broken folder was kept.
    Lost {
        /// Where the broken folder lies.
        broken: PathBuf,
    },
}

/// Changes that happen together or not at all.
#[derive(Debug, Default)]
pub struct Batch(BTreeMap<String, Option<Vec<u8>>>);

impl Batch {
    /// Sets a value.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn put<T: Serialize>(mut self, key: &str, value: &T) -> Result<Self, StoreError> {
        // By way of a Value, so that fields have the order that the export gives them, and the two can be compared.
        let json = serde_json::to_value(value).and_then(|value| serde_json::to_vec(&value));
        let json = json.map_err(|error| StoreError::NotStorable(key.to_owned(), error))?;
        self.0.insert(key.to_owned(), Some(json));
        Ok(self)
    }

    /// Removes a value; it is no error when there is none.
    #[must_use]
    pub fn remove(mut self, key: &str) -> Self {
        self.0.insert(key.to_owned(), None);
        self
    }
}

/// The store.
pub struct Durable {
    db: sled::Db,
    folder: PathBuf,
    export: PathBuf,
    disk: Disk,
    /// Held while a batch is written, so that exports follow each other in the order of the changes.
    writing: Mutex<()>,
    /// Released when the store is dropped, or its process ends. Last, so that sled has closed its files before.
    _lock: Option<Flock<File>>,
}

impl StoreError {
    /// Whether the store itself is broken, and not the disk full, read-only or taken by another.
    fn is_damage(&self) -> bool {
        let kind = match self {
            Self::Damaged(_) => return true,
            Self::Sled(sled::Error::Io(error)) | Self::Io(error) => error.kind(),
            Self::Sled(_) => return true,
            Self::NotStorable(..) | Self::Busy | Self::OtherFormat(_) => return false,
        };
        use io::ErrorKind as Kind;
        !matches!(kind, Kind::StorageFull | Kind::QuotaExceeded | Kind::PermissionDenied | Kind::ReadOnlyFilesystem)
    }
}

impl Durable {
    /// Opens the store below `folder` (0700, made where it is missing), repairing it from its export where it must.
    ///
    /// # Errors
    /// When the disk cannot be written, or another version made the store.
    pub fn open(disk: &Disk, folder: &Path) -> Result<(Self, Opened), StoreError> {
        disk.make_folder(folder, 0o700)?;
        let (db_folder, export) = (folder.join("store"), folder.join("export.json"));
        let attempts = folder.join("opening");
        let lock = File::create(folder.join("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|_| StoreError::Busy)?;
        let existed = db_folder.is_dir();
        // sled may end the whole process over a damaged file. The marker tells the next start that this one did.
        let crashed = fs::metadata(&attempts).map_or(0, |marker| marker.len());
        let opened = if crashed < limits::MAX_OPENING_ATTEMPTS {
            let mark = vec![b'x'; usize::try_from(crashed).unwrap_or(0).saturating_add(1)];
            disk.replace(&attempts, &mark, 0o600)?;
            Self::open_checked(disk, &db_folder, &export, existed)
        } else {
            Err(StoreError::Damaged("store, which ended the process that opened it".into()))
        };
        let mut result = match opened {
            Ok(store) if existed => {
                // Mends an export that is missing, damaged or one change behind.
                store.write_export()?;
                (store, Opened::AsItWas)
            }
            Ok(store) => {
                // A folder that is gone altogether counts as broken where an export says that there was one.
                let values = export::read(&store.export).unwrap_or_default();
                store.write(Batch(values))?;
                (store, Opened::Made)
            }
            Err(error) if !error.is_damage() => {
                disk.remove(&attempts)?;
                return Err(error);
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "The store is broken and is set aside"
                );
                let broken = set_aside(folder, &db_folder)?;
                disk.step("broken store set aside");
                let values = export::read(&export);
                let opened = match &values {
                    Ok(_) => Opened::FromExport { broken },
                    Err(_) => Opened::Lost { broken },
                };
                let store = Self::open_checked(disk, &db_folder, &export, false)?;
                store.write(Batch(values.unwrap_or_default()))?;
                (store, opened)
            }
        };
        disk.remove(&attempts)?;
        result.0._lock = Some(lock);
        Ok(result)
    }

    /// Opens sled and reads every value once.
    fn open_checked(disk: &Disk, db_folder: &Path, export: &Path, existed: bool) -> Result<Self, StoreError> {
        if !existed {
            disk.make_folder(db_folder, 0o700)?;
        }
        let store = Self {
            db: open_sled(db_folder)?,
            folder: db_folder.to_owned(),
            export: export.to_owned(),
            disk: disk.clone(),
            writing: Mutex::new(()),
            _lock: None,
        };
        // sled makes an empty database of some damaged ones without a word: a store without its format is none.
        match store.get::<u32>(FORMAT_KEY)? {
            Some(FORMAT) => {}
            Some(other) => return Err(StoreError::OtherFormat(other)),
            None if existed => return Err(StoreError::Damaged(FORMAT_KEY.to_owned())),
            None => {
                store.commit(&Batch::default().put(FORMAT_KEY, &FORMAT)?)?;
                File::open(db_folder.join("conf"))?.sync_all()?;
                sync_folder(db_folder)?;
                db_folder.parent().map_or(Ok(()), sync_folder)?;
            }
        }
        if existed {
            store.check_against_export()?;
        }
        Ok(store)
    }

    /// A value, or `None` where there is none.
    ///
    /// # Errors
    /// When sled fails, or the value is damaged or of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        self.db.get(key)?.map(|stored| unseal(key, &stored).and_then(|json| parse(key, json))).transpose()
    }

    /// Every value whose key starts with `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// When sled fails, or a value is damaged or of another type.
    pub fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(String, T)>, StoreError> {
        self.values(prefix)?.into_iter().map(|(key, json)| parse(&key, &json).map(|value| (key, value))).collect()
    }

    /// Makes changes durable, all or none. When this returns, a power cut cannot undo them.
    ///
    /// # Errors
    /// When the disk fails. The changes may then hold or not hold after a restart, but never a part of them.
    pub fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.0.is_empty() {
            return Ok(());
        }
        let _held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.0.keys().all(|key| key.starts_with(VOLATILE)) {
            return self.commit(&batch);
        }
        let sequence = self.get::<u64>(SEQUENCE_KEY)?.unwrap_or(0).saturating_add(1);
        self.commit(&batch.put(SEQUENCE_KEY, &sequence)?)?;
        self.write_export()
    }

    fn write_export(&self) -> Result<(), StoreError> {
        export::write(&self.disk, &self.export, self.exported()?)
    }

    /// Every value that is worth keeping.
    fn exported(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let is_kept = |key: &str| !key.starts_with(VOLATILE) && key != FORMAT_KEY;
        Ok(self.values("")?.into_iter().filter(|(key, _)| is_kept(key)).collect())
    }

    /// Makes sure that sled lost nothing: its values are those of the export, or of the change after it.
    fn check_against_export(&self) -> Result<(), StoreError> {
        let values = self.exported()?;
        let exported = match export::read(&self.export) {
            Ok(exported) => exported,
            Err(error) => {
                tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "The export cannot be read");
                return Ok(());
            }
        };
        let number = |json: Option<&Vec<u8>>| json.and_then(|json| serde_json::from_slice::<u64>(json).ok());
        let of_store = number(values.iter().find(|(key, _)| key == SEQUENCE_KEY).map(|(_, json)| json)).unwrap_or(0);
        let of_export = number(exported.get(SEQUENCE_KEY).and_then(Option::as_ref)).unwrap_or(0);
        let is_same =
            || values.iter().map(|(key, json)| (key, Some(json))).eq(exported.iter().map(|(k, v)| (k, v.as_ref())));
        if of_store > of_export || (of_store == of_export && is_same()) {
            Ok(())
        } else {
            Err(StoreError::Damaged(SEQUENCE_KEY.to_owned()))
        }
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for (key, value) in &batch.0 {
            match value {
                Some(json) => changes.insert(key.as_bytes(), seal(key, json)),
                None => changes.remove(key.as_bytes()),
            }
        }
        self.db.apply_batch(changes)?;
        self.disk.step("store changed");
        self.db.flush()?;
        // flush() alone is not durable: see the module's comment.
        File::open(self.folder.join("db"))?.sync_all()?;
        self.disk.step("store synced");
        Ok(())
    }

    fn values(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.db
            .scan_prefix(prefix)
            .map(|entry| {
                let (key, stored) = entry?;
                let key = String::from_utf8_lossy(&key).into_owned();
                let json = unseal(&key, &stored)?.to_owned();
                Ok((key, json))
            })
            .collect()
    }
}

/// Opens sled. It lets go of its lock a little after it was dropped; the store's own lock is held here, so nobody else
/// has it, and waiting is right where setting the store aside would not be.
fn open_sled(folder: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(limits::STORE_CACHE)
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    for _ in 0..limits::STORE_LOCK_LOOKS {
        match config.open() {
            // sled has no variant for it.
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(limits::STORE_LOCK_PAUSE);
            }
            other => return Ok(other?),
        }
    }
    Err(StoreError::Busy)
}

/// Renames the broken folder to `store-broken-N`, keeping those of earlier times.
fn set_aside(folder: &Path, db_folder: &Path) -> io::Result<PathBuf> {
    let free = (1_u32..).map(|n| folder.join(format!("store-broken-{n}"))).find(|path| !path.exists());
    let broken = free.ok_or_else(|| io::Error::other("no free name for a broken store"))?;
    fs::rename(db_folder, &broken)?;
    sync_folder(folder)?;
    Ok(broken)
}

fn checksum(key: &str, json: &[u8]) -> [u8; CHECKSUM] {
    let sum = sha256(&[key.as_bytes(), b"\0", json].concat());
    let mut short = [0; CHECKSUM];
    short.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
    short
}

fn seal(key: &str, json: &[u8]) -> Vec<u8> {
    [&checksum(key, json), json].concat()
}

fn unseal<'a>(key: &str, stored: &'a [u8]) -> Result<&'a [u8], StoreError> {
    match stored.split_at_checked(CHECKSUM) {
        Some((sum, json)) if sum == checksum(key, json) => Ok(json),
        _ => Err(StoreError::Damaged(key.to_owned())),
    }
}

fn parse<T: DeserializeOwned>(key: &str, json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(|_| StoreError::Damaged(key.to_owned()))
}

#[cfg(test)]
mod tests;

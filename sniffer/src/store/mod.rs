//! The store of calls: the one module that knows the database, redb. What it says is stored survives a power cut.
//!
//! redb and not sled: sled's `flush` does not reach the disk, nobody keeps it, and redb takes its files from us
//! ([`crate::disk`]), so that a test cuts the power at every write. A value for each call is all that goes into a B-tree;
//! what calls are found by goes there in sorted pages ([`index`]), or a record would cost 45 µs and not 10.
//! Values carry a checksum. A store that cannot be opened is left as it is: nothing here deletes or renames one.

mod backend;
mod compact;
mod encoded;
pub mod entries;
mod error;
mod fresh;
pub mod index;
mod kind;
mod open;
#[cfg(not(test))]
mod records;
#[cfg(test)]
pub mod records;
mod retain;
mod search;
pub mod value;
mod write;

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{Database, ReadableDatabase, TableDefinition};
use sniffer_core::query::{CallDetail, CallKey, CallSummary};

pub use self::{
    encoded::{Encoded, Encoder},
    error::StoreError,
    open::file_of,
    records::KeptRecord,
    retain::{Bounds, Unarchived},
    search::{Found, Rows},
    value::{Detail, DetailOf, Kept, KeptOf, Key, PacketsOf},
    write::{Written, hour},
};
use crate::disk::{Disk, DiskFile};

/// The format, and figures that go with each commit.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Ended calls by their key.
const CALLS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("calls");
/// Calls in progress by their key.
const OPEN: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("open");
/// Pages of the index: the run's number and the page's first entry.
const RUNS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("runs");
/// The oldest and the newest key of each run.
const RUN_KEYS: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("run keys");
/// Entries of late calls, a row for each commit.
const FRESH: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("fresh");
/// Keys of calls that are in no archive yet, by the hour in which they were kept.
const UNARCHIVED: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("unarchived");

/// The store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    database: Database,
    shape: &'static kind::Shape,
    index: RwLock<Index>,
    damaged: AtomicU64,
    /// Octets of all values of ended calls.
    bytes: AtomicU64,
    /// Held for as long as the store is open.
    _lock: Arc<dyn DiskFile>,
}

/// What is known of the index in memory.
#[derive(Debug, Default)]
struct Index {
    /// Entries of ended calls.
    ended: fresh::Ended,
    /// Entries of calls in progress, and of some that have ended meanwhile.
    fresh: index::Fresh,
    /// Calls in progress, whose entries do not go into a run.
    open: std::collections::BTreeSet<Key>,
    runs: Vec<Run>,
    /// Ended calls whose entries are fresh.
    fresh_calls: usize,
    next_commit: u64,
    next_run: u64,
}

/// A run of the index.
#[derive(Clone, Copy, Debug)]
struct Run {
    number: u64,
    oldest: Key,
    newest: Key,
}

/// A page of calls.
#[derive(Debug, Default)]
pub struct Page {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// There are older ones.
    pub more: bool,
}

/// A call as it is given away.
fn detail_of(summary: CallSummary, detail: Option<Detail>) -> CallDetail {
    let (record, streams) = detail.map_or((None, Vec::new()), |detail| (Some(detail.record), detail.streams));
    CallDetail { summary, record, streams }
}

impl Store {
    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::of(&self.0.folder, error.into())
    }

    /// How many calls are kept, those in progress among them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count(&self) -> Result<u64, StoreError> {
        use redb::ReadableTableMetadata;
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        let open = reading.open_table(OPEN).map_err(|error| self.failed(error))?;
        let ended = calls.len().map_err(|error| self.failed(error))?;
        Ok(ended.saturating_add(open.len().map_err(|error| self.failed(error))?))
    }

    /// How many ended calls are kept.
    ///
    /// # Errors
    /// When the database fails.
    pub fn ended(&self) -> Result<u64, StoreError> {
        use redb::ReadableTableMetadata;
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        calls.len().map_err(|error| self.failed(error))
    }

    /// Says whether the database's file takes more of the disk than what it holds needs, so that more fits before it grows.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.file_bytes() > file_of(self.bytes())
    }

    /// Values and pages that were damaged and passed over.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.0.damaged.load(Ordering::Relaxed)
    }

    /// A page of calls, newest first, before a call or from the newest on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn page(&self, limit: usize, before: Option<CallKey>) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let mut before = before;
        let filter = sniffer_core::query::CallFilter::default();
        loop {
            let missing = limit.saturating_sub(page.calls.len());
            let found = self.search(&filter, missing, before)?;
            page.calls.extend(found.calls);
            before = found.next;
            page.more = before.is_some();
            if before.is_none() || page.calls.len() >= limit {
                return Ok(page);
            }
        }
    }

    /// A call with its streams, and where its packets are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn call(&self, id: CallKey) -> Result<Option<(CallDetail, Option<PacketsOf>)>, StoreError> {
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        let open = reading.open_table(OPEN).map_err(|error| self.failed(error))?;
        let key = id.to_bytes();
        let value = match calls.get(&key).map_err(|error| self.failed(error))? {
            Some(value) => Some(value),
            None => open.get(&key).map_err(|error| self.failed(error))?,
        };
        let Some(value) = value else { return Ok(None) };
        let Some((row, detail)) = value::whole(value.value()) else {
            self.count_damage();
            return Ok(None);
        };
        Ok(Some((detail_of(row.summary, detail), row.packets)))
    }

    /// Gives the values of calls; those that are not kept are left out. `take` says whether a value is whole.
    ///
    /// # Errors
    /// When the database fails.
    pub fn values(&self, ids: &[CallKey], mut take: impl FnMut(&[u8]) -> bool) -> Result<(), StoreError> {
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        for id in ids {
            let value = calls.get(&id.to_bytes()).map_err(|error| self.failed(error))?;
            if value.is_some_and(|value| !take(value.value())) {
                self.count_damage();
            }
        }
        Ok(())
    }

    /// The time of the oldest call that is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub fn oldest(&self) -> Result<Option<sniffer_core::time::Timestamp>, StoreError> {
        use redb::ReadableTable;
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        let first = calls.first().map_err(|error| self.failed(error))?;
        Ok(first.map(|(key, _)| retain::start_of(*key.value())))
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.0.folder
    }

    /// Octets of the disk that the database's file takes. The file is longer: the database doubles it when it is full, and
    /// from 4 GiB on adds as much; what was not written of it is a hole.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        let found = self.0.disk.list(&self.0.folder).unwrap_or_default();
        found.iter().find(|file| file.name == self.0.shape.file).map_or(0, |file| file.taken)
    }

    /// Octets of what is kept, without the room that the database holds for what comes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    fn index_mut(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.0.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod room;
#[cfg(test)]
pub mod tests;

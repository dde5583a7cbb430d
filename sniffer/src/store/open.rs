//! Opening a store, or making one.

use std::{
    path::Path,
    sync::{Arc, RwLock, atomic::AtomicU64},
};

use redb::{Builder, Database, ReadableDatabase, ReadableTable};
use sniffer_core::{
    query::CallKey,
    record::{CallState, RecordKind},
    time::Timestamp,
};

use super::{
    CALLS, Detail, FRESH, Index, Inner, Kept, META, OPEN, RUN_KEYS, RUNS, Run, Store, StoreError, UNARCHIVED,
    backend::Backend,
    entries::Entries,
    index,
    kind::{self, Shape},
    value::{self, Key, Row},
    write::number,
};
use crate::{
    disk::{Disk, How},
    limits,
};

/// Taken for as long as the store is open; holds how often it was opened and not closed since it last was.
const LOCK: &str = "lock";

impl Store {
    /// Opens the store in a folder, or makes it. Calls that were in progress when the sniffer last stopped become
    /// interrupted; `now` is the hour in whose archive they go.
    ///
    /// # Errors
    /// When it cannot be opened; the folder stays as it is.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let store = Self::open_as(&kind::CALLS, disk, folder)?;
        store.interrupt_open(now)?;
        Ok(store)
    }

    /// Opens the store of all else of one kind in a folder of its own, or makes it. What went on when the sniffer last
    /// stopped goes as it is in the archive of the hour `now`.
    ///
    /// # Errors
    /// When it cannot be opened; the folder stays as it is.
    pub fn open_records(
        kind: RecordKind,
        disk: &Arc<dyn Disk>,
        folder: &Path,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let store = Self::open_as(Shape::of(kind), disk, folder)?;
        store.end_rows(now)?;
        Ok(store)
    }

    fn open_as(shape: &'static Shape, disk: &Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        let io = |error| StoreError::Folder { folder: folder.to_owned(), error };
        let failed = |error: redb::Error| StoreError::of(folder, error);
        disk.make_folder(folder).map_err(io)?;
        let lock = disk.open(&folder.join(LOCK), How::Made).map_err(io)?;
        if !lock.lock().map_err(io)? {
            return Err(StoreError::Busy { folder: folder.to_owned() });
        }
        // A damaged page can end the process (redb checks them all only when told to): the third start in a row that
        // was not followed by a stop checks everything first.
        let mut starts = [0; 1];
        let is_suspicious = lock.read(0, &mut starts).is_ok() && starts[0] >= 2;
        lock.write(0, &[starts[0].saturating_add(1).min(100)]).and_then(|()| lock.sync()).map_err(io)?;
        let names = disk.list(folder).map_err(io)?;
        if !names.iter().any(|found| found.name == shape.file) {
            // Under another name until it is whole: half a database could never be opened.
            let file = disk.open(&folder.join(shape.part), How::Emptied).map_err(io)?;
            let database = Builder::new().create_with_backend(Backend(Arc::clone(&file)));
            make_tables(&database.map_err(|error| failed(error.into()))?, shape).map_err(failed)?;
            file.sync().map_err(io)?;
            drop(file);
            disk.rename(&folder.join(shape.part), &folder.join(shape.file)).map_err(io)?;
        }
        disk.sync_folder(folder).map_err(io)?;
        let file = disk.open(&folder.join(shape.file), How::Existing).map_err(io)?;
        let mut database = Builder::new()
            .set_cache_size(shape.cache)
            .set_check_integrity_on_open(is_suspicious)
            .create_with_backend(Backend(file))
            .map_err(|error| failed(error.into()))?;
        let (index, bytes) = read_index(&database, shape).map_err(failed)?;
        let Some(index) = index else { return Err(StoreError::Format { folder: folder.to_owned() }) };
        let before =
            disk.list(folder).map_err(io)?.iter().find(|file| file.name == shape.file).map_or(0, |file| file.taken);
        if before > limits::STORE_COMPACT.max(file_of(bytes).saturating_mul(2)) {
            // Much was deleted: the rest moves to the front, and the end of the file is given back. Each step is a
            // transaction of its own, so a power cut ends it and hurts nothing.
            while database.compact().map_err(|error| failed(error.into()))? {}
        }
        let store = Self(Arc::new(Inner {
            folder: folder.to_owned(),
            disk: Arc::clone(disk),
            database,
            shape,
            index: RwLock::new(index.0),
            damaged: AtomicU64::new(index.1),
            bytes: AtomicU64::new(bytes),
            _lock: lock,
        }));
        Ok(store)
    }

    /// Takes note that the store is being closed as it should be.
    pub fn close(&self) {
        // When it fails, a later start looks more closely than it has to.
        if let Err(error) = self.0._lock.write(0, &[0]).and_then(|()| self.0._lock.sync()) {
            tracing::debug!("The store's closing could not be noted: {error}");
        }
    }

    /// Ends calls in progress whose end was lost; others are left as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn interrupt(&self, calls: &[CallKey], now: Timestamp) -> Result<(), StoreError> {
        for some in calls.chunks(limits::STORE_BATCH) {
            let mut ended = Vec::new();
            {
                let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
                let open = reading.open_table(OPEN).map_err(|error| self.failed(error))?;
                for key in some {
                    let value = open.get(&key.to_bytes()).map_err(|error| self.failed(error))?;
                    let found = value.and_then(|value| value::whole(value.value()));
                    ended.extend(found.map(|(row, detail)| interrupted(row, detail)));
                }
            }
            if !ended.is_empty() {
                self.write(&ended, Some(now))?;
            }
        }
        Ok(())
    }

    fn interrupt_open(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
            let open = reading.open_table(OPEN).map_err(|error| self.failed(error))?;
            let mut calls = Vec::new();
            let mut gone: Vec<Key> = Vec::new();
            for entry in open.iter().map_err(|error| self.failed(error))?.take(limits::STORE_BATCH) {
                let (key, value) = entry.map_err(|error| self.failed(error))?;
                let Some((row, detail)) = value::whole(value.value()) else {
                    self.count_damage();
                    gone.push(*key.value());
                    continue;
                };
                calls.push(interrupted(row, detail));
            }
            if calls.is_empty() && gone.is_empty() {
                return Ok(());
            }
            self.remove_open(&gone)?;
            self.write(&calls, Some(now))?;
        }
    }
}

/// How much of the disk the database's file takes at most for values of so many octets: they fill two thirds of their
/// pages, and the index is beside them.
#[must_use]
pub fn file_of(values: u64) -> u64 {
    values.saturating_mul(limits::STORE_FILE_TENTHS) / 10
}

/// The last that is known of a call, as a call that was interrupted.
fn interrupted(row: Row, mut detail: Option<Detail>) -> Kept {
    let mut summary = row.summary;
    if !summary.state.is_final() {
        summary.state = CallState::Interrupted;
        summary.lost_here = true;
        if let Some(detail) = &mut detail {
            detail.record.state = CallState::Interrupted;
            detail.record.lost_here = true;
        }
    }
    Kept { summary, detail, packets: row.packets, is_last: true }
}

fn make_tables(database: &Database, shape: &Shape) -> Result<(), redb::Error> {
    let mut writing = database.begin_write()?;
    writing.set_two_phase_commit(true);
    writing.open_table(META)?.insert("format", shape.format)?;
    writing.open_table(CALLS)?;
    writing.open_table(OPEN)?;
    writing.open_table(RUNS)?;
    writing.open_table(RUN_KEYS)?;
    writing.open_table(FRESH)?;
    writing.open_table(UNARCHIVED)?;
    writing.commit()?;
    Ok(())
}

/// The index with the count of damaged rows, and the octets that are kept; no index when the format is another one.
type Read = (Option<(Index, u64)>, u64);

fn read_index(database: &Database, shape: &Shape) -> Result<Read, redb::Error> {
    let reading = database.begin_read()?;
    let meta = match reading.open_table(META) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok((None, 0)),
        other => other?,
    };
    if meta.get("format")?.is_none_or(|format| format.value() != shape.format) {
        return Ok((None, 0));
    }
    let mut index = Index { next_run: number(&meta, "next run")?, ..Index::default() };
    let mut damaged = 0_u64;
    for run in reading.open_table(RUN_KEYS)?.iter()? {
        let (run, keys) = run?;
        let (oldest, newest) = keys.value().split_at(16);
        let (Ok(oldest), Ok(newest)) = (oldest.try_into(), newest.try_into()) else { continue };
        index.runs.push(Run { number: run.value(), oldest, newest });
    }
    for entry in reading.open_table(OPEN)?.iter()? {
        index.open.insert(*entry?.0.value());
    }
    let mut calls = std::collections::BTreeSet::new();
    for row in reading.open_table(FRESH)?.iter()? {
        let (commit, row) = row?;
        index.next_commit = index.next_commit.max(commit.value().saturating_add(1));
        match index::read_page(row.value()) {
            Some(entries) => {
                calls.extend(entries.iter().filter_map(|(entry, _)| index::key_of(entry)));
                let mut all = Entries::default();
                entries.iter().for_each(|(entry, head)| all.add(&[entry], *head));
                index.ended.add(all);
            }
            None => damaged = damaged.saturating_add(1),
        }
    }
    index.fresh_calls = calls.len();
    index.next_commit = index.next_commit.max(number(&meta, "next commit")?);
    Ok((Some((index, damaged)), number(&meta, "bytes")?))
}

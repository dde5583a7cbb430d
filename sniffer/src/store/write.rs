//! Keeping calls: one transaction for all that came within a second.

use std::{
    collections::BTreeSet,
    sync::{PoisonError, atomic::Ordering},
};

use redb::{ReadableTable, WriteTransaction};
use sniffer_core::time::Timestamp;

use super::{
    CALLS, FRESH, Index, META, OPEN, RUN_KEYS, RUNS, Run, Store, StoreError, UNARCHIVED,
    entries::Entries,
    index::{self, Fresh, Kind},
    kind::Stored,
    search::run_key,
    value::Key,
};

use crate::limits;

/// What a commit changes in memory once it is durable.
#[derive(Default)]
struct Change {
    /// Entries of ended calls, sorted.
    entries: Entries,
    /// Entries of calls in progress.
    fresh: Fresh,
    opened: BTreeSet<Key>,
    closed: BTreeSet<Key>,
    ended: usize,
    runs: Vec<Run>,
    /// Calls that were not there before.
    added: u64,
    /// Octets of values that came, and of those that they replace.
    more: u64,
    less: u64,
}

/// A value that is replaced.
struct Before {
    is_same: bool,
    length: u64,
    /// It was a row that was to be written again.
    went_on: bool,
    /// It is found by the same entries.
    is_found_as: bool,
}

impl Before {
    fn of<T: Stored>(call: &T, before: &[u8], value: &[u8]) -> Self {
        let is_same = before == value;
        Self {
            is_same,
            length: length(before),
            went_on: T::went_on(before),
            is_found_as: !is_same && call.is_found_as(before),
        }
    }
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Ended calls that were not there before.
    pub added: u64,
}

/// A figure of the table of figures; zero where there is none.
pub(super) fn number(meta: &impl ReadableTable<&'static str, &'static [u8]>, name: &str) -> Result<u64, redb::Error> {
    let value = meta.get(name)?;
    Ok(value.and_then(|value| value.value().first_chunk().copied()).map_or(0, u64::from_be_bytes))
}

impl Store {
    /// Keeps calls, those that have ended and what is known of those in progress. They are durable when this returns.
    /// `now` is the hour in whose archive the ended ones go; none where they are not to be archived.
    ///
    /// # Errors
    /// When the database or the disk fails: nothing of it is kept then.
    pub fn write<T: Stored>(&self, calls: &[T], now: Option<Timestamp>) -> Result<Written, StoreError> {
        let writing = self.begin()?;
        let change = self.fill(&writing, calls, now).map_err(|error| self.failed(error))?;
        writing.commit().map_err(|error| self.failed(error))?;
        self.0.bytes.fetch_add(change.more, Ordering::Relaxed);
        self.0.bytes.fetch_sub(change.less, Ordering::Relaxed);
        let written = Written { added: change.added };
        let mut index = self.index_mut();
        let index = &mut *index;
        index.next_commit = index.next_commit.saturating_add(1);
        index.open.retain(|key| !change.closed.contains(key));
        index.open.extend(change.opened);
        if let Some(last) = change.runs.last() {
            index.next_run = last.number.saturating_add(1);
            index.runs.extend(change.runs);
            let open = &index.open;
            index.fresh.retain(|entry, _| index::key_of(entry).is_some_and(|key| open.contains(&key)));
            index.fresh.extend(change.fresh);
            index.ended.clear();
            index.fresh_calls = 0;
        } else {
            index.fresh.extend(change.fresh);
            index.ended.add(change.entries);
            index.fresh_calls = index.fresh_calls.saturating_add(change.ended);
        }
        Ok(written)
    }

    /// A transaction that is durable once committed, and after which a start needs no walk over everything.
    pub(super) fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut writing = self.0.database.begin_write().map_err(|error| self.failed(error))?;
        writing.set_two_phase_commit(true);
        writing.set_quick_repair(true);
        Ok(writing)
    }

    fn fill<T: Stored>(
        &self,
        writing: &WriteTransaction,
        calls: &[T],
        now: Option<Timestamp>,
    ) -> Result<Change, redb::Error> {
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut change = Change::default();
        let mut kept = writing.open_table(CALLS)?;
        let mut open = writing.open_table(OPEN)?;
        let mut archive: Vec<u8> = Vec::new();
        // In the order of their keys: neighbours share pages.
        let mut order: Vec<(Key, &T)> = calls.iter().map(|call| (call.key(), call)).collect();
        order.sort_by_key(|(key, _)| *key);
        for (key, call) in order {
            let Some(value) = call.encode() else { continue };
            if !call.is_in_progress() {
                if index.open.contains(&key) || change.opened.remove(&key) {
                    open.remove(&key)?;
                    change.closed.insert(key);
                }
                let before = kept.get(&key)?.map(|before| Before::of(call, before.value(), &value));
                if call.goes_on() {
                    if before.is_none() {
                        open.insert(&key, &[][..])?;
                    }
                } else if before.as_ref().is_none_or(|before| before.went_on) {
                    archive.extend_from_slice(&key);
                    if before.is_some() {
                        open.remove(&key)?;
                    }
                }
                match &before {
                    Some(before) if before.is_same => continue,
                    Some(before) => change.less = change.less.saturating_add(before.length),
                    None => {
                        if let Some(earlier) = call.row_before()
                            && open.remove(&earlier)?.is_some()
                        {
                            archive.extend_from_slice(&earlier);
                        }
                        change.added = change.added.saturating_add(1);
                    }
                }
                change.more = change.more.saturating_add(length(&value));
                kept.insert(&key, &value[..])?;
                if before.is_some_and(|before| before.is_found_as) {
                    continue;
                }
                call.entries(&mut change.entries);
                change.ended = change.ended.saturating_add(1);
            } else if kept.get(&key)?.is_none() {
                open.insert(&key, &value[..])?;
                change.opened.insert(key);
                let mut entries = Entries::default();
                call.entries(&mut entries);
                change.fresh.extend(entries.iter().map(|(entry, head)| (entry.to_vec(), head)));
            }
        }
        drop((kept, open));
        if let Some(now) = now.filter(|_| !archive.is_empty()) {
            writing.open_table(UNARCHIVED)?.insert((hour(now), index.next_commit), &archive[..])?;
        }
        change.entries.sort();
        if index.fresh_calls.saturating_add(change.ended) >= self.0.shape.run {
            change.runs = write_runs(writing, &index, &change.entries)?;
        } else if !change.entries.is_empty() {
            writing.open_table(FRESH)?.insert(index.next_commit, &index::commit_row(&change.entries)[..])?;
        }
        let mut meta = writing.open_table(META)?;
        let bytes = number(&meta, "bytes")?.saturating_add(change.more).saturating_sub(change.less);
        meta.insert("bytes", &bytes.to_be_bytes()[..])?;
        meta.insert("next commit", &index.next_commit.saturating_add(1).to_be_bytes()[..])?;
        Ok(change)
    }

    /// The number of the next commit.
    pub(super) fn next_commit(&self) -> u64 {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner).next_commit
    }

    /// Forgets calls in progress whose values are damaged.
    pub(super) fn remove_open(&self, keys: &[Key]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let writing = self.begin()?;
        (|| -> Result<(), redb::Error> {
            let mut open = writing.open_table(OPEN)?;
            for key in keys {
                open.remove(key)?;
            }
            Ok(())
        })()
        .map_err(|error| self.failed(error))?;
        writing.commit().map_err(|error| self.failed(error))
    }
}

/// The entries of all ended calls of late as pages of runs, and their rows gone. Those calls that began longest ago have a
/// run of their own: with one of five hours in it, a run of some minutes would be looked at by each search in those hours.
fn write_runs(writing: &WriteTransaction, index: &Index, ended: &Entries) -> Result<Vec<Run>, redb::Error> {
    let all = index.ended.with(ended);
    // Each has one entry of its time, and those are in their order.
    let begin = index::begin(Kind::Time);
    let keys: Vec<Key> = all
        .iter()
        .filter(|(entry, _)| entry.starts_with(&begin))
        .filter_map(|(entry, _)| index::key_of(entry))
        .collect();
    let Some(cut) = keys.get(keys.len() / limits::STORE_RUN_OLD).copied() else { return Ok(Vec::new()) };
    let mut written = Vec::new();
    let mut runs = writing.open_table(RUNS)?;
    for is_old in [true, false] {
        let is_in = |key: &Key| (*key < cut) == is_old;
        let (Some(oldest), Some(newest)) = (keys.iter().copied().find(is_in), keys.iter().copied().rfind(is_in)) else {
            continue;
        };
        let number = index.next_run.saturating_add(u64::try_from(written.len()).unwrap_or(0));
        let entries = all.iter().filter(|(entry, _)| index::key_of(entry).is_some_and(|key| is_in(&key)));
        for (first, page) in index::pages(entries.copied()) {
            runs.insert(&run_key(number, &first)[..], &page[..])?;
        }
        let mut both = [0; 32];
        both[..16].copy_from_slice(&oldest);
        both[16..].copy_from_slice(&newest);
        writing.open_table(RUN_KEYS)?.insert(number, &both)?;
        written.push(Run { number, oldest, newest });
    }
    writing.open_table(FRESH)?.retain(|_, _| false)?;
    let next = index.next_run.saturating_add(u64::try_from(written.len()).unwrap_or(0));
    writing.open_table(META)?.insert("next run", &next.to_be_bytes()[..])?;
    Ok(written)
}

fn length(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}

/// Whole hours since the epoch.
pub fn hour(time: Timestamp) -> u64 {
    time.as_micros() / 3_600_000_000
}

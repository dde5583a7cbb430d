//! Keeping calls: one transaction for all that came within a second.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{PoisonError, atomic::Ordering},
};

use redb::{ReadableTable, WriteTransaction};
use sniffer_core::time::Timestamp;

use super::{
    CALLS, FRESH, Index, Kept, META, OPEN, RUN_KEYS, RUNS, Run, Store, StoreError, UNARCHIVED, fresh,
    index::{self, Entry, Fresh},
    kind::Stored,
    search::run_key,
    value::{Head, Key},
};

/// What a commit changes in memory once it is durable.
#[derive(Default)]
struct Change {
    /// Entries of ended calls.
    entries: Vec<(Entry, Head)>,
    /// Entries of calls in progress.
    fresh: Fresh,
    opened: BTreeSet<Key>,
    closed: BTreeSet<Key>,
    ended: usize,
    run: Option<Run>,
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
        if let Some(run) = change.run {
            index.runs.push(run);
            index.next_run = run.number.saturating_add(1);
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
        let mut entries: Vec<(Entry, Head)> = Vec::with_capacity(calls.len().saturating_mul(10));
        let mut archive: Vec<u8> = Vec::new();
        // In the order of their keys: neighbours share pages.
        let mut order: Vec<(Key, &T)> = calls.iter().map(|call| (call.key(), call)).collect();
        order.sort_by_key(|(key, _)| *key);
        for (key, call) in order {
            let Some(value) = call.encode() else { continue };
            let head = call.head();
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
                entries.extend(call.entries().into_iter().map(|entry| (entry, head)));
                change.ended = change.ended.saturating_add(1);
            } else if kept.get(&key)?.is_none() {
                open.insert(&key, &value[..])?;
                change.opened.insert(key);
                change.fresh.extend(call.entries().into_iter().map(|entry| (entry, head)));
            }
        }
        drop((kept, open));
        if let Some(now) = now.filter(|_| !archive.is_empty()) {
            writing.open_table(UNARCHIVED)?.insert((hour(now), index.next_commit), &archive[..])?;
        }
        change.entries = fresh::sorted(entries);
        if index.fresh_calls.saturating_add(change.ended) >= self.0.shape.run {
            change.run = write_run(writing, &index, &change.entries)?;
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

/// The entries of all ended calls of late as pages, and their rows gone.
fn write_run(writing: &WriteTransaction, index: &Index, ended: &[(Entry, Head)]) -> Result<Option<Run>, redb::Error> {
    let all = index.ended.with(ended);
    let keys = all.iter().filter_map(|(entry, _)| index::key_of(entry));
    let (Some(oldest), Some(newest)) = (keys.clone().min(), keys.max()) else { return Ok(None) };
    let number = index.next_run;
    let mut runs = writing.open_table(RUNS)?;
    for (first, page) in index::pages(all.iter().copied()) {
        runs.insert(&run_key(number, &first)[..], &page[..])?;
    }
    let mut both = [0; 32];
    both[..16].copy_from_slice(&oldest);
    both[16..].copy_from_slice(&newest);
    writing.open_table(RUN_KEYS)?.insert(number, &both)?;
    writing.open_table(FRESH)?.retain(|_, _| false)?;
    writing.open_table(META)?.insert("next run", &number.saturating_add(1).to_be_bytes()[..])?;
    Ok(Some(Run { number, oldest, newest }))
}

/// Addresses of the call's signalling, on the first hop that was seen.
pub(super) fn addresses(call: &Kept) -> Vec<IpAddr> {
    let Some(detail) = &call.detail else { return Vec::new() };
    let details = &detail.record.details;
    let ends = [details.caller.address.as_deref(), details.callee.address.as_deref()];
    let socket = |text: &str| text.parse::<std::net::SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse());
    ends.into_iter().flatten().filter_map(|text| socket(text).ok()).collect()
}

fn length(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}

/// Whole hours since the epoch.
pub fn hour(time: Timestamp) -> u64 {
    time.as_micros() / 3_600_000_000
}

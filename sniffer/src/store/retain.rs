//! Deleting the oldest calls, and what the archive still has to write.

use std::sync::atomic::Ordering;

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use sniffer_core::{query::CallKey, time::Timestamp};

use super::{CALLS, META, RUN_KEYS, RUNS, Store, StoreError, UNARCHIVED, search::run_key, value::Key, write::number};
use crate::limits;

/// What is kept at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Calls.
    pub calls: u64,
    /// Octets of their values.
    pub bytes: u64,
    /// Only calls that started at this time or later.
    pub since: Timestamp,
}

/// When the call with this key started.
#[must_use]
pub fn start_of(key: Key) -> Timestamp {
    let micros = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Timestamp::from_parts(micros / 1_000_000, micros % 1_000_000 * 1000)
}

impl Store {
    /// Deletes the oldest calls beyond the bounds, some thousands at most. Returns how many it was, and their octets:
    /// ask again until it is none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn retain(&self, bounds: &Bounds) -> Result<(u64, u64), StoreError> {
        let is_within = |count: u64, bytes: u64, oldest: Option<Timestamp>| {
            count <= bounds.calls && bytes <= bounds.bytes && oldest.is_none_or(|oldest| oldest >= bounds.since)
        };
        {
            // Mostly there is nothing to do, and then nobody waits for a transaction.
            let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
            let calls = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
            let count = calls.len().map_err(|error| self.failed(error))?;
            if is_within(count, self.bytes(), self.oldest()?) {
                return Ok((0, 0));
            }
        }
        let writing = self.begin()?;
        let done = (|| -> Result<Option<(u64, u64, Vec<u64>)>, redb::Error> {
            let mut meta = writing.open_table(META)?;
            let mut calls = writing.open_table(CALLS)?;
            let before = number(&meta, "bytes")?;
            let (mut bytes, mut count) = (before, calls.len()?);
            let mut last: Option<Key> = None;
            let mut deleted = 0_u64;
            for entry in calls.iter()?.take(limits::STORE_BATCH) {
                let (key, value) = entry?;
                if is_within(count, bytes, Some(start_of(*key.value()))) {
                    break;
                }
                last = Some(*key.value());
                bytes = bytes.saturating_sub(u64::try_from(value.value().len()).unwrap_or(0));
                count = count.saturating_sub(1);
                deleted = deleted.saturating_add(1);
            }
            let Some(last) = last else { return Ok(None) };
            calls.retain_in::<&Key, _>(..=&last, |_, _| false)?;
            let oldest = if calls.is_empty()? { None } else { calls.first()?.map(|(key, _)| *key.value()) };
            drop(calls);
            // A run goes when the newest of its calls has gone.
            let mut keys = writing.open_table(RUN_KEYS)?;
            let mut gone = Vec::new();
            for run in keys.iter()? {
                let (number, both) = run?;
                let newest: Option<Key> = both.value().last_chunk().copied();
                if newest.is_some_and(|newest| newest <= last && oldest.is_none_or(|oldest| newest < oldest)) {
                    gone.push(number.value());
                }
            }
            let mut pages = writing.open_table(RUNS)?;
            for number in &gone {
                keys.remove(number)?;
                let (low, high) = (run_key(*number, &[]), run_key(number.saturating_add(1), &[]));
                pages.retain_in::<&[u8], _>(&low[..]..&high[..], |_, _| false)?;
            }
            meta.insert("bytes", &bytes.to_be_bytes()[..])?;
            Ok(Some((deleted, before.saturating_sub(bytes), gone)))
        })()
        .map_err(|error| self.failed(error))?;
        let Some((deleted, bytes, runs)) = done else { return Ok((0, 0)) };
        writing.commit().map_err(|error| self.failed(error))?;
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.index_mut().runs.retain(|run| !runs.contains(&run.number));
        Ok((deleted, bytes))
    }

    /// The first hour before `hour` of which calls are to be archived.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unarchived(&self, hour: u64) -> Result<Option<Unarchived>, StoreError> {
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let table = reading.open_table(UNARCHIVED).map_err(|error| self.failed(error))?;
        let mut found: Option<Unarchived> = None;
        for row in table.range(..(hour, 0)).map_err(|error| self.failed(error))? {
            let (place, row) = row.map_err(|error| self.failed(error))?;
            let (hour, commit) = place.value();
            let found = found.get_or_insert(Unarchived { hour, first: commit, last: commit, calls: Vec::new() });
            if found.hour != hour {
                break;
            }
            found.last = commit;
            found.calls.extend(row.value().as_chunks::<16>().0.iter().map(|key| CallKey::from_bytes(*key)));
        }
        if let Some(found) = &mut found {
            found.calls.sort_unstable();
            found.calls.dedup();
        }
        Ok(found)
    }

    /// Takes note that these calls are in the archive.
    ///
    /// # Errors
    /// When the database fails.
    pub fn archived(&self, done: &Unarchived) -> Result<(), StoreError> {
        let writing = self.begin()?;
        (|| -> Result<(), redb::Error> {
            let mut table = writing.open_table(UNARCHIVED)?;
            table.retain_in((done.hour, done.first)..=(done.hour, done.last), |_, _| false)?;
            Ok(())
        })()
        .map_err(|error| self.failed(error))?;
        writing.commit().map_err(|error| self.failed(error))
    }
}

/// Calls of one hour that are in no archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unarchived {
    /// Whole hours since the epoch: when they were kept.
    pub hour: u64,
    /// The first commit that kept one of them.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The calls, in the order of their starts.
    pub calls: Vec<CallKey>,
}

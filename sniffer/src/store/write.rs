//! Keeping calls: one transaction for all that came within a second.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{PoisonError, atomic::Ordering},
};

use redb::{ReadableTable, WriteTransaction};
use serde::Serialize;
use sniffer_core::{query::CallSummary, time::Timestamp};

use super::{
    CALLS, Detail, FRESH, Index, Kept, META, OPEN, PacketsOf, RUN_KEYS, RUNS, Run, Store, StoreError, UNARCHIVED,
    index::{self, Fresh},
    search::run_key,
    value::{self, Head, Key},
};
use crate::limits;

/// What a commit changes in memory once it is durable.
#[derive(Default)]
struct Change {
    fresh: Fresh,
    opened: BTreeSet<Key>,
    closed: BTreeSet<Key>,
    ended: usize,
    run: Option<Run>,
}

impl Store {
    /// Keeps calls, those that have ended and what is known of those in progress. They are durable when this returns.
    /// `now` is the hour in whose archive the ended ones go; none where they are not to be archived.
    ///
    /// # Errors
    /// When the database or the disk fails: nothing of it is kept then.
    pub fn write(&self, calls: &[Kept], now: Option<Timestamp>) -> Result<(), StoreError> {
        let writing = self.begin()?;
        let (change, bytes) = self.fill(&writing, calls, now).map_err(|error| self.failed(error))?;
        writing.commit().map_err(|error| self.failed(error))?;
        self.0.bytes.store(bytes, Ordering::Relaxed);
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
            let still_open = change.fresh.into_iter();
            index
                .fresh
                .extend(still_open.filter(|(entry, _)| index::key_of(entry).is_some_and(|key| open.contains(&key))));
            index.fresh_calls = 0;
        } else {
            index.fresh.extend(change.fresh);
            index.fresh_calls = index.fresh_calls.saturating_add(change.ended);
        }
        Ok(())
    }

    /// A transaction that is durable once committed, and after which a start needs no walk over everything.
    pub(super) fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut writing = self.0.database.begin_write().map_err(|error| self.failed(error))?;
        writing.set_two_phase_commit(true);
        writing.set_quick_repair(true);
        Ok(writing)
    }

    fn fill(
        &self,
        writing: &WriteTransaction,
        calls: &[Kept],
        now: Option<Timestamp>,
    ) -> Result<(Change, u64), redb::Error> {
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut change = Change::default();
        let mut bytes = self.0.bytes.load(Ordering::Relaxed);
        let mut kept = writing.open_table(CALLS)?;
        let mut open = writing.open_table(OPEN)?;
        let mut ended_entries = Fresh::new();
        let mut archive: Vec<u8> = Vec::new();
        // In the order of their keys: neighbours share pages.
        let mut order: Vec<&Kept> = calls.iter().collect();
        order.sort_by_key(|call| call.summary.id);
        for call in order {
            let key = call.summary.id.to_bytes();
            // Details beyond all bounds do not cost the call.
            let Some(value) = encode(call, call.detail.as_ref()).or_else(|| encode(call, None)) else { continue };
            let head = Head::of(&call.summary);
            // A call that has ended is watched for some seconds more and comes again, mostly as it was. A refusal that
            // asks for a password is seldom the end.
            let has_ended =
                call.is_last || call.summary.state.is_final() && !matches!(call.summary.final_status, Some(401 | 407));
            if has_ended {
                if index.open.contains(&key) || change.opened.remove(&key) {
                    open.remove(&key)?;
                    change.closed.insert(key);
                }
                let before = kept.get(&key)?.map(|before| (before.value() == &value[..], length(before.value())));
                match before {
                    Some((true, _)) => continue,
                    Some((false, before)) => bytes = bytes.saturating_sub(before),
                    None => archive.extend_from_slice(&key),
                }
                bytes = bytes.saturating_add(length(&value));
                kept.insert(&key, &value[..])?;
                let streams = call.detail.as_ref().map_or(&[][..], |detail| &detail.streams);
                ended_entries.extend(
                    index::entries(&call.summary, streams, &addresses(call)).into_iter().map(|entry| (entry, head)),
                );
                change.ended = change.ended.saturating_add(1);
            } else if kept.get(&key)?.is_none() {
                open.insert(&key, &value[..])?;
                change.opened.insert(key);
                let streams = call.detail.as_ref().map_or(&[][..], |detail| &detail.streams);
                let entries = index::entries(&call.summary, streams, &addresses(call));
                change.fresh.extend(entries.into_iter().map(|entry| (entry, head)));
            }
        }
        drop((kept, open));
        if let Some(now) = now.filter(|_| !archive.is_empty()) {
            writing.open_table(UNARCHIVED)?.insert((hour(now), index.next_commit), &archive[..])?;
        }
        if index.fresh_calls.saturating_add(change.ended) >= limits::STORE_RUN {
            change.run = write_run(writing, &index, &change, &ended_entries)?;
        } else if !ended_entries.is_empty() {
            writing.open_table(FRESH)?.insert(index.next_commit, &index::commit_row(&ended_entries)[..])?;
        }
        change.fresh.extend(ended_entries);
        let mut meta = writing.open_table(META)?;
        meta.insert("bytes", &bytes.to_be_bytes()[..])?;
        meta.insert("next commit", &index.next_commit.saturating_add(1).to_be_bytes()[..])?;
        Ok((change, bytes))
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
fn write_run(
    writing: &WriteTransaction,
    index: &Index,
    change: &Change,
    ended: &Fresh,
) -> Result<Option<Run>, redb::Error> {
    let is_open = |key: &Key| (index.open.contains(key) && !change.closed.contains(key)) || change.opened.contains(key);
    let mut all: Fresh = ended.clone();
    for (entry, head) in &index.fresh {
        if index::key_of(entry).is_some_and(|key| !is_open(&key)) && !all.contains_key(entry) {
            all.insert(entry.clone(), *head);
        }
    }
    let keys = all.keys().filter_map(|entry| index::key_of(entry));
    let (Some(oldest), Some(newest)) = (keys.clone().min(), keys.max()) else { return Ok(None) };
    let number = index.next_run;
    let mut runs = writing.open_table(RUNS)?;
    for (first, page) in index::pages(all.iter()) {
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

/// A [`super::Row`] without a copy.
#[derive(Serialize)]
struct RowOf<'a> {
    summary: &'a CallSummary,
    packets: Option<PacketsOf>,
}

fn encode(call: &Kept, detail: Option<&Detail>) -> Option<Vec<u8>> {
    let row = value::encode(&RowOf { summary: &call.summary, packets: call.packets })?;
    let detail = match detail {
        Some(detail) => value::encode(detail)?,
        None => Vec::new(),
    };
    let mut bytes = u32::try_from(row.len()).ok()?.to_be_bytes().to_vec();
    bytes.reserve(row.len().saturating_add(detail.len()));
    bytes.extend(row);
    bytes.extend(detail);
    Some(bytes)
}

/// Addresses of the call's signalling.
fn addresses(_: &Kept) -> Vec<IpAddr> {
    Vec::new()
}

fn length(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}

/// Whole hours since the epoch.
pub fn hour(time: Timestamp) -> u64 {
    time.as_micros() / 3_600_000_000
}

//! Searching: the entries of late calls and of all runs, merged newest first, until a page is full or the work for one
//! answer is done.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    ops::Bound,
    sync::{PoisonError, atomic::Ordering},
};

use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase};
use sniffer_core::query::{CallFilter, CallKey, CallSummary};

use super::{
    CALLS, Index, OPEN, RUNS, Run, Store, StoreError,
    index::{self, Probe},
    kind::{Damaged, Wanted},
    value::{Head, Key, call_key, first_key_at},
};
use crate::limits;

/// A part of what was found.
#[derive(Debug)]
pub struct Rows<R> {
    /// Newest first.
    pub rows: Vec<R>,
    /// Where to go on; none when everything was looked at.
    pub next: Option<CallKey>,
}

/// Calls that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// Where to go on; none when everything was looked at.
    pub next: Option<CallKey>,
}

impl Store {
    /// Calls that fit a filter, newest first, before a call or from the newest on. Fewer than `limit` come with a place
    /// to go on from when the work for one answer is done.
    ///
    /// # Errors
    /// When the database fails.
    pub fn search(&self, filter: &CallFilter, limit: usize, before: Option<CallKey>) -> Result<Found, StoreError> {
        self.find(filter, limit, before).map(|found| Found { calls: found.rows, next: found.next })
    }

    pub(super) fn find<F: Wanted>(
        &self,
        filter: &F,
        limit: usize,
        before: Option<CallKey>,
    ) -> Result<Rows<F::Row>, StoreError> {
        let (since, until) = filter.times();
        let upper = before.map_or([0xff; 16], CallKey::to_bytes);
        let upper = until.map_or(upper, |until| upper.min(first_key_at(until)));
        let lower = since.map_or([0; 16], first_key_at);
        let probes = filter.probes();
        // What late calls tell and what the database has belong to the same commit.
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let mut merge = Merge {
            store: self,
            table: reading.open_table(RUNS).map_err(|error| self.failed(error))?,
            filter,
            lower,
            upper,
            sources: Vec::new(),
            heap: BinaryHeap::new(),
            work: 0,
        };
        for probe in &probes {
            merge.add_fresh(&index, probe);
        }
        let mut runs: Vec<Run> =
            index.runs.iter().filter(|run| run.newest >= lower && run.oldest < upper).copied().collect();
        drop(index);
        runs.sort_unstable_by_key(|run| Reverse(run.newest));
        merge.take(&reading, &probes, runs, limit)
    }

    /// Says whether the index names this address for a call.
    fn has_address(
        &self,
        table: &ReadOnlyTable<&'static [u8], &'static [u8]>,
        probe: &Probe,
        key: Key,
    ) -> Result<bool, StoreError> {
        let mut entry = probe.prefix.clone();
        entry.extend_from_slice(&key);
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        if index.ended.contains(&entry) || index.fresh.contains_key(&entry) {
            return Ok(true);
        }
        let runs: Vec<_> = index.runs.iter().filter(|run| run.oldest <= key && key <= run.newest).copied().collect();
        drop(index);
        for run in runs {
            let upper = run_key(run.number, &entry);
            let page = table
                .range::<&[u8]>((Bound::Unbounded, Bound::Included(&upper[..])))
                .map_err(|error| self.failed(error))?
                .next_back();
            let Some((_, page)) = page.transpose().map_err(|error| self.failed(error))? else { continue };
            if index::read_page(page.value()).is_some_and(|page| page.iter().any(|(found, _)| *found == entry)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The key of the page of a run that begins with this entry.
pub fn run_key(run: u64, entry: &[u8]) -> Vec<u8> {
    let mut key = run.to_be_bytes().to_vec();
    key.extend_from_slice(entry);
    key
}

/// Entries of one source that wait, oldest first, and the page before them.
#[derive(Default)]
struct Source {
    waiting: Vec<(Key, Head)>,
    /// The run's number, the probe, and the first entry of the page that was read last.
    earlier: Option<(u64, Probe, Vec<u8>)>,
}

struct Merge<'a, F> {
    store: &'a Store,
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    filter: &'a F,
    lower: Key,
    upper: Key,
    sources: Vec<Source>,
    heap: BinaryHeap<(Key, usize)>,
    work: usize,
}

impl<F: Wanted> Merge<'_, F> {
    fn wanted(&self, probe: &Probe, entry: &[u8], head: Head) -> Option<(Key, Head)> {
        let key = index::key_of(entry)?;
        (probe.fits(entry) && key >= self.lower && key < self.upper && self.filter.may_fit(head)).then_some((key, head))
    }

    fn add_fresh(&mut self, index: &Index, probe: &Probe) {
        let mut from = probe.prefix.clone();
        let mut waiting = Vec::new();
        if probe.is_whole {
            from.extend_from_slice(&self.lower);
        }
        for (entry, head) in index.ended.beginning(&probe.prefix, &from) {
            waiting.extend(self.wanted(probe, entry, head));
        }
        for (entry, head) in index.fresh.range(from..).take_while(|(entry, _)| entry.starts_with(&probe.prefix)) {
            waiting.extend(self.wanted(probe, entry, *head));
        }
        waiting.sort_unstable_by_key(|(key, _)| *key);
        self.push(Source { waiting, earlier: None });
    }

    fn push(&mut self, source: Source) {
        if let Some((key, _)) = source.waiting.last() {
            self.heap.push((*key, self.sources.len()));
            self.sources.push(source);
        }
    }

    /// Begins to read a run.
    fn open_run(&mut self, run: &Run, probe: &Probe) -> Result<(), StoreError> {
        self.work = self.work.saturating_add(limits::SEARCH_PAGE_WORK);
        let mut source = Source::default();
        if probe.is_whole {
            let mut last = probe.prefix.clone();
            last.extend_from_slice(&self.upper);
            source.earlier = Some((run.number, probe.clone(), last));
            self.fill(&mut source)?;
        } else {
            source.waiting = self.all_of(run, probe)?;
        }
        self.push(source);
        Ok(())
    }

    /// Everything of a run that begins as asked for: it lies in the order of the numbers, not of time.
    fn all_of(&mut self, run: &Run, probe: &Probe) -> Result<Vec<(Key, Head)>, StoreError> {
        let begin = run_key(run.number, &probe.prefix);
        let failed = |error| self.store.failed(error);
        let first =
            self.table.range::<&[u8]>(..=&begin[..]).map_err(failed)?.next_back().transpose().map_err(failed)?;
        let first = first.map_or(begin.clone(), |(key, _)| key.value().to_vec());
        let end = run_key(run.number.saturating_add(1), &[]);
        let mut found = Vec::new();
        for page in self.table.range::<&[u8]>(&first[..]..&end[..]).map_err(failed)? {
            let (key, page) = page.map_err(failed)?;
            if key.value() > &begin[..] && !key.value().starts_with(&begin) {
                break;
            }
            self.work = self.work.saturating_add(limits::SEARCH_PAGE_WORK);
            match index::read_page(page.value()) {
                Some(entries) => {
                    found.extend(entries.iter().filter_map(|(entry, head)| self.wanted(probe, entry, *head)));
                }
                None => self.store.count_damage(),
            }
        }
        found.sort_unstable_by_key(|(key, _)| *key);
        Ok(found)
    }

    /// Reads earlier pages of a run until one has something that is wanted.
    fn fill(&mut self, source: &mut Source) -> Result<(), StoreError> {
        while source.waiting.is_empty() {
            let Some((run, probe, before)) = source.earlier.take() else { return Ok(()) };
            let (low, high) = (run_key(run, &[]), run_key(run, &before));
            let failed = |error| self.store.failed(error);
            let page = self.table.range::<&[u8]>(&low[..]..&high[..]).map_err(failed)?.next_back();
            let Some((key, page)) = page.transpose().map_err(failed)? else { return Ok(()) };
            self.work = self.work.saturating_add(limits::SEARCH_PAGE_WORK);
            let first = key.value().get(8..).unwrap_or_default().to_vec();
            match index::read_page(page.value()) {
                Some(entries) => {
                    let wanted = entries.iter().filter_map(|(entry, head)| self.wanted(&probe, entry, *head));
                    source.waiting.extend(wanted);
                }
                None => self.store.count_damage(),
            }
            let mut lowest = probe.prefix.clone();
            lowest.extend_from_slice(&self.lower);
            if first > lowest {
                source.earlier = Some((run, probe, first));
            }
            if self.work >= limits::SEARCH_WORK.saturating_mul(4) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The newest entry, and everything that is to be done so that the next one is known.
    fn pop(&mut self) -> Result<Option<Key>, StoreError> {
        let Some((key, place)) = self.heap.pop() else { return Ok(None) };
        let Some(slot) = self.sources.get_mut(place) else { return Ok(None) };
        let mut source = std::mem::take(slot);
        source.waiting.pop();
        self.fill(&mut source)?;
        if let Some((next, _)) = source.waiting.last() {
            self.heap.push((*next, place));
        }
        if let Some(slot) = self.sources.get_mut(place) {
            *slot = source;
        }
        Ok(Some(key))
    }

    fn take(
        &mut self,
        reading: &ReadTransaction,
        probes: &[Probe],
        runs: Vec<Run>,
        limit: usize,
    ) -> Result<Rows<F::Row>, StoreError> {
        let failed = |error| self.store.failed(error);
        let calls = reading.open_table(CALLS).map_err(|error| self.store.failed(error))?;
        let open = reading.open_table(OPEN).map_err(|error| self.store.failed(error))?;
        let address = self.filter.address().map(index::address_probe).filter(|probe| !probes.contains(probe));
        let mut runs = runs.into_iter().peekable();
        let mut found = Rows { rows: Vec::new(), next: None };
        let mut done: Option<Key> = None;
        loop {
            // A run is opened when it may have something newer than all that is open.
            while let Some(run) = runs.next_if(|run| self.heap.peek().is_none_or(|(key, _)| run.newest >= *key)) {
                for probe in probes {
                    self.open_run(&run, probe)?;
                }
                // What the next run begins with lies before where this search began: whoever asks again gets on.
                let gets_on = |next: &Run| after(next.newest) < self.upper;
                if self.work >= limits::SEARCH_WORK && runs.peek().is_some_and(gets_on) {
                    break;
                }
            }
            let unread = runs
                .peek()
                .map(|run| run.newest)
                .filter(|newest| self.heap.peek().is_none_or(|(key, _)| newest >= key));
            if let Some(newest) = unread {
                // Everything above what is not read yet is known and given.
                found.next = Some(call_key(after(newest)));
                return Ok(found);
            }
            let Some(key) = self.pop()? else { return Ok(found) };
            if done == Some(key) {
                continue;
            }
            if found.rows.len() >= limit || self.work >= limits::SEARCH_WORK && done.is_some() {
                found.next = done.map(call_key);
                return Ok(found);
            }
            done = Some(key);
            self.work = self.work.saturating_add(limits::SEARCH_CALL_WORK);
            let value = match calls.get(&key).map_err(failed)? {
                Some(value) => Some(value),
                None => open.get(&key).map_err(failed)?,
            };
            // Deleted for its age, while its run is still there.
            let Some(value) = value else { continue };
            let row = match self.filter.row(key, value.value()) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(Damaged) => {
                    self.store.count_damage();
                    continue;
                }
            };
            if let Some(probe) = &address
                && !self.store.has_address(&self.table, probe, key)?
            {
                continue;
            }
            found.rows.push(row);
        }
    }
}

/// The key right after this one.
fn after(key: Key) -> Key {
    u128::from_be_bytes(key).saturating_add(1).to_be_bytes()
}

impl Store {
    /// Counts a value that was damaged and passed over.
    pub(super) fn count_damage(&self) {
        self.0.damaged.fetch_add(1, Ordering::Relaxed);
    }
}

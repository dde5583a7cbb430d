//! Records of what is neither a call nor of one, on their way to the store. Each kind has a queue, a database and bounds
//! of its own: a flood of one kind costs neither calls nor other kinds anything. What does not fit is counted.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex},
    thread::{Builder, JoinHandle},
    time::Instant,
};

use anyhow::{Context, Result};
use sniffer_core::{
    record::{OtherRecord, RecordKind},
    time::Timestamp,
};
use tracing::error;

use super::{Config, Shared, calls::make_room, now};
use crate::{
    disk::{Disk, RealDisk},
    limits,
    lock::lock,
    store::{KeptRecord, Store, StoreError},
};

/// See the module's text.
#[derive(Debug, Default)]
pub struct Records {
    queues: Mutex<BTreeMap<RecordKind, Queue>>,
    stores: Mutex<BTreeMap<RecordKind, Store>>,
}

#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<KeptRecord>,
    bytes: usize,
}

/// About how much memory a record takes.
fn bytes(record: &OtherRecord) -> usize {
    let slots = match record {
        OtherRecord::Stream(one) => one.timeline.len(),
        OtherRecord::Registration(_) | OtherRecord::Subscription(_) | OtherRecord::Exchange(_) => 0,
    };
    slots.saturating_mul(64).saturating_add(1024)
}

impl Records {
    /// Takes a record; false when there is no room for it. What goes on will come again: it leaves half of the room to
    /// what does not.
    #[must_use]
    pub fn push(&self, record: KeptRecord) -> bool {
        let parts = if record.is_last { 1 } else { 2 };
        let mut queues = lock(&self.queues);
        let queue = queues.entry(record.record.kind()).or_default();
        let is_full =
            queue.records.len() >= limits::RECORD_QUEUE / parts || queue.bytes >= limits::RECORD_QUEUE_BYTES / parts;
        if !is_full {
            queue.bytes = queue.bytes.saturating_add(bytes(&record.record));
            queue.records.push_back(record);
        }
        !is_full
    }

    /// Takes some of what waits of a kind out of its queue.
    fn take(&self, kind: RecordKind) -> Vec<KeptRecord> {
        let mut queues = lock(&self.queues);
        let Some(queue) = queues.get_mut(&kind) else { return Vec::new() };
        let count = queue.records.len().min(limits::STORE_BATCH);
        let taken: Vec<_> = queue.records.drain(..count).collect();
        let gone: usize = taken.iter().map(|one| bytes(&one.record)).sum();
        queue.bytes = queue.bytes.saturating_sub(gone);
        taken
    }

    /// The store of a kind, where one is open.
    #[must_use]
    pub fn store(&self, kind: RecordKind) -> Option<Store> {
        lock(&self.stores).get(&kind).cloned()
    }
}

/// Starts the thread that keeps records; none where nothing is kept.
pub fn spawn(config: &Config, shared: &Arc<Shared>) -> Result<Option<JoinHandle<()>>> {
    let Some(folder) = config.store.clone() else { return Ok(None) };
    let kinds = RecordKind::ALL.into_iter().filter(|kind| config.keep.records(*kind).gigabytes > 0);
    let mut keepers: Vec<_> = kinds.map(|kind| Keeper { kind, failed: None, has_failed: false }).collect();
    let (config, shared) = (config.clone(), Arc::clone(shared));
    let thread = Builder::new().name("records".into()).spawn(move || {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        loop {
            // The sinks are closed after all threads that hand records over have ended.
            let is_last = shared.sinks.is_closed();
            for keeper in &mut keepers {
                keeper.turn(&disk, &folder, &config, &shared);
            }
            if is_last {
                return RecordKind::ALL
                    .into_iter()
                    .filter_map(|kind| shared.sinks.records.store(kind))
                    .for_each(|store| store.close());
            }
            if shared.wait_for_stop(limits::STORE_GROUP) {
                shared.sinks.wait_for_close();
            }
        }
    });
    thread.map(Some).context("start the thread that keeps records")
}

/// What is neither a call nor of one and goes on is told to the sink from time to time, some places of the engine's tables
/// at a turn.
#[derive(Debug, Default)]
pub struct Others {
    told: Option<Timestamp>,
    streams_told: Option<Timestamp>,
}

impl Others {
    /// Tells what is due.
    pub fn turn(&mut self, shared: &Shared, now: Timestamp) {
        let is_due = |told: Option<Timestamp>, after| told.is_none_or(|told| now.since(told) >= after);
        if is_due(self.told, limits::RECORD_SNAPSHOT) {
            self.told = Some(now);
            shared.snapshot_others();
        }
        if is_due(self.streams_told, limits::STREAM_SNAPSHOT) {
            // Not at the start, when there is none.
            if self.streams_told.replace(now).is_some() {
                shared.snapshot_streams();
            }
        }
    }
}

/// What one kind needs.
struct Keeper {
    kind: RecordKind,
    failed: Option<Instant>,
    has_failed: bool,
}

impl Keeper {
    /// Writes what waits. A store that fails is opened again after a while.
    fn turn(&mut self, disk: &Arc<dyn Disk>, folder: &Path, config: &Config, shared: &Shared) {
        if let Err(error) = self.write(disk, folder, config, shared) {
            lock(&shared.sinks.records.stores).remove(&self.kind);
            self.failed = Some(moment());
            if !std::mem::replace(&mut self.has_failed, true) {
                error!("No {} are being kept: {:#}", self.kind.plural(), anyhow::Error::new(error));
            }
        }
    }

    fn write(
        &mut self,
        disk: &Arc<dyn Disk>,
        folder: &Path,
        config: &Config,
        shared: &Shared,
    ) -> Result<(), StoreError> {
        let records = &shared.sinks.records;
        let store = match records.store(self.kind) {
            Some(store) => store,
            None if self.failed.is_some_and(|when| when.elapsed() < limits::STORE_RETRY) => return Ok(()),
            None => {
                let store = Store::open_records(self.kind, disk, &folder.join(self.kind.plural()), now())?;
                lock(&records.stores).insert(self.kind, store.clone());
                store
            }
        };
        self.failed = None;
        loop {
            let batch = records.take(self.kind);
            if batch.is_empty() {
                return Ok(());
            }
            let written = store
                .write(&batch, Some(now()))
                .inspect_err(|_| shared.sinks.lost(u64::try_from(batch.len()).unwrap_or(u64::MAX)))?;
            self.has_failed = false;
            let space = disk.space(store.folder());
            if space.is_ok_and(|space| space.free < config.keep.floor(space.total)) {
                make_room(&store, written.added)?;
            }
            if batch.len() < limits::STORE_BATCH {
                return Ok(());
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread's main loop: when to try again")]
fn moment() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use sniffer_core::record::RegistrationState;

    use super::*;
    use crate::store::records::tests::{exchange, registration, stream};

    fn kept(record: OtherRecord, is_last: bool) -> KeptRecord {
        KeptRecord::new(record, None, is_last)
    }

    #[test]
    fn a_flood_of_one_kind_fills_its_own_queue_and_no_other() {
        let records = Records::default();
        let flood = || kept(exchange(1, "OPTIONS", &[("200", 1)], 0), true);
        let taken = (0..limits::RECORD_QUEUE + 500).filter(|_| records.push(flood())).count();
        assert_eq!(taken, limits::RECORD_QUEUE);
        assert!(records.push(kept(registration(1, 1, RegistrationState::Registered), true)));
        assert_eq!(records.take(RecordKind::Exchange).len(), limits::STORE_BATCH);
        assert!(records.push(flood()), "there is room again");
        assert_eq!(records.take(RecordKind::Registration).len(), 1);
        assert!(records.take(RecordKind::Registration).is_empty());
    }

    #[test]
    fn what_goes_on_leaves_half_of_the_room_to_what_does_not_and_long_time_lines_are_counted() {
        let records = Records::default();
        let phone = |is_last| kept(registration(1, 1, RegistrationState::Registered), is_last);
        let taken = (0..limits::RECORD_QUEUE).filter(|_| records.push(phone(false))).count();
        assert_eq!(taken, limits::RECORD_QUEUE / 2);
        assert!(records.push(phone(true)));
        let mut long = stream(1, 1, None, 0);
        if let OtherRecord::Stream(one) = &mut long {
            one.timeline = vec![sniffer_core::record::SlotRecord::default(); 8640];
        }
        let taken = (0..limits::RECORD_QUEUE).filter(|_| records.push(kept(long.clone(), true))).count();
        assert!(taken < 20, "{taken} streams of a day each");
        records.take(RecordKind::Stream);
        assert!(records.push(kept(long, true)), "what was taken counts no more");
    }
}

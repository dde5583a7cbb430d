//! The thread that keeps calls: it opens the store, writes what waits in batches, and opens it again where it failed.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use sniffer_core::{query::StoreState, time::Timestamp};
use tracing::{error, info};

use super::{Config, Shared, keeper, now, sink::Sinks};
use crate::{
    disk::{Disk, RealDisk},
    limits,
    packets::PacketStore,
    store::{Bounds, Encoder, Kept, Store, StoreError},
};

/// Starts the thread that keeps calls. It opens the stores, so that large ones do not hold up the start of capture.
pub fn spawn(config: &Config, shared: Arc<Shared>, calls: Receiver<Kept>) -> Result<JoinHandle<()>> {
    let config = config.clone();
    let thread = Builder::new().name("store".into()).spawn(move || {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let Some(folder) = config.store.clone() else {
            // Without a store the records are taken and forgotten: the newest are in memory.
            calls.iter().for_each(drop);
            return;
        };
        let keeper = keeper::spawn(&disk, &folder, &config, &shared);
        keep_calls(&disk, &folder, &config, &shared, &calls);
        if keeper.is_some_and(|keeper| keeper.join().is_err()) {
            error!("The keeper ended by a panic");
        }
    });
    thread.context("start the store's thread")
}

/// Shows a failure in the counters and logs it once. Capture goes on.
fn fail(shared: &Shared, failure: StoreError) {
    let message = format!("{:#}", anyhow::Error::new(failure));
    let state = StoreState::Failed { message };
    if shared.sinks.state() != state
        && let StoreState::Failed { message } = &state
    {
        error!("Calls are not being kept: {message}");
    }
    shared.sinks.set_store(state, None);
}

/// Keeps calls until the queue is closed. A store that fails is opened again after a while.
fn keep_calls(disk: &Arc<dyn Disk>, folder: &Path, config: &Config, shared: &Shared, calls: &Receiver<Kept>) {
    let floor = disk.space(folder).map_or(0, |space| config.keep.floor(space.total));
    loop {
        match Store::open(disk, folder, now()) {
            Ok(store) => {
                info!("The store is open");
                match write_calls(&store, shared, calls, disk, floor) {
                    Ok(()) => return store.close(),
                    Err(error) => fail(shared, error),
                }
            }
            Err(error) => fail(shared, error),
        }
        if !pass_over(&shared.sinks, calls, limits::STORE_RETRY) {
            return;
        }
    }
}

/// Takes what comes for a while: it is in memory for as long as it is among the newest, and the queue must not fill.
/// False when nothing will come any more.
fn pass_over(sinks: &Sinks, calls: &Receiver<Kept>, time: Duration) -> bool {
    let begin = moment();
    while let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        match calls.recv_timeout(left) {
            Ok(_) => {
                sinks.taken(1);
                sinks.lost(1);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "the thread's main loop: when to try again")]
fn moment() -> Instant {
    Instant::now()
}

fn write_calls(
    store: &Store,
    shared: &Shared,
    calls: &Receiver<Kept>,
    disk: &Arc<dyn Disk>,
    floor: u64,
) -> Result<(), StoreError> {
    show(store, shared)?;
    let mut encoder = Encoder::default();
    loop {
        // One wait, then everything that is there: a commit costs the same for one call and for a thousand.
        let first = match calls.recv_timeout(limits::STORE_FLUSH) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let mut taken = 0_usize;
        let all = std::iter::once(first).chain(calls.try_iter().take(limits::STORE_BATCH)).inspect(|_| taken += 1);
        let batch: Vec<_> = all.filter_map(|call| encoder.encode(&call.parts())).collect();
        shared.sinks.taken(taken);
        let written = store
            .write(&batch, Some(now()))
            .inspect_err(|_| shared.sinks.lost(u64::try_from(batch.len()).unwrap_or(u64::MAX)))?;
        store.interrupt(&shared.sinks.take_unfinished(), now())?;
        if disk.space(store.folder()).is_ok_and(|space| space.free < floor) {
            make_room(store, written.added)?;
        }
        show(store, shared)?;
        if taken < limits::STORE_BATCH {
            // The rest of the interval belongs to what comes: a busy port does not commit for each call.
            shared.wait_for_stop(limits::STORE_GROUP);
        }
    }
}

/// Deletes as many of the oldest calls as have come, unless the database has room for them: free space is not made by
/// it, and the database does not grow while as much goes as comes.
pub(super) fn make_room(store: &Store, added: u64) -> Result<(), StoreError> {
    if added == 0 || store.has_room() {
        return Ok(());
    }
    let bounds = Bounds { calls: store.ended()?.saturating_sub(added), bytes: u64::MAX, since: Timestamp::default() };
    while store.retain(&bounds)?.0 > 0 {}
    Ok(())
}

/// Shows the store as it is.
fn show(store: &Store, shared: &Shared) -> Result<(), StoreError> {
    let calls = store.count()?;
    let packets = shared.sinks.packets().map_or(0, PacketStore::damaged);
    let folder = store.folder();
    let state = match (store.damaged(), packets) {
        (0, 0) => StoreState::Ok { calls },
        (0, packets) => StoreState::Damaged {
            calls,
            message: format!("{packets} blocks of packets below {folder:?} are damaged and were passed over"),
        },
        (damaged, _) => StoreState::Damaged {
            calls,
            message: format!("{damaged} values of the store in {folder:?} are damaged and were passed over"),
        },
    };
    shared.sinks.set_store(state, Some(store.clone()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    };

    use sniffer_core::record::CallState;

    use super::*;
    use crate::store::tests::{at, call, disk, open};

    #[test]
    fn a_store_that_failed_is_tried_again_although_records_go_on_coming() {
        let (sinks, _calls) = Sinks::new();
        let (sender, calls) = sync_channel(4);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if sender.try_send(call(1, CallState::Completed)).is_err() {
                        std::thread::yield_now();
                    }
                }
            });
            assert!(pass_over(&sinks, &calls, Duration::from_millis(100)));
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(sinks.full() > 0);
    }

    #[test]
    fn at_the_floor_as_many_calls_go_as_come_and_none_while_the_file_has_room() {
        let disk = disk();
        let store = open(&disk).unwrap();
        let calls =
            |range: std::ops::Range<u64>| range.map(|second| call(second, CallState::Completed)).collect::<Vec<_>>();
        store.write(&calls(0..4000), Some(at(0))).unwrap();
        assert!(!store.has_room(), "{} of {}", store.bytes(), store.file_bytes());
        make_room(&store, 0).unwrap();
        assert_eq!(store.count().unwrap(), 4000, "nothing came");
        make_room(&store, 2500).unwrap();
        assert_eq!(store.count().unwrap(), 1500);
        assert!(store.has_room(), "{} of {}", store.bytes(), store.file_bytes());
        make_room(&store, 500).unwrap();
        assert_eq!(store.count().unwrap(), 1500);
    }
}

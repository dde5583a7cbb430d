//! The sink of calls: a bounded queue to one thread that owns the store. Capture never waits for it.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use anyhow::{Context, Result};
use sniffer_core::query::{CallSummary, StoreState};
use tracing::{error, info};

use super::{Config, Shared};
use crate::{
    limits,
    store::{Store, StoreError},
};

/// The queue.
pub fn queue() -> (SyncSender<CallSummary>, Receiver<CallSummary>) {
    sync_channel(limits::SINK_QUEUE)
}

/// Starts the thread. It opens the store first, so that a large one does not hold up the start of capture.
pub fn spawn(config: &Config, shared: Arc<Shared>, records: Receiver<CallSummary>) -> Result<JoinHandle<()>> {
    let (folder, keep) = (config.store.clone(), config.keep_calls);
    let thread = Builder::new().name("store".into()).spawn(move || {
        let store = folder.and_then(|folder| match Store::open(&folder, keep) {
            Ok(store) => Some(store),
            Err(error) => {
                fail(&shared, error);
                None
            }
        });
        match store {
            Some(store) => keep_calls(&shared, &store, &records),
            // Without a store the records are taken and forgotten: the newest are in memory.
            None => records.iter().for_each(drop),
        }
    });
    thread.context("start the store's thread")
}

/// Shows a failure in the counters and logs it once. Capture goes on.
fn fail(shared: &Shared, error: StoreError) {
    let error = anyhow::Error::new(error);
    error!("Calls are not being kept: {error:#}");
    shared.set_store(StoreState::Failed { message: format!("{error:#}") }, None);
}

fn keep_calls(shared: &Shared, store: &Store, records: &Receiver<CallSummary>) {
    let mut count = store.count();
    if store.lost_calls() {
        error!("The store was damaged: calls that had been kept are missing, the newest first");
    }
    info!(calls = count, "The store is open");
    shared.set_store(StoreState::Ok { calls: count }, Some(store.clone()));
    loop {
        // One wait, then everything that is there: a flush costs the same for one call and for a thousand.
        let first = match records.recv_timeout(limits::STORE_FLUSH) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let written = (|| {
            for call in std::iter::once(first).chain(records.try_iter().take(limits::SINK_QUEUE)) {
                if store.put(&call)? {
                    count = count.saturating_add(1);
                }
            }
            count = store.retain(count)?;
            store.flush()
        })();
        match written {
            Ok(()) => shared.set_store(StoreState::Ok { calls: count }, Some(store.clone())),
            Err(error) => {
                fail(shared, error);
                records.iter().for_each(drop);
                return;
            }
        }
        // The rest of the interval belongs to what comes: a busy port does not flush for each call.
        if shared.wait_for_stop(limits::STORE_FLUSH) {
            continue;
        }
    }
}

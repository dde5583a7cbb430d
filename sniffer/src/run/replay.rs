//! For developers: a capture file fed in real time, its times moved to the present.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use sniffer_core::{engine::FrameMeta, time::Timestamp};
use tracing::{error, info};

use super::{Shared, now};
use crate::file::CaptureFile;

/// Starts the thread that feeds the file.
pub fn spawn(shared: Arc<Shared>, file: PathBuf, repeat: bool) -> Result<JoinHandle<()>> {
    let thread = Builder::new().name("replay".into()).spawn(move || {
        loop {
            match feed(&shared, &file) {
                Ok(()) => info!("The replayed file has ended"),
                Err(error) => {
                    error!("The file cannot be replayed: {error:#}");
                    return;
                }
            }
            // A file without packets would spin.
            if !repeat || shared.wait_for_stop(Duration::from_secs(1)) {
                return;
            }
        }
    });
    thread.context("start the replay")
}

fn feed(shared: &Shared, path: &Path) -> Result<()> {
    let mut file = CaptureFile::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut tap = shared.sinks.tap();
    let begin = now();
    let mut first: Option<Timestamp> = None;
    while let Some(packet) = file.next_packet().with_context(|| format!("read {}", path.display()))? {
        let offset = packet.time.since(*first.get_or_insert(packet.time));
        let time = begin.after(offset);
        if shared.wait_for_stop(time.since(now())) {
            return Ok(());
        }
        let meta = FrameMeta { time, vlan: None };
        shared.burst(0, |turn| {
            if let Some(used) = turn.frame(packet.link, meta, packet.frame) {
                tap.frame(packet.link, meta, packet.frame, used);
            }
            tap.held(&turn.take_held());
        });
        shared.tell_ends(&mut tap);
    }
    Ok(())
}

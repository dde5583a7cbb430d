//! `sniffer run`: ports or a replayed file through one engine, to the store and the query socket, until SIGTERM.
//!
//! Threads: one opens ports and keeps CAP_NET_RAW, since a port that was taken out has to be opened again later; it
//! parses nothing. All others run without any capability: one reader for each port and worker, the owner
//! of signalling where there are several workers, the clock, the sink, one for each
//! client of the query socket.

mod calls;
mod config;
mod config_help;
mod engine_config;
mod engines;
mod keeper;
mod losing;
mod notify;
mod port;
mod query;
mod records;
mod replay;
mod shared;
mod sink;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use sniffer_core::time::Timestamp;
use tracing::info;

pub use config::{Config, ConfigError, Keep};
pub use config_help::configuration;
pub use shared::Shared;

use crate::{capture::Upstream, limits};

/// What the command line says.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration, as JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Feed a capture file in real time beside the ports, its times moved to the present, to try things without a port
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Begin the replayed file again when it ends
    #[arg(long = "loop", requires = "replay")]
    repeat: bool,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the configuration cannot be read or the query socket not be made. Ports and a store that fail do not end it:
/// they are shown in the counters.
pub fn run(options: &Options) -> Result<ExitCode> {
    let config = Config::read(&options.config)?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    // Before any thread begins: they inherit the mask, and the signals come here alone.
    signals.thread_block().context("block signals")?;

    let opener = port::opener()?;
    caps_drop();

    let (sinks, calls) = sink::Sinks::new();
    let packets = sink::spawn_packets(&config, &sinks)?;
    let shared = Arc::new(Shared::new(&config, now(), sinks));
    let store = calls::spawn(&config, Arc::clone(&shared), calls)?;
    let records = records::spawn(&config, &shared)?;
    query::spawn(&config, Arc::clone(&shared))?;
    let mut threads = Vec::new();
    for place in 0..config.ports.len() {
        for worker in 0..config.workers.get() {
            let fanout = port::Fanout::of(place, worker, config.workers.get());
            threads.push(port::spawn(Arc::clone(&shared), fanout, opener.clone())?);
        }
    }
    if shared.has_owner() {
        threads.push(owner(Arc::clone(&shared))?);
    }
    if let Some(file) = options.replay.clone() {
        threads.push(replay::spawn(Arc::clone(&shared), file, options.repeat)?);
    }
    threads.push(clock(Arc::clone(&shared), &config)?);

    notify::notify("READY=1");
    info!(ports = config.ports.len(), "Capturing");
    let signal = signals.wait().context("wait for a signal")?;
    notify::notify("STOPPING=1");
    info!("Stopping on {signal}");
    shared.stop();
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("A thread ended by a panic");
        }
    }
    shared.drain(now());
    shared.snapshot_all();
    shared.finish_others(now());
    shared.close_sinks();
    for thread in packets.into_iter().chain(records).chain([store]) {
        if thread.join().is_err() {
            tracing::error!("A thread of the stores ended by a panic");
        }
    }
    // A stale socket is removed at the next start; a systemd unit removes its runtime folder anyway.
    if let Err(error) = std::fs::remove_file(&config.socket) {
        tracing::debug!("The query socket could not be removed: {error}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives up all capabilities of this thread and of those it starts from here on.
pub(crate) fn caps_drop() {
    for set in [caps::CapSet::Ambient, caps::CapSet::Effective, caps::CapSet::Permitted, caps::CapSet::Inheritable] {
        if let Err(error) = caps::clear(None, set) {
            tracing::warn!("Capabilities could not be given up: {error}");
        }
    }
}

/// Handles the signalling that several workers see.
fn owner(shared: Arc<Shared>) -> Result<thread::JoinHandle<()>> {
    let thread = thread::Builder::new().name("signalling".into()).spawn(move || {
        while !shared.is_stopping() {
            shared.pump(now());
        }
    });
    thread.context("start the owner of signalling")
}

/// Tells the engine the time while ports are silent, what was lost before the rings, and the store what is in progress.
fn clock(shared: Arc<Shared>, config: &Config) -> Result<thread::JoinHandle<()>> {
    const BEATS_PER_SECOND: u64 = 4;
    let beats = limits::STORE_SNAPSHOT.as_secs().max(1).saturating_mul(BEATS_PER_SECOND);
    let mut upstream: Vec<_> = config.ports.iter().map(|name| Upstream::of(name)).collect();
    let mut others = records::Others::default();
    let thread = thread::Builder::new().name("clock".into()).spawn(move || {
        let mut beat = 0_u64;
        while !shared.wait_for_stop(Duration::from_millis(250)) {
            shared.advance(now());
            shared.sinks.idle(now());
            beat = beat.saturating_add(1);
            if beat.is_multiple_of(BEATS_PER_SECOND) {
                shared.look_upstream(now(), &mut upstream);
            }
            if beat.is_multiple_of(beats) {
                shared.snapshot(now());
            }
            others.turn(&shared, now());
        }
    });
    thread.context("start the clock")
}

/// The machine's time.
pub(crate) fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock; all else takes time as a parameter"
    )]
    let time = std::time::SystemTime::now();
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(since.as_secs(), u64::from(since.subsec_nanos()))
}

/// A request to open a port as one of a group of rings, and where the answer goes.
type Open = (String, Option<u16>, mpsc::Sender<Result<crate::capture::Ring, crate::capture::CaptureError>>);

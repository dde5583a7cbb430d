//! `psa-helper`: prepares a boot, serves the web process and the console, or is the console.

use anyhow::Context;
use clap::{Parser, Subcommand};
use listenfd::ListenFd;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use psa_helper::disk::Disk;
use psa_helper::helper::{Helper, Parts};
use psa_helper::password::Cost;
use psa_helper::peers::Users;
use psa_helper::system::{RealSystem, Recorded, System};
use psa_helper::world::RealWorld;
use psa_helper::{console, log, notify, serve};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the helper listens, below the root.
const SOCKET: &str = "run/psa-helper/helper.sock";

/// Keeps and applies the settings of a Callward machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The machine's root folder; any other than / is a scratch folder, for which no program is run
    #[arg(long, default_value = "/")]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes what a boot needs: the files of the settings in force, host name, key and certificate
    Prepare,
    /// Answers the web process and the console
    Serve {
        /// The socket to listen on, where systemd does not hand one over
        #[arg(long)]
        socket: Option<PathBuf>,
    },
    /// Shows address, fingerprint and setup code
    Console {
        /// The helper's socket
        #[arg(long)]
        socket: Option<PathBuf>,
        /// Shows the state once and ends
        #[arg(long)]
        once: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let Arguments { root, command } = Arguments::parse();
    log::start(std::env::var_os("JOURNAL_STREAM").is_some());
    let root = std::path::absolute(&root).context("find the root folder")?;
    let disk = Disk::new(&root);
    match command {
        Command::Prepare => Helper::open(parts(&disk))?.prepare(),
        Command::Serve { socket } => serve_until_stopped(&disk, socket),
        Command::Console { socket, once } => {
            let socket = socket.unwrap_or_else(|| disk.path(SOCKET));
            console::run(&socket, once, &mut io::stdout().lock()).context("write the screen")
        }
    }
}

fn parts(disk: &Disk) -> Parts {
    let system: Arc<dyn System> = if disk.is_scratch() { Arc::new(Recorded::default()) } else { Arc::new(RealSystem) };
    Parts { disk: disk.clone(), world: Arc::new(RealWorld), system, cost: Cost::PRODUCT }
}

fn serve_until_stopped(disk: &Disk, socket: Option<PathBuf>) -> anyhow::Result<()> {
    // Blocked before any thread starts, so that every thread inherits it and only the descriptor sees the signals.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block().context("block signals")?;
    let stop = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).context("watch signals")?;
    let helper = Arc::new(Helper::open(parts(disk))?);
    helper.resume()?;
    let handed = ListenFd::from_env().take_unix_listener(0).context("take the socket of systemd")?;
    let listener = match handed {
        Some(listener) => listener,
        None => bind(disk, &socket.unwrap_or_else(|| disk.path(SOCKET)))?,
    };
    notify::notify(std::env::var("NOTIFY_SOCKET").ok().as_deref(), "READY=1").context("tell systemd")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "Ready");
    serve::serve(&helper, Users::of_machine(disk.is_scratch()), &listener, stop.as_fd())?;
    tracing::info!("Stopped");
    Ok(())
}

/// Makes the socket (0660), in place of one that an earlier run left.
fn bind(disk: &Disk, path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        disk.make_folder(folder, 0o755).context("make the socket's folder")?;
    }
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path).context("remove the old socket")?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listen on {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(0o660)).context("protect the socket")?;
    Ok(listener)
}

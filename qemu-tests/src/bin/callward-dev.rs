//! What scripts/dev runs: PSA, helper and sniffer on this computer, with a scratch root folder and no privileges, reading
//! a capture file in a loop.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "this program talks to the person who started it")]

use anyhow::Result;
use clap::Parser;
use qemu_tests::clock;
use qemu_tests::scratch::{Scratch, Settings};
use qemu_tests::stop::Stop;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs PSA, helper and sniffer on this computer.
#[derive(Parser)]
struct Arguments {
    /// Keeps settings, account and calls in this folder
    #[arg(long)]
    scratch: PathBuf,
    /// Serves the pages on this port of 127.0.0.1
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// A capture file to play in a loop; without, an office's telephone traffic is made
    capture: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let stop = Stop::watch()?;
    println!("== starting psa-helper, sniffer and psa (folder: {})", arguments.scratch.display());
    let settings =
        Settings { folder: Some(arguments.scratch.clone()), capture: arguments.capture, port: Some(arguments.port) };
    let mut scratch = Scratch::start(&settings)?;
    println!("Address:     {}", scratch.url());
    println!("Fingerprint: {}", scratch.welcome.fingerprint);
    match &scratch.welcome.setup_code {
        Some(code) => println!("Setup code:  {code}"),
        None => println!("Log in with the account that you made before; remove the folder to begin again."),
    }
    println!("Logs:        {}/*.log", arguments.scratch.display());
    println!("Stop:        Ctrl-C, or kill {}", std::process::id());
    let is_over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_over);
    stop.then(move || flag.store(true, Ordering::Relaxed));
    clock::wait_until(Duration::MAX / 4, || {
        scratch.check()?;
        Ok::<_, anyhow::Error>(is_over.load(Ordering::Relaxed).then_some(()))
    })?;
    println!("== stopped");
    Ok(())
}

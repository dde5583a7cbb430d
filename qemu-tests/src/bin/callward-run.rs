//! What scripts/run runs: the appliance in QEMU with sample telephone traffic on its monitoring port.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "this program talks to the person who started it")]

use anyhow::{Context, Result};
use clap::Parser;
use qemu_tests::clock;
use qemu_tests::console::{self, Welcome};
use qemu_tests::headless;
use qemu_tests::machine::{BOOT_LIMIT, Boot, Image, Machine};
use qemu_tests::replay::{self, Speed};
use qemu_tests::stop::Stop;
use qemu_tests::traffic::{CallPlan, Faults, Plan, Traffic};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The caller of the sample call.
const CALLER: &str = "+351215550134";

/// Boots the appliance in QEMU and plays telephone traffic into its monitoring port.
#[derive(Parser)]
struct Arguments {
    /// The folder that callward-image wrote
    #[arg(long)]
    image: PathBuf,
    /// Where the machine's disk is kept from one run to the next
    #[arg(long)]
    state: PathBuf,
    /// Forgets the machine of the last run: its account, settings and calls
    #[arg(long)]
    fresh: bool,
    /// Logs in and looks at the Calls page by itself, on a machine of its own, and ends
    #[arg(long)]
    headless: bool,
    /// Serves the pages on this port of 127.0.0.1; without, on a free one
    #[arg(long)]
    port: Option<u16>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let image = Image::open(&arguments.image)?;
    let stop = Stop::watch()?;
    fs::create_dir_all(&arguments.state)?;
    let pid_file = arguments.state.join("pid");
    let mut builder = Machine::builder(Boot::Firmware(image.clone()));
    let disk = arguments.state.join("disk.qcow2");
    if !arguments.headless {
        keep_disk_of(&image, &arguments.state, &disk, arguments.fresh)?;
        builder = builder.disk(&disk);
    }
    if let Some(port) = arguments.port {
        builder = builder.port(port);
    }
    println!("== booting the appliance: UEFI, own kernel, verified root (about a minute without hardware support)");
    let mut machine = builder.start()?;
    fs::write(&pid_file, std::process::id().to_string())?;
    let ready = machine.wait_for_psa()?;
    println!("== the pages answer {:.1} s after power-on", ready.as_secs_f64());
    let welcome = machine.serial.wait_after(0, BOOT_LIMIT, |line| line.contains("State:").then_some(()));
    welcome.context("the console's welcome")?;
    let welcome = console::parse(&machine.serial.text()).context("the console shows no fingerprint")?;
    println!("== playing a sample call into the monitoring port, again and again");
    let is_over = Arc::new(AtomicBool::new(false));
    let outcome = if arguments.headless {
        alongside(&machine, &is_over, || {
            headless::journey(&machine, &welcome, CALLER).map(|seen| {
                for line in &seen.passed {
                    println!("PASS {line}");
                }
            })
        })
    } else {
        explain(&machine, &welcome, &pid_file);
        let flag = Arc::clone(&is_over);
        stop.then(move || flag.store(true, Ordering::Relaxed));
        play_until(&machine, &is_over)
    };
    fs::remove_file(&pid_file).unwrap_or_default();
    match outcome {
        Ok(()) if arguments.headless => println!("PASS all"),
        Ok(()) => {
            println!("== switching the machine off; the next run finds its account and its calls");
            machine.cut_power()?;
        }
        Err(error) => {
            println!("FAIL {error:#}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A disk belongs to the image it was made over: another image's would have another root.
fn keep_disk_of(image: &Image, state: &Path, disk: &Path, fresh: bool) -> Result<()> {
    let (mark, hash) = (state.join("roothash"), image.root_hash()?);
    let is_same = fs::read_to_string(&mark).is_ok_and(|kept| kept == hash);
    if disk.exists() && (fresh || !is_same) {
        println!("== a new machine: {}", if fresh { "as you asked" } else { "the image is another one" });
        fs::remove_file(disk)?;
    }
    fs::write(&mark, hash).context("remember the image")
}

fn sample(seed: u64) -> Result<Traffic> {
    let mut call = CallPlan::plain(CALLER, "+442079460018", Duration::from_secs(6));
    call.caller_faults = Faults { lost_percent: 3.0, jitter: Duration::from_millis(8), ..Faults::default() };
    Plan { seed, calls: vec![call], registrations: 1 }.make()
}

fn explain(machine: &Machine, welcome: &Welcome, pid_file: &Path) {
    println!("\nAddress:     https://{}/", machine.psa);
    println!("Fingerprint: {}", welcome.fingerprint);
    match &welcome.setup_code {
        Some(code) => println!("Setup code:  {code}   (open the address and create your account)"),
        None => println!("Log in with the account that you made before; --fresh begins again."),
    }
    println!("Stop:        Ctrl-C, or kill $(cat {})\n", pid_file.display());
}

/// Plays the traffic again and again until the flag is set, each time as other calls.
fn play_until(machine: &Machine, is_over: &AtomicBool) -> Result<()> {
    // Another seed each time, also for a machine that is kept: a Call-ID is used once.
    let mut seed = clock::since_epoch().as_secs();
    while !is_over.load(Ordering::Relaxed) {
        let frames = sample(seed)?.frames;
        replay::play_while(&machine.monitoring, &frames, Speed::Recorded, || !is_over.load(Ordering::Relaxed))?;
        seed = seed.wrapping_add(1);
    }
    Ok(())
}

/// Plays the traffic while something else is done.
fn alongside(machine: &Machine, is_over: &AtomicBool, act: impl FnOnce() -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        let player = scope.spawn(|| play_until(machine, is_over));
        let outcome = act();
        is_over.store(true, Ordering::Relaxed);
        let played = player.join().map_err(|_| anyhow::anyhow!("the player ended badly"))?;
        outcome.and(played)
    })
}

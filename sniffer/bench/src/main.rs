//! `scripts/bench sniffer`: what the sniffer costs beside the floor and beside others.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use sniffer::file::CaptureFile;
use sniffer_bench::{
    contest::Stage,
    live, measure, report,
    workload::{Scale, Workload},
};
use sniffer_core::engine::{Engine, FrameMeta, Settings};

#[derive(Parser)]
#[command(name = "sniffer-bench", about = "Measures the sniffer beside the floor and beside others")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the workloads, measures, checks the truth and judges the goals
    Sniffer {
        /// Small workloads: the truth is checked, times mean nothing
        #[arg(long)]
        quick: bool,
        /// Only this workload: W2, W3, W5, M1 or M2
        #[arg(long)]
        only: Option<String>,
        /// Rounds of the quick programs
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Rounds of tshark and sngrep; 0 leaves them out
        #[arg(long, default_value_t = 1)]
        slow_rounds: usize,
        /// The sniffer; without, the one built into this program
        #[arg(long)]
        sniffer: Option<PathBuf>,
        /// The empty loop over libpcap
        #[arg(long)]
        floor: Option<PathBuf>,
        /// Where workloads are kept
        #[arg(long)]
        cache: PathBuf,
    },
    /// The highest rate without loss over a veth pair, beside tcpdump; needs root
    Live {
        /// The sniffer
        #[arg(long)]
        sniffer: PathBuf,
        /// Where workloads are kept
        #[arg(long)]
        cache: PathBuf,
    },
    /// Runs a program and prints what it cost
    #[command(hide = true)]
    Measure {
        /// Where its standard output goes
        output: PathBuf,
        /// The program and its arguments
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Gives a file to the engine and forgets what comes out
    #[command(hide = true)]
    Engine {
        /// Ends with the last packet: calls stay in progress
        #[arg(long)]
        in_progress: bool,
        /// A capture file
        file: PathBuf,
    },
    /// The sniffer's own command line
    #[command(hide = true)]
    Built {
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Sniffer { quick, only, rounds, slow_rounds, sniffer, floor, cache } => {
            let helper = std::env::current_exe().context("find this program")?;
            let sniffer = sniffer.map_or_else(|| (helper.clone(), vec!["built".into()]), |path| (path, Vec::new()));
            let scratch = cache.join(format!("run-{}", std::process::id()));
            std::fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;
            let stage = Stage { helper, sniffer, floor, scratch, rounds, slow_rounds };
            let scale = if quick { Scale::Quick } else { Scale::Full };
            let outcome = report::run(&stage, scale, &cache, only.as_deref(), io::stdout().lock());
            std::fs::remove_dir_all(&stage.scratch).context("remove the outputs")?;
            Ok(if outcome? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Live { sniffer, cache } => {
            let made = Workload::Media.make(Scale::Full, &cache)?;
            let scratch = cache.join(format!("run-{}", std::process::id()));
            std::fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;
            let outcome = live::run(&sniffer, &made.file, &scratch, io::stdout().lock());
            std::fs::remove_dir_all(&scratch).context("remove the outputs")?;
            outcome.map(|()| ExitCode::SUCCESS)
        }
        Command::Measure { output, words } => {
            measure::run_and_print(&output, &words, io::stdout().lock()).map(|()| ExitCode::SUCCESS)
        }
        Command::Engine { in_progress, file } => engine(&file, in_progress).map(|()| ExitCode::SUCCESS),
        Command::Built { words } => Ok(sniffer::cli::run(std::iter::once("sniffer".to_owned()).chain(words))),
    }
}

fn engine(file: &Path, in_progress: bool) -> Result<()> {
    let mut capture = CaptureFile::open(file).with_context(|| format!("open {}", file.display()))?;
    let mut engine = Engine::new(Settings { rtp_without_sip: true, ..Settings::default() });
    let mut events = 0_u64;
    while let Some(packet) = capture.next_packet()? {
        engine.frame(packet.link, FrameMeta { time: packet.time, vlan: None }, packet.frame);
        while engine.next_event().is_some() {
            events += 1;
        }
    }
    if !in_progress {
        engine.finish();
    }
    while engine.next_event().is_some() {
        events += 1;
    }
    writeln!(io::stdout(), "{events} events, {} packets", engine.counters().received)?;
    Ok(())
}

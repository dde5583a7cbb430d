//! Who is measured on which workload, in turn and repeated, so that what slows the machine down slows all of them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{
    measure::{Cost, Program, find, measure, median},
    workload::{Made, Workload},
};

/// Somebody who reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// libpcap with an empty callback.
    Floor,
    /// The engine with nothing written.
    Engine,
    /// The engine left alone with its calls in progress: what they take, before records are made of them.
    InProgress,
    /// `sniffer read --json`.
    Sniffer,
    /// The same with every switch on: calls, packets and the archive are kept too.
    Everything,
    /// `tshark -z rtp,streams`.
    Tshark,
    /// `sngrep` with RTP.
    Sngrep,
}

/// Where programs are and how often they run.
#[derive(Debug, Clone)]
pub struct Stage {
    /// This program: it runs and measures the others.
    pub helper: PathBuf,
    /// The sniffer, and the words before its own arguments.
    pub sniffer: (PathBuf, Vec<String>),
    /// The empty loop, where it could be built.
    pub floor: Option<PathBuf>,
    /// A folder for outputs.
    pub scratch: PathBuf,
    /// Rounds of the quick contestants.
    pub rounds: usize,
    /// Rounds of those which take ten times as long and more.
    pub slow_rounds: usize,
}

/// What a contestant's runs cost.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Who.
    pub contestant: Contestant,
    /// The middle of its runs.
    pub cost: Cost,
    /// How many runs.
    pub runs: usize,
}

impl Contestant {
    /// Those who read to the end, in the order of a round.
    pub const ALL: [Self; 6] = [Self::Floor, Self::Engine, Self::Sniffer, Self::Everything, Self::Tshark, Self::Sngrep];

    /// What the table calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor: libpcap, empty loop",
            Self::Engine => "engine, nothing written",
            Self::InProgress => "engine, calls in progress",
            Self::Sniffer => "sniffer read --json",
            Self::Everything => "sniffer, everything on",
            Self::Tshark => "tshark -z rtp,streams",
            Self::Sngrep => "sngrep -r",
        }
    }

    fn is_slow(self) -> bool {
        matches!(self, Self::Tshark | Self::Sngrep)
    }

    /// `kept` is the folder in which everything is kept, where it is.
    fn program(self, stage: &Stage, file: &Path, kept: &Path) -> Option<Program> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let file = file.to_string_lossy().into_owned();
        let kept = kept.to_string_lossy();
        let sniffer = |more: &[&str]| Program {
            path: stage.sniffer.0.clone(),
            arguments: [stage.sniffer.1.clone(), words(&["read", "--json"]), words(more), vec![file.clone()]].concat(),
        };
        let other = |name: &str, more: &[&str]| {
            Some(Program { path: find(name)?, arguments: [words(more), vec![file.clone()]].concat() })
        };
        match self {
            Self::Floor => Some(Program { path: stage.floor.clone()?, arguments: vec![file] }),
            Self::Engine => Some(Program { path: stage.helper.clone(), arguments: vec!["engine".into(), file] }),
            Self::InProgress => {
                let arguments = vec!["engine".into(), "--in-progress".into(), file];
                Some(Program { path: stage.helper.clone(), arguments })
            }
            Self::Sniffer => Some(sniffer(&[])),
            Self::Everything => Some(sniffer(&["--rtp-without-sip", "--store", &kept])),
            Self::Tshark => other("tshark", &["-n", "-q", "-z", "rtp,streams", "-r"]),
            Self::Sngrep => other("sngrep", &["-N", "-q", "-r", "-I"]),
        }
    }

    /// Where its output lies after a run.
    #[must_use]
    pub fn output(self, stage: &Stage, workload: Workload) -> PathBuf {
        stage.scratch.join(format!("{}-{self:?}.out", workload.name()))
    }
}

/// Runs all contestants on a workload.
///
/// # Errors
/// When one of ours fails.
pub fn run(stage: &Stage, workload: Workload, made: &Made, who: &[Contestant]) -> Result<Vec<Measured>> {
    // Into the page cache, for all alike.
    io::copy(&mut File::open(&made.file)?, &mut io::sink())?;
    let mut costs: Vec<Vec<Cost>> = who.iter().map(|_| Vec::new()).collect();
    for round in 0..stage.rounds.max(stage.slow_rounds) {
        for (contestant, costs) in who.iter().zip(&mut costs) {
            let rounds = if contestant.is_slow() { stage.slow_rounds } else { stage.rounds };
            let kept = stage.scratch.join("kept");
            let Some(program) = contestant.program(stage, &made.file, &kept).filter(|_| round < rounds) else {
                continue;
            };
            let cost = measure(&stage.helper, &program, &contestant.output(stage, workload))?;
            clear(&kept)?;
            ensure!(cost.code == 0, "{} ended with code {} on {}", contestant.name(), cost.code, workload.name());
            costs.push(cost);
        }
    }
    Ok(who
        .iter()
        .zip(costs)
        .filter_map(|(&contestant, costs)| Some(Measured { contestant, cost: median(&costs)?, runs: costs.len() }))
        .collect())
}

/// Removes what was kept.
fn clear(kept: &Path) -> io::Result<()> {
    match fs::remove_dir_all(kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs the sniffer so often, several at once while as many threads as there are cores do nothing but work, and says how
/// many different outputs there were.
///
/// # Errors
/// When a run fails.
pub fn different_outputs(stage: &Stage, made: &Made, runs: usize) -> Result<usize> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let places: Vec<usize> = (0..runs).collect();
    let is_over = AtomicBool::new(false);
    let mut hashes = thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let hashes: Result<Vec<_>> = places.chunks(cores * 2).map(|group| some_hashes(stage, made, group)).collect();
        is_over.store(true, Ordering::Relaxed);
        hashes
    })?
    .concat();
    hashes.sort();
    hashes.dedup();
    Ok(hashes.len())
}

fn some_hashes(stage: &Stage, made: &Made, places: &[usize]) -> Result<Vec<Vec<u8>>> {
    thread::scope(|scope| {
        let threads: Vec<_> = places.iter().map(|place| scope.spawn(|| one_hash(stage, made, *place))).collect();
        threads.into_iter().map(|one| one.join().unwrap_or_else(|_| bail!("a run's thread failed"))).collect()
    })
}

fn one_hash(stage: &Stage, made: &Made, place: usize) -> Result<Vec<u8>> {
    let output = stage.scratch.join(format!("same-{place}.out"));
    let kept = stage.scratch.join(format!("kept-{place}"));
    let program = Contestant::Everything.program(stage, &made.file, &kept).context("the sniffer")?;
    let cost = measure(&stage.helper, &program, &output)?;
    clear(&kept)?;
    ensure!(cost.code == 0, "the sniffer ended with code {}", cost.code);
    let mut hash = Sha256::new();
    io::copy(&mut File::open(&output)?, &mut hash)?;
    fs::remove_file(&output)?;
    Ok(hash.finalize().to_vec())
}

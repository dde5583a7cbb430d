//! Runs programs one at a time and reads what they cost: a helper process starts each, since the kernel gives the
//! peak memory of children only as the largest of all.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::{Deserialize, Serialize};

/// What a run cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time, user and system, in seconds.
    pub cpu_s: f64,
    /// Peak of the resident memory, in bytes.
    pub peak: u64,
    /// Its exit code.
    pub code: i32,
}

/// A program and its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Starts a program.
#[expect(
    clippy::disallowed_methods,
    reason = "the benchmark starts programs here alone: a path and a list of arguments"
)]
pub fn command(path: &Path) -> Command {
    Command::new(path)
}

/// Runs a program through the helper, its standard output into a file.
///
/// # Errors
/// When it cannot be started or ends by a signal.
pub fn measure(helper: &Path, program: &Program, output: &Path) -> Result<Cost> {
    let mut command = command(helper);
    command.arg("measure").arg(output).arg("--").arg(&program.path).args(&program.arguments);
    let answer = command.stdin(Stdio::null()).output().with_context(|| format!("start {}", helper.display()))?;
    if !answer.status.success() {
        bail!("{}: {}", program.path.display(), String::from_utf8_lossy(&answer.stderr));
    }
    serde_json::from_slice(&answer.stdout).context("read what the helper measured")
}

/// The helper's part: runs the program and prints its cost.
///
/// # Errors
/// When it cannot be started or ends by a signal.
pub fn run_and_print(output: &Path, words: &[String], print: impl io::Write) -> Result<()> {
    let (path, arguments) = words.split_first().context("a program to measure")?;
    let file = File::create(output).with_context(|| format!("create {}", output.display()))?;
    let mut command = command(Path::new(path));
    command.args(arguments).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let status = command.status().with_context(|| format!("start {path}"))?;
    let code = status.code().with_context(|| format!("{path} ended by a signal"))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let cpu_s = f64::from(i32::try_from(micros / 10).context("a run of many hours")?) / 100_000.0;
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0).saturating_mul(1024);
    serde_json::to_writer(print, &Cost { cpu_s, peak, code })?;
    Ok(())
}

/// Finds a program on the path.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The middle of several costs, each figure by itself.
#[must_use]
pub fn median(costs: &[Cost]) -> Option<Cost> {
    let mut times: Vec<_> = costs.iter().map(|cost| cost.cpu_s).collect();
    times.sort_by(f64::total_cmp);
    let mut peaks: Vec<_> = costs.iter().map(|cost| cost.peak).collect();
    peaks.sort_unstable();
    let middle = costs.len() / 2;
    let code = costs.iter().map(|cost| cost.code).max()?;
    Some(Cost { cpu_s: *times.get(middle)?, peak: *peaks.get(middle)?, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_three_is_taken_for_each_figure() {
        let cost = |cpu_s, peak| Cost { cpu_s, peak, code: 0 };
        assert_eq!(median(&[cost(3.0, 1), cost(1.0, 2), cost(2.0, 9)]), Some(cost(2.0, 2)));
        assert_eq!(median(&[]), None);
    }
}

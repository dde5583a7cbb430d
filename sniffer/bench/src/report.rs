//! The whole benchmark and its text.

use std::{io::Write, path::Path};

use anyhow::Result;

use crate::{
    check,
    contest::{self, Contestant, Stage},
    goals::{Figures, Goal, number},
    workload::{Made, Scale, Workload},
};

/// Differences from the truth that are printed of a workload.
const SHOWN: usize = 8;
/// Runs whose output must be the same.
const SAME: usize = 10;

/// Measures, checks, judges, prints. False when a goal is missed.
///
/// # Errors
/// When a workload cannot be made or one of our programs fails.
pub fn run(stage: &Stage, scale: Scale, cache: &Path, only: Option<&str>, mut out: impl Write) -> Result<bool> {
    let mut figures = Figures::default();
    let mut goals = Vec::new();
    for workload in Workload::ALL.into_iter().filter(|one| only.is_none_or(|name| name == one.name())) {
        let made = workload.make(scale, cache)?;
        let is_memory = matches!(workload, Workload::InProgress | Workload::TwiceAsMany);
        let who: &[Contestant] = if is_memory { &[Contestant::InProgress] } else { &Contestant::ALL };
        let results = contest::run(stage, workload, &made, who)?;
        figures.size(workload, made.frames, made.messages, made.truth.calls.len());
        heading(workload, &made, &mut out)?;
        let floor = results.iter().find(|one| one.contestant == Contestant::Floor).map(|one| one.cost.cpu_s);
        for one in &results {
            figures.cost(workload, one.contestant, one.cost.cpu_s, one.cost.peak);
            let seconds = one.cost.cpu_s.max(1e-9);
            let frames = number(made.frames);
            writeln!(
                out,
                "  {:27} {:>8.3} {:>9} {:>11.0} {:>9.0} {:>8.1} {:>5}",
                one.contestant.name(),
                one.cost.cpu_s,
                floor.map_or_else(|| "-".into(), |floor| format!("{:.2}", one.cost.cpu_s / floor.max(1e-9))),
                frames / seconds,
                seconds * 1e9 / frames,
                number(one.cost.peak) / 1e6,
                one.runs
            )?;
        }
        if !is_memory {
            goals.extend(truth(stage, workload, &made, &mut out)?);
        }
        if workload == Workload::Media {
            let different = contest::different_outputs(stage, &made, SAME)?;
            goals.push(Goal {
                text: format!("W2: the same bytes in {SAME} runs, several at once on a loaded machine"),
                measured: format!("{different} different"),
                is_met: Some(different == 1),
            });
        }
        writeln!(out)?;
    }
    let mut judged = figures.judge();
    if scale == Scale::Quick {
        // So little traffic measures the start of a process and nothing else.
        judged.iter_mut().for_each(|goal| goal.is_met = None);
    }
    judged.extend(goals);
    for goal in judged.iter().filter(|goal| only.is_none() || goal.measured != "not measured") {
        let word = match goal.is_met {
            Some(true) => "PASS",
            Some(false) => "FAIL",
            None => "-   ",
        };
        writeln!(out, "{word} {}: {}", goal.text, goal.measured)?;
    }
    Ok(judged.iter().all(|goal| goal.is_met != Some(false)))
}

fn heading(workload: Workload, made: &Made, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{}: {} packets, {} SIP messages, {} calls\n  {:27} {:>8} {:>9} {:>11} {:>9} {:>8} {:>5}",
        workload.name(),
        made.frames,
        made.messages,
        made.truth.calls.len(),
        "",
        "CPU s",
        "× floor",
        "packets/s",
        "ns each",
        "peak MB",
        "runs"
    )?;
    Ok(())
}

/// The outputs against the truth, with and without every switch.
fn truth(stage: &Stage, workload: Workload, made: &Made, out: &mut impl Write) -> Result<Vec<Goal>> {
    let mut goals = Vec::new();
    for contestant in [Contestant::Sniffer, Contestant::Everything] {
        let (differences, count) = check::differences(&contestant.output(stage, workload), &made.truth, SHOWN)?;
        for difference in &differences {
            writeln!(out, "  {}: {difference}", contestant.name())?;
        }
        goals.push(Goal {
            text: format!("{}: {} says what the generator knows", workload.name(), contestant.name()),
            measured: format!("{count} differences"),
            is_met: Some(count == 0),
        });
    }
    Ok(goals)
}

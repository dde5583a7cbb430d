//! Names each step of a build while it runs, and records how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

/// How long one step took.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What the step did.
    pub name: String,
    /// Seconds on the clock.
    pub wall_seconds: f64,
    /// Seconds of processor time, of the step's programs and of the builder itself.
    pub cpu_seconds: f64,
}

/// The steps of one build so far.
#[derive(Debug, Default)]
pub struct Steps {
    done: Vec<Step>,
}

impl Steps {
    /// Runs one step, prints its name and its times.
    ///
    /// # Errors
    /// Passes on the step's error, with the step's name.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("== {name}");
        #[expect(clippy::disallowed_methods, reason = "this is where the builder reads the clock")]
        let started = Instant::now();
        let cpu = cpu_time()?;
        let result = work().with_context(|| format!("step {name:?}"))?;
        let step = Step {
            name: name.to_owned(),
            wall_seconds: tenths(started.elapsed()),
            cpu_seconds: tenths(cpu_time()?.saturating_sub(cpu)),
        };
        eprintln!("   {name}: {:.1} s, {:.1} CPU s", step.wall_seconds, step.cpu_seconds);
        self.done.push(step);
        Ok(result)
    }

    /// Returns the steps in the order they ran.
    pub fn into_done(self) -> Vec<Step> {
        self.done
    }
}

fn tenths(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

fn cpu_time() -> Result<Duration> {
    let mut total = Duration::ZERO;
    for who in [UsageWho::RUSAGE_CHILDREN, UsageWho::RUSAGE_SELF] {
        let usage = getrusage(who).context("read the processor time")?;
        for time in [usage.user_time(), usage.system_time()] {
            total += Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0));
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::Steps;

    #[test]
    fn a_failed_step_names_itself_and_is_not_recorded() {
        let mut steps = Steps::default();
        steps.step("first", || Ok(())).unwrap();
        let error = steps.step::<()>("second", || anyhow::bail!("no")).unwrap_err();
        assert_eq!(format!("{error:#}"), "step \"second\": no");
        let names: Vec<_> = steps.into_done().into_iter().map(|step| step.name).collect();
        assert_eq!(names, ["first"]);
    }
}

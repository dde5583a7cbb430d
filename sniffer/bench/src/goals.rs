//! The goals of the sniffer, as numbers, and whether they are met.

use crate::{contest::Contestant, workload::Workload};

/// The floor's CPU time may be taken so many times on RTP.
const TIMES_FLOOR: f64 = 2.5;
/// tshark takes at least so many times the CPU.
const TIMES_TSHARK: f64 = 40.0;
/// CPU of a SIP message, in microseconds, with the file read, nothing written.
const MICROS_MESSAGE: f64 = 2.0;
/// CPU of a call record written, in microseconds.
const MICROS_RECORD: f64 = 20.0;
/// Memory of a call in progress with two streams, in bytes.
const BYTES_CALL: f64 = 2048.0;
/// Peak memory of each workload, in bytes.
const PEAK: f64 = 150e6;

/// A goal and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What is asked.
    pub text: String,
    /// What was measured, as words.
    pub measured: String,
    /// Whether it is met; none when it could not be measured.
    pub is_met: Option<bool>,
}

/// What the goals are judged by.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    costs: Vec<(Workload, Contestant, f64, u64)>,
    sizes: Vec<(Workload, u64, u64, usize)>,
}

impl Figures {
    /// Adds what a contestant cost.
    pub fn cost(&mut self, workload: Workload, contestant: Contestant, cpu_s: f64, peak: u64) {
        self.costs.push((workload, contestant, cpu_s, peak));
    }

    /// Adds how large a workload is: frames, SIP messages, calls.
    pub fn size(&mut self, workload: Workload, frames: u64, messages: u64, calls: usize) {
        self.sizes.push((workload, frames, messages, calls));
    }

    fn cpu(&self, workload: Workload, contestant: Contestant) -> Option<f64> {
        self.costs.iter().find(|one| (one.0, one.1) == (workload, contestant)).map(|one| one.2)
    }

    fn peak(&self, workload: Workload, contestant: Contestant) -> Option<f64> {
        self.costs.iter().find(|one| (one.0, one.1) == (workload, contestant)).map(|one| number(one.3))
    }

    fn sizes(&self, workload: Workload) -> Option<(f64, f64)> {
        let one = self.sizes.iter().find(|one| one.0 == workload)?;
        Some((number(one.2), number(u64::try_from(one.3).ok()?)))
    }

    /// Judges what can be judged by CPU and memory.
    #[must_use]
    pub fn judge(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        let all = Contestant::Everything;
        let ratio = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a / b);
        goals.push(at_most(
            "RTP (W2), everything on: CPU × the floor",
            ratio(self.cpu(Workload::Media, all), self.cpu(Workload::Media, Contestant::Floor)),
            TIMES_FLOOR,
        ));
        let tshark = ratio(self.cpu(Workload::Media, Contestant::Tshark), self.cpu(Workload::Media, all));
        goals.push(Goal {
            text: format!("RTP (W2): tshark takes at least {TIMES_TSHARK} × our CPU"),
            measured: tshark.map_or_else(|| "not measured".into(), |value| format!("{value:.1}")),
            is_met: tshark.map(|value| value >= TIMES_TSHARK),
        });
        let (messages, calls) = self.sizes(Workload::Signalling).unzip();
        let engine = self.cpu(Workload::Signalling, Contestant::Engine);
        goals.push(at_most(
            "µs a SIP message (W3, engine, nothing written)",
            ratio(engine, messages).map(|seconds| seconds * 1e6),
            MICROS_MESSAGE,
        ));
        let written = self.cpu(Workload::Signalling, all).zip(engine).map(|(all, engine)| (all - engine).max(0.0));
        goals.push(at_most(
            "µs a call record written (W3, everything on, above the engine)",
            ratio(written, calls).map(|seconds| seconds * 1e6),
            MICROS_RECORD,
        ));
        let half = self.peak(Workload::InProgress, Contestant::InProgress);
        let calls_more = ratio(
            self.peak(Workload::TwiceAsMany, Contestant::InProgress).zip(half).map(|(full, half)| full - half),
            self.sizes(Workload::TwiceAsMany).zip(self.sizes(Workload::InProgress)).map(|(full, half)| full.1 - half.1),
        );
        goals.push(at_most("bytes a call in progress with two streams (M2 − M1)", calls_more, BYTES_CALL));
        for workload in [Workload::Media, Workload::Signalling, Workload::Tunnels] {
            let text = format!("MB of peak memory ({}, everything on)", workload.name());
            goals.push(at_most(&text, self.peak(workload, all).map(|peak| peak / 1e6), PEAK / 1e6));
        }
        goals
    }
}

fn at_most(text: &str, value: Option<f64>, most: f64) -> Goal {
    Goal {
        text: format!("{text}: at most {most}"),
        measured: value.map_or_else(|| "not measured".into(), |value| format!("{value:.2}")),
        is_met: value.map(|value| value <= most),
    }
}

/// A count as a float; counts here are far below 2^53.
#[must_use]
pub fn number(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & 0xffff_ffff);
    let part = |part: u64| f64::from(u32::try_from(part).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_missed_or_not_measured() {
        let mut figures = Figures::default();
        figures.cost(Workload::Media, Contestant::Floor, 0.1, 1);
        figures.cost(Workload::Media, Contestant::Everything, 0.3, 160_000_000);
        figures.cost(Workload::Media, Contestant::Tshark, 15.0, 1);
        let goals = figures.judge();
        let met: Vec<_> = goals.iter().map(|goal| goal.is_met).collect();
        assert_eq!(met, [Some(false), Some(true), None, None, None, Some(false), None, None]);
        assert_eq!(goals[0].measured, "3.00");
    }

    #[test]
    fn a_message_and_a_record_cost_what_is_left_of_the_others() {
        let mut figures = Figures::default();
        figures.size(Workload::Signalling, 700_000, 700_000, 100_000);
        figures.cost(Workload::Signalling, Contestant::Engine, 1.4, 1);
        figures.cost(Workload::Signalling, Contestant::Everything, 2.4, 1);
        let goals = figures.judge();
        assert_eq!((goals[2].measured.as_str(), goals[2].is_met), ("2.00", Some(true)));
        assert_eq!((goals[3].measured.as_str(), goals[3].is_met), ("10.00", Some(true)));
    }
}

//! The state of the machine as the pages show it: clock and services. Also parses what chronyc(1) prints.

use serde::{Deserialize, Serialize};

/// The clock's state.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClockStatus {
    /// Whether the clock follows a server. `None` when chrony did not answer.
    pub is_synchronised: Option<bool>,
    /// The server that it follows.
    pub reference: Option<String>,
    /// Its stratum: 1 is next to a reference clock.
    pub stratum: Option<u8>,
    /// How far the system's clock is off, in seconds; positive is fast.
    pub offset_seconds: Option<f64>,
    /// The time of the last measurement, in seconds since 1970.
    pub updated_at: Option<f64>,
    /// Every server that is set.
    pub sources: Vec<ClockSource>,
}

/// A time server as chrony sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockSource {
    /// Its name or address.
    pub name: String,
    /// What chrony makes of it.
    pub state: SourceState,
    /// How many of the last eight questions it answered.
    pub reached: u8,
    /// Seconds since the last answer.
    pub age_seconds: Option<u64>,
    /// Its last measured offset, in seconds.
    pub offset_seconds: Option<f64>,
}

/// What chrony makes of a server (chronyc(1), command `sources`, column S).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// `*`: the clock follows it.
    Selected,
    /// `+`: combined with the selected one.
    Combined,
    /// `-`: good, not needed.
    Spare,
    /// `x`: disagrees with the majority.
    Falseticker,
    /// `~`: varies too much.
    Unstable,
    /// `?`: no answer, or not enough of them.
    Unreachable,
}

/// Reads `chronyc -c tracking` into a clock status without sources. `None` when it is not such a line.
#[must_use]
pub fn parse_tracking(text: &str) -> Option<ClockStatus> {
    let fields: Vec<&str> = text.lines().next()?.split(',').collect();
    let [id, name, stratum, time, offset, .., leap] = fields.as_slice() else { return None };
    let is_synchronised = *leap != "Not synchronised" && *id != "00000000";
    // chrony prints the offset by which it will slew: positive means the clock is slow.
    let offset = offset.parse::<f64>().ok().map(|seconds| -seconds);
    Some(ClockStatus {
        is_synchronised: Some(is_synchronised),
        reference: is_synchronised.then(|| (*name).to_owned()).filter(|name| !name.is_empty()),
        stratum: stratum.parse().ok().filter(|_| is_synchronised),
        offset_seconds: offset.filter(|_| is_synchronised),
        updated_at: time.parse().ok().filter(|_| is_synchronised),
        sources: Vec::new(),
    })
}

/// Reads `chronyc -c sources`; lines that are none of its are passed over.
#[must_use]
pub fn parse_sources(text: &str) -> Vec<ClockSource> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [_mode, state, name, _stratum, _poll, reach, age, offset, ..] = fields.as_slice() else { return None };
            let reach = u8::from_str_radix(reach, 8).ok()?;
            Some(ClockSource {
                name: (*name).to_owned(),
                state: match *state {
                    "*" => SourceState::Selected,
                    "+" => SourceState::Combined,
                    "-" => SourceState::Spare,
                    "x" => SourceState::Falseticker,
                    "~" => SourceState::Unstable,
                    _ => SourceState::Unreachable,
                },
                reached: u8::try_from(reach.count_ones()).unwrap_or(u8::MAX),
                age_seconds: age.parse().ok().filter(|_| reach != 0),
                offset_seconds: offset.parse().ok().filter(|_| reach != 0),
            })
        })
        .collect()
}

/// A service of the appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its unit without the suffix, such as `sniffer`.
    pub unit: String,
    /// What it does, for people.
    pub purpose: String,
    /// Its state.
    pub state: ServiceState,
    /// Since when, in seconds since 1970.
    pub since: Option<u64>,
}

/// The state of a service (`ActiveState` of systemd).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Running, or done where it is a single step.
    Active,
    /// On its way up or down.
    Changing,
    /// Not running, and not meant to.
    Inactive,
    /// Failed.
    Failed,
    /// systemd did not answer.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrony_without_servers_is_not_synchronised() {
        let line = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n";
        let clock = parse_tracking(line).unwrap();
        assert_eq!(clock, ClockStatus { is_synchronised: Some(false), ..ClockStatus::default() });
    }

    #[test]
    fn a_synchronised_clock_says_whom_it_follows() {
        let line = "C0000201,192.0.2.1,2,1795000000.250000000,-0.000300000,0.000100000,0.0002,1.234,0.001,0.05,0.010,0.001,64.2,Normal\n";
        let clock = parse_tracking(line).unwrap();
        assert_eq!(clock.is_synchronised, Some(true));
        assert_eq!((clock.reference.as_deref(), clock.stratum), (Some("192.0.2.1"), Some(2)));
        assert_eq!(clock.offset_seconds, Some(0.0003));
    }

    #[test]
    fn sources_carry_reach_and_state() {
        let text = "^,*,192.0.2.1,1,6,377,12,0.000012,0.000010,0.0005\n^,?,ntp9.example.net,0,6,0,4294967295,0.0,0.0,0.0\nnonsense\n";
        let sources = parse_sources(text);
        assert_eq!(sources.len(), 2);
        assert_eq!(
            (sources[0].state, sources[0].reached, sources[0].age_seconds),
            (SourceState::Selected, 8, Some(12))
        );
        assert_eq!((sources[1].state, sources[1].reached, sources[1].age_seconds), (SourceState::Unreachable, 0, None));
    }

    #[test]
    fn what_is_not_chrony_is_nothing() {
        assert_eq!(parse_tracking("506 Cannot talk to daemon\n"), None);
        assert_eq!(parse_tracking(""), None);
    }
}

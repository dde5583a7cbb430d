//! Ports and capture counters as the page shows them.

use super::probe::PortFigures;
use crate::view::state::{State, Tone};
use crate::view::text::{count, foreign};
use crate::view::time::Clock;
use jiff::Timestamp;
use psa_model::network::{NetworkSettings, PortRole};
use sniffer_core::query::{Counters, PortCounters, PortState, StoreState};
use std::collections::BTreeMap;

/// What is not known or does not apply.
const UNKNOWN: &str = "–";

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRow {
    /// Its name.
    pub name: String,
    /// What it is used for.
    pub role: &'static str,
    /// Link, speed, or why it does not capture.
    pub state: State,
    /// Packets that the kernel saw, on a monitoring port.
    pub received: String,
    /// Packets that were lost by this machine.
    pub lost: String,
    /// Whether any were.
    pub has_lost: bool,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// The ports, management first, then in the order of their names.
#[must_use]
pub fn ports(figures: &[PortFigures], network: &NetworkSettings, counters: Option<&Counters>) -> Vec<PortRow> {
    let role = |port: &PortFigures| port.mac.as_ref().map_or(PortRole::Unused, |mac| network.role(mac));
    let seen = |name: &str| counters.and_then(|all| all.ports.iter().find(|port| port.name == name));
    let mut rows: Vec<(bool, PortRow)> = figures
        .iter()
        .map(|port| (role(port) != PortRole::Management, PortRow::of(port, role(port), seen(&port.name))))
        .collect();
    // A port that the sniffer listens on and the system does not list: a bridge or a tap of a test machine.
    let others = counters.into_iter().flat_map(|all| &all.ports);
    for counted in others.filter(|counted| figures.iter().all(|port| port.name != counted.name)) {
        let has_link = Some(counted.state == PortState::Up);
        let port = PortFigures { name: counted.name.clone(), has_link, ..PortFigures::default() };
        rows.push((true, PortRow::of(&port, PortRole::Monitoring, Some(counted))));
    }
    rows.sort_by_key(|(is_later, _)| *is_later);
    rows.into_iter().map(|(_, row)| row).collect()
}

impl PortRow {
    fn of(port: &PortFigures, role: PortRole, counters: Option<&PortCounters>) -> Self {
        let is_monitoring = role == PortRole::Monitoring;
        let lost = counters.map(lost_by);
        Self {
            name: foreign(&port.name),
            role: match role {
                PortRole::Management => "Management",
                PortRole::Monitoring => "Monitoring",
                PortRole::Unused => "Not used",
            },
            state: match counters.map(|c| &c.state) {
                Some(PortState::Failed { message }) => State::with_next(Tone::Bad, "Capture failed", foreign(message)),
                Some(PortState::Missing) => State::with_next(Tone::Bad, "Missing", "Check that the card is fitted."),
                Some(PortState::Up | PortState::Down) | None => link(port, role),
            },
            received: counters.map_or_else(|| UNKNOWN.into(), |c| count(c.received)),
            lost: lost.map_or_else(|| UNKNOWN.into(), count),
            has_lost: lost.is_some_and(|lost| lost > 0),
            addresses: if is_monitoring && port.addresses.is_empty() {
                vec!["None: it only listens".into()]
            } else {
                port.addresses.clone()
            },
        }
    }
}

fn link(port: &PortFigures, role: PortRole) -> State {
    match (port.has_link, role) {
        (Some(true), _) => State::new(Tone::Good, port.speed.map_or_else(|| "Link".into(), speed)),
        (Some(false), PortRole::Unused) => State::new(Tone::Plain, "No link"),
        (None, PortRole::Unused) => State::new(Tone::Plain, "Off"),
        (Some(false), PortRole::Management | PortRole::Monitoring) => {
            State::with_next(Tone::Bad, "No link", "Check the cable and the switch.")
        }
        (None, PortRole::Management | PortRole::Monitoring) => {
            State::with_next(Tone::Bad, "Off", "It is switched on at start: restart the machine.")
        }
    }
}

fn speed(megabits: u32) -> String {
    match (megabits / 1000, megabits % 1000) {
        (0, megabits) => format!("{megabits} Mbit/s"),
        (gigabits, 0) => format!("{gigabits} Gbit/s"),
        (gigabits, rest) => format!("{gigabits}.{} Gbit/s", rest / 100),
    }
}

/// Capture as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureView {
    /// Whether it works.
    pub state: State,
    /// The figures; `None` when the sniffer does not answer.
    pub totals: Option<Totals>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Since when.
    pub since: String,
    /// Packets of all ports.
    pub received: String,
    /// Where packets of the ports were lost before they were received, and how many.
    pub lost: Vec<(&'static str, String)>,
    /// Packets that reached a call.
    pub delivered: String,
    /// Packets that wait for their announcement.
    pub waiting: String,
    /// Calls in progress.
    pub calls_now: String,
    /// Calls since start.
    pub calls: String,
    /// Calls in the store.
    pub store: State,
    /// Stage, reason and count of packets that went no further.
    pub dropped: Vec<(String, String, String)>,
    /// What was given up early because a table was full: "12 calls, 3 streams". Empty when nothing was.
    pub evicted: String,
}

impl CaptureView {
    /// The view of the counters.
    #[must_use]
    pub fn of(counters: Option<&Counters>, clock: &Clock) -> Self {
        let Some(all) = counters else {
            return Self {
                state: State::with_next(
                    Tone::Bad,
                    "No answer",
                    "The sniffer does not answer; calls may be missed. It is started again by itself: wait a minute, then see Services below.",
                ),
                totals: None,
            };
        };
        let by_ports: u64 = all.ports.iter().map(lost_by).fold(0, u64::saturating_add);
        let lost = by_ports.max(all.lost_here);
        let state = if all.ports.is_empty() {
            State::with_next(Tone::Warn, "No port listens", "Fit a second port, and restart the machine.")
        } else if lost > 0 {
            State::with_next(
                Tone::Warn,
                format!("{} packets lost here", count(lost)),
                "The machine could not keep up. Calls of that time are marked at Calls.",
            )
        } else {
            State::new(Tone::Good, "None lost here")
        };
        let since = Timestamp::from_nanosecond(i128::from(all.since.as_nanos())).map(|time| clock.with_age(time));
        let dropped = all
            .dropped
            .iter()
            .flat_map(|(stage, reasons)| reasons.iter().map(move |(reason, number)| (stage, reason, *number)))
            .filter(|(_, _, number)| *number > 0)
            .map(|(stage, reason, number)| (foreign(stage), foreign(&reason.replace('_', " ")), count(number)))
            .collect();
        let totals = Totals {
            since: since.unwrap_or_default(),
            received: count(all.received),
            lost: lost_before(&all.ports),
            delivered: count(all.delivered),
            waiting: count(all.waiting),
            calls_now: count(all.calls_in_progress),
            calls: count(all.calls),
            store: store(&all.store),
            dropped,
            evicted: evicted(&all.evicted),
        };
        Self { state, totals: Some(totals) }
    }
}

/// Packets for a port that this machine lost: in the card and the kernel, and in the port's ring.
fn lost_by(port: &PortCounters) -> u64 {
    port.kernel_dropped.saturating_add(port.interface_dropped)
}

/// Where packets were lost before the sniffer had them; only where any were.
fn lost_before(ports: &[PortCounters]) -> Vec<(&'static str, String)> {
    let sum = |figure: fn(&PortCounters) -> u64| ports.iter().map(figure).fold(0, u64::saturating_add);
    [
        ("by the network card or the kernel", sum(|port| port.interface_dropped)),
        ("in the port's buffer, which was full", sum(|port| port.kernel_dropped)),
    ]
    .into_iter()
    .filter(|(_, packets)| *packets > 0)
    .map(|(place, packets)| (place, count(packets)))
    .collect()
}

fn evicted(tables: &BTreeMap<String, u64>) -> String {
    let told = tables.iter().filter(|(_, entries)| **entries > 0);
    told.map(|(table, entries)| format!("{} {}", count(*entries), foreign(&table.replace('_', " "))))
        .collect::<Vec<_>>()
        .join(", ")
}

fn store(state: &StoreState) -> State {
    match state {
        StoreState::Ok { calls } => State::new(Tone::Good, format!("{} kept", count(*calls))),
        StoreState::Damaged { calls, message } => {
            State::with_next(Tone::Bad, format!("{} kept, some damaged", count(*calls)), foreign(message))
        }
        StoreState::Off => State::with_next(Tone::Warn, "Not kept", "Calls are only in memory on this machine."),
        StoreState::Failed { message } => State::with_next(Tone::Bad, "Not kept", foreign(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::network::MacAddress;

    fn port(name: &str, mac: &str, has_link: Option<bool>, speed: Option<u32>) -> PortFigures {
        let mac = MacAddress::parse(mac).ok();
        PortFigures { name: name.into(), mac, has_link, speed, addresses: vec![] }
    }

    #[test]
    fn management_comes_first_and_a_dead_link_says_what_to_do() {
        let (a, b) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
        let figures = [port("enp1s0", a, Some(false), None), port("enp2s0", b, Some(true), Some(2500))];
        let network = NetworkSettings {
            management: MacAddress::parse(b).ok(),
            monitoring: MacAddress::parse(a).into_iter().collect(),
        };
        let rows = ports(&figures, &network, None);
        assert_eq!(
            rows.iter().map(|r| (r.name.as_str(), r.role)).collect::<Vec<_>>(),
            [("enp2s0", "Management"), ("enp1s0", "Monitoring")]
        );
        assert_eq!(rows[0].state, State::new(Tone::Good, "2.5 Gbit/s"));
        assert_eq!(rows[1].state.next, "Check the cable and the switch.");
        assert_eq!(rows[1].received, UNKNOWN);
    }

    #[test]
    fn a_damaged_store_is_no_good_one_and_says_what_is_lost() {
        let shown = store(&StoreState::Damaged { calls: 1200, message: "3 values were passed over".into() });
        assert_eq!(
            shown,
            State::with_next(Tone::Bad, format!("{} kept, some damaged", count(1200)), "3 values were passed over")
        );
        assert_ne!(shown.word, store(&StoreState::Ok { calls: 1200 }).word);
    }

    #[test]
    fn a_sniffer_that_does_not_answer_is_no_zero() {
        let clock = Clock::new(&psa_model::ntp::ZoneName::default(), Timestamp::UNIX_EPOCH);
        let view = CaptureView::of(None, &clock);
        assert_eq!((view.totals, view.state.word.as_str()), (None, "No answer"));
    }
}

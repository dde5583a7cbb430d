//! Load, memory, disks and services as the page shows them.

use super::probe::{DISKS, Figures};
use crate::view::state::{State, Tone};
use crate::view::text::{percent, size};
use crate::view::time::{Clock, span};
use jiff::Timestamp;
use psa_model::status::{ServiceState, ServiceStatus};

/// A disk that is fuller than this, in per cent, is worth a look; the machine's own housekeeping works at 90.
const NEARLY_FULL: u64 = 90;

/// What is not known.
const UNKNOWN: &str = "–";

/// The machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineView {
    /// Since when it is up.
    pub uptime: String,
    /// Runnable tasks beside processors.
    pub load: String,
    /// Memory in use.
    pub memory: String,
    /// The same in per cent, for the meter.
    pub memory_percent: u64,
}

impl MachineView {
    /// The view of figures.
    #[must_use]
    pub fn of(figures: &Figures) -> Self {
        let cores = if figures.processors == 1 { "core" } else { "cores" };
        Self {
            uptime: figures.uptime.map_or_else(|| UNKNOWN.into(), span),
            load: figures
                .load
                .map_or_else(|| UNKNOWN.into(), |load| format!("{load:.2} of {} {cores}", figures.processors)),
            memory: match figures.memory {
                0 => UNKNOWN.into(),
                all => format!("{} of {}", size(figures.memory_used), size(all)),
            },
            memory_percent: percent(figures.memory_used, figures.memory),
        }
    }
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskView {
    /// Its name.
    pub name: &'static str,
    /// What lies on it.
    pub purpose: &'static str,
    /// What is used.
    pub used: String,
    /// What is free.
    pub free: String,
    /// What is used in per cent, for the meter; `None` when it is not mounted.
    pub percent: Option<u64>,
    /// Its state.
    pub state: State,
}

/// The disks in the page's order.
#[must_use]
pub fn disks(figures: &Figures) -> Vec<DiskView> {
    DISKS
        .iter()
        .map(|&(mount, name, purpose)| match figures.disks.get(mount) {
            None => DiskView {
                name,
                purpose,
                used: UNKNOWN.into(),
                free: UNKNOWN.into(),
                percent: None,
                // There is always a root; a container's list of mounts may not say so.
                state: if mount == "/" {
                    State::new(Tone::Plain, "Unknown")
                } else {
                    State::with_next(
                        Tone::Bad,
                        "Not mounted",
                        "Restart the machine. If it stays like this, see its console.",
                    )
                },
            },
            // Mounted, and out of this process's sight.
            Some(&(_, 0)) => DiskView {
                name,
                purpose,
                used: UNKNOWN.into(),
                free: UNKNOWN.into(),
                percent: None,
                state: State::new(Tone::Plain, "Mounted"),
            },
            Some(&(free, all)) => {
                let used = all.saturating_sub(free);
                let full = percent(used, all);
                let state = match mount {
                    // A verified image has no free room, and needs none.
                    "/" => State::new(Tone::Good, "Mounted"),
                    _ if full >= NEARLY_FULL => {
                        State::with_next(Tone::Warn, "Nearly full", "The oldest calls go first when no room is left.")
                    }
                    _ => State::new(Tone::Good, "Mounted"),
                };
                DiskView { name, purpose, used: size(used), free: size(free), percent: Some(full), state }
            }
        })
        .collect()
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// Its unit.
    pub unit: String,
    /// What it does.
    pub purpose: String,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: String,
}

impl ServiceView {
    /// The view of a service.
    #[must_use]
    pub fn of(service: &ServiceStatus, clock: &Clock) -> Self {
        let state = match service.state {
            ServiceState::Active => State::new(Tone::Good, "Running"),
            ServiceState::Changing => State::with_next(Tone::Plain, "Starting or stopping", "Wait a minute."),
            ServiceState::Inactive => State::new(Tone::Plain, "Not running"),
            ServiceState::Failed => State::with_next(
                Tone::Bad,
                "Failed",
                "It is started again by itself. If it stays like this, restart the machine from its console.",
            ),
            ServiceState::Unknown => State::with_next(Tone::Warn, "Unknown", "The system does not say. Wait a minute."),
        };
        let since = service
            .since
            .and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok())
            .map(|time| clock.with_age(time))
            .unwrap_or_default();
        Self { unit: service.unit.clone(), purpose: service.purpose.clone(), state, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_disk_that_is_missing_or_nearly_full_says_what_to_do() {
        let figures = Figures {
            disks: BTreeMap::from([("/".to_owned(), (0, 100)), ("/capture".to_owned(), (5, 100))]),
            ..Figures::default()
        };
        let shown: Vec<_> =
            disks(&figures).into_iter().map(|d| (d.name, d.state.word, d.state.next.is_empty())).collect();
        assert_eq!(
            shown,
            [
                ("System", "Mounted".to_owned(), true),
                ("STATE", "Not mounted".to_owned(), false),
                ("CAPTURE", "Nearly full".to_owned(), false)
            ]
        );
    }

    #[test]
    fn a_machine_that_does_not_say_is_shown_as_unknown() {
        let view = MachineView::of(&Figures::default());
        assert_eq!([view.uptime, view.load, view.memory].map(|text| text == UNKNOWN), [true; 3]);
    }
}

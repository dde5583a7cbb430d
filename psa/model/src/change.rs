//! What the review page says of a change, and what the history says of it afterwards.

use crate::network::Facts;
use crate::render::{DiffRow, Risk};
use crate::settings::{Change, Generation, Settings};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Everything a person needs to decide on a change: what differs, what is touched, who will notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Old and new values.
    pub rows: Vec<DiffRow>,
    /// Files that will be written, as paths from the root.
    pub files: Vec<String>,
    /// Units that will be told.
    pub units: Vec<&'static str>,
    /// Whether it may cost the administrator her access.
    pub risk: Risk,
}

impl Review {
    /// Compares the current settings with what `change` makes of them.
    #[must_use]
    pub fn of(current: &Settings, change: &Change, facts: &Facts) -> Self {
        let proposed = change.apply_to(current);
        let before = current.render(facts);
        let touched: Vec<_> = proposed.render(facts).into_iter().filter(|file| !before.contains(file)).collect();
        let mut units: Vec<_> = touched.iter().flat_map(|(_, reloads)| reloads.iter().map(|r| r.unit)).collect();
        units.sort_unstable();
        units.dedup();
        Self {
            rows: current.diff(&proposed).into_iter().flat_map(|(_, _, rows)| rows).collect(),
            files: touched.into_iter().map(|(file, _)| file.path).collect(),
            units,
            risk: current.risk(&proposed),
        }
    }

    /// Whether the change changes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// One state of all settings in the machine's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Its number.
    pub generation: Generation,
    /// When it was made, RFC 3339 in UTC.
    pub at: String,
    /// Who made it, `system` for the machine itself.
    pub by: String,
    /// From which address, where a person made it.
    pub from: Option<IpAddr>,
    /// Why: the page's title, or "Undo of generation 42".
    pub why: String,
    /// What it changed.
    pub rows: Vec<DiffRow>,
}

//! What a settings feature returns to the helper: files to write, units to tell, lines to show. Plain data.

use serde::{Deserialize, Serialize};

/// One file below the run-time folder `/run`, as the helper writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Path from the root, such as `run/callward/chrony/callward.sources`. Never absolute, never with `..`.
    pub path: String,
    /// Permission bits; owner is root.
    pub mode: u32,
    /// The whole content.
    pub content: String,
}

/// How a unit learns that one of its files changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// The unit as the review page names it, such as `chrony`.
    pub unit: &'static str,
    /// The program with its full path.
    pub program: &'static str,
    /// Its arguments, as a list: no shell ever sees them.
    pub arguments: &'static [&'static str],
}

/// One line of a review or of the audit: a setting, its old and its new value, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffRow {
    /// The setting as the page labels it, such as `Server 2`.
    pub setting: String,
    /// Its value before, `None` where there was none.
    pub was: Option<String>,
    /// Its value after, `None` where there is none.
    pub will: Option<String>,
}

impl DiffRow {
    /// A row, or nothing when both sides are the same.
    #[must_use]
    pub fn of(setting: impl Into<String>, was: Option<String>, will: Option<String>) -> Option<Self> {
        (was != will).then(|| Self { setting: setting.into(), was, will })
    }
}

/// Whether a change may cost the administrator her access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nobody is disconnected.
    None,
    /// The connection to this page may end.
    MayDisconnect,
    /// Nobody may be able to log in.
    MayLockOut,
}

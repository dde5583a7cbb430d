//! The audit: one JSON object a line, appended and synced before the answer goes out. Never holds a secret.

use crate::disk::Disk;
use crate::generations::Author;
use jiff::Timestamp;
use psa_model::render::DiffRow;
use psa_model::settings::Generation;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

/// Who is named when a login failed with a name that no account has: it may be a password typed into the wrong field.
pub const UNKNOWN: &str = "(unknown)";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first administrator account was created.
    FirstAccount,
    /// Somebody logged in.
    Login,
    /// A name, password or setup code was wrong.
    LoginFailed,
    /// Somebody logged out.
    Logout,
    /// A page's settings were changed.
    Change,
    /// An earlier generation was restored.
    Restore,
    /// The machine itself did something.
    System,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was refused.
    Refused,
    /// It failed and was taken back.
    Undone,
}

/// A step from one generation to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The one before.
    pub from: Generation,
    /// The one after.
    pub to: Generation,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// When, RFC 3339 in UTC.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
    /// Whose account, `system`, or [`UNKNOWN`].
    pub who: String,
    /// From which address, where a person did it.
    pub from: Option<IpAddr>,
    /// The feature it was about, such as `ntp`.
    pub what: Option<String>,
    /// Which generations it led from and to.
    pub generation: Option<Step>,
    /// Settings with old and new value.
    pub rows: Vec<DiffRow>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Entry {
    /// A line about an author, without a change.
    #[must_use]
    pub fn of(time: Timestamp, event: Event, author: Author, outcome: Outcome) -> Self {
        let Author { by, from } = author;
        Self { time, event, who: by, from, what: None, generation: None, rows: Vec::new(), outcome }
    }

    /// The same line with what it was about.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        Self { what: Some(what.to_owned()), ..self }
    }
}

/// The audit's file.
pub struct Audit {
    file: Mutex<File>,
    disk: Disk,
}

impl Audit {
    /// Opens `audit.log` (0600) for appending. A line that a crash cut short is ended, so that the next one stands
    /// alone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open(disk: &Disk) -> io::Result<Self> {
        let path = disk.state().join("audit.log");
        disk.make_folder(&disk.state(), 0o700)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        crate::disk::sync_folder(&disk.state())?;
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self { file: Mutex::new(file), disk: disk.clone() })
    }

    /// Appends a line and makes it durable.
    ///
    /// # Errors
    /// When the disk refuses: whatever the line is about must then not happen.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)?;
        file.sync_data()?;
        self.disk.step("audit written");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn entry(who: &str) -> Entry {
        let author = Author { by: who.into(), from: Some([192, 0, 2, 9].into()) };
        Entry::of(Timestamp::UNIX_EPOCH, Event::Login, author, Outcome::Done)
    }

    #[test]
    fn lines_are_appended_and_a_torn_one_does_not_spoil_the_next() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        Audit::open(&disk).unwrap().write(&entry("anna")).unwrap();
        let path = root.path().join("state/psa-helper/audit.log");
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(br#"{"time":"19"#);
        fs::write(&path, torn).unwrap();
        Audit::open(&disk).unwrap().write(&entry("a line\nbreak")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            r#"{"time":"1970-01-01T00:00:00Z","event":"login","who":"anna","from":"192.0.2.9","what":null,"generation":null,"rows":[],"outcome":"done"}"#
        );
        let last: serde_json::Value = serde_json::from_str(lines[2]).unwrap();
        assert_eq!(last["who"], "a line\nbreak");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

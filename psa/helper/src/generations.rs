//! The history of all settings: each state is a numbered record, and one pointer says which is in force.

use crate::store::{Batch, Durable, StoreError};
use jiff::Timestamp;
use psa_model::change::HistoryEntry;
use psa_model::limits::MAX_GENERATIONS;
use psa_model::render::DiffRow;
use psa_model::settings::{Generation, Settings};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

const CURRENT: &str = "current";
const PREFIX: &str = "generation/";

/// Who caused something, as the history and the audit name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// An account's name, or `system`.
    pub by: String,
    /// The browser's address, where a person did it.
    pub from: Option<IpAddr>,
}

impl Author {
    /// The machine itself.
    #[must_use]
    pub fn system() -> Self {
        Self { by: "system".into(), from: None }
    }
}

/// Where a generation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is or was in force.
    Confirmed,
    /// It is being tried. After a restart it is undone.
    Unconfirmed {
        /// When it is undone unless somebody confirms it; `None` where nobody is asked.
        undo_at: Option<Timestamp>,
    },
    /// It was tried and taken back.
    Undone {
        /// Why, for the log.
        why: String,
    },
}

/// One state of all settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub generation: Generation,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub author: Author,
    /// Why: a page's title, or what was undone.
    pub why: String,
    /// What it changed.
    pub rows: Vec<DiffRow>,
    /// Where it stands.
    pub state: State,
    /// The settings.
    pub settings: Settings,
}

/// The history in its store.
#[derive(Clone, Copy)]
pub struct Generations<'a>(pub &'a Durable);

impl Generations<'_> {
    /// The record in force; `None` before the first boot has made one.
    ///
    /// # Errors
    /// When the store fails.
    pub fn current(&self) -> Result<Option<Record>, StoreError> {
        let Some(current) = self.0.get::<Generation>(CURRENT)? else { return Ok(None) };
        self.get(current)?.map(Some).ok_or_else(|| StoreError::Damaged(key(current)))
    }

    /// One record.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, generation: Generation) -> Result<Option<Record>, StoreError> {
        self.0.get(&key(generation))
    }

    /// The record that was being tried when the helper ended, if one was.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unconfirmed(&self) -> Result<Option<Record>, StoreError> {
        Ok(self.all()?.into_iter().rev().find(|record| matches!(record.state, State::Unconfirmed { .. })))
    }

    /// The number of the next record. Numbers of undone ones are not given again: the audit names them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next(&self) -> Result<Generation, StoreError> {
        Ok(self.all()?.last().map_or(Generation::FIRST, |last| last.generation.next()))
    }

    /// Stores a record as unconfirmed, before any effect of it, and drops the oldest beyond the limit.
    ///
    /// # Errors
    /// When the store fails.
    pub fn hold(&self, record: &Record) -> Result<(), StoreError> {
        let mut batch = Batch::default().put(&key(record.generation), record)?;
        let current = self.0.get::<Generation>(CURRENT)?;
        let all = self.all()?;
        let surplus = all.len().saturating_add(1).saturating_sub(MAX_GENERATIONS);
        for old in all.iter().filter(|old| Some(old.generation) != current).take(surplus) {
            batch = batch.remove(&key(old.generation));
        }
        self.0.write(batch)
    }

    /// Puts a record in force.
    ///
    /// # Errors
    /// When the store fails.
    pub fn keep(&self, record: &Record) -> Result<(), StoreError> {
        let kept = Record { state: State::Confirmed, ..record.clone() };
        self.0.write(Batch::default().put(&key(kept.generation), &kept)?.put(CURRENT, &kept.generation)?)
    }

    /// Marks a record as taken back; `to` is in force.
    ///
    /// # Errors
    /// When the store fails.
    pub fn undo(&self, record: &Record, to: Generation, why: &str) -> Result<(), StoreError> {
        let undone = Record { state: State::Undone { why: why.to_owned() }, ..record.clone() };
        self.0.write(Batch::default().put(&key(undone.generation), &undone)?.put(CURRENT, &to)?)
    }

    /// The newest generations that came into force, newest first, as many as fit into `bytes` of JSON.
    ///
    /// # Errors
    /// When the store fails.
    pub fn history(&self, limit: usize, bytes: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let mut room = bytes;
        let mut entries = Vec::new();
        for record in self.all()?.into_iter().rev().filter(|record| record.state == State::Confirmed).take(limit) {
            let entry = HistoryEntry {
                generation: record.generation,
                at: record.at.to_string(),
                by: record.author.by,
                from: record.author.from,
                why: record.why,
                rows: record.rows,
            };
            let size = serde_json::to_vec(&entry).map_or(usize::MAX, |json| json.len().saturating_add(1));
            let Some(left) = room.checked_sub(size) else { break };
            room = left;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// All records, oldest first.
    fn all(&self) -> Result<Vec<Record>, StoreError> {
        Ok(self.0.scan(PREFIX)?.into_iter().map(|(_, record)| record).collect())
    }
}

/// Twenty digits hold every u64, so that the keys sort by number.
fn key(generation: Generation) -> String {
    format!("{PREFIX}{:020}", generation.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;

    fn record(generation: u64) -> Record {
        Record {
            generation: Generation(generation),
            at: Timestamp::UNIX_EPOCH,
            author: Author::system(),
            why: "Time".into(),
            rows: Vec::new(),
            state: State::Unconfirmed { undo_at: None },
            settings: Settings::default(),
        }
    }

    fn with_store(test: impl FnOnce(Generations<'_>)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Durable::open(&Disk::new(folder.path()), folder.path()).unwrap().0;
        test(Generations(&store));
    }

    #[test]
    fn a_held_record_is_not_in_force_until_it_is_kept() {
        with_store(|generations| {
            generations.keep(&record(1)).unwrap();
            generations.hold(&record(2)).unwrap();
            assert_eq!(generations.current().unwrap().unwrap().generation, Generation(1));
            assert_eq!(generations.unconfirmed().unwrap().unwrap().generation, Generation(2));
            generations.undo(&record(2), Generation(1), "it failed").unwrap();
            assert_eq!(generations.unconfirmed().unwrap(), None);
            assert_eq!(generations.next().unwrap(), Generation(3));
            assert_eq!(generations.history(9, 9999).unwrap().len(), 1, "what was undone is no history");
        });
    }

    #[test]
    fn the_oldest_goes_beyond_the_limit_but_never_the_one_in_force() {
        with_store(|generations| {
            generations.keep(&record(1)).unwrap();
            let many: u64 = MAX_GENERATIONS.try_into().unwrap();
            let mut batch = Batch::default();
            for n in 2..=many {
                batch = batch.put(&key(Generation(n)), &record(n)).unwrap();
            }
            generations.0.write(batch).unwrap();
            generations.hold(&record(many + 1)).unwrap();
            assert!(generations.get(Generation(1)).unwrap().is_some());
            assert!(generations.get(Generation(2)).unwrap().is_none());
            assert_eq!(generations.all().unwrap().len(), MAX_GENERATIONS);
        });
    }

    #[test]
    fn a_history_fits_into_an_answer() {
        with_store(|generations| {
            for n in 1..=5 {
                generations.keep(&record(n)).unwrap();
            }
            let all = generations.history(400, 100_000).unwrap();
            assert_eq!(all.first().map(|entry| entry.generation), Some(Generation(5)));
            let one = serde_json::to_vec(&all[0]).unwrap().len() + 1;
            assert_eq!(generations.history(400, one * 3).unwrap().len(), 3);
            assert_eq!(generations.history(2, 100_000).unwrap().len(), 2);
        });
    }
}

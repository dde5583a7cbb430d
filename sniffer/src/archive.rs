//! The archive: one Parquet file of calls and one of streams for each hour, and one of each other kind of records, for
//! DuckDB, ClickHouse, Spark or pandas. Files of calls and of all else have bounds of their own.
//!
//! A file has the calls that were kept in the hour, in the order of their starts. It is written under another name, made
//! durable and then renamed; its name comes from what is in it, so that an hour that a power cut interrupts is written
//! again over itself. Must not be needed by anything: what the program searches is in the store.

mod columns;
mod records;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parquet::{
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::{parser::parse_message_type, types::ColumnPath},
};
use sniffer_core::{query::CallKey, record::RecordKind, time::Timestamp};
use thiserror::Error;

use self::columns::Column;
use crate::{
    disk::{Disk, DiskFile, How},
    limits,
    packets::Usage,
    store::{Store, StoreError, Unarchived},
};

/// Why an hour was not archived.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The store failed.
    #[error("what is kept cannot be read for the archive")]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("the archive cannot be written")]
    Disk(#[from] io::Error),
    /// The file could not be made.
    #[error("a Parquet file cannot be made")]
    Parquet(#[from] ParquetError),
    /// Free space has reached the floor.
    #[error("free space has reached its floor")]
    Floor,
}

/// Files that are kept and deleted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Calls and their streams.
    Calls,
    /// Registrations, subscriptions, exchanges, streams without a call.
    Others,
}

impl Group {
    /// The hour in a file's name, where it is one of this group: none of another's.
    fn hour_of(self, name: &str) -> Option<u64> {
        self.tables().into_iter().find_map(|table| hour_of(table, name))
    }

    fn tables(self) -> Vec<&'static str> {
        match self {
            Self::Calls => vec!["calls", "streams"],
            Self::Others => RecordKind::ALL.into_iter().map(records::table).collect(),
        }
    }
}

/// One group of the archive in a folder.
#[derive(Debug)]
pub struct Archive {
    group: Group,
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Its files and their bytes: years of hours are too many to ask the disk for every few seconds.
    files: Mutex<BTreeMap<String, u64>>,
}

const PART: &str = ".part";

/// The columns of each table.
type Tables = Vec<Vec<Column>>;

impl Archive {
    /// A group of the archive in a folder, which is made where it is not there. What was left half written is removed.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(group: Group, disk: &Arc<dyn Disk>, folder: &Path) -> io::Result<Self> {
        disk.make_folder(folder)?;
        let mut files = BTreeMap::new();
        for file in disk.list(folder)? {
            let part = file.name.strip_suffix(PART);
            if group.hour_of(part.unwrap_or(&file.name)).is_none() {
                continue;
            }
            if part.is_some() {
                disk.remove(&folder.join(&file.name))?;
            } else {
                files.insert(file.name, file.bytes);
            }
        }
        Ok(Self { group, disk: Arc::clone(disk), folder: folder.to_owned(), files: Mutex::new(files) })
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the first hour before `hour` that is not archived. False when there is none.
    ///
    /// # Errors
    /// When the store or the disk fails, or when less than `floor` bytes are free: it is tried again.
    pub fn write(&self, store: &Store, hour: u64, floor: u64) -> Result<bool, ArchiveError> {
        self.write_tables(store, hour, floor, &["calls", "streams"], &|keys| {
            // Without those that were deleted meanwhile, or are damaged and counted.
            let mut some = columns::Calls::default();
            store.values(keys, |value| some.add(value))?;
            let streams = columns::streams(&some);
            Ok(vec![columns::calls(some), streams])
        })
    }

    /// Writes the first hour before `hour` of which records of a kind are not archived. False when there is none.
    ///
    /// # Errors
    /// As [`Archive::write`].
    pub fn write_records(&self, kind: RecordKind, store: &Store, hour: u64, floor: u64) -> Result<bool, ArchiveError> {
        self.write_tables(store, hour, floor, &[records::table(kind)], &|keys| {
            Ok(vec![records::columns(kind, &store.records(keys)?)])
        })
    }

    fn write_tables(
        &self,
        store: &Store,
        hour: u64,
        floor: u64,
        tables: &[&str],
        columns: &dyn Fn(&[CallKey]) -> Result<Tables, ArchiveError>,
    ) -> Result<bool, ArchiveError> {
        let Some(todo) = store.unarchived(hour)? else { return Ok(false) };
        // More than the files can take: a call with its streams is about 300 octets in them.
        let room = u64::try_from(todo.calls.len()).unwrap_or(0).saturating_mul(limits::ARCHIVE_CALL);
        if self.disk.space(&self.folder)?.free < floor.saturating_add(room) {
            return Err(ArchiveError::Floor);
        }
        let schemas = columns(&[])?;
        let begun = tables.iter().zip(&schemas).map(|(table, schema)| File::begin(self, &name(table, &todo), schema));
        let mut files = begun.collect::<Result<Vec<_>, _>>()?;
        for keys in todo.calls.chunks(limits::ARCHIVE_ROWS) {
            for (file, columns) in files.iter_mut().zip(columns(keys)?) {
                file.rows(&columns)?;
            }
        }
        for file in files {
            file.finish(self)?;
        }
        self.disk.sync_folder(&self.folder)?;
        store.archived(&todo)?;
        Ok(true)
    }

    /// What the files take.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn usage(&self) -> io::Result<Usage> {
        let files = self.files();
        Ok(Usage {
            bytes: files.values().copied().fold(0, u64::saturating_add),
            oldest: self.oldest_hour(&files).map(start_of),
            segments: files.len(),
        })
    }

    /// Up to when the oldest files reach.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn oldest_ends(&self) -> io::Result<Option<Timestamp>> {
        Ok(self.usage()?.oldest.map(|oldest| oldest.after(std::time::Duration::from_secs(3600))))
    }

    /// Deletes the files of the oldest hour. Returns their bytes; none when there are none.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delete_oldest(&self) -> io::Result<Option<u64>> {
        let of_hour: Vec<(String, u64)> = {
            let files = self.files();
            let Some(oldest) = self.oldest_hour(&files) else { return Ok(None) };
            let of_hour = files.iter().filter(|(name, _)| self.group.hour_of(name) == Some(oldest));
            of_hour.map(|(name, bytes)| (name.clone(), *bytes)).collect()
        };
        let mut deleted = 0_u64;
        for (name, bytes) in of_hour {
            self.disk.remove(&self.folder.join(&name))?;
            self.files().remove(&name);
            deleted = deleted.saturating_add(bytes);
        }
        self.disk.sync_folder(&self.folder)?;
        Ok(Some(deleted))
    }
}

impl Archive {
    /// The oldest hour that has a file. Names begin with the table and then are in the order of time.
    fn oldest_hour(&self, files: &BTreeMap<String, u64>) -> Option<u64> {
        let first =
            |table: &&'static str| files.range(format!("{table}-")..).next().and_then(|(name, _)| hour_of(table, name));
        self.group.tables().iter().filter_map(first).min()
    }
}

/// Such as `calls-2026-11-23T21-00000000000004d2.parquet`: the hour in UTC, and what tells it from another part of the
/// same hour, which comes when the clock is set back.
fn name(kind: &str, todo: &Unarchived) -> String {
    let text = start_of(todo.hour).to_string();
    format!("{kind}-{}-{:016x}.parquet", text.get(..13).unwrap_or_default(), todo.first)
}

fn start_of(hour: u64) -> Timestamp {
    Timestamp::from_parts(hour.saturating_mul(3600), 0)
}

/// The hour in the name of a table's file.
fn hour_of(table: &str, name: &str) -> Option<u64> {
    let rest = name.strip_prefix(table)?.strip_prefix('-')?.strip_suffix(".parquet")?;
    let time: Timestamp =
        serde_json::from_value(serde_json::Value::String(format!("{}:00:00Z", rest.get(..13)?))).ok()?;
    Some(crate::store::hour(time))
}

/// A file that is being written.
struct File {
    name: String,
    file: Arc<dyn DiskFile>,
    writer: SerializedFileWriter<BufWriter<Sequential>>,
}

impl File {
    fn begin(archive: &Archive, name: &str, columns: &[Column]) -> Result<Self, ArchiveError> {
        let file = archive.disk.open(&archive.folder.join(format!("{name}{PART}")), How::Emptied)?;
        let schema = parse_message_type(&columns::schema(columns))?;
        let mut properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_created_by("Callward".into());
        for column in columns.iter().filter(|column| column.is_searched) {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(column.name), true);
        }
        // Nearly all of these differ: a dictionary only costs. Nobody asks which record is the smallest.
        let unlike = ["record", "id", "call_id", "from", "to", "caller", "callee"];
        for column in columns.iter().filter(|column| unlike.contains(&column.name)) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.name), false);
        }
        properties = properties.set_column_statistics_enabled(ColumnPath::from("record"), EnabledStatistics::None);
        let output = BufWriter::with_capacity(1 << 18, Sequential { file: Arc::clone(&file), at: 0 });
        let writer = SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties.build()))?;
        Ok(Self { name: name.to_owned(), file, writer })
    }

    fn rows(&mut self, columns: &[Column]) -> Result<(), ArchiveError> {
        if columns.first().is_none_or(|column| column.values.is_empty()) {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in columns {
            let Some(mut writer) = group.next_column()? else { break };
            column.write(&mut writer)?;
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Durable first, and then under its name.
    fn finish(mut self, archive: &Archive) -> Result<(), ArchiveError> {
        self.writer.finish()?;
        self.writer.inner_mut().flush()?;
        self.file.sync()?;
        let path = |name: &str| archive.folder.join(name);
        archive.disk.rename(&path(&format!("{}{PART}", self.name)), &path(&self.name))?;
        archive.files().insert(self.name, self.file.length()?);
        Ok(())
    }
}

/// Writes a file from its beginning on.
#[derive(Debug)]
struct Sequential {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Write for Sequential {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(self.at, bytes)?;
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

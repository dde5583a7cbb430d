//! The archive: one Parquet file of calls and one of streams for each hour, for DuckDB, ClickHouse, Spark or pandas.
//!
//! A file has the calls that were kept in the hour, in the order of their starts. It is written under another name, made
//! durable and then renamed; its name comes from what is in it, so that an hour that a power cut interrupts is written
//! again over itself. Must not be needed by anything: what the program searches is in the store.

mod columns;
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
use sniffer_core::time::Timestamp;
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
    #[error("calls cannot be read for the archive")]
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

/// The archive in a folder.
#[derive(Debug)]
pub struct Archive {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Its files and their bytes: years of hours are too many to ask the disk for every few seconds.
    files: Mutex<BTreeMap<String, u64>>,
}

const PART: &str = ".part";

impl Archive {
    /// The archive in a folder, which is made where it is not there. What was left half written is removed.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Path) -> io::Result<Self> {
        disk.make_folder(folder)?;
        let mut files = BTreeMap::new();
        for file in disk.list(folder)? {
            if file.name.ends_with(PART) {
                disk.remove(&folder.join(&file.name))?;
            } else {
                files.insert(file.name, file.bytes);
            }
        }
        Ok(Self { disk: Arc::clone(disk), folder: folder.to_owned(), files: Mutex::new(files) })
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the first hour before `hour` that is not archived. False when there is none.
    ///
    /// # Errors
    /// When the store or the disk fails, or when less than `floor` bytes are free: it is tried again.
    pub fn write(&self, store: &Store, hour: u64, floor: u64) -> Result<bool, ArchiveError> {
        let Some(todo) = store.unarchived(hour)? else { return Ok(false) };
        // More than the files can take: a call with its streams is about 300 octets in them.
        let room = u64::try_from(todo.calls.len()).unwrap_or(0).saturating_mul(limits::ARCHIVE_CALL);
        if self.disk.space(&self.folder)?.free < floor.saturating_add(room) {
            return Err(ArchiveError::Floor);
        }
        let mut calls = File::begin(self, &name("calls", &todo), &columns::calls(columns::Calls::default()))?;
        let mut streams = File::begin(self, &name("streams", &todo), &columns::streams(&columns::Calls::default()))?;
        for keys in todo.calls.chunks(limits::ARCHIVE_ROWS) {
            // Without those that were deleted meanwhile, or are damaged and counted.
            let mut some = columns::Calls::default();
            store.values(keys, |value| some.add(value))?;
            streams.rows(&columns::streams(&some))?;
            calls.rows(&columns::calls(some))?;
        }
        for file in [calls, streams] {
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
            oldest: oldest(&files).map(start_of),
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
            let Some(oldest) = oldest(&files) else { return Ok(None) };
            let of_hour = files.iter().filter(|(name, _)| hour_of(name) == Some(oldest));
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

/// Such as `calls-2026-11-23T21-00000000000004d2.parquet`: the hour in UTC, and what tells it from another part of the
/// same hour, which comes when the clock is set back.
fn name(kind: &str, todo: &Unarchived) -> String {
    let text = start_of(todo.hour).to_string();
    format!("{kind}-{}-{:016x}.parquet", text.get(..13).unwrap_or_default(), todo.first)
}

/// The oldest hour that has a file. Names begin with the kind and then are in the order of time.
fn oldest(files: &BTreeMap<String, u64>) -> Option<u64> {
    let first = |kind: &str| files.range(kind.to_owned()..).find_map(|(name, _)| hour_of(name));
    first("calls-").into_iter().chain(first("streams-")).min()
}

fn start_of(hour: u64) -> Timestamp {
    Timestamp::from_parts(hour.saturating_mul(3600), 0)
}

/// The hour in a file's name.
fn hour_of(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("calls-").or_else(|| name.strip_prefix("streams-"))?.strip_suffix(".parquet")?;
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

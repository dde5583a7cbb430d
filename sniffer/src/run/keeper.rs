//! The keeper: writes the archive, deletes what is too old or too much, and says for how long there is room.

use std::{
    io,
    path::Path,
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use sniffer_core::{
    query::{RecordKind, StorageReport},
    time::Timestamp,
};
use tracing::{info, warn};

use super::{Config, Shared, now};
use crate::{
    archive::{Archive, ArchiveError, Group},
    disk::Disk,
    limits,
    packets::{Kind, PacketStore},
    retention::{Files, Growth, keep_floor, keep_within},
    store::{self, Bounds, StoreError},
};

/// Starts the thread; none when it cannot be started, which is logged.
pub fn spawn(disk: &Arc<dyn Disk>, folder: &Path, config: &Config, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let mut keeper = Keeper {
        disk: Arc::clone(disk),
        folder: folder.to_owned(),
        config: config.clone(),
        shared: Arc::clone(shared),
        archive: None,
        archive_others: None,
        calls: Growth::default(),
        records: RecordKind::ALL.map(|kind| (kind, Growth::default())),
        archived: Growth::default(),
        archived_others: Growth::default(),
        signalling: Growth::default(),
        signalling_others: Growth::default(),
        media: Growth::default(),
        has_failed: false,
    };
    let thread = Builder::new().name("keeper".into()).spawn(move || {
        loop {
            keeper.turn(now());
            if keeper.shared.wait_for_stop(limits::RETENTION) {
                return;
            }
        }
    });
    thread.inspect_err(|error| warn!("Nothing old is being deleted: {error}")).ok()
}

struct Keeper {
    disk: Arc<dyn Disk>,
    folder: std::path::PathBuf,
    config: Config,
    shared: Arc<Shared>,
    archive: Option<Archive>,
    archive_others: Option<Archive>,
    calls: Growth,
    records: [(RecordKind, Growth); 4],
    archived: Growth,
    archived_others: Growth,
    signalling: Growth,
    signalling_others: Growth,
    media: Growth,
    has_failed: bool,
}

impl Keeper {
    fn turn(&mut self, now: Timestamp) {
        // Each for itself: an archive that finds no room is what deleting is for.
        let archived = self.archive(now).and(self.archive_others(now));
        let retained = self.retain_calls(now).and(self.retain_records(now)).map_err(ArchiveError::from);
        let deleted = self.retain(now).map_err(ArchiveError::from);
        let done = archived.and(retained).and(deleted);
        match done {
            Ok(()) => self.has_failed = false,
            // Logged once; the next turn tries again.
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    warn!("Housekeeping failed: {:#}", anyhow::Error::new(error));
                }
            }
        }
    }

    /// Writes the hours that have ended.
    fn archive(&mut self, now: Timestamp) -> Result<(), ArchiveError> {
        let bound = self.config.keep.archive;
        let Some(store) = self.shared.sinks.store().filter(|_| bound.gigabytes > 0) else { return Ok(()) };
        if self.archive.is_none() {
            self.archive = Some(Archive::open(Group::Calls, &self.disk, &self.folder.join("archive"))?);
        }
        let Some(archive) = &self.archive else { return Ok(()) };
        let floor = self.config.keep.floor(self.disk.space(&self.folder)?.total);
        // What ended at the end of the hour may still be watched.
        while archive.write(&store, store::hour(now.before(limits::ARCHIVE_WAIT)), floor)? {
            info!("An hour of calls is in the archive");
        }
        Ok(())
    }

    /// Writes the hours of all else that have ended.
    fn archive_others(&mut self, now: Timestamp) -> Result<(), ArchiveError> {
        if self.config.keep.archive_others.gigabytes == 0 {
            return Ok(());
        }
        if self.archive_others.is_none() {
            self.archive_others = Some(Archive::open(Group::Others, &self.disk, &self.folder.join("archive"))?);
        }
        let Some(archive) = &self.archive_others else { return Ok(()) };
        let floor = self.config.keep.floor(self.disk.space(&self.folder)?.total);
        for kind in RecordKind::ALL {
            let Some(store) = self.shared.sinks.records.store(kind) else { continue };
            while archive.write_records(kind, &store, store::hour(now.before(limits::ARCHIVE_WAIT)), floor)? {}
        }
        Ok(())
    }

    fn retain_records(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for (kind, growth) in &mut self.records {
            let Some(store) = self.shared.sinks.records.store(*kind) else { continue };
            let bound = self.config.keep.records(*kind);
            let bytes = bound.bytes().saturating_mul(10) / limits::STORE_FILE_TENTHS;
            let bounds = Bounds { calls: u64::MAX, bytes, since: bound.since(now) };
            loop {
                let (rows, bytes) = store.retain(&bounds)?;
                growth.delete(store::file_of(bytes));
                if rows == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn retain_calls(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(store) = self.shared.sinks.store() else { return Ok(()) };
        let bound = self.config.keep.calls;
        // What is bounded is the file; values are what is counted.
        let bytes = bound.bytes().saturating_mul(10) / limits::STORE_FILE_TENTHS;
        let bounds = Bounds { calls: self.config.keep_calls, bytes, since: bound.since(now) };
        loop {
            let (calls, bytes) = store.retain(&bounds)?;
            self.calls.delete(store::file_of(bytes));
            if calls == 0 {
                return Ok(());
            }
        }
    }

    fn retain(&mut self, now: Timestamp) -> io::Result<()> {
        let keep = self.config.keep;
        let space = self.disk.space(&self.folder)?;
        let floor = keep.floor(space.total);
        let packets = self.shared.sinks.packets();
        let mut kinds: Vec<(&str, &dyn Files, crate::retention::Bound, &mut Growth)> = Vec::new();
        if let Some(media) = packets.and_then(|packets| packets.segments(Kind::Media)) {
            kinds.push(("media", &**media, keep.media, &mut self.media));
        }
        if let Some(others) = packets.and_then(|packets| packets.segments(Kind::Other)) {
            kinds.push(("signalling_others", &**others, keep.signalling_others, &mut self.signalling_others));
        }
        if let Some(signalling) = packets.and_then(|packets| packets.segments(Kind::Signalling)) {
            kinds.push(("signalling", &**signalling, keep.signalling, &mut self.signalling));
        }
        if let Some(archive) = &self.archive_others {
            kinds.push(("archive_others", archive, keep.archive_others, &mut self.archived_others));
        }
        if let Some(archive) = &self.archive {
            kinds.push(("archive", archive, keep.archive, &mut self.archived));
        }
        for (_, files, bound, growth) in &mut kinds {
            growth.delete(keep_within(*files, *bound, now)?);
        }
        let files: Vec<&dyn Files> = kinds.iter().map(|(_, files, _, _)| *files).collect();
        let deleted = keep_floor(&files, floor, || self.disk.space(&self.folder))?;
        let space = self.disk.space(&self.folder)?;
        let room = space.free.saturating_sub(floor);
        let mut report = StorageReport {
            free: space.free,
            total: space.total,
            floor,
            packets_stopped: packets.is_some_and(PacketStore::is_stopped),
            packets_dropped: packets.map(PacketStore::dropped).unwrap_or_default(),
            damaged: packets.map_or(0, PacketStore::damaged),
            kinds: Vec::new(),
        };
        for ((_, files, _, growth), deleted) in kinds.iter_mut().zip(deleted) {
            growth.delete(deleted);
            growth.see(now, files.bytes()?);
        }
        let store = self.shared.sinks.store();
        if let Some(store) = &store {
            self.calls.see(now, store::file_of(store.bytes()));
        }
        for (kind, growth) in &mut self.records {
            if let Some(store) = self.shared.sinks.records.store(*kind) {
                growth.see(now, store::file_of(store.bytes()));
            }
        }
        // All grow into the same room.
        let rates = kinds.iter().map(|(_, _, _, growth)| growth.bytes_a_day()).chain([self.calls.bytes_a_day()]);
        let rates = rates.chain(self.records.iter().map(|(_, growth)| growth.bytes_a_day()));
        let all = rates.flatten().fold(0, u64::saturating_add);
        for (kind, files, bound, growth) in &kinds {
            let room = growth.share(room, all);
            report.kinds.push(growth.report(kind, *bound, files.bytes()?, files.oldest()?, room));
        }
        if let Some(store) = store {
            report.damaged = report.damaged.saturating_add(store.damaged());
            let bytes = store.bytes();
            let room = self.calls.share(room, all);
            // A store that fails says so itself.
            let oldest = store.oldest().ok().flatten();
            // The forecast is that of the file.
            let mut calls = self.calls.report("calls", keep.calls, store::file_of(bytes), oldest, room);
            calls.bytes = store.file_bytes();
            report.kinds.push(calls);
        }
        for (kind, growth) in &self.records {
            let Some(store) = self.shared.sinks.records.store(*kind) else { continue };
            report.damaged = report.damaged.saturating_add(store.damaged());
            let (room, oldest) = (growth.share(room, all), store.oldest().ok().flatten());
            let bytes = store::file_of(store.bytes());
            let mut rows = growth.report(kind.plural(), keep.records(*kind), bytes, oldest, room);
            rows.bytes = store.file_bytes();
            report.kinds.push(rows);
        }
        self.shared.sinks.set_report(report);
        Ok(())
    }
}

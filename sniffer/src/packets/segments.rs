//! Segments: files of blocks, bounded in size, never changed once they are full, deleted whole and the oldest first.
//!
//! What there is follows from the files alone. A full segment is durable before the next one begins, so a power cut can
//! only hurt the last one: its blocks are all checked when the store is opened, and what is damaged at its end is cut.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sniffer_core::time::Timestamp;

use super::block::{HEADER, Header, Piece};
use crate::{
    disk::{Disk, DiskFile, How},
    limits,
};

/// Segments of one kind.
#[derive(Debug)]
pub struct Segments {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    state: Mutex<State>,
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were written.
    segments: Vec<Segment>,
    next: u64,
    writing: Option<Writing>,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its number, which is its name.
    pub number: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Time of the earliest packet of its first block.
    pub earliest: Timestamp,
    /// Time of the latest packet; none where its blocks were not looked at.
    pub latest: Option<Timestamp>,
}

#[derive(Debug)]
struct Writing {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    is_dirty: bool,
}

/// What segments take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all.
    pub bytes: u64,
    /// Time of the oldest.
    pub oldest: Option<Timestamp>,
    /// How many.
    pub segments: usize,
}

fn name(number: u64) -> String {
    format!("{number:016x}.packets")
}

fn number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".packets").filter(|digits| digits.len() == 16)?, 16).ok()
}

impl Segments {
    /// The segments in a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When the folder or the last segment cannot be used.
    pub fn open(disk: &Arc<dyn Disk>, folder: &Path) -> io::Result<Self> {
        disk.make_folder(folder)?;
        let mut state = State::default();
        let mut damaged = 0_u64;
        let found: Vec<_> =
            disk.list(folder)?.into_iter().filter_map(|file| Some((number(&file.name)?, file.bytes))).collect();
        let last = found.iter().map(|(number, _)| *number).max();
        for (number, mut bytes) in found {
            state.next = state.next.max(number.saturating_add(1));
            let path = folder.join(name(number));
            // One bad place of the disk costs what lies there, not all that comes.
            let before = state.segments.last().map_or(Timestamp::default(), |segment| segment.earliest);
            let opened = disk.open(&path, How::Existing).and_then(|file| Ok((header_at(&*file, 0)?, file)));
            let Ok((header, file)) = opened else {
                damaged = damaged.saturating_add(1);
                state.segments.push(Segment { number, bytes, earliest: before, latest: None });
                continue;
            };
            if Some(number) == last {
                let whole = check(&*file, bytes)?;
                if whole < bytes {
                    damaged = damaged.saturating_add(1);
                    file.set_len(whole)?;
                    file.sync()?;
                    bytes = whole;
                }
            }
            if bytes == 0 {
                disk.remove(&path)?;
                continue;
            }
            // A segment whose beginning is damaged is as old as the one before it: it goes with it.
            let earliest = header.map_or(before, |header| header.earliest);
            state.segments.push(Segment { number, bytes, earliest, latest: None });
        }
        disk.sync_folder(folder)?;
        let state = Mutex::new(state);
        Ok(Self { disk: Arc::clone(disk), folder: folder.to_owned(), state, damaged: AtomicU64::new(damaged) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a block. False when it would leave less than `floor` bytes free.
    ///
    /// # Errors
    /// When the disk fails; what was written of the block is overwritten by the next one or cut at the next start.
    pub fn append(&self, block: &[u8], earliest: Timestamp, floor: u64) -> io::Result<bool> {
        let length = u64::try_from(block.len()).unwrap_or(u64::MAX);
        if self.disk.space(&self.folder)?.free.saturating_sub(length) < floor {
            return Ok(false);
        }
        let is_full = self.state().writing.as_ref().is_none_or(|writing| writing.bytes >= limits::PACKET_SEGMENT);
        if is_full {
            self.sync()?;
            let number = self.state().next;
            let file = self.disk.open(&self.folder.join(name(number)), How::Emptied)?;
            self.disk.sync_folder(&self.folder)?;
            let mut state = self.state();
            state.next = number.saturating_add(1);
            state.segments.push(Segment { number, bytes: 0, earliest, latest: None });
            state.writing = Some(Writing { file, bytes: 0, is_dirty: false });
        }
        // Only this thread appends: the lock is not held while the disk works.
        let (file, at) = match &self.state().writing {
            Some(writing) => (Arc::clone(&writing.file), writing.bytes),
            None => return Ok(false),
        };
        if let Err(error) = file.write(at, block) {
            // Not once more to the same place: the next block begins another segment.
            self.close(at);
            return Err(error);
        }
        let latest = block.first_chunk().and_then(Header::read).map_or(earliest, |header| header.latest);
        let mut state = self.state();
        if let Some(writing) = &mut state.writing {
            writing.bytes = at.saturating_add(length);
            writing.is_dirty = true;
        }
        if let Some(segment) = state.segments.last_mut() {
            segment.bytes = at.saturating_add(length);
            segment.earliest = segment.earliest.min(earliest);
            segment.latest = segment.latest.max(Some(latest));
        }
        Ok(true)
    }

    /// Ends the segment that is being written behind its last whole block.
    fn close(&self, whole: u64) {
        let mut state = self.state();
        let Some(writing) = state.writing.take() else { return };
        let empty = (whole == 0).then(|| state.segments.pop()).flatten();
        drop(state);
        // What cannot be cut off is passed over as damage when it is read.
        if let Err(error) = writing.file.set_len(whole).and_then(|()| writing.file.sync()) {
            tracing::debug!("The end of a segment of packets could not be cut off: {error}");
        }
        if let Some(segment) = empty
            && let Err(error) = self.disk.remove(&self.folder.join(name(segment.number)))
        {
            tracing::debug!("An empty segment of packets could not be removed: {error}");
        }
    }

    /// Ends the segment that is being written although there is room in it, so that it can be deleted at its age. For
    /// the thread that appends.
    ///
    /// # Errors
    /// When it cannot be made durable; it goes on then.
    pub fn end(&self) -> io::Result<()> {
        self.sync()?;
        self.state().writing = None;
        Ok(())
    }

    /// The number of the segment that is being written.
    #[must_use]
    pub fn writing(&self) -> Option<u64> {
        let state = self.state();
        state.writing.as_ref().and(state.segments.last()).map(|segment| segment.number)
    }

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        let file = match &self.state().writing {
            Some(writing) if writing.is_dirty => Arc::clone(&writing.file),
            _ => return Ok(()),
        };
        // Before the sync: what is appended meanwhile is dirty again.
        if let Some(writing) = &mut self.state().writing {
            writing.is_dirty = false;
        }
        file.sync().inspect_err(|_| {
            if let Some(writing) = &mut self.state().writing {
                writing.is_dirty = true;
            }
        })
    }

    /// What the segments take.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let state = self.state();
        Usage {
            bytes: state.segments.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add),
            oldest: state.segments.iter().map(|segment| segment.earliest).min(),
            segments: state.segments.len(),
        }
    }

    /// Blocks and tails that were damaged.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Deletes the oldest segment, but never the one that is being written. Returns its bytes, or none when there is none
    /// to delete.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delete_oldest(&self) -> io::Result<Option<u64>> {
        let oldest = {
            let state = self.state();
            let is_writing = state.writing.is_some();
            let most = state.segments.len().saturating_sub(usize::from(is_writing));
            state.segments.iter().take(most).next().copied()
        };
        let Some(oldest) = oldest else { return Ok(None) };
        self.disk.remove(&self.folder.join(name(oldest.number)))?;
        self.disk.sync_folder(&self.folder)?;
        self.state().segments.retain(|segment| segment.number != oldest.number);
        Ok(Some(oldest.bytes))
    }

    /// Up to when the oldest segment that may be deleted reaches: the time of its last packet.
    #[must_use]
    pub fn oldest_ends(&self) -> Option<Timestamp> {
        let state = self.state();
        let most = state.segments.len().saturating_sub(usize::from(state.writing.is_some()));
        let oldest = state.segments.iter().take(most).next().copied()?;
        let next = state.segments.get(1).map(|segment| segment.earliest);
        drop(state);
        if oldest.latest.is_some() {
            return oldest.latest;
        }
        // Its blocks are looked at once. Where they cannot be read, the next one's beginning has to do.
        let blocks = self.blocks(&oldest).ok().flatten();
        let read = blocks.and_then(|blocks| blocks.headers.iter().map(|(_, header)| header.latest).max());
        let latest = read.or(next)?;
        let mut state = self.state();
        if let Some(segment) = state.segments.iter_mut().find(|segment| segment.number == oldest.number) {
            segment.latest = Some(latest);
        }
        Some(latest)
    }

    /// The segments that may hold packets of this time, in their order.
    #[must_use]
    pub fn between(&self, earliest: Timestamp, latest: Timestamp) -> Vec<Segment> {
        let state = self.state();
        let after = state.segments.iter().skip(1).map(|segment| Some(segment.earliest)).chain([None]);
        // Blocks of several workers come in a mixture: a segment may hold what is a little later than the next one's
        // first.
        state
            .segments
            .iter()
            .zip(after)
            .filter(|(segment, next)| {
                segment.earliest <= latest && next.is_none_or(|next| next.after(limits::PACKET_DISORDER) >= earliest)
            })
            .map(|(segment, _)| *segment)
            .collect()
    }

    /// The headers of the blocks of a segment, with their places. A damaged one ends it, and is counted.
    ///
    /// # Errors
    /// When the disk fails. A segment that has been deleted has no blocks.
    pub fn blocks(&self, segment: &Segment) -> io::Result<Option<Blocks>> {
        let file = match self.disk.open(&self.folder.join(name(segment.number)), How::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut headers = Vec::new();
        let mut at = 0;
        while at < segment.bytes {
            let Some(header) = header_at(&*file, at)? else {
                self.count_damage();
                break;
            };
            headers.push((at, header));
            at = at.saturating_add(header.length());
        }
        Ok(Some(Blocks { file, headers }))
    }

    /// Counts something damaged.
    pub fn count_damage(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Blocks of a segment.
#[derive(Debug)]
pub struct Blocks {
    /// The segment.
    pub file: Arc<dyn DiskFile>,
    /// Where each begins, and its header.
    pub headers: Vec<(u64, Header)>,
}

/// The header at a place; none when there is none.
fn header_at(file: &dyn DiskFile, at: u64) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER];
    match file.read(at, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(Header::read(&bytes)),
    }
}

/// A piece of the block that begins at a place; none when the file ends before.
pub fn read_piece(file: &dyn DiskFile, block: u64, piece: Piece) -> io::Result<Option<Vec<u8>>> {
    let Ok(length) = usize::try_from(piece.length) else { return Ok(None) };
    let mut bytes = vec![0; length];
    match file.read(block.saturating_add(piece.at), &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(Some(bytes)),
    }
}

/// How many bytes at the beginning of a segment are whole blocks.
fn check(file: &dyn DiskFile, bytes: u64) -> io::Result<u64> {
    let mut at = 0;
    while at < bytes {
        let Some(header) = header_at(file, at)? else { return Ok(at) };
        if !is_whole(file, at, &header)? {
            return Ok(at);
        }
        at = at.saturating_add(header.length());
    }
    Ok(at)
}

/// Says whether everything in a block can be read.
fn is_whole(file: &dyn DiskFile, at: u64, header: &Header) -> io::Result<bool> {
    let adoptions = read_piece(file, at, header.adoptions())?;
    if adoptions.and_then(|bytes| header.read_adoptions(&bytes)).is_none() {
        return Ok(false);
    }
    let directory = read_piece(file, at, header.directory())?;
    let Some(pages) = directory.and_then(|bytes| header.read_directory(&bytes)) else { return Ok(false) };
    for page in pages {
        let index = read_piece(file, at, header.page(&page))?;
        let Some(groups) = index.and_then(|bytes| page.read_groups(&bytes)) else { return Ok(false) };
        for group in groups {
            let stored = read_piece(file, at, header.group(&group))?;
            if stored.is_none_or(|stored| !group.is_whole(&stored)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

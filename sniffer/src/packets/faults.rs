//! Segments on a disk with a bad place: it costs what lies there and nothing else.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sniffer_core::time::Timestamp;

use super::{Kind, Owner, Packet, Segments, Shape, gathering::Gathering, seal::seal};
use crate::disk::{Disk, DiskFile, Found, How, Space, simulated::Simulated};

/// A disk that fails when told to: in writing, in syncing, or in reading the first segment.
#[derive(Clone, Debug, Default)]
struct Bad {
    writes: Arc<AtomicBool>,
    syncs: Arc<AtomicBool>,
    first: Arc<AtomicBool>,
}

fn fail(told: &AtomicBool) -> io::Result<()> {
    if told.load(Ordering::Relaxed) { Err(io::Error::other("a bad sector")) } else { Ok(()) }
}

#[derive(Debug)]
struct BadDisk(Simulated, Bad);

#[derive(Debug)]
struct BadFile(Arc<dyn DiskFile>, Bad, bool);

impl Disk for BadDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn DiskFile>> {
        let is_first = path.ends_with("0000000000000000.packets");
        Ok(Arc::new(BadFile(self.0.open(path, how)?, self.1.clone(), is_first)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        self.0.list(folder)
    }
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.make_folder(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }
    fn space(&self, folder: &Path) -> io::Result<Space> {
        self.0.space(folder)
    }
}

impl DiskFile for BadFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.2 {
            fail(&self.1.first)?;
        }
        self.0.read(offset, buffer)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        fail(&self.1.writes)?;
        self.0.write(offset, bytes)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync(&self) -> io::Result<()> {
        fail(&self.1.syncs)?;
        self.0.sync()
    }
    fn lock(&self) -> io::Result<bool> {
        self.0.lock()
    }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + second, 0)
}

fn sealed(second: u64) -> Vec<u8> {
    let mut gathering = Gathering::new(Kind::Media);
    let packet = Packet { time: at(second), link: 1, original: 9, bytes: b"something" };
    gathering.add(Owner::Call(1), &packet, &Shape::default());
    seal(&gathering, 1).bytes
}

fn blocks(segments: &Segments) -> usize {
    let all = segments.between(at(0), at(99));
    all.iter().map(|segment| segments.blocks(segment).unwrap().unwrap().headers.len()).sum()
}

#[test]
fn a_bad_sector_costs_its_own_block_or_segment_and_the_store_goes_on() {
    let bad = Bad::default();
    let disk: Arc<dyn Disk> = Arc::new(BadDisk(Simulated::new(), bad.clone()));
    let segments = Segments::open(&disk, Path::new("/s")).unwrap();
    assert!(segments.append(&sealed(1), at(1), 0).unwrap());
    bad.writes.store(true, Ordering::Relaxed);
    assert!(segments.append(&sealed(2), at(2), 0).is_err());
    assert_eq!(segments.writing(), None, "it is not tried in the same place again");
    assert!(segments.append(&sealed(3), at(3), 0).is_err(), "the first write of a segment fails too");
    assert_eq!(segments.usage().segments, 1, "an empty one does not stay");
    bad.writes.store(false, Ordering::Relaxed);
    assert!(segments.append(&sealed(4), at(4), 0).unwrap());
    segments.sync().unwrap();
    assert_eq!((segments.usage().segments, blocks(&segments), segments.damaged()), (2, 2, 0));
    drop(segments);

    bad.first.store(true, Ordering::Relaxed);
    let segments = Segments::open(&disk, Path::new("/s")).unwrap();
    assert_eq!((segments.damaged(), segments.usage().segments), (1, 2));
    assert!(segments.append(&sealed(5), at(5), 0).unwrap());
    assert_eq!(segments.oldest_ends(), Some(at(4)), "it goes at its age, as far as that is known");
}

#[test]
fn a_failed_sync_is_tried_again_and_no_segment_begins_before_it() {
    let bad = Bad::default();
    let disk: Arc<dyn Disk> = Arc::new(BadDisk(Simulated::new(), bad.clone()));
    let segments = Segments::open(&disk, Path::new("/s")).unwrap();
    assert!(segments.append(&sealed(1), at(1), 0).unwrap());
    bad.syncs.store(true, Ordering::Relaxed);
    assert!(segments.sync().is_err() && segments.sync().is_err() && segments.end().is_err());
    assert!(segments.writing().is_some());
    bad.syncs.store(false, Ordering::Relaxed);
    segments.end().unwrap();
    assert_eq!((segments.writing(), blocks(&segments)), (None, 1));
}

//! A disk in memory: files by their paths, durable at once.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sniffer::disk::{Disk, DiskFile, Found, How, Space};

type Contents = Arc<Mutex<Vec<u8>>>;

/// The disk.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<PathBuf, Contents>>);

#[derive(Debug)]
struct File(Contents);

fn with<T, R>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Memory {
    /// Changes a file that is there.
    pub fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let file = with(&self.0, |files| files.get(path).cloned());
        if let Some(file) = file {
            with(&file, change);
        }
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(with(&self.0, |bytes| bytes.len()) as u64)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        with(&self.0, |bytes| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = bytes.get(from..from.saturating_add(buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(found);
            Ok(())
        })
    }

    fn write(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        with(&self.0, |bytes| {
            let from = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
            bytes.resize(bytes.len().max(from + new.len()), 0);
            bytes[from..from + new.len()].copy_from_slice(new);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::StorageFull)?;
        with(&self.0, |bytes| bytes.resize(length, 0));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Disk for Memory {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn DiskFile>> {
        with(&self.0, |files| {
            if how == How::Emptied {
                files.remove(path);
            } else if how == How::Existing && !files.contains_key(path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(Arc::new(File(Arc::clone(files.entry(path.to_owned()).or_default()))) as Arc<dyn DiskFile>)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        with(&self.0, |files| {
            let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            files.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        with(&self.0, |files| files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into()))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        with(&self.0, |files| {
            let of_folder = files.iter().filter(|(path, _)| path.parent() == Some(folder));
            Ok(of_folder
                .map(|(path, file)| Found {
                    name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    bytes: with(file, |bytes| bytes.len()) as u64,
                    taken: with(file, |bytes| bytes.len()) as u64,
                })
                .collect())
        })
    }

    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { free: 1 << 40, total: 1 << 41 })
    }
}

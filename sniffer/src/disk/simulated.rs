//! A disk in memory that loses what was not made durable when its power is cut, for tests.
//!
//! Every changing operation is a step. After `allowed` steps the power is gone: nothing changes any more and every
//! operation fails. [`Simulated::after_cut`] is the disk as it comes back: of what was not synced each write is there,
//! is not there, or is there in part, and so is each change of a name, in any mixture that `seed` chooses.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Disk, DiskFile, Found, How, Space};

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Simulated(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<(PathBuf, Option<usize>)>,
    steps: u64,
    allowed: u64,
    octets_read: u64,
    free: u64,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    locked: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                if data.len() < offset + bytes.len() {
                    data.resize(offset + bytes.len(), 0);
                }
                data[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Length(length) => data.resize(*length, 0),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap()
}

/// xorshift: the mixture has to be the same for the same seed.
/// A page of which nothing but zeros was ever written is a hole.
fn taken(data: &[u8]) -> u64 {
    const HOLE: [u8; 4096] = [0; 4096];
    data.chunks(HOLE.len()).filter(|page| !HOLE.starts_with(page)).map(length).sum()
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

impl Default for Simulated {
    fn default() -> Self {
        let state = State { allowed: u64::MAX, free: 1 << 40, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Simulated {
    /// An empty disk that never loses its power.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Octets that were read so far.
    pub fn octets_read(&self) -> u64 {
        self.state().octets_read
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Cuts the power after this many steps from the beginning.
    pub fn cut_after(&self, steps: u64) {
        self.state().allowed = steps;
    }

    /// Says whether the power was cut.
    pub fn is_cut(&self) -> bool {
        let state = self.state();
        state.steps >= state.allowed
    }

    /// Sets the free space.
    pub fn set_free(&self, free: u64) {
        self.state().free = free;
    }

    /// The disk as it is after the cut.
    pub fn after_cut(&self, seed: u64) -> Self {
        let mut seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let state = self.state();
        let mut files = Vec::new();
        for inode in &state.files {
            let mut data = inode.durable.clone();
            for change in &inode.pending {
                match (change, random(&mut seed) % 3) {
                    (_, 0) => {}
                    // A disk writes sectors: a write is torn at one.
                    (Change::Write(offset, bytes), 1) if bytes.len() > 512 => {
                        let sectors = u64::try_from(bytes.len() / 512).unwrap();
                        let kept = place(random(&mut seed) % (sectors + 1)) * 512;
                        Change::Write(*offset, bytes[..kept].to_vec()).apply(&mut data);
                    }
                    (change, _) => change.apply(&mut data),
                }
            }
            files.push(Inode { data: data.clone(), durable: data, ..Inode::default() });
        }
        let mut names = state.durable_names.clone();
        // A journal keeps the order of names: a beginning of the changes is there.
        let kept = place(random(&mut seed)) % (state.pending_names.len() + 1);
        for (path, file) in &state.pending_names[..kept] {
            match file {
                Some(file) => names.insert(path.clone(), *file),
                None => names.remove(path),
            };
        }
        let state = State {
            files,
            durable_names: names.clone(),
            names,
            allowed: u64::MAX,
            free: state.free,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// All files and their contents.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        state.names.iter().map(|(path, file)| (path.clone(), state.files[*file].data.clone())).collect()
    }

    /// Changes a file behind everybody's back.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[path];
        let inode = &mut state.files[file];
        change(&mut inode.data);
        inode.durable = inode.data.clone();
        inode.pending.clear();
    }
}

impl State {
    /// One step; fails when the power is gone.
    fn step(&mut self) -> io::Result<()> {
        if self.steps >= self.allowed {
            return Err(gone());
        }
        self.steps += 1;
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        if self.steps >= self.allowed { Err(gone()) } else { Ok(()) }
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.pending_names.push((path.to_owned(), file));
    }
}

impl Disk for Simulated {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = match (state.names.get(path).copied(), how) {
            (Some(file), How::Existing | How::Made) => file,
            (Some(file), How::Emptied) => {
                state.step()?;
                let inode = &mut state.files[file];
                inode.data.clear();
                inode.pending.push(Change::Length(0));
                file
            }
            (None, How::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, How::Made | How::Emptied) => {
                state.step()?;
                state.files.push(Inode::default());
                let file = state.files.len() - 1;
                state.name(path, Some(file));
                file
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let file = state.names.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        // One change of the folder: never both names, never none. The later name first, so that a cut between is the
        // worse case of a journal that splits them.
        state.name(to, Some(file));
        state.name(from, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if state.names.contains_key(path) {
            state.name(path, None);
        }
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        let state = self.state();
        state.alive()?;
        Ok(state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder))
            .map(|(path, file)| Found {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                bytes: length(&state.files[*file].data),
                taken: taken(&state.files[*file].data),
            })
            .collect())
    }

    fn make_folder(&self, _: &Path) -> io::Result<()> {
        self.state().alive()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let (synced, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.pending_names).into_iter().partition(|(path, _)| path.parent() == Some(folder));
        state.pending_names = rest;
        for (path, file) in synced {
            match file {
                Some(file) => state.durable_names.insert(path, file),
                None => state.durable_names.remove(&path),
            };
        }
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.state();
        state.alive()?;
        Ok(Space { free: state.free, total: 1 << 40 })
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Simulated,
    file: usize,
}

impl SimulatedFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        let inode = &mut state.files[self.file];
        change.apply(&mut inode.data);
        inode.pending.push(change);
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(length(&state.files[self.file].data))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive()?;
        let at = place(offset);
        let found = state.files[self.file].data.get(at..at + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        state.octets_read += u64::try_from(buffer.len()).unwrap_or(0);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(place(offset), bytes.to_vec()))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(place(length)))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.step()?;
        let inode = &mut state.files[self.file];
        inode.durable = inode.data.clone();
        inode.pending.clear();
        Ok(())
    }

    fn lock(&self) -> io::Result<bool> {
        let mut state = self.disk.state();
        state.alive()?;
        Ok(!std::mem::replace(&mut state.files[self.file].locked, true))
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        if let Ok(mut state) = self.disk.0.lock() {
            state.files[self.file].locked = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_is_there_and_what_was_not_may_be_gone() {
        let (folder, path) = (Path::new("/f"), Path::new("/f/x"));
        let disk = Simulated::new();
        let file = disk.open(path, How::Made).unwrap();
        file.write(0, b"kept").unwrap();
        file.sync().unwrap();
        assert!((0..9).any(|seed| disk.after_cut(seed).contents().is_empty()), "the name is not durable");
        disk.sync_folder(folder).unwrap();
        file.write(4, b"lost").unwrap();
        let after: Vec<_> = (0..9).map(|seed| disk.after_cut(seed).contents()[path].clone()).collect();
        assert!(after.contains(&b"kept".to_vec()) && after.contains(&b"keptlost".to_vec()), "{after:?}");
        disk.cut_after(disk.steps());
        assert!(file.write(0, b"x").is_err() && disk.is_cut());
        assert!(after.iter().all(|data| data.starts_with(b"kept")));
    }
}

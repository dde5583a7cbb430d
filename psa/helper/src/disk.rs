//! Files below the machine's root folder, written so that a crash leaves the old content or the whole of the later one.
//!
//! Must not know what the files mean. Everything here happens below one folder, which is `/` on the appliance and a
//! scratch folder elsewhere.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Is told of every single step by which the disk changed, after it. Tests look at the disk there, as a crash would
/// leave it.
pub type AfterStep = Arc<dyn Fn(&str) + Send + Sync>;

/// The machine's files.
#[derive(Clone)]
pub struct Disk {
    root: PathBuf,
    after_step: AfterStep,
}

impl Disk {
    /// The files below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), after_step: Arc::new(|_| ()) }
    }

    /// The files below `root`, watched step by step.
    #[must_use]
    pub fn watched(root: &Path, after_step: AfterStep) -> Self {
        Self { root: root.to_owned(), after_step }
    }

    /// Whether this is a developer's or a test's folder and not the machine itself.
    #[must_use]
    pub fn is_scratch(&self) -> bool {
        self.root != Path::new("/")
    }

    /// A path below the root.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below.trim_start_matches('/'))
    }

    /// The helper's own folder, which only it may read.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path("state/psa-helper")
    }

    /// Says that the disk has just changed.
    pub fn step(&self, what: &str) {
        (self.after_step)(what);
    }

    /// Makes a folder with its parents, which other users may look into.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn make_folder(&self, folder: &Path, mode: u32) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_folder(parent, 0o755)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::set_permissions(folder, Permissions::from_mode(mode))?,
        }
        self.step("folder made");
        Ok(())
    }

    /// Replaces a file: temporary file beside it, fsync, rename, fsync of the folder.
    ///
    /// # Errors
    /// When the file system refuses; the old file is untouched then, or wholly replaced when only the last fsync
    /// failed.
    pub fn replace(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::other(format!("{path:?} names no file")));
        };
        self.make_folder(folder, 0o755)?;
        // Neither networkd nor chrony reads files whose name starts with a dot or ends otherwise than theirs.
        let temporary = folder.join(format!(".{}.part", name.to_string_lossy()));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        self.step("temporary file made");
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        self.step("temporary file written");
        file.sync_all()?;
        self.step("temporary file synced");
        fs::rename(&temporary, path)?;
        self.step("file renamed");
        sync_folder(folder)?;
        self.step("folder synced");
        Ok(())
    }

    /// Removes a file; it is no error when there is none.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        self.step("file removed");
        path.parent().map_or(Ok(()), sync_folder)
    }

    /// The place of a rendered file, which must lie below `run/`.
    ///
    /// # Errors
    /// When the path leaves `run/`, or a folder on the way is a symbolic link: another user of `/run` could otherwise
    /// lead a write elsewhere.
    pub fn rendered(&self, below: &str) -> io::Result<PathBuf> {
        let refuse = || io::Error::new(io::ErrorKind::PermissionDenied, format!("{below:?} is not a file below run/"));
        let mut parts = Path::new(below).components();
        if parts.next() != Some(Component::Normal("run".as_ref())) || below.ends_with('/') {
            return Err(refuse());
        }
        let mut path = self.root.join("run");
        let mut count = 0_usize;
        for part in parts {
            let Component::Normal(name) = part else { return Err(refuse()) };
            path.push(name);
            count = count.saturating_add(1);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
                return Err(refuse());
            }
        }
        if count < 2 { Err(refuse()) } else { Ok(path) }
    }
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the file system refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_run_are_rendered() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        assert!(disk.rendered("run/callward/chrony/callward.sources").is_ok());
        for path in [
            "",
            "run",
            "run/x",
            "run/",
            "run/callward/",
            "/run/callward/x",
            "etc/shadow",
            "run/../etc/shadow",
            "run/a/../../b",
            "./run/a/b",
        ] {
            assert!(disk.rendered(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_link_cannot_lead_a_write_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        fs::create_dir(root.path().join("run")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("run/callward")).unwrap();
        assert!(disk.rendered("run/callward/passwd").is_err());
    }

    #[test]
    fn a_replaced_file_has_the_content_and_mode_that_were_asked_for_and_nothing_is_left_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        let path = disk.path("run/a/b");
        disk.replace(&path, b"one", 0o644).unwrap();
        disk.replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(root.path().join("run/a")).unwrap().count(), 1);
        disk.remove(&path).unwrap();
        disk.remove(&path).unwrap();
        assert!(!path.exists());
    }
}

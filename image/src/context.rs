//! Where things lie: the repository, the cache, and the release being built.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::release::Release;

/// The folders and the release that every step works with.
pub struct Context {
    /// The repository's top folder.
    pub repo: PathBuf,
    /// The folder for what is worth keeping between builds.
    pub cache: PathBuf,
    /// What is being built.
    pub release: Release,
}

impl Context {
    /// Reads the environment that `scripts/tools` sets, and the release file.
    ///
    /// # Errors
    /// Fails outside the repository, or when the release file does not parse.
    pub fn from_environment() -> Result<Self> {
        let repo = match std::env::var_os("CALLWARD_REPO") {
            Some(repo) => PathBuf::from(repo),
            None => std::env::current_dir().context("find the current folder")?,
        };
        if !repo.join("image/release.toml").is_file() {
            bail!("run this in the repository's top folder, or through scripts/tools");
        }
        let cache = match (std::env::var_os("CALLWARD_CACHE"), std::env::var_os("HOME")) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => PathBuf::from(home).join(".cache/callward"),
            (None, None) => bail!("set CALLWARD_CACHE to the folder for the build's cache"),
        };
        std::fs::create_dir_all(&cache).with_context(|| format!("make {}", cache.display()))?;
        let text = std::fs::read_to_string(repo.join("image/release.toml")).context("read image/release.toml")?;
        Ok(Self { release: Release::parse(&text)?, repo, cache })
    }

    /// The folder with the image's own data.
    pub fn image(&self) -> PathBuf {
        self.repo.join("image")
    }

    /// The folder that mirrors the target, path for path.
    pub fn overlay(&self) -> PathBuf {
        self.repo.join("rootfs-overlay")
    }
}

/// Reads a file as text and names it in the error.
///
/// # Errors
/// Fails when the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

/// Writes a file and names it in the error.
///
/// # Errors
/// Fails when the file cannot be written.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

/// The files of a folder whose name ends in `.extension`, sorted by name.
///
/// # Errors
/// Fails when the folder cannot be read.
pub fn files_with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

//! Why the store cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be read or written.
    #[error("the folder {folder:?} cannot be used")]
    Folder {
        /// The store's folder.
        folder: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Another process uses it.
    #[error("another process uses the store in {folder:?}")]
    Busy {
        /// The store's folder.
        folder: PathBuf,
    },
    /// The database is damaged.
    #[error(
        "the database in {folder:?} is damaged; nothing was changed in it. Move the folder away to begin a new one"
    )]
    Database {
        /// The store's folder.
        folder: PathBuf,
        /// What the database says.
        #[source]
        error: Box<redb::Error>,
    },
    /// Another version of the sniffer wrote it.
    #[error(
        "the database in {folder:?} has another format; nothing was changed in it. Move the folder away to begin a new one"
    )]
    Format {
        /// The store's folder.
        folder: PathBuf,
    },
}

impl StoreError {
    /// What an error of the database means.
    pub(super) fn of(folder: &Path, error: redb::Error) -> Self {
        let folder = folder.to_owned();
        #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and says that it grows")]
        match error {
            redb::Error::Io(error) => Self::Folder { folder, error },
            redb::Error::DatabaseAlreadyOpen => Self::Busy { folder },
            error => Self::Database { folder, error: Box::new(error) },
        }
    }
}

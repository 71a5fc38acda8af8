//! A log that is read beside its writer.

mod chunk;
mod partition;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::partition::ReadOnlyPartition;
use crate::error::OpenError;
use crate::options::ReadOnlyOptions;
use crate::storage::Storage;

/// A log that is open for reading only, also while another process writes it.
///
/// It takes no lock, changes and repairs nothing, and checks every checksum of every read. It reads with plain
/// read calls, never through mappings, because the writer may trim and delete files at any time; so each read
/// copies once. It sees what the writer has made durable, as far as the operating system's page cache shows it.
#[derive(Debug)]
pub struct ReadOnlyLog {
    path: PathBuf,
    storage: Arc<dyn Storage>,
}

impl ReadOnlyLog {
    /// Opens the log in a directory.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when there is no such directory.
    pub fn open(path: impl AsRef<Path>, options: ReadOnlyOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let log = Self { path: path.to_owned(), storage: options.storage };
        log.topics()?;
        Ok(log)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the topics that are there now, in order, each with its number of partitions.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when the directory is gone, [`OpenError::Io`] when it cannot be read.
    pub fn topics(&self) -> Result<Vec<(String, u32)>, OpenError> {
        partition::topics(&*self.storage, &self.path)
    }

    /// The partition of this topic and number; `None` when there is none now.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`] when its directory cannot be read, and what else is wrong with its small files.
    pub fn partition(&self, topic: &str, number: u32) -> Result<Option<ReadOnlyPartition>, OpenError> {
        ReadOnlyPartition::open(Arc::clone(&self.storage), &self.path, topic, number)
    }
}

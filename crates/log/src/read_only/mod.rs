//! A log that is read beside its writer.

mod chunk;
mod files;
mod groups;
mod look;
mod partition;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

pub use self::files::{DurableMark, OffsetIndexEntry, SegmentFiles, TimeIndexEntry};
use self::partition::LOOKS_MAX;
pub use self::partition::ReadOnlyPartition;
use crate::error::{IoError, OpenError};
use crate::log::find_topics;
use crate::options::ReadOnlyOptions;

/// A log that is open for reading only, also while another process writes it.
///
/// It takes no lock, changes and repairs nothing, and checks every checksum of every read. It reads with plain
/// read calls, never through mappings, because the writer may trim and delete files at any time; so each read
/// copies once. It sees what the writer has made durable, as far as the operating system's page cache shows it.
#[derive(Debug)]
pub struct ReadOnlyLog {
    path: PathBuf,
    options: ReadOnlyOptions,
}

impl ReadOnlyLog {
    /// Opens the log in a directory.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when there is no such directory, [`OpenError::Options`] when an option cannot be.
    pub fn open(path: impl AsRef<Path>, options: ReadOnlyOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        options.check()?;
        let log = Self { path: path.to_owned(), options };
        log.topics()?;
        Ok(log)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the topics that are there now, in order, each with its number of partitions: those from 0 on
    /// without a hole. A topic that is being created or deleted is not there.
    ///
    /// It lists the directory, and that of every partition.
    ///
    /// # Errors
    ///
    /// [`OpenError::NotFound`] when the directory is gone, [`OpenError::Io`] when it cannot be read.
    pub fn topics(&self) -> Result<Vec<(String, u32)>, OpenError> {
        let mut looks = 0;
        let found = loop {
            looks += 1;
            match find_topics(&*self.options.storage, &self.path) {
                Ok(found) => break found,
                // The writer deleted a topic meanwhile: look again.
                Err(error) if is_gone(&error) && error.path() != self.path && looks < LOOKS_MAX => {}
                Err(error) if is_gone(&error) && error.path() == self.path => {
                    return Err(OpenError::NotFound { path: self.path.clone() });
                }
                Err(error) => return Err(error.into()),
            }
        };
        let count = |partitions: &BTreeSet<u32>| {
            (0_u32..).zip(partitions).take_while(|(n, found)| n == *found).count()
        };
        let counted = found
            .topics
            .into_iter()
            .map(|(name, found)| (name, u32::try_from(count(&found)).unwrap_or(u32::MAX)));
        Ok(counted.filter(|(_, count)| *count > 0).collect())
    }

    /// The partition of this topic and number; `None` when there is none now, or when its topic is being created or
    /// deleted.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`] when its directory cannot be read, and what else is wrong with its small files.
    pub fn partition(&self, topic: &str, number: u32) -> Result<Option<ReadOnlyPartition>, OpenError> {
        ReadOnlyPartition::open(&self.options, &self.path, topic, number)
    }
}

fn is_gone(error: &IoError) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

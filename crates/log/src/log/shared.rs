use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::clock::Clock;
use crate::error::{IoError, OpenError};
use crate::format::checkpoint::{self, Invalid, Offsets};
use crate::format::names;
use crate::partition::Signal;
use crate::storage::{self, Access, Storage};
use crate::sync::Mutex;

/// What all partitions of a log have in common.
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) path: PathBuf,
    pub(crate) verify_every_read: bool,
    /// Moves with every append to any partition.
    pub(crate) unsynced: Signal,
    pub(crate) starts: Starts,
    pub(crate) closed: AtomicBool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The log start offsets, in `log-start-offset-checkpoint`.
pub(crate) struct Starts {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    offsets: Mutex<Offsets>,
}

impl Starts {
    pub(super) fn new(storage: Arc<dyn Storage>, path: PathBuf, offsets: Offsets) -> Self {
        Self { storage, path, offsets: Mutex::new(offsets) }
    }

    /// The log start offset that was kept for a partition.
    pub(super) fn of(&self, topic: &str, partition: u32) -> Option<u64> {
        self.offsets.lock().get(&(topic.to_owned(), partition)).copied()
    }

    /// Raises the start offsets of partitions, durably. None falls.
    pub(crate) fn raise(&self, to: &[(&str, u32, u64)]) -> Result<(), IoError> {
        self.change(|offsets| {
            for (topic, partition, offset) in to {
                let known = offsets.entry(((*topic).to_owned(), *partition)).or_default();
                *known = (*known).max(*offset);
            }
        })
    }

    /// Forgets a topic, durably.
    pub(super) fn forget(&self, topic: &str) -> Result<(), IoError> {
        self.change(|offsets| offsets.retain(|(name, _), _| name != topic))
    }

    fn change(&self, change: impl FnOnce(&mut Offsets)) -> Result<(), IoError> {
        let mut offsets = self.offsets.lock();
        let mut changed = offsets.clone();
        change(&mut changed);
        if changed != *offsets {
            write_offsets(&*self.storage, &self.path, names::LOG_STARTS, &changed)?;
            *offsets = changed;
        }
        Ok(())
    }
}

/// Replaces a checkpoint of offsets.
pub(crate) fn write_offsets(
    storage: &dyn Storage,
    dir: &Path,
    name: &str,
    offsets: &Offsets,
) -> Result<(), IoError> {
    storage::replace_file(storage, dir, name, checkpoint::encode_offsets(offsets).as_bytes())
}

/// Reads a checkpoint of offsets; a missing file has none.
pub(crate) fn read_offsets(storage: &dyn Storage, dir: &Path, name: &str) -> Result<Offsets, OpenError> {
    let path = dir.join(name);
    let file = match storage.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Offsets::new()),
        Err(error) => return Err(IoError::new("open", &path, error).into()),
    };
    let text = storage::read_whole(&*file).map_err(IoError::of("read", &path))?;
    checkpoint::decode_offsets(&text).map_err(|invalid| malformed(path, invalid))
}

/// Says which file is malformed, and how.
pub(crate) fn malformed(path: PathBuf, invalid: Invalid) -> OpenError {
    match invalid {
        Invalid::Line { line, what } => OpenError::Malformed { path, line, what },
        Invalid::Version(found) => OpenError::UnsupportedVersion { path, found, known: checkpoint::VERSION },
    }
}

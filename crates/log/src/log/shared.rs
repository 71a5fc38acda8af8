use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::believed::Believed;
use crate::clock::Clock;
use crate::error::{IoError, OpenError};
use crate::format::checkpoint::{self, Invalid, Offsets};
use crate::partition::Signal;
use crate::segment::{Mappings, Times};
use crate::storage::{self, Storage};
use crate::sync::Mutex;

/// What all partitions of a log have in common.
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) path: PathBuf,
    pub(crate) verify_every_read: bool,
    pub(crate) producer_id_expiration_ms: u64,
    pub(crate) producers_max: usize,
    /// The most that a compressed batch may become, for readers and when it is appended.
    pub(crate) decompressed_bytes_max: usize,
    /// Moves with every append to any partition.
    pub(crate) unsynced: Signal,
    /// The log start offsets: what was deleted for good.
    pub(crate) starts: OffsetFile,
    /// For a Kafka broker that takes the directory over: records before these need no recovery.
    pub(crate) recovery_points: OffsetFile,
    /// Kafka's own: how far each partition was compacted.
    pub(crate) cleaner_offsets: OffsetFile,
    /// So much memory the keys of a compaction may take.
    pub(crate) cleaner_dedupe_bytes: u64,
    pub(crate) closed: AtomicBool,
    pub(crate) mappings: Arc<Mappings>,
    /// The time that retention goes by.
    pub(super) believed: Mutex<Believed>,
}

impl Shared {
    /// The time now.
    pub(crate) fn times(&self) -> Times {
        let now_ms = self.clock.now_ms();
        let (believed_ms, _) = self.believed.lock().observe(now_ms, self.clock.monotonic_ms());
        Times { now_ms, believed_ms }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One of the checkpoints at the log's root: an offset per partition, which only rises.
pub(crate) struct OffsetFile {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    name: &'static str,
    offsets: Mutex<Offsets>,
}

impl OffsetFile {
    /// Reads the file; a missing one has no offsets.
    pub(super) fn open(
        storage: &Arc<dyn Storage>,
        path: &Path,
        name: &'static str,
    ) -> Result<Self, OpenError> {
        let offsets = Mutex::new(read_offsets(&**storage, path, name)?);
        Ok(Self { storage: Arc::clone(storage), path: path.to_owned(), name, offsets })
    }

    /// The offset that was kept for a partition.
    pub(crate) fn of(&self, topic: &str, partition: u32) -> Option<u64> {
        self.offsets.lock().get(&(topic.to_owned(), partition)).copied()
    }

    /// Raises the offsets of partitions, durably. None falls.
    pub(crate) fn raise(&self, to: &[(&str, u32, u64)]) -> Result<(), IoError> {
        self.change(|offsets| {
            for (topic, partition, offset) in to {
                let known = offsets.entry(((*topic).to_owned(), *partition)).or_default();
                *known = (*known).max(*offset);
            }
        })
    }

    /// Forgets a topic's partitions from this one on, durably.
    pub(super) fn forget(&self, topic: &str, from: u32) -> Result<(), IoError> {
        self.change(|offsets| offsets.retain(|(name, partition), _| name != topic || *partition < from))
    }

    /// Forgets the offsets of partitions that lie behind these, durably.
    pub(super) fn forget_behind(&self, ends: &[(&str, u32, u64)]) -> Result<(), IoError> {
        self.change(|offsets| {
            for (topic, partition, end) in ends {
                let key = ((*topic).to_owned(), *partition);
                if offsets.get(&key).is_some_and(|offset| offset > end) {
                    offsets.remove(&key);
                }
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Offsets)) -> Result<(), IoError> {
        let mut offsets = self.offsets.lock();
        let mut changed = offsets.clone();
        change(&mut changed);
        if changed != *offsets {
            let text = checkpoint::encode_offsets(&changed);
            storage::replace_file(&*self.storage, &self.path, self.name, text.as_bytes())?;
            *offsets = changed;
        }
        Ok(())
    }
}

/// Reads a checkpoint of offsets; a missing file has none.
pub(crate) fn read_offsets(storage: &dyn Storage, dir: &Path, name: &str) -> Result<Offsets, OpenError> {
    let path = dir.join(name);
    let Some(text) = storage::read_if_there(storage, &path)? else { return Ok(Offsets::new()) };
    checkpoint::decode_offsets(&text).map_err(|invalid| malformed(path, invalid))
}

/// Says which file is malformed, and how.
pub(crate) fn malformed(path: PathBuf, invalid: Invalid) -> OpenError {
    match invalid {
        Invalid::Line { line, what } => OpenError::Malformed { path, line, what },
        Invalid::Version(found) => OpenError::UnsupportedVersion { path, found, known: checkpoint::VERSION },
    }
}

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Mappings, Swap};
use crate::error::{Corruption, Damage, IoError};
use crate::format::checkpoint::Epochs;
use crate::format::names;
use crate::storage::{self, Access, File, Storage};

/// The directory of a partition, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Dir {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) path: PathBuf,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
    /// The leader epochs of the partition's records.
    pub(crate) epochs: Epochs,
    /// What is under way in it: files have other names than they will.
    pub(crate) swap: Swap,
    /// The closed segments, of all partitions of the log, that are mapped.
    pub(crate) mappings: Arc<Mappings>,
    /// The most that a compressed batch may become for a reader.
    pub(crate) decompressed_bytes_max: usize,
}

impl Dir {
    /// For who reads by calls, and nothing through a mapping; the epochs are not read yet.
    pub(crate) fn unmapped(
        storage: Arc<dyn Storage>,
        root: &Path,
        topic: Arc<str>,
        partition: u32,
        decompressed_bytes_max: usize,
    ) -> Self {
        let path = root.join(names::partition_dir(&topic, partition));
        let (epochs, mappings) = (Epochs::default(), Arc::new(Mappings::new(1)));
        Self {
            storage,
            path,
            topic,
            partition,
            epochs,
            swap: Swap::default(),
            mappings,
            decompressed_bytes_max,
        }
    }

    /// The name of a segment's file, as it is now.
    fn name(&self, base_offset: u64, suffix: &str) -> String {
        let name = names::segment_file(base_offset, suffix);
        if self.swap.has(base_offset, suffix) { name + names::SWAP } else { name }
    }

    /// The path of a segment's file.
    pub(crate) fn file(&self, base_offset: u64, suffix: &str) -> PathBuf {
        self.path.join(self.name(base_offset, suffix))
    }

    pub(crate) fn open(
        &self,
        base_offset: u64,
        suffix: &str,
        access: Access,
    ) -> Result<Arc<dyn File>, IoError> {
        let path = self.file(base_offset, suffix);
        self.storage.open(&path, access).map_err(IoError::of("open", &path))
    }

    /// Reads a segment's small file whole; `None` when it is missing.
    pub(crate) fn read(&self, base_offset: u64, suffix: &str) -> Result<Option<Vec<u8>>, IoError> {
        self.read_named(&self.name(base_offset, suffix))
    }

    /// Reads a small file whole; `None` when it is missing.
    pub(crate) fn read_named(&self, name: &str) -> Result<Option<Vec<u8>>, IoError> {
        storage::read_if_there(&*self.storage, &self.path.join(name))
    }

    /// Makes the names in the directory durable.
    pub(crate) fn sync(&self) -> Result<(), IoError> {
        self.storage.sync_dir(&self.path).map_err(IoError::of("sync", &self.path))
    }

    pub(crate) fn corruption(&self, segment: u64, position: u64, what: Damage) -> Corruption {
        Corruption { topic: Arc::clone(&self.topic), partition: self.partition, segment, position, what }
    }
}

//! What a program chooses for a log that it opens beside its writer.

use std::sync::Arc;

use super::{DECOMPRESSED_BYTES_MAX, check_decompressed};
use crate::error::InvalidOptions;
use crate::storage::{Disk, Storage};

/// The options of a log that is opened beside its writer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOnlyOptions {
    /// The most that the records of one compressed batch may take when they are decompressed, as
    /// [`LogOptions::decompressed_bytes_max`](crate::LogOptions::decompressed_bytes_max). Default: 64 MiB.
    pub decompressed_bytes_max: usize,
    /// Where the files are. Default: [`Disk`].
    pub storage: Arc<dyn Storage>,
}

impl Default for ReadOnlyOptions {
    fn default() -> Self {
        Self { decompressed_bytes_max: DECOMPRESSED_BYTES_MAX, storage: Arc::new(Disk) }
    }
}

impl ReadOnlyOptions {
    /// Sets where the files are.
    #[must_use]
    pub fn storage(self, storage: Arc<dyn Storage>) -> Self {
        Self { storage, ..self }
    }

    /// Sets how much a compressed batch may become.
    #[must_use]
    pub fn decompressed_bytes_max(self, decompressed_bytes_max: usize) -> Self {
        Self { decompressed_bytes_max, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        check_decompressed(self.decompressed_bytes_max)
    }
}

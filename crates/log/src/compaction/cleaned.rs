//! The segment that takes the place of others, while it is written.
//!
//! What it is made of is large and read from memory that is mapped; it goes to the file in large writes, and is synced now and
//! then, so that no sync at the end takes long.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::IoError;
use crate::format::batch::Header;
use crate::format::mark::{IndexSum, Mark};
use crate::format::names::{self, CLEANED};
use crate::options::SEGMENT_BYTES_MAX;
use crate::segment::{Dir, Rebuilt, sealed_file};
use crate::storage::{self, File};

/// So much is written at a time.
const WRITE_BYTES: usize = 1024 * 1024;
/// After so much the file is synced.
const SYNC_BYTES: u64 = 64 * 1024 * 1024;

/// A segment under names that end with `.cleaned`.
#[derive(Debug)]
pub(crate) struct Cleaned {
    dir: Arc<Dir>,
    base_offset: u64,
    file: Arc<dyn File>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The bytes that were written.
    written: u64,
    synced: u64,
    rebuilt: Rebuilt,
}

impl Cleaned {
    pub(crate) fn create(
        dir: &Arc<Dir>,
        base_offset: u64,
        index_interval_bytes: u32,
    ) -> Result<Self, IoError> {
        let path = path(dir, base_offset, names::LOG);
        let file = dir.storage.create(&path).map_err(IoError::of("create", &path))?;
        let rebuilt = Rebuilt::new(base_offset, index_interval_bytes, true);
        let (dir, buffer) = (Arc::clone(dir), Vec::with_capacity(WRITE_BYTES));
        Ok(Self { dir, base_offset, file, path, buffer, written: 0, synced: 0, rebuilt })
    }

    /// The bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.written.saturating_add(self.buffer.len() as u64)
    }

    /// Puts batches as they are, of which this is the header of each, in order.
    pub(crate) fn put(&mut self, header: &Header, batch: &[u8]) -> Result<(), IoError> {
        if self.len().saturating_add(batch.len() as u64) > SEGMENT_BYTES_MAX {
            // A full segment of batches that were compressed better than here.
            return Err(IoError::new("write", &self.path, ErrorKind::FileTooLarge.into()));
        }
        self.rebuilt.add(usize::try_from(self.len()).unwrap_or(usize::MAX), header);
        if self.buffer.len().saturating_add(batch.len()) > WRITE_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(batch);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IoError> {
        storage::write_all_at(&*self.file, &self.buffer, self.written)
            .map_err(IoError::of("write", &self.path))?;
        self.written = self.len();
        self.buffer.clear();
        if self.written.saturating_sub(self.synced) >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.synced = self.written;
        self.file.sync_data().map_err(IoError::of("sync", &self.path))
    }

    /// Writes the files beside it and makes all of them durable, the names too; gives the mark.
    pub(crate) fn finish(mut self, mark: Mark) -> Result<Mark, IoError> {
        self.flush()?;
        self.sync()?;
        self.rebuilt.finish();
        let heads = self.rebuilt.heads().unwrap_or_default();
        let mark = Mark {
            base_offset: self.base_offset,
            position: self.written,
            sealed: true,
            sparse: true,
            max_timestamp: self.rebuilt.max_timestamp().unwrap_or_default(),
            index: IndexSum::of(&self.rebuilt.offset),
            time_index: IndexSum::of(&self.rebuilt.time),
            heads: IndexSum::of(&heads),
            ..mark
        };
        let sides = [
            (names::INDEX, self.rebuilt.offset.as_slice()),
            (names::TIME_INDEX, &self.rebuilt.time),
            (names::HEADS, &heads),
            (names::DURABLE, &sealed_file(&mark)),
        ];
        for (suffix, bytes) in sides {
            let path = path(&self.dir, self.base_offset, suffix);
            let file = self.dir.storage.create(&path).map_err(IoError::of("create", &path))?;
            storage::write_all_at(&*file, bytes, 0).map_err(IoError::of("write", &path))?;
            file.sync_data().map_err(IoError::of("sync", &path))?;
        }
        Ok(mark)
    }
}

fn path(dir: &Dir, base_offset: u64, suffix: &str) -> PathBuf {
    dir.path.join(format!("{}{CLEANED}", names::segment_file(base_offset, suffix)))
}

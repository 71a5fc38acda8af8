//! The indexes of a segment as a whole: loaded and checked, or rebuilt from the batches.

use std::sync::Arc;

use super::{Dir, Mapped, Scanner, Segment};
use crate::error::{Damage, IoError, ReadError};
use crate::format::batch::Header;
use crate::format::heads;
use crate::format::index::{Builder, Entries};
use crate::format::mark::IndexSum;
use crate::format::names;
use crate::storage::{self, Access, Region};

/// Both indexes, in memory.
#[derive(Debug, Clone)]
pub(crate) struct Indexes {
    pub(crate) offset: Arc<Region>,
    pub(crate) time: Arc<Region>,
}

/// Both indexes as they come out of reading the batches.
#[derive(Debug)]
pub(crate) struct Rebuilt {
    builder: Builder,
    /// Where offsets have gaps.
    heads: Option<heads::Builder>,
    pub(crate) offset: Vec<u8>,
    pub(crate) time: Vec<u8>,
}

impl Rebuilt {
    /// With the checksums of the heads too, where offsets may have gaps.
    pub(crate) fn new(base_offset: u64, index_interval_bytes: u32, sparse: bool) -> Self {
        let builder = Builder::new(base_offset, index_interval_bytes);
        let heads = sparse.then(|| heads::Builder::new(base_offset));
        Self { builder, heads, offset: Vec::new(), time: Vec::new() }
    }

    /// Goes on with indexes that are known, at the batch of the last entry.
    pub(crate) fn resume(
        base_offset: u64,
        index_interval_bytes: u32,
        offset: Vec<u8>,
        time: Vec<u8>,
    ) -> Self {
        let builder = Builder::resume(base_offset, index_interval_bytes, &time);
        Self { builder, heads: None, offset, time }
    }

    /// Takes note of the batch at a position. An offset or position that no index can hold gets no entry: then
    /// the index is only sparser.
    pub(crate) fn add(&mut self, position: usize, header: &Header) {
        if let (Some(heads), Ok(position)) = (&mut self.heads, u32::try_from(position)) {
            heads.add(position, &header.head(), header.bytes);
        }
        let entries = self.builder.add(position, header.bytes, header.last_offset, header.max_timestamp);
        let Entries { offset, time } = entries.unwrap_or_default();
        self.offset.extend(offset.map(|entry| entry.encode()).iter().flatten());
        self.time.extend(time.map(|entry| entry.encode()).iter().flatten());
    }

    /// Adds what the time index gets when a segment is closed.
    pub(crate) fn finish(&mut self) {
        let last = self.builder.last();
        self.time.extend(last.map(|entry| entry.encode()).iter().flatten());
    }

    /// The file with the checksums of the heads, if there is to be one.
    pub(crate) fn heads(&self) -> Option<Vec<u8>> {
        self.heads.as_ref().map(heads::Builder::file)
    }

    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        self.builder.max_timestamp()
    }
}

/// Rebuilds the indexes of a closed segment from its batches, checking each.
pub(crate) fn rebuild(
    bytes: &[u8],
    base_offset: u64,
    sparse: bool,
    dir: &Dir,
    index_interval_bytes: u32,
) -> Result<Rebuilt, (usize, Damage)> {
    let mut rebuilt = Rebuilt::new(base_offset, index_interval_bytes, false);
    let mut scanner = Scanner::new(bytes, 0, base_offset, sparse, &dir.epochs);
    while let Some(found) = scanner.step_checked() {
        let found = found.map_err(|damage| (scanner.position(), damage))?;
        rebuilt.add(found.at, &found.header);
    }
    rebuilt.finish();
    Ok(rebuilt)
}

impl Segment {
    /// The indexes: loaded when they are as the mark describes them, otherwise rebuilt.
    pub(super) fn indexes<'a>(&self, mapped: &'a Mapped) -> Result<&'a Indexes, ReadError> {
        if let Some(indexes) = mapped.indexes.get() {
            return Ok(indexes);
        }
        let _once = mapped.loading.lock();
        if let Some(indexes) = mapped.indexes.get() {
            return Ok(indexes);
        }
        let loaded = self
            .load_index(names::INDEX, self.mark.index)
            .zip(self.load_index(names::TIME_INDEX, self.mark.time_index));
        // The files may be those of another segment by now, which has taken the place of this one.
        if let Some(retired) = self.retired().and_then(|retired| retired.indexes.get().cloned()) {
            return Ok(mapped.indexes.get_or_init(|| retired));
        }
        let indexes = match loaded {
            Some((offset, time)) => Indexes { offset, time },
            None => self.rebuild_indexes(mapped)?,
        };
        Ok(mapped.indexes.get_or_init(|| indexes))
    }

    /// Maps an index that is exactly as long as the mark says and has the checksum that the mark says. Any other
    /// is as good as none: an index is a cache.
    fn load_index(&self, suffix: &str, sum: IndexSum) -> Option<Arc<Region>> {
        let file = self.dir.open(self.base_offset, suffix, Access::Read).ok()?;
        if file.size().ok()? != u64::from(sum.bytes) {
            return None;
        }
        let len = usize::try_from(sum.bytes).ok()?;
        let region = if len == 0 {
            Region::from_bytes(&[])
        } else {
            file.map(len, Access::Read).and_then(|window| window.freeze(len)).ok()?
        };
        (IndexSum::of(region.bytes()) == sum).then_some(region)
    }

    fn rebuild_indexes(&self, mapped: &Mapped) -> Result<Indexes, ReadError> {
        let log = self.log(mapped)?;
        let rebuilt =
            rebuild(log.bytes(), self.base_offset, self.sparse, &self.dir, self.index_interval_bytes)
                .map_err(|(at, damage)| self.dir.corruption(self.base_offset, at as u64, damage))?;
        // The next open, and a Kafka broker, should find them. If that fails, they will be rebuilt again.
        let _ = write_index_files(&self.dir, self.base_offset, &rebuilt);
        Ok(Indexes { offset: Region::from_bytes(&rebuilt.offset), time: Region::from_bytes(&rebuilt.time) })
    }
}

/// Replaces both index files.
pub(super) fn write_index_files(dir: &Dir, base_offset: u64, rebuilt: &Rebuilt) -> Result<(), IoError> {
    for (suffix, bytes) in [(names::INDEX, &rebuilt.offset), (names::TIME_INDEX, &rebuilt.time)] {
        let name = names::segment_file(base_offset, suffix);
        storage::replace_file(&*dir.storage, &dir.path, &name, bytes)?;
    }
    Ok(())
}

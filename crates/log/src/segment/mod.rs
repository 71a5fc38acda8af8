//! A segment: a run of batches in one file, its two indexes, and its durable mark.
//!
//! ```text
//!             created          first append           roll, close          retention
//!   (nothing) -------> closed --------------> active -------------> sealed ----------> (nothing)
//!                        ^                      | crash
//!                        |     recovery         v
//!                        +------------------ unknown
//! ```
//!
//! A closed or sealed segment has the length that its mark says and is mapped when it is first read. An active
//! segment is mapped for its whole capacity; space is allocated ahead of its end. Readers hold a [`Segment`],
//! the one appender of a partition an [`Active`], and those who allocate and sync the [`Tail`] between them.

mod active;
mod dir;
mod indexes;
mod keeper;
mod lookup;
mod scan;
mod tail;

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub(crate) use active::{Active, Room};
pub(crate) use dir::Dir;
pub(crate) use indexes::{Indexes, Rebuilt};
pub(crate) use keeper::write_sealed;
pub(crate) use lookup::{Want, first_at_or_after};
pub(crate) use scan::Scanner;
pub(crate) use tail::{Tail, create_files, remove_files};

use crate::error::{Damage, IoError, ReadError};
use crate::format::mark::Mark;
use crate::format::names;
use crate::storage::{Access, Region};
use crate::sync::Mutex;

/// In place of a time that is not known.
const NO_TIME: i64 = i64::MIN;

/// What readers see of a segment.
#[derive(Debug)]
pub(crate) struct Segment {
    dir: Arc<Dir>,
    base_offset: u64,
    sparse: bool,
    log: Content,
    indexes: OnceLock<Indexes>,
    /// Held while the indexes are loaded, so that they are rebuilt once.
    loading: Mutex<()>,
    mark: Mark,
    index_interval_bytes: u32,
    /// The bytes up to here were checked, or
    verified: AtomicUsize,
    /// those from here on were written by this process.
    written_from: usize,
    max_timestamp: AtomicI64,
    first_append_ms: AtomicI64,
    last_append_ms: AtomicI64,
}

#[derive(Debug)]
enum Content {
    Active(Arc<Region>),
    Closed { len: u64, region: OnceLock<Arc<Region>> },
}

impl Segment {
    /// A segment that takes no appends, as its sealed mark describes it.
    ///
    /// `verified` tells whether its bytes were all checked just now.
    pub(crate) fn closed(dir: Arc<Dir>, mark: Mark, index_interval_bytes: u32, verified: bool) -> Self {
        let len = usize::try_from(mark.position).unwrap_or(usize::MAX);
        let timed = |time| AtomicI64::new(if mark.position == 0 { NO_TIME } else { time });
        Self {
            dir,
            base_offset: mark.base_offset,
            sparse: mark.sparse,
            log: Content::Closed { len: mark.position, region: OnceLock::new() },
            indexes: OnceLock::new(),
            loading: Mutex::new(()),
            index_interval_bytes,
            verified: AtomicUsize::new(if verified { len } else { 0 }),
            written_from: usize::MAX,
            max_timestamp: timed(mark.max_timestamp),
            first_append_ms: timed(mark.first_append_ms),
            last_append_ms: timed(mark.last_append_ms),
            mark,
        }
    }

    /// The same segment, taking appends into these regions.
    fn activated(&self, log: Arc<Region>, indexes: Indexes, index_interval_bytes: u32) -> Self {
        let copy = |from: &AtomicI64| AtomicI64::new(from.load(Ordering::Acquire));
        Self {
            dir: Arc::clone(&self.dir),
            base_offset: self.base_offset,
            sparse: self.sparse,
            written_from: log.published(),
            log: Content::Active(log),
            indexes: OnceLock::from(indexes),
            loading: Mutex::new(()),
            mark: self.mark,
            index_interval_bytes,
            verified: AtomicUsize::new(self.verified.load(Ordering::Acquire)),
            max_timestamp: copy(&self.max_timestamp),
            first_append_ms: copy(&self.first_append_ms),
            last_append_ms: copy(&self.last_append_ms),
        }
    }

    pub(crate) fn base_offset(&self) -> u64 {
        self.base_offset
    }

    /// The bytes of its batches.
    pub(crate) fn len(&self) -> u64 {
        match &self.log {
            Content::Active(region) => region.published() as u64,
            Content::Closed { len, .. } => *len,
        }
    }

    /// The largest timestamp of its records; `None` while it is empty.
    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        (self.len() > 0).then(|| self.max_timestamp.load(Ordering::Acquire))
    }

    pub(crate) fn first_append_ms(&self) -> Option<i64> {
        Some(self.first_append_ms.load(Ordering::Acquire)).filter(|time| *time != NO_TIME)
    }

    /// A time after which nothing was appended.
    pub(crate) fn last_append_ms(&self) -> Option<i64> {
        Some(self.last_append_ms.load(Ordering::Acquire)).filter(|time| *time != NO_TIME)
    }

    /// The batches, mapped now if they were not.
    pub(crate) fn log(&self) -> Result<&Arc<Region>, ReadError> {
        let (len, region) = match &self.log {
            Content::Active(region) => return Ok(region),
            Content::Closed { len, region } => (*len, region),
        };
        if let Some(region) = region.get() {
            return Ok(region);
        }
        // Two threads may map it at the same time; one of the mappings is dropped again.
        let path = self.dir.file(self.base_offset, names::LOG);
        let file = self.dir.open(self.base_offset, names::LOG, Access::Read)?;
        let found = file.size().map_err(IoError::of("measure", &path))?;
        if found < len {
            return Err(self
                .dir
                .corruption(self.base_offset, found, Damage::Short { expected: len, found })
                .into());
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let window = file.map(len, Access::Read).map_err(IoError::of("map", &path))?;
        Ok(region.get_or_init(|| window.freeze(len)))
    }
}

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
//! A closed or sealed segment has the length that its mark says and is mapped when it is read, unless too many are: then
//! others are unmapped. An active segment is mapped for its whole capacity; space is allocated ahead of its end. Readers hold a [`Segment`],
//! the one appender of a partition an [`Active`], and those who allocate and sync the [`Tail`] between them.

mod active;
mod dir;
mod heads;
mod indexes;
mod keeper;
mod lookup;
mod mapped;
mod retired;
mod scan;
mod swap;
mod tail;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

pub(crate) use active::{Active, Room};
pub(crate) use dir::Dir;
pub(crate) use heads::load as load_heads;
pub(crate) use indexes::{Indexes, Rebuilt};
pub(crate) use keeper::{sealed_file, write_sealed};
pub(crate) use lookup::Want;
pub(crate) use mapped::Mappings;
use mapped::{Mapped, Slot};
pub(crate) use scan::{Found, Scanner};
pub(crate) use swap::{Meaning, Swap, clear};
pub(crate) use tail::{Tail, Times, create_files, remove_files};
pub(crate) use walk::Walk;

use crate::error::{Damage, IoError, ReadError};
use crate::format::mark::Mark;
use crate::format::names;
use crate::storage::{Access, Region};

/// In place of a time that is not known.
const NO_TIME: i64 = i64::MIN;

/// What readers see of a segment.
#[derive(Debug)]
pub(crate) struct Segment {
    dir: Arc<Dir>,
    base_offset: u64,
    sparse: bool,
    content: Content,
    mark: Mark,
    index_interval_bytes: u32,
    max_timestamp: AtomicI64,
    first_append_ms: AtomicI64,
    last_append_ms: AtomicI64,
    /// Whether batches in it may have the numbers of a producer.
    numbered: AtomicBool,
}

#[derive(Debug)]
enum Content {
    Active(Arc<Region>, Arc<Mapped>),
    Closed { len: u64, slot: Arc<Slot> },
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
            content: Content::Closed { len: mark.position, slot: Slot::new(if verified { len } else { 0 }) },
            index_interval_bytes,
            max_timestamp: timed(mark.max_timestamp),
            first_append_ms: timed(mark.first_append_ms),
            last_append_ms: timed(mark.last_append_ms),
            numbered: AtomicBool::new(mark.numbered),
            mark,
        }
    }

    /// The same segment, taking appends into these regions, of whose bytes the first were checked.
    fn activated(
        &self,
        log: Arc<Region>,
        indexes: Indexes,
        verified: usize,
        index_interval_bytes: u32,
    ) -> Self {
        let copy = |from: &AtomicI64| AtomicI64::new(from.load(Ordering::Acquire));
        Self {
            dir: Arc::clone(&self.dir),
            base_offset: self.base_offset,
            sparse: self.sparse,
            content: Content::Active(Arc::clone(&log), Arc::new(Mapped::active(log, indexes, verified))),
            mark: self.mark,
            index_interval_bytes,
            max_timestamp: copy(&self.max_timestamp),
            first_append_ms: copy(&self.first_append_ms),
            last_append_ms: copy(&self.last_append_ms),
            numbered: AtomicBool::new(self.numbered.load(Ordering::Acquire)),
        }
    }

    /// The same segment after it was sealed with this mark: without its memory, which is more than it needs.
    pub(crate) fn sealed(&self, mark: Mark) -> Self {
        Self::closed(Arc::clone(&self.dir), mark, self.index_interval_bytes, false)
    }

    pub(crate) fn base_offset(&self) -> u64 {
        self.base_offset
    }

    /// The bytes of its batches.
    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::Active(region, _) => region.published() as u64,
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

    /// What is mapped of the segment, for as long as the caller holds it.
    fn mapped(&self) -> Arc<Mapped> {
        match &self.content {
            Content::Active(_, mapped) => Arc::clone(mapped),
            Content::Closed { slot, .. } => slot.mapped(&self.dir.mappings),
        }
    }

    /// The batches, mapped now if they were not.
    fn log<'a>(&self, mapped: &'a Mapped) -> Result<&'a Arc<Region>, ReadError> {
        if let Some(region) = mapped.log.get() {
            return Ok(region);
        }
        // Two threads may map it at the same time; one of the mappings is dropped again.
        let len = self.len();
        let region = self.map_log(len);
        // The file may be that of another segment by now, which has taken the place of this one.
        if let Some(retired) = self.retired().and_then(|retired| retired.log.get()) {
            return Ok(mapped.log.get_or_init(|| Arc::clone(retired)));
        }
        let region = region?;
        Ok(mapped.log.get_or_init(|| region))
    }

    fn map_log(&self, len: u64) -> Result<Arc<Region>, ReadError> {
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
        let window = file.map(len, Access::Read);
        Ok(window.and_then(|window| window.freeze(len)).map_err(IoError::of("map", &path))?)
    }
}

//! What there is of each segment on disk, for who wants to see it.

use std::io;

use super::ReadOnlyPartition;
use super::partition::mark;
use crate::error::{IoError, ReadError};
use crate::format::index::{ENTRY_BYTES, Entry, TIME_ENTRY_BYTES, TimeEntry};
use crate::format::mark::Mark;
use crate::format::names;
use crate::segment::Dir;
use crate::storage::Access;

/// The files of a segment; made by [`ReadOnlyPartition::segments`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentFiles {
    /// The offset of its first record, which is also its file name.
    pub base_offset: u64,
    /// The length of the `.log` file: batches, and behind them the space that is allocated ahead.
    pub log_bytes: u64,
    /// The length of the `.index` file; `None` when it is missing.
    pub index_bytes: Option<u64>,
    /// The length of the `.timeindex` file; `None` when it is missing.
    pub time_index_bytes: Option<u64>,
    /// The durable mark; `None` when there is no valid one, as in a directory that Kafka wrote.
    pub mark: Option<DurableMark>,
    /// The length of the file in which quarantine set the bytes of a damaged segment aside, the first time.
    pub set_aside_bytes: Option<u64>,
}

/// How much of a segment is known to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableMark {
    /// Whether the segment was closed: its file ends at `position`, its indexes are complete.
    pub sealed: bool,
    /// Whether its offsets may have gaps, as compaction leaves them.
    pub may_have_gaps: bool,
    /// So many bytes of the `.log` file are durable.
    pub position: u64,
    /// The offset behind the last durable record, or behind the last that is missing.
    pub next_offset: u64,
    /// When its first append was made, in milliseconds since 1970-01-01 UTC; `None` while that is not known.
    pub first_append_ms: Option<i64>,
    /// No append was made after this; `None` while that is not known.
    pub last_append_ms: Option<i64>,
    /// The largest timestamp of its records, if it was closed and has any.
    pub max_timestamp: Option<i64>,
    /// The leader epoch when the mark was written.
    pub leader_epoch: i32,
}

impl From<Mark> for DurableMark {
    fn from(mark: Mark) -> Self {
        let known = |time: i64| Some(time).filter(|time| *time > 0 && mark.position > 0);
        Self {
            sealed: mark.sealed,
            may_have_gaps: mark.sparse,
            position: mark.position,
            next_offset: mark.next_offset,
            first_append_ms: known(mark.first_append_ms),
            last_append_ms: known(mark.last_append_ms),
            max_timestamp: Some(mark.max_timestamp).filter(|_| mark.sealed && mark.position > 0),
            leader_epoch: mark.leader_epoch,
        }
    }
}

fn segment(dir: &Dir, base_offset: u64) -> Result<SegmentFiles, ReadError> {
    let bytes = |suffix| -> Result<Option<u64>, ReadError> {
        let path = dir.file(base_offset, suffix);
        match dir.storage.open(&path, Access::Read) {
            Ok(file) => Ok(Some(file.size().map_err(IoError::of("measure", &path))?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IoError::new("open", &path, error).into()),
        }
    };
    let path = dir.file(base_offset, names::LOG);
    let gone = || IoError::new("open", &path, io::ErrorKind::NotFound.into());
    Ok(SegmentFiles {
        base_offset,
        log_bytes: bytes(names::LOG)?.ok_or_else(gone)?,
        index_bytes: bytes(names::INDEX)?,
        time_index_bytes: bytes(names::TIME_INDEX)?,
        mark: mark(dir, base_offset)?.map(DurableMark::from),
        set_aside_bytes: bytes(names::DAMAGED)?,
    })
}

/// An entry of an offset index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetIndexEntry {
    /// The last offset of the batch.
    pub offset: u64,
    /// Where the batch begins in the `.log` file.
    pub position: u64,
}

/// An entry of a time index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeIndexEntry {
    /// The largest timestamp up to this entry, in milliseconds since 1970-01-01 UTC.
    pub timestamp: i64,
    /// The last offset of the earliest batch that has it.
    pub offset: u64,
}

impl ReadOnlyPartition {
    /// The segments that are there now, oldest first, with the lengths of their files and their marks.
    ///
    /// It reads the marks, and nothing of the batches.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::start_offset`].
    pub fn segments(&self) -> Result<Vec<SegmentFiles>, ReadError> {
        self.looking(|look| {
            look.bases().iter().map(|base_offset| segment(look.dir(), *base_offset)).collect()
        })
    }

    /// The entries of a segment's offset index as they are in the file, without the zeros of one that is written; none
    /// when it is missing. Nothing is checked: [`Log::check`](crate::Log::check) does that.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] when the file cannot be read.
    pub fn offset_index(&self, segment: u64) -> Result<Vec<OffsetIndexEntry>, ReadError> {
        let bytes = self.looking(|look| Ok(look.dir().read(segment, names::INDEX)?))?.unwrap_or_default();
        let entries = bytes.as_chunks::<ENTRY_BYTES>().0.iter().map(|bytes| Entry::decode(*bytes));
        let entries = entries.take_while(|entry| entry.position != 0).map(|entry| OffsetIndexEntry {
            offset: segment.saturating_add(u64::from(entry.relative_offset)),
            position: u64::from(entry.position),
        });
        Ok(entries.collect())
    }

    /// The entries of a segment's time index, likewise.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] when the file cannot be read.
    pub fn time_index(&self, segment: u64) -> Result<Vec<TimeIndexEntry>, ReadError> {
        let bytes =
            self.looking(|look| Ok(look.dir().read(segment, names::TIME_INDEX)?))?.unwrap_or_default();
        let (entries, _) = bytes.as_chunks::<TIME_ENTRY_BYTES>();
        let entries = entries.iter().take_while(|bytes| **bytes != [0; TIME_ENTRY_BYTES]);
        let entries = entries.map(|bytes| TimeEntry::decode(*bytes)).map(|entry| TimeIndexEntry {
            timestamp: entry.timestamp,
            offset: segment.saturating_add(u64::from(entry.relative_offset)),
        });
        Ok(entries.collect())
    }
}

use std::path::Path;
use std::sync::Arc;

use crate::error::{OpenError, ReadError};
use crate::fetched::Fetched;
use crate::options::ReadUpTo;
use crate::storage::Storage;

#[rustfmt::skip]
pub(super) fn topics(_: &dyn Storage, _: &Path) -> Result<Vec<(String, u32)>, OpenError> { Ok(Vec::new()) }

/// A partition that is read beside its writer; made by [`ReadOnlyLog::partition`](crate::ReadOnlyLog::partition).
#[derive(Debug)]
pub struct ReadOnlyPartition;

#[rustfmt::skip]
impl ReadOnlyPartition {
    pub(super) fn open(_: Arc<dyn Storage>, _: &Path, _: &str, _: u32) -> Result<Option<Self>, OpenError> { Ok(None) }

    /// The first offset that can be read now.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    pub fn start_offset(&self) -> Result<u64, ReadError> { Err(ReadError::Closed) }

    /// The offset behind the last record that can be read now.
    ///
    /// # Errors
    ///
    /// What the operating system refuses.
    pub fn end_offset(&self, _up_to: ReadUpTo) -> Result<u64, ReadError> { Err(ReadError::Closed) }

    /// Reads like [`Partition::read_up_to`](crate::Partition::read_up_to).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn read(&self, _up_to: ReadUpTo, _from: u64, _max_bytes: usize) -> Result<Fetched, ReadError> { Err(ReadError::Closed) }

    /// Returns the offset of the first durable record whose timestamp is at or after `timestamp_ms`.
    ///
    /// # Errors
    ///
    /// As [`ReadOnlyPartition::read`].
    pub fn offset_for_timestamp(&self, _timestamp_ms: i64) -> Result<Option<u64>, ReadError> { Err(ReadError::Closed) }
}

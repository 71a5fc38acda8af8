//! Stand-in while the partition is being written: everything is closed.

use std::time::Duration;

use crate::error::{AppendError, MaintainError, ReadError, SyncError};
use crate::fetched::Fetched;
use crate::options::{Ack, ReadUpTo, TopicOptions};
use crate::record::Record;
use crate::report::SegmentInfo;

pub(crate) struct Core;

#[rustfmt::skip]
impl Core {
    pub(crate) fn topic(&self) -> &str { "" }
    pub(crate) fn number(&self) -> u32 { 0 }
    pub(crate) fn start_offset(&self) -> u64 { 0 }
    pub(crate) fn durable_end(&self) -> u64 { 0 }
    pub(crate) fn appended_end(&self) -> u64 { 0 }
    pub(crate) fn append(&self, _: &[Record<'_>], _: Ack) -> Result<u64, AppendError> { Err(SyncError::Closed.into()) }
    pub(crate) fn sync(&self) -> Result<u64, SyncError> { Err(SyncError::Closed) }
    pub(crate) fn wait_durable(&self, _: u64) -> Result<(), SyncError> { Err(SyncError::Closed) }
    pub(crate) fn wait_readable(&self, _: ReadUpTo, _: u64, _: Duration) -> Result<bool, SyncError> { Err(SyncError::Closed) }
    pub(crate) fn read(&self, _: ReadUpTo, _: u64, _: usize) -> Result<Fetched, ReadError> { Err(ReadError::Closed) }
    pub(crate) fn offset_for_timestamp(&self, _: i64) -> Result<Option<u64>, ReadError> { Err(ReadError::Closed) }
    pub(crate) fn delete_records_before(&self, _: u64) -> Result<u64, MaintainError> { Err(SyncError::Closed.into()) }
    pub(crate) fn segment_infos(&self) -> Vec<SegmentInfo> { Vec::new() }
    pub(crate) fn size_bytes(&self) -> u64 { 0 }
    pub(crate) fn set_options(&self, _: TopicOptions) {}
}

//! Finding records by timestamp.

use super::Core;
use crate::error::ReadError;

impl Core {
    /// The first segment with a timestamp at or after the one sought holds the record: no segment before it has
    /// such a record at all. Only when that record was deleted, or is not durable yet, the search goes on.
    pub(crate) fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<u64>, ReadError> {
        if self.is_closed() {
            return Err(ReadError::Closed);
        }
        let end = self.durable_end();
        let start = self.start_offset();
        let list = self.segment_list();
        for segment in list.iter() {
            if let Some(offset) = segment.offset_for_timestamp(timestamp, start..end)? {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }
}

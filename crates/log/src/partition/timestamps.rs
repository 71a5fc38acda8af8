//! Finding records by timestamp.

use std::io;

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
        let list = self.segment_list();
        for segment in list.iter() {
            match segment.offset_for_timestamp(timestamp, self.start_offset()..end) {
                Ok(None) => {}
                // The segment was deleted between the look at the list and the first mapping.
                Err(ReadError::Io(io))
                    if io.kind() == io::ErrorKind::NotFound && !self.has_segment(segment.base_offset()) => {}
                outcome => return outcome,
            }
        }
        Ok(None)
    }

    fn has_segment(&self, base_offset: u64) -> bool {
        self.segment_list().iter().any(|segment| segment.base_offset() == base_offset)
    }
}

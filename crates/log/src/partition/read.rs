//! Reading: no lock that an append holds, no copy.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Core;
use crate::error::ReadError;
use crate::fetched::{Fetched, Place};
use crate::options::ReadUpTo;
use crate::segment::{Segment, Want};

impl Core {
    pub(crate) fn read(&self, up_to: ReadUpTo, from: u64, max_bytes: usize) -> Result<Fetched, ReadError> {
        if self.is_closed() {
            return Err(ReadError::Closed);
        }
        // The end before the list: the list then holds every segment below the end.
        let end = self.end(up_to);
        self.check_range(from, end)?;
        if from == end {
            return Ok(self.nothing(from));
        }
        let want = Want { from, end, max_bytes, verify_every_read: self.shared.verify_every_read };
        let list = self.segment_list();
        let holder = list.partition_point(|segment| segment.base_offset() <= from).checked_sub(1);
        let Some(holder) = holder else {
            // Deleted since the range was checked.
            self.check_range(from, end)?;
            return Err(ReadError::OffsetOutOfRange { offset: from, start: self.start_offset(), end });
        };
        for segment in list.iter().skip(holder) {
            if let Some(fetched) = self.fetch(segment, want)? {
                return Ok(fetched);
            }
        }
        Ok(self.nothing(end))
    }

    fn fetch(&self, segment: &Segment, want: Want) -> Result<Option<Fetched>, ReadError> {
        segment.fetch(want).map_err(|error| match error {
            // The segment was deleted between the look at the list and the first mapping.
            ReadError::Io(io) if io.kind() == io::ErrorKind::NotFound && want.from < self.start_offset() => {
                self.out_of_range(want.from, want.end)
            }
            error => error,
        })
    }

    fn check_range(&self, from: u64, end: u64) -> Result<(), ReadError> {
        if from < self.start_offset() || from > end { Err(self.out_of_range(from, end)) } else { Ok(()) }
    }

    fn out_of_range(&self, offset: u64, end: u64) -> ReadError {
        ReadError::OffsetOutOfRange { offset, start: self.start_offset(), end }
    }

    fn nothing(&self, from: u64) -> Fetched {
        let topic = Arc::clone(&self.dir.topic);
        let place = Place { topic, partition: self.dir.partition, segment: from, position: 0 };
        Fetched::new(Bytes::new(), from, from, place, self.dir.decompressed_bytes_max)
    }
}

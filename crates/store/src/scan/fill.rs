//! The range that the dispatcher is filling.

use headwater_topic::TopicName;

use super::bits::Bits;
use super::names::Names;
use super::{Scans, keys};
use crate::lock::{lock, write};

/// A range holds at most so many records, and about so many bytes as are read at a time.
const RECORDS_MAX: u64 = 4_096;

/// What has passed since the last range was closed.
#[derive(Debug)]
pub(super) struct Filling {
    begin: u64,
    end: u64,
    bytes: usize,
    /// Each topic is written down once.
    names: Names,
    bits: Bits,
}

impl Filling {
    pub(super) fn new(begin: u64) -> Self {
        Self { begin, end: begin, bytes: 0, names: Names::default(), bits: Bits::new() }
    }

    fn begin_at(&mut self, begin: u64) {
        (self.begin, self.end, self.bytes) = (begin, begin, 0);
        self.names.clear();
        self.bits.clear();
    }
}

impl Scans {
    /// The dispatcher comes to a message. Each is told before the position of the lane goes over it.
    pub(crate) fn pass(&self, topic: TopicName<'_>) {
        if !self.keeps {
            return;
        }
        let mut filling = lock(&self.filling);
        let Filling { names, bits, .. } = &mut *filling;
        if let Err(hash) = names.find(topic.as_str().as_bytes()) {
            // One that finds no place is written down again.
            let _ = names.add(topic, hash);
            keys::insert(topic, bits);
        }
    }

    /// The dispatcher has passed everything up to `end`, so many bytes of the log. When that is enough for a range, it is one.
    pub(crate) fn passed(&self, end: u64, bytes: usize, range_bytes: usize, log_start: u64) {
        if !self.keeps {
            return;
        }
        let mut filling = lock(&self.filling);
        filling.end = end;
        filling.bytes += bytes;
        if filling.bytes >= range_bytes || filling.end - filling.begin >= RECORDS_MAX {
            write(&self.summaries).insert_passed(filling.begin, end, &filling.bits, log_start);
            filling.begin_at(end);
        }
    }

    /// The dispatcher has gone over something without seeing it, and goes on at `start`.
    pub(crate) fn passed_over(&self, start: u64) {
        let mut filling = lock(&self.filling);
        filling.begin_at(start);
        write(&self.summaries).open_at(start);
    }
}

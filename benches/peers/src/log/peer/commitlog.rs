//! `commitlog`: one `write` a call, CRC-32C, an index entry for every message in a mapped file.

use std::path::Path;

use commitlog::message::{MessageBuf, MessageSet};
use commitlog::{CommitLog, LogOptions, ReadLimit};

use super::{ByNumber, Peer};

/// Its log, and the buffer that messages are gathered in.
pub struct Commitlog {
    log: CommitLog,
    buffer: MessageBuf,
}

impl Peer for Commitlog {
    const NAME: &'static str = "commitlog";

    fn open(dir: &Path) -> Self {
        let mut options = LogOptions::new(dir.join("commitlog"));
        // Its default is 1 MB a call, and an index of 100,000 messages a segment.
        options.message_max_bytes(32 << 20).index_max_items(16 << 20).segment_max_bytes(1 << 30);
        let log = CommitLog::new(options).unwrap_or_else(|error| panic!("{error}"));
        Self { log, buffer: MessageBuf::default() }
    }

    #[inline]
    fn append(&mut self, record: &[u8]) {
        self.append_batch(&[record]);
    }

    fn append_batch(&mut self, records: &[&[u8]]) {
        self.buffer.clear();
        for record in records {
            self.buffer.push(record).unwrap_or_else(|error| panic!("{error:?}"));
        }
        self.log.append(&mut self.buffer).unwrap_or_else(|error| panic!("{error}"));
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        let mut next = 0;
        while next < self.log.next_offset() {
            let read = self.log.read(next, ReadLimit::max_bytes(1 << 20));
            let read = read.unwrap_or_else(|error| panic!("{error}"));
            for message in read.iter() {
                visit(message.payload());
                next = message.offset() + 1;
            }
        }
    }
}

impl ByNumber for Commitlog {
    fn read_at(&mut self, number: u64, visit: &mut dyn FnMut(&[u8])) {
        // It reads what lies before the limit, and nothing if that is less than a message.
        let read = self.log.read(number, ReadLimit::max_bytes(20 << 10));
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        if let Some(message) = read.iter().next() {
            visit(message.payload());
        }
    }
}

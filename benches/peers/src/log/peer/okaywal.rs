//! `okaywal`: a write-ahead log; what it takes it has on disk, by group commit. It has no append that waits for less.

use std::io;
use std::path::Path;

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use super::Durable;

/// Its log.
pub struct Okaywal(WriteAheadLog);

/// Nobody who moves entries elsewhere.
#[derive(Debug)]
struct Keeper;

impl LogManager for Keeper {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        entry.read_all_chunks().map(drop)
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Ok(())
    }
}

impl Durable for Okaywal {
    const NAME: &'static str = "okaywal";

    fn open(dir: &Path) -> Self {
        let log = Configuration::default_for(dir.join("okaywal")).open(Keeper);
        Self(log.unwrap_or_else(|error| panic!("{error}")))
    }

    fn append(&self, record: &[u8]) {
        let mut entry = self.0.begin_entry().unwrap_or_else(|error| panic!("{error}"));
        entry.write_chunk(record).unwrap_or_else(|error| panic!("{error}"));
        entry.commit().unwrap_or_else(|error| panic!("{error}"));
    }

    fn close(self) {
        self.0.shutdown().unwrap_or_else(|error| panic!("{error}"));
    }
}

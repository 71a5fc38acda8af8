//! `walrus-rust` by its mapped backend, which was the faster one for single records; it does not sync.

use std::env;
use std::path::Path;

use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus as Wal, disable_fd_backend};

use super::Peer;

/// One topic.
const TOPIC: &str = "bench";

/// Its log.
pub struct Walrus(Wal);

impl Peer for Walrus {
    const NAME: &'static str = "walrus-rust";

    /// It has its files below the current directory of the process.
    fn open(dir: &Path) -> Self {
        env::set_current_dir(dir).unwrap_or_else(|error| panic!("{error}"));
        disable_fd_backend();
        let consistency = ReadConsistency::AtLeastOnce { persist_every: 1 << 20 };
        let wal = Wal::with_consistency_and_schedule(consistency, FsyncSchedule::NoFsync);
        Self(wal.unwrap_or_else(|error| panic!("{error}")))
    }

    #[inline]
    fn append(&mut self, record: &[u8]) {
        self.0.append_for_topic(TOPIC, record).unwrap_or_else(|error| panic!("{error}"));
    }

    fn append_batch(&mut self, records: &[&[u8]]) {
        self.0.batch_append_for_topic(TOPIC, records).unwrap_or_else(|error| panic!("{error}"));
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        // One by one: its `batch_read_for_topic` leaves records out where a block ends.
        while let Some(entry) = self.0.read_next(TOPIC, true).unwrap_or_else(|error| panic!("{error}")) {
            visit(&entry.data);
        }
    }
}

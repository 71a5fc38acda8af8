//! One file per log: how it appends and reads by the cheapest way its documentation shows.
//!
//! All keep what was appended when the process ends, none buffers it in the process: what is appended is in the page cache when the call
//! returns. Who can do no better than that says so by [`Peer::IN_PAGE_CACHE`].

pub mod commitlog;
pub mod kafko;
pub mod limit;
pub mod okaywal;
pub mod ours;
pub mod raft;
pub mod wal_db;
pub mod walrus;

use std::path::Path;

use super::bed::Content;

/// A log in one directory. Faults of a peer are panics: a bench has nothing better to do.
pub trait Peer: Sized {
    /// The crate.
    const NAME: &'static str;

    /// Opens or creates it.
    fn open(dir: &Path) -> Self;

    /// Opens or creates it so that it syncs after so many bytes, if it can be asked to.
    fn open_flushing(dir: &Path, _flush_bytes: u64) -> Self {
        Self::open(dir)
    }

    /// Appends one record; it is in the page cache when this returns.
    fn append(&mut self, record: &[u8]);

    /// Appends many, by one call if it has one.
    fn append_batch(&mut self, records: &[&[u8]]) {
        records.iter().for_each(|record| self.append(record));
    }

    /// Shows all records from the first on, each checked against its checksum.
    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8]));

    /// Panics unless these many records of these bytes are there, each with its number.
    fn check(&mut self, bytes: usize, count: u64) {
        let (mut next, mut right) = (0, true);
        self.read_all(&mut |record| {
            right &= record.len() == bytes && Content::number(record) == Some(next);
            next += 1;
        });
        assert!(right && next == count, "{}: {next} of {count} records, right: {right}", Self::NAME);
    }

    /// Closes it as its documentation wants.
    fn close(self) {}
}

/// A log that finds a record by its number.
pub trait ByNumber: Peer {
    /// Shows one record, checked.
    fn read_at(&mut self, number: u64, visit: &mut dyn FnMut(&[u8]));
}

/// A log that many threads append to, each waiting for the disk.
pub trait Durable: Sync + Sized {
    /// The crate.
    const NAME: &'static str;

    /// Opens or creates it.
    fn open(dir: &Path) -> Self;

    /// Appends one record; it is on disk when this returns.
    fn append(&self, record: &[u8]);

    /// Closes it as its documentation wants.
    fn close(self) {}
}

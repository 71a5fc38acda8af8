//! What a log has to be, in some sixty lines, and a run of a log beside it: the oracle of the log's tests and of its fuzz
//! target.
//!
//! ```text
//!   Op ---> the log on a SimDisk ---> reads     compared after every step
//!     \---> Model                ---> records
//!
//!   a disk after a crash ---> a log opened on it ---> start, end, records     between two states of the model
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "an oracle panics when the log is wrong, and counts in small numbers"
)]

mod run;

pub use run::Run;

/// A step in the life of a log.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// So many records as one batch, and whether it is waited until they are durable.
    Append(u8, bool),
    /// A record that fills most of a segment: it or the next batch begins another one.
    Fill,
    /// Everything is made durable.
    Sync,
    /// The clock goes on beyond the segments' age, and upkeep is done: the segment is rolled, old ones go.
    Maintain,
    /// Records before this share of the durable ones are deleted.
    Delete(u8),
    /// The log is closed and opened.
    Reopen,
    /// The process dies, the machine goes on.
    Kill,
    /// The power goes; what is left is decided by the seed.
    Crash(u64),
    /// The next sync of this file fails.
    FailSync(u8),
    /// All indexes are deleted while the log is closed.
    DropIndexes,
}

/// What the log has to be: the identity of every record ever appended and not lost, and where batches begin.
#[derive(Debug, Default, Clone)]
pub struct Model {
    /// The identities of the records that were appended and not lost.
    pub records: Vec<u64>,
    /// Where batches begin.
    pub batches: Vec<usize>,
    /// The first offset that need not survive a crash.
    pub durable: usize,
    /// The log start offset.
    pub start: usize,
    /// The log start offset that a deletion asked for which failed: it may have got as far as the disk.
    pub asked: usize,
    next_id: u64,
}

/// Marks the records that are long.
const LONG: u64 = 1 << 63;
/// The length of those.
const LONG_BYTES: usize = 3500;

impl Model {
    fn append(&mut self, count: usize, long: bool) -> Vec<Vec<u8>> {
        self.batches.push(self.records.len());
        let ids = self.next_id..self.next_id + count as u64;
        self.next_id = ids.end;
        let ids = ids.map(|id| if long { id | LONG } else { id });
        self.records.extend(ids.clone());
        ids.map(value).collect()
    }

    /// Where a deletion of this share, in 255th, goes.
    #[must_use]
    pub fn share(&self, share: u8) -> usize {
        self.durable * usize::from(share) / 255
    }

    /// The log was opened again and ends at `end`: at the border of a batch, with nothing durable lost.
    fn recovered(&mut self, end: usize) {
        assert!(end >= self.durable, "{end} records of {} durable ones", self.durable);
        assert!(end == self.records.len() || self.batches.contains(&end), "a part of a batch: {end}");
        self.records.truncate(end);
        self.batches.retain(|begin| *begin < end);
        self.durable = end;
    }
}

/// A value that no other record ever had, of some length.
fn value(id: u64) -> Vec<u8> {
    const FILL: [u8; LONG_BYTES] = [0xa5; LONG_BYTES];
    let mut value = id.to_be_bytes().to_vec();
    let len = if id & LONG != 0 { LONG_BYTES } else { 8 + (id * 53 % 400) as usize };
    value.extend_from_slice(&FILL[8..len]);
    value
}

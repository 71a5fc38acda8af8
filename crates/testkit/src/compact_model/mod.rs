//! What a compacted log has to be, in some sixty lines, and a run of a log beside it.
//!
//! ```text
//!   appended    a1  b1  a2  b-  a3      what a log without compaction would have; `-` is a tombstone
//!   may be      a1  b1  a2  b-  a3      nothing compacted yet
//!                       .   b-  a3      a1, b1, a2 have later ones of their key
//!                               a3      b- had its time
//!   never                   b1  a3      what was deleted came back
//! ```
//!
//! The law: what is read is some of what was appended, in order, each with its offset; of each key the last one is there; only a
//! tombstone whose time is over may be missing without a later one; and what was missing once is missing for ever.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "an oracle panics when the log is wrong, and counts in small numbers"
)]

mod run;

use std::collections::{BTreeMap, BTreeSet};

pub use run::Run;

/// A step in the life of a compacted log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// A record of this key, and whether it is waited until it is durable.
    Put(u8, bool),
    /// A tombstone of this key.
    Remove(u8),
    /// Records of these keys as one batch, a tombstone in the middle.
    Batch([u8; 3]),
    /// The segment is rolled, and everything made durable.
    Roll,
    /// What can be compacted is compacted.
    Compact,
    /// Time goes by until tombstones may go, and it is compacted.
    CompactLater,
    /// Records before this share of the durable ones are deleted.
    Delete(u8),
    /// The log is closed and opened.
    Reopen,
    /// The process dies, the machine goes on.
    Kill,
    /// The power goes; what is left is decided by the seed.
    Crash(u64),
}

/// A record: its key, and a value that no other one has, unless it is a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The key.
    pub key: u8,
    /// What tells it apart, and is in its value.
    pub id: u64,
    /// Whether it has no value.
    pub is_tombstone: bool,
}

/// What the log has to be.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// What was appended and not lost, by offset.
    pub appended: Vec<Entry>,
    /// Where batches begin.
    pub batches: BTreeSet<usize>,
    /// The first offset that need not survive a crash.
    pub durable: usize,
    /// The log start offset,
    pub start: usize,
    /// and the one that a deletion which failed may have got to.
    pub asked: usize,
    /// What was missing, by offset.
    pub gone: BTreeSet<usize>,
    /// When tombstones that were compacted may go, by offset.
    pub horizons: BTreeMap<usize, i64>,
    next_id: u64,
}

impl Model {
    fn append(&mut self, entries: &[(u8, bool)]) -> Vec<Entry> {
        self.batches.insert(self.appended.len());
        let mut added = Vec::new();
        for (key, is_tombstone) in entries {
            self.next_id += 1;
            let id = if *is_tombstone { 0 } else { self.next_id };
            added.push(Entry { key: *key, id, is_tombstone: *is_tombstone });
        }
        self.appended.extend(&added);
        added
    }

    /// What was appended is as short as this.
    fn truncate(&mut self, end: usize) {
        self.appended.truncate(end);
        self.batches.retain(|begin| *begin < end);
    }

    /// Where a deletion of this share, in 255th, goes.
    #[must_use]
    pub fn share(&self, share: u8) -> usize {
        self.durable * usize::from(share) / 255
    }

    /// Checks what was read from `start` to `end` against what was appended.
    ///
    /// # Panics
    ///
    /// When it breaks the law.
    pub fn check(&self, read: &BTreeMap<usize, Entry>, start: usize, end: usize, now_ms: i64, why: &str) {
        for (offset, entry) in read {
            assert_eq!(self.appended.get(*offset), Some(entry), "offset {offset} {why}");
            assert!(!self.gone.contains(offset), "offset {offset} came back {why}");
        }
        let mut last = BTreeMap::new();
        for offset in (start..end).rev() {
            let entry = self.appended[offset];
            let later = last.insert(entry.key, offset);
            let expired =
                entry.is_tombstone && self.horizons.get(&offset).is_some_and(|time| *time <= now_ms);
            let may_be_missing = later.is_some() || expired;
            assert!(
                may_be_missing || read.contains_key(&offset),
                "offset {offset} of {entry:?} is lost {why}"
            );
        }
        // A key that was removed has no value, also when its tombstone is gone.
        let mut state = BTreeMap::new();
        for entry in read.range(start..).map(|(_, entry)| entry) {
            state.insert(entry.key, entry.id);
            if entry.is_tombstone {
                state.remove(&entry.key);
            }
        }
        let expected: BTreeMap<u8, u64> = last
            .into_keys()
            .filter_map(|key| self.appended[start..end].iter().rfind(|entry| entry.key == key))
            .filter(|entry| !entry.is_tombstone)
            .map(|entry| (entry.key, entry.id))
            .collect();
        assert_eq!(state, expected, "{why}");
    }
}

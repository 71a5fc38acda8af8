//! Comparing an index with the batches, entry by entry, while they go by: the rules of Kafka's `DumpLogSegments`.
//!
//! ```text
//!   .index      the batch at the position ends with the offset; offsets and positions rise
//!   .timeindex  the timestamp is the largest so far, the offset the last one of the earliest batch that has it
//! ```

use super::finding::IndexProblem;
use crate::format::batch::Header;
use crate::format::index::{ENTRY_BYTES, Entry, TIME_ENTRY_BYTES, TimeEntry, relative};
use crate::format::mark::IndexSum;

/// An index file, and how far its entries were compared.
#[derive(Debug, Default)]
pub(super) struct Compared {
    bytes: Option<Vec<u8>>,
    next: usize,
    first_wrong: Option<u64>,
    wrong: u64,
}

impl Compared {
    pub(super) fn new(bytes: Option<Vec<u8>>) -> Self {
        Self { bytes, ..Self::default() }
    }

    fn refuse(&mut self) {
        self.first_wrong.get_or_insert(self.next as u64);
        self.wrong += 1;
        self.next += 1;
    }

    /// Compares the entry of the batch at a position, if it has one.
    pub(super) fn batch(&mut self, base_offset: u64, position: u64, header: &Header) {
        while let Some(entry) = self.entry().filter(|entry| u64::from(entry.position) <= position) {
            let right = u64::from(entry.position) == position
                && relative(base_offset, header.last_offset) == Some(entry.relative_offset);
            if right { self.next += 1 } else { self.refuse() }
        }
    }

    fn entry(&self) -> Option<Entry> {
        let (entries, _) = self.bytes.as_deref()?.as_chunks::<ENTRY_BYTES>();
        entries.get(self.next).map(|bytes| Entry::decode(*bytes))
    }

    /// Compares the entry of the largest timestamp so far, if it has one.
    pub(super) fn timestamp(&mut self, largest: TimeEntry) {
        let is_due = |entry: &TimeEntry| entry.relative_offset <= largest.relative_offset;
        while let Some(entry) = self.time_entry().filter(is_due) {
            if entry == largest { self.next += 1 } else { self.refuse() }
        }
    }

    fn time_entry(&self) -> Option<TimeEntry> {
        let (entries, _) = self.bytes.as_deref()?.as_chunks::<TIME_ENTRY_BYTES>();
        entries.get(self.next).map(|bytes| TimeEntry::decode(*bytes))
    }

    /// What is wrong with the index, after every batch went by. The sum is that of a mark, if one tells.
    pub(super) fn problem(mut self, entry_bytes: usize, sum: Option<IndexSum>) -> Option<IndexProblem> {
        let Some(bytes) = self.bytes.take() else {
            return Some(IndexProblem::Missing);
        };
        if !bytes.len().is_multiple_of(entry_bytes) {
            return Some(IndexProblem::Cut { bytes: bytes.len() as u64 });
        }
        // Those that are left lie behind the last batch.
        let left = (bytes.len() / entry_bytes).saturating_sub(self.next) as u64;
        let count = self.wrong.saturating_add(left);
        if count > 0 {
            return Some(IndexProblem::Entries {
                first: self.first_wrong.unwrap_or(self.next as u64),
                count,
            });
        }
        sum.is_some_and(|sum| sum != IndexSum::of(&bytes)).then_some(IndexProblem::Differs)
    }
}

//! What a reader beside the writer sees at one moment.

use super::ReadOnlyPartition;
use crate::error::ReadError;
use crate::options::ReadUpTo;
use crate::segment::{Dir, Swap};

/// What the directory listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) bases: Vec<u64>,
    pub(super) unmarked: bool,
    pub(super) taking_over: bool,
    pub(super) swap: Swap,
}

/// The directory at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) bases: Vec<u64>,
    /// Written by Kafka: there is no mark at all.
    pub(super) unmarked: bool,
    pub(super) dir: Dir,
    pub(super) start: u64,
    pub(super) durable_end: u64,
}

impl Look {
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The segments, by base offset.
    pub(super) fn bases(&self) -> &[u64] {
        &self.bases
    }

    /// The segments, each with the offset behind it; `end` is behind the last.
    pub(super) fn spans(&self, end: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.bases.iter().copied().zip(self.bases.iter().skip(1).copied().chain([end]))
    }

    pub(super) fn end(&self, partition: &ReadOnlyPartition, up_to: ReadUpTo) -> Result<u64, ReadError> {
        let mut end = self.durable_end;
        if up_to == ReadUpTo::Durable {
            return Ok(end);
        }
        // Batch after batch, as long as they hold.
        loop {
            let fetched = partition.read_between(self, end, u64::MAX, 1024 * 1024)?;
            if fetched.next_offset() <= end {
                return Ok(end);
            }
            end = fetched.next_offset();
        }
    }
}

use std::sync::Arc;

use crate::error::{ReadError, SyncError};

/// Why a table stays where it is. What was folded before stays folded; the next call tries again.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TableError<E> {
    /// The state has refused a record. [`Table::skip`](crate::Table::skip) goes on behind it.
    #[error("{topic}-{partition}: the record at offset {offset} was refused: {error}")]
    Fold {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// The record.
        offset: u64,
        /// Why.
        error: E,
    },
    /// What follows cannot be read.
    #[error("{topic}-{partition} cannot be read at offset {offset}: {error}")]
    Read {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// The first offset that is not folded.
        offset: u64,
        /// Why.
        error: ReadError,
    },
    /// Records that the table has not folded were deleted: its state can only be incomplete from now on.
    /// [`Table::skip`](crate::Table::skip) goes on at the log start; a state that has to be complete is begun anew, or kept
    /// longer in the log.
    #[error(
        "{topic}-{partition} was deleted up to offset {start}, and the table had come to {offset}; begin a new table, \
         skip what is missing, or keep records longer"
    )]
    Truncated {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// The first offset that is not folded.
        offset: u64,
        /// The log start offset.
        start: u64,
    },
    /// The table goes on behind the end of the log: it was told to by [`Table::seek`](crate::Table::seek), and what it knows is
    /// not of this log, or the log was put back from a copy.
    #[error("{topic}-{partition} ends at offset {end}, and the table is at {offset}; begin a new table")]
    Ahead {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// Where the table goes on.
        offset: u64,
        /// The durable end.
        end: u64,
    },
    /// What is waited for cannot become durable any more.
    #[error("{topic}-{partition}: {error}")]
    Sync {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// Why.
        error: SyncError,
    },
    /// The log was closed, or the topic deleted. The state is still there.
    #[error("{topic}-{partition}: the log is closed, or the topic was deleted")]
    Closed {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
    },
    /// The table does not follow such a partition.
    #[error("the table of {topic} does not follow partition {partition}")]
    NoPartition {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
    },
}

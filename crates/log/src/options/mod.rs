//! What a program may choose. Options are given at each start; only the number of partitions is on disk.

mod log;
mod read_only;
mod topic;

pub use log::LogOptions;
pub use read_only::ReadOnlyOptions;
pub use topic::TopicOptions;

use crate::error::InvalidOptions;

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ack {
    /// The record is in the operating system's page cache: it survives the end of this process, not the loss
    /// of power. The next sync makes it durable; when that comes is what [`TopicOptions::flush_ms`] and
    /// [`TopicOptions::flush_bytes`] say.
    Appended,
    /// The record is on disk: it survives the loss of power.
    Durable,
}

/// How far a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReadUpTo {
    /// To the last durable record. What was read once is never replaced by something else.
    #[default]
    Durable,
    /// To the last appended record. After a loss of power its offset may name another record.
    Appended,
}

/// Which time a record has when it is read: Kafka's `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The one that its producer gave it, or the log's clock at the append when it gave none.
    #[default]
    CreateTime,
    /// That of the append of its batch, by the log's clock; what the producer gave stays in the file, unseen. It is bit 3
    /// of the batch's attributes, and the time is the batch's largest timestamp (KIP-32).
    LogAppendTime,
}

/// What becomes of records that are old, or were replaced: Kafka's `cleanup.policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CleanupPolicy {
    /// Old segments are deleted, as `retention_ms` and `retention_bytes` say.
    #[default]
    Delete,
    /// Of each key the last record stays, for ever; `retention_ms` and `retention_bytes` do nothing. Every record needs a
    /// key.
    Compact,
    /// Both.
    CompactAndDelete,
}

impl CleanupPolicy {
    /// Whether records that were replaced go.
    #[must_use]
    pub fn compacts(self) -> bool {
        self != Self::Delete
    }

    /// Whether old segments go.
    #[must_use]
    pub fn deletes(self) -> bool {
        self != Self::Compact
    }
}

/// What opening a log does about damage of what was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDamage {
    /// The log does not open, and nothing is changed. What was known to be durable, or was closed cleanly, is not read; damage
    /// there is an error of the read that meets it.
    #[default]
    Refuse,
    /// Every segment is read and checked whole. The bytes of a damaged one are set aside in a file beside it, never
    /// deleted, and what holds of it takes its place: the records before the damage, and, as a segment of their own, those
    /// behind it, when the damaged batch's length, or the index, tells where they begin. What is missing is in
    /// [`Log::recovery`](crate::Log::recovery); its offsets are not given again, and who reads there gets the next
    /// record that is there. The log end does not fall.
    ///
    /// It costs a read of the whole log, and the space of a damaged segment twice. Damage of a small text file, and a
    /// format version that is not known, stay errors.
    Quarantine,
}

/// Kafka positions in a segment are 32-bit signed numbers.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 0x7fff_ffff;

/// What a compressed batch may become unless the program says otherwise.
pub(super) const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

pub(super) fn check_decompressed(bytes_max: usize) -> Result<(), InvalidOptions> {
    let (value, min, max) = (bytes_max as u64, 4096, SEGMENT_BYTES_MAX);
    if value < min || value > max {
        return Err(InvalidOptions { option: "decompressed_bytes_max", value, min, max });
    }
    Ok(())
}

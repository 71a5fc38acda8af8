use super::Assignor;
use crate::error::InvalidOptions;

/// Where a member begins to read a partition for which its group has committed nothing, or less than retention has left:
/// Kafka's `auto.offset.reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OffsetReset {
    /// Nowhere: the poll is an error, until the program seeks. Kafka's `none`.
    #[default]
    None,
    /// With the first record that is there.
    Earliest,
    /// Behind the last durable record. Members of the group that get the partition later, in this process, begin at the same
    /// place, so that none is passed over between them.
    Latest,
}

/// The options of a member of a consumer group. The names are Kafka's.
///
/// # Examples
///
/// ```
/// use headwater_log::{Assignor, ConsumerOptions, OffsetReset};
///
/// let options = ConsumerOptions::default()
///     .auto_offset_reset(OffsetReset::Earliest)
///     .assignor(Assignor::RoundRobin);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// How partitions are divided. All members of a group need the same: Kafka's `partition.assignment.strategy`. Default:
    /// [`Assignor::CooperativeSticky`].
    pub assignor: Assignor,
    /// Where to begin. Default: [`OffsetReset::None`].
    pub auto_offset_reset: OffsetReset,
    /// A member that does not poll for longer than this is put out of the group by the next poll of another one. Kafka's
    /// `max.poll.interval.ms`. At least 1. Default: 300,000.
    pub max_poll_interval_ms: u64,
    /// A poll gives at most so many bytes, but at least one batch. Default: 1 MiB, as Kafka's
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: usize,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            assignor: Assignor::default(),
            auto_offset_reset: OffsetReset::default(),
            max_poll_interval_ms: 300_000,
            max_partition_fetch_bytes: 1 << 20,
        }
    }
}

impl ConsumerOptions {
    /// Sets how partitions are divided.
    #[must_use]
    pub fn assignor(self, assignor: Assignor) -> Self {
        Self { assignor, ..self }
    }

    /// Sets where to begin.
    #[must_use]
    pub fn auto_offset_reset(self, auto_offset_reset: OffsetReset) -> Self {
        Self { auto_offset_reset, ..self }
    }

    /// Sets for how long a member may not poll.
    #[must_use]
    pub fn max_poll_interval_ms(self, max_poll_interval_ms: u64) -> Self {
        Self { max_poll_interval_ms, ..self }
    }

    /// Sets how many bytes a poll gives at most.
    #[must_use]
    pub fn max_partition_fetch_bytes(self, max_partition_fetch_bytes: usize) -> Self {
        Self { max_partition_fetch_bytes, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOptions> {
        let (value, min, max) = (self.max_poll_interval_ms, 1, i64::MAX.unsigned_abs());
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(InvalidOptions { option: "max_poll_interval_ms", value, min, max })
    }
}

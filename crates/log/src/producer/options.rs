use crate::compress::Compression;
use crate::error::{InvalidOptions, ProducerError, UnsupportedCompression};
use crate::options::Ack;

/// The options of a [`Producer`](super::Producer). The names are those of Kafka's producer, units last.
///
/// # Examples
///
/// ```
/// use headwater_log::Ack;
/// use headwater_log::producer::ProducerOptions;
///
/// let options = ProducerOptions::default().linger_ms(20).ack(Ack::Appended);
/// assert_eq!(options.buffer_bytes_max, 32 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerOptions {
    /// A batch that nobody waits for is appended when its first record is so old, or earlier when it is full. 0: as soon as
    /// the producer comes to it. Kafka's `linger.ms`. Default: 5, as in Kafka 4.
    pub linger_ms: u64,
    /// A batch is full before it would be larger than this; a record that is larger becomes a batch of its own. So much memory
    /// is taken for each partition that has records to be appended. Kafka's `batch.size`, of 16,384. Default: 131,072, see
    /// [the module](super) for why.
    pub batch_bytes: usize,
    /// The memory of all batches that are not appended yet is never more than this. Kafka's `buffer.memory`. Default: 32 MiB.
    pub buffer_bytes_max: usize,
    /// So long [`Sender::send`](super::Sender::send) waits for memory. Kafka's `max.block.ms`. Default: 60,000.
    pub max_block_ms: u64,
    /// What a receipt waits for. Kafka's `acks`. Default: [`Ack::Durable`].
    pub ack: Ack,
    /// What the records of a batch are compressed with when it is full, by the thread, unless
    /// [`TopicOptions::compression`](crate::TopicOptions::compression) says otherwise, which then counts. A batch that would not
    /// become smaller stays as it is. Kafka's `compression.type`. Default: [`Compression::None`].
    pub compression: Compression,
    /// A batch that the log refuses for a reason that may pass, as a full disk, is tried again until its first record is so
    /// old. Kafka's `delivery.timeout.ms`. Default: 120,000.
    pub delivery_timeout_ms: u64,
    /// So long after a refusal it is tried again. Kafka's `retry.backoff.ms`. Default: 100.
    pub retry_backoff_ms: u64,
    /// Whether batches are numbered: with an id of the log's ([`Log::new_producer_id`](crate::Log::new_producer_id)), epoch 0,
    /// and a sequence for each partition, so that who copies them can tell a duplicate or a gap. Kafka's `enable.idempotence`.
    /// Default: true.
    pub idempotent: bool,
    /// Whether the producer starts a thread that appends; otherwise the program calls
    /// [`Producer::poll`](super::Producer::poll). Default: true.
    pub thread: bool,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            linger_ms: 5,
            batch_bytes: 128 << 10,
            buffer_bytes_max: 32 << 20,
            max_block_ms: 60_000,
            ack: Ack::Durable,
            compression: Compression::None,
            delivery_timeout_ms: 120_000,
            retry_backoff_ms: 100,
            idempotent: true,
            thread: true,
        }
    }
}

impl ProducerOptions {
    /// Sets how old a batch becomes that nobody waits for.
    #[must_use]
    pub fn linger_ms(self, linger_ms: u64) -> Self {
        Self { linger_ms, ..self }
    }

    /// Sets how large a batch becomes.
    #[must_use]
    pub fn batch_bytes(self, batch_bytes: usize) -> Self {
        Self { batch_bytes, ..self }
    }

    /// Sets the memory of all batches that are not appended yet.
    #[must_use]
    pub fn buffer_bytes_max(self, buffer_bytes_max: usize) -> Self {
        Self { buffer_bytes_max, ..self }
    }

    /// Sets how long a send waits for memory.
    #[must_use]
    pub fn max_block_ms(self, max_block_ms: u64) -> Self {
        Self { max_block_ms, ..self }
    }

    /// Sets what a receipt waits for.
    #[must_use]
    pub fn ack(self, ack: Ack) -> Self {
        Self { ack, ..self }
    }

    /// Sets what batches are compressed with.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// Sets how long a batch that is refused is tried again.
    #[must_use]
    pub fn delivery_timeout_ms(self, delivery_timeout_ms: u64) -> Self {
        Self { delivery_timeout_ms, ..self }
    }

    /// Sets how long after a refusal it is tried again.
    #[must_use]
    pub fn retry_backoff_ms(self, retry_backoff_ms: u64) -> Self {
        Self { retry_backoff_ms, ..self }
    }

    /// Sets whether batches are numbered.
    #[must_use]
    pub fn idempotent(self, idempotent: bool) -> Self {
        Self { idempotent, ..self }
    }

    /// Sets whether the producer has a thread of its own.
    #[must_use]
    pub fn thread(self, thread: bool) -> Self {
        Self { thread, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ProducerError> {
        // A batch's length is 31 bits; one that holds no record is none.
        let (batch, buffer) = (self.batch_bytes as u64, self.buffer_bytes_max as u64);
        let (level_option, level, level_max) = match self.compression {
            Compression::Zstd { level } => ("compression.zstd.level", level, 22),
            Compression::Gzip { level } => ("compression.gzip.level", level, 9),
            _ => ("", 1, 1),
        };
        let ranges = [
            ("batch_bytes", batch, 128, 0x7fff_ffff),
            ("buffer_bytes_max", buffer, batch, u64::MAX),
            ("retry_backoff_ms", self.retry_backoff_ms, 1, u64::MAX),
            (level_option, u64::from(level), 1, level_max),
        ];
        for (option, value, min, max) in ranges {
            if value < min || value > max {
                return Err(InvalidOptions { option, value, min, max }.into());
            }
        }
        let codec = self.compression.codec();
        if codec.is_supported() { Ok(()) } else { Err(UnsupportedCompression { codec }.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_level_that_its_codec_does_not_have() {
        for (compression, max) in [(Compression::Gzip { level: 10 }, 9), (Compression::Zstd { level: 0 }, 22)]
        {
            let refused = ProducerOptions::default().compression(compression).check().unwrap_err();
            assert!(refused.to_string().ends_with(&format!("it has to be from 1 to {max}")), "{refused}");
        }
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn refuses_a_codec_that_is_not_built_in() {
        let refused = ProducerOptions::default().compression(Compression::ZSTD).check().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "option compression is zstd: build headwater-log with its feature zstd, which needs a C compiler"
        );
    }
}

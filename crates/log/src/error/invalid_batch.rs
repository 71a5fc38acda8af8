use super::operation::mended;
use crate::batch::Codec;

/// Why bytes cannot be appended as a record batch. One variant is one rule; nothing was appended.
///
/// The rules are those by which a Kafka broker takes a batch from a client (`LogValidator`, `UnifiedLog`,
/// `ProduceRequest`), and what a broker that knows no transactions has to refuse. Fields have Kafka's names. In a compressed batch
/// the place of a record is that which it would have if it were not compressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBatch {
    /// There are fewer bytes than a batch header has.
    #[error("{given} bytes are no record batch, its header alone has 61; pass the whole batch")]
    HeaderCut {
        /// The bytes given.
        given: u64,
    },
    /// The length at byte 8 is below the least possible.
    #[error("batchLength at byte 8 is {length}, at least 49 follow it; encode the batch anew")]
    LengthTooSmall {
        /// The field's value.
        length: i32,
    },
    /// The batch is longer than the bytes that were given.
    #[error(
        "the batch has {bytes} bytes by its batchLength at byte 8, {given} were given; pass the whole batch"
    )]
    Incomplete {
        /// The batch's length with its header.
        bytes: u64,
        /// The bytes given.
        given: u64,
    },
    /// Something follows the batch. Kafka's Produce takes one batch for a partition, and so does this.
    #[error("{left} bytes follow the batch at byte {at}; append batches one by one")]
    MoreThanOne {
        /// Where the first batch ends.
        at: u64,
        /// The bytes behind it.
        left: u64,
    },
    /// The batch is of another format version.
    #[error(
        "magic at byte 16 is {magic}, only 2 is taken; let the producer write record batches of version 2"
    )]
    Magic {
        /// The field's value.
        magic: i8,
    },
    /// A header field has a value that no writer gives it.
    #[error("{field} in the batch header has the impossible value {value}; encode the batch anew")]
    Field {
        /// The field, as Kafka names it.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The base offset is not 0: it is the log that gives offsets.
    #[error("baseOffset at byte 0 is {found}, it has to be 0; the log gives the offsets")]
    BaseOffset {
        /// The field's value.
        found: u64,
    },
    /// The checksum does not match the bytes.
    #[error(
        "crc at byte 17 is {stored:08x}, the CRC-32C of the bytes from 21 on is {computed:08x}; send it again"
    )]
    Checksum {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The batch has no records, or counts them otherwise than it numbers them.
    #[error(
        "recordCount at byte 57 is {count} and lastOffsetDelta at byte 23 is {last_offset_delta}; \
         they have to be above 0, and one apart"
    )]
    RecordCount {
        /// The number of records.
        count: u32,
        /// The last offset less the first.
        last_offset_delta: u64,
    },
    /// The batch is compressed with a codec that Kafka does not have.
    #[error("attributes at byte 21 name codec {codec}; use 0 none, 1 gzip, 2 snappy, 3 lz4 or 4 zstd")]
    Codec {
        /// The codec's number.
        codec: u8,
    },
    /// The batch is compressed with a codec that this build does not have, so what is in it cannot be checked.
    #[error("attributes at byte 21 name codec {codec}: {}", mended(*codec))]
    UnsupportedCodec {
        /// The codec.
        codec: Codec,
    },
    /// The records are not what their codec writes.
    #[error("the records from byte 61 on are no whole stream of {codec}; compress them anew")]
    Compressed {
        /// The codec.
        codec: Codec,
    },
    /// The records would become more than the log has allowed for.
    #[error(
        "the batch has more than {max} bytes of records when it is decompressed; split it, or raise decompressed_bytes_max"
    )]
    DecompressedTooLarge {
        /// The limit.
        max: u64,
    },
    /// Only a broker writes control batches.
    #[error("attributes at byte 21 say that it is a control batch (bit 5), which only a broker writes")]
    Control,
    /// This log keeps no transactions.
    #[error(
        "attributes at byte 21 say that it is transactional (bit 4); use a producer without transactional.id"
    )]
    Transactional,
    /// Only compaction sets a delete horizon.
    #[error("attributes at byte 21 say that there is a delete horizon (bit 6), which only compaction sets")]
    DeleteHorizon,
    /// Only the log says what its own time is.
    #[error("attributes at byte 21 say log append time (bit 3), which only the log sets; send create time")]
    TimestampType,
    /// A producer that numbers its batches begins at 0 or above.
    #[error("baseSequence at byte 53 is {sequence} with producerId {producer_id}; it has to be at least 0")]
    Sequence {
        /// The producer's identity.
        producer_id: i64,
        /// The field's value.
        sequence: i32,
    },
    /// The epoch of a producer is 0 or above.
    #[error("producerEpoch at byte 51 is {epoch} with producerId {producer_id}; it has to be at least 0")]
    ProducerEpoch {
        /// The producer's identity.
        producer_id: i64,
        /// The field's value.
        epoch: i16,
    },
    /// A record is not well formed.
    #[error("record {record}, at byte {at}, is malformed: {field}; encode the batch anew")]
    Record {
        /// The record's place in the batch, from 0.
        record: u32,
        /// Where it begins.
        at: u64,
        /// The field at fault.
        field: &'static str,
    },
    /// The records are not numbered 0, 1, 2, and so on.
    #[error(
        "record {record}, at byte {at}, has offsetDelta {found}; records are numbered from 0 without gaps"
    )]
    OffsetDelta {
        /// The record's place in the batch, from 0.
        record: u32,
        /// Where it begins.
        at: u64,
        /// The number it has.
        found: u32,
    },
    /// A record's timestamp is before 1970, and not the -1 that stands for none.
    #[error(
        "record {record}, at byte {at}, has timestamp {timestamp}; it has to be at least 0, or -1 for none"
    )]
    Timestamp {
        /// The record's place in the batch, from 0.
        record: u32,
        /// Where it begins.
        at: u64,
        /// The timestamp in milliseconds.
        timestamp: i64,
    },
    /// Bytes follow the last record.
    #[error("{left} bytes follow the last record of the batch at byte {at}; encode the batch anew")]
    LeftOver {
        /// Where the last record ends.
        at: u64,
        /// The bytes behind it.
        left: u64,
    },
}

impl InvalidBatch {
    /// The code of the Kafka protocol that a broker answers with: 2 `CORRUPT_MESSAGE`, 10 `MESSAGE_TOO_LARGE`, 32 `INVALID_TIMESTAMP`, 76
    /// `UNSUPPORTED_COMPRESSION_TYPE`, or 87 `INVALID_RECORD`.
    #[must_use]
    pub fn kafka_error_code(&self) -> i16 {
        match self {
            Self::HeaderCut { .. }
            | Self::LengthTooSmall { .. }
            | Self::Incomplete { .. }
            | Self::Field { .. }
            | Self::Checksum { .. } => 2,
            Self::TimestampType | Self::Timestamp { .. } => 32,
            Self::Codec { .. } | Self::UnsupportedCodec { .. } => 76,
            Self::DecompressedTooLarge { .. } => 10,
            Self::MoreThanOne { .. }
            | Self::Magic { .. }
            | Self::BaseOffset { .. }
            | Self::RecordCount { .. }
            | Self::Control
            | Self::Transactional
            | Self::DeleteHorizon
            | Self::Sequence { .. }
            | Self::ProducerEpoch { .. }
            | Self::Record { .. }
            | Self::OffsetDelta { .. }
            | Self::LeftOver { .. }
            | Self::Compressed { .. } => 87,
        }
    }
}

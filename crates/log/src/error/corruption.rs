use std::sync::Arc;

use crate::batch::Codec;

/// Damaged bytes, with their place.
///
/// The log never repairs what it knew to be durable: it reports the place and leaves the file untouched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{topic}-{partition}: segment {segment:020} is damaged at position {position}: {what}")]
#[non_exhaustive]
pub struct Corruption {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: u32,
    /// The segment's base offset, which is also its file name.
    pub segment: u64,
    /// The byte in the segment's `.log` file at which the damaged batch begins.
    pub position: u64,
    /// What is wrong there.
    pub what: Damage,
}

/// What is wrong with bytes that should be a record batch, or with the files around them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Fewer bytes are left than a batch header has.
    #[error("{left} bytes are left, a batch header has 61")]
    HeaderCut {
        /// The bytes left.
        left: u64,
    },
    /// The batch's length field is below the least possible.
    #[error("batch length {length} is below 49")]
    LengthTooSmall {
        /// The field's value.
        length: i32,
    },
    /// The batch would end behind the segment.
    #[error("the batch of {bytes} bytes ends behind the {left} bytes that are left")]
    LengthBeyondEnd {
        /// The batch's length with its header.
        bytes: u64,
        /// The bytes left from its beginning on.
        left: u64,
    },
    /// The batch is of another format version than 2.
    #[error("batch format version {magic}, only 2 is supported")]
    UnsupportedMagic {
        /// The field's value.
        magic: i8,
    },
    /// A header field has a value that no writer gives it.
    #[error("header field {field} has the impossible value {value}")]
    HeaderField {
        /// The field, as Kafka names it.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The checksum does not match the bytes.
    #[error("checksum is {computed:08x}, the batch says {stored:08x}")]
    Checksum {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The offset does not follow the one before.
    #[error("offset {found} where {expected} belongs")]
    Offset {
        /// The offset that belongs here.
        expected: u64,
        /// The offset found.
        found: u64,
    },
    /// The leader epoch is not the one that `leader-epoch-checkpoint` gives for this offset.
    #[error("leader epoch {found} where {expected} belongs")]
    Epoch {
        /// The epoch that belongs here.
        expected: i32,
        /// The epoch found.
        found: i32,
    },
    /// A record inside a batch whose checksum holds is not well formed.
    #[error("record {record} of the batch is malformed: {field}")]
    Record {
        /// The record's place in its batch, from 0.
        record: u32,
        /// The field at fault.
        field: &'static str,
    },
    /// The heads of the batches from here on, which the batches' own checksums leave out, are not those that were written. Only
    /// segments with gaps in their offsets have this checksum, of some batches at a time.
    #[error(
        "the base offsets, lengths or epochs of the batches from here to {end} are not as they were written"
    )]
    Heads {
        /// Where in the `.log` file the batches end.
        end: u64,
    },
    /// The `.heads` file of a segment with gaps is missing, or not as it was written: nothing tells whether its offsets are
    /// right.
    #[error("the checksums of the batches' offsets, in the .heads file, are missing or damaged")]
    HeadsFile,
    /// The records of a batch whose checksum holds are not what its codec writes.
    #[error("the records are no whole stream of {codec}")]
    Compressed {
        /// The codec that the batch names.
        codec: Codec,
    },
    /// The file is shorter than its durable mark says.
    #[error("the file ends after {found} bytes, {expected} were durable")]
    Short {
        /// The durable length.
        expected: u64,
        /// The length found.
        found: u64,
    },
    /// A segment begins at an offset that no record can have: Kafka's are below 2^63 - 1.
    #[error("offset {offset} is behind the last one there can be, 9223372036854775806")]
    OffsetTooLarge {
        /// The segment's base offset.
        offset: u64,
    },
    /// The log ends before records that were durable, as `recovery-point-offset-checkpoint` says.
    #[error("the log ends at offset {end}, records before {proven} were durable")]
    EndsEarly {
        /// Where it ends.
        end: u64,
        /// The recovery point.
        proven: u64,
    },
    /// A segment that was durable is not there.
    #[error("the segment's file is missing")]
    MissingSegment,
    /// The log start offset that was kept lies behind the log's end.
    #[error("the log start offset {start} lies behind the log end {end}")]
    StartBeyondEnd {
        /// The log start offset.
        start: u64,
        /// The next offset to be given.
        end: u64,
    },
}

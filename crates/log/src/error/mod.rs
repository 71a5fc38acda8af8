//! What can go wrong, one enum per operation.
//!
//! Damage to the bytes is [`Damage`], with its place it is [`Corruption`]; what the operating system
//! refuses is [`IoError`], always with the path. The enums of the operations are built from these.

mod corruption;
mod group;
mod invalid_batch;
mod io_error;
mod operation;
mod produce;

pub use corruption::{Corruption, Damage};
pub use group::{CommitError, GroupError, NotAssigned, OffsetsError, PollError, SeekError, SubscribeError};
pub use invalid_batch::InvalidBatch;
pub use io_error::IoError;
pub use operation::{
    AppendError, CloseError, CompactError, InvalidOptions, InvalidTopicName, MaintainError, OpenError,
    ProducerIdError, ReadError, SyncError, TopicError, UnsupportedCompression,
};
pub use produce::{ProduceError, ProducerError, SendError};

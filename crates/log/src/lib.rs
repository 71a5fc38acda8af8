//! Placeholder front page of `headwater-log`.

mod clock;
mod error;
mod format;
mod options;
pub mod partitioner;
mod record;
pub mod storage;
mod sync;

pub use clock::{Clock, SystemClock};
pub use error::{
    AppendError, CloseError, Corruption, Damage, InvalidOptions, InvalidTopicName, IoError, MaintainError,
    OpenError, ReadError, SyncError, TopicError,
};
pub use options::{Ack, LogOptions, ReadOnlyOptions, ReadUpTo, TopicOptions};
pub use record::{Header, HeaderIter, HeadersView, Record, RecordView, StoredHeaders, StoredRecord};

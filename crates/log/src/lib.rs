//! Placeholder front page of `headwater-log`.

mod clock;
mod error;
mod fetched;
mod format;
mod log;
mod options;
mod partition;
pub mod partitioner;
mod read_only;
mod record;
mod recovery;
mod report;
mod segment;
pub mod storage;
mod sync;
mod topic;

pub use clock::{Clock, SystemClock};
pub use error::{
    AppendError, CloseError, Corruption, Damage, InvalidOptions, InvalidTopicName, IoError, MaintainError,
    OpenError, ReadError, SyncError, TopicError,
};
pub use fetched::{Fetched, Records, Views};
pub use log::Log;
pub use options::{Ack, LogOptions, ReadOnlyOptions, ReadUpTo, TopicOptions};
pub use partition::{Partition, Reached};
pub use read_only::{ReadOnlyLog, ReadOnlyPartition};
pub use record::{Header, HeaderIter, HeadersView, Record, RecordView, StoredHeaders, StoredRecord};
pub use report::{MaintainReport, PartitionRecovery, RecoveryReport, SegmentInfo};
pub use topic::{Position, Topic};

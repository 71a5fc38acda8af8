//! Consumer groups.

mod assignor;
mod topic_partition;

pub use self::assignor::Assignor;
pub use self::topic_partition::TopicPartition;

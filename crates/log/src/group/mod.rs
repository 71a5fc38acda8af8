//! Consumer groups: members in this process that share the partitions of topics, and remember how far they are.
//!
//! ```text
//!   Log::consumer --> Consumer ---- what one member reads, and where            consumer, position, commit, ready
//!                        |
//!                      Group ------ who owns which partition, generations       coordinator
//!                        |  '------ who shall own which                         assignor
//!                     Offsets ----- what was committed                          offsets
//!                        |
//!              __headwater_offsets   a topic; records as Kafka's                 format::offset_commit
//! ```
//!
//! Locks, in the order in which they may be taken: the log's lock of topics or a group's, then that of the offsets.

mod assignor;
mod commit;
mod consumer;
mod coordinator;
mod description;
mod event;
mod offsets;
mod options;
mod position;
mod ready;
mod records;
mod registry;
mod subscription;
mod topic_partition;

pub use self::assignor::Assignor;
pub use self::consumer::Consumer;
pub use self::description::{GroupDescription, GroupPartition, MemberDescription};
pub use self::event::{ConsumerEvent, MoveReason};
pub(crate) use self::offsets::{
    Committed, Offsets, Replay, TOPIC as OFFSETS_TOPIC, options as offsets_options,
};
pub use self::options::{ConsumerOptions, OffsetReset};
pub use self::ready::Ready;
pub use self::records::ConsumerRecords;
pub(crate) use self::registry::Groups;
pub use self::subscription::Subscription;
pub use self::topic_partition::TopicPartition;
use crate::log::Root;

//! The joint between MQTT and the log.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "a library returns what it has to say")]

mod counters;
mod delivery;
mod dispatch;
mod error;
mod lane;
mod lock;
pub mod message;
mod offsets;
mod options;
mod placement;
mod retained;
mod select;
pub mod session;
mod store;
mod subscription;

pub use self::counters::Statistics;
pub use self::delivery::{Delivery, Origin, Source};
pub use self::error::{AttachError, LaneError, OpenError, PublishError};
pub use self::lane::Lane;
pub use self::message::Message;
pub use self::offsets::Offsets;
pub use self::options::StoreOptions;
pub use self::placement::Placement;
pub use self::session::{Attach, Attached, Next};
pub use self::store::{MESSAGES_TOPIC, Store};
pub use self::subscription::{Earlier, Subscription, Terms};

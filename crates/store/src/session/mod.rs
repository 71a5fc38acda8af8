//! Sessions: what a client subscribed to, how far it has come, and what waits for it.
//!
//! ```text
//!                       attach()                       detach()
//!   [away] -----------------------------> [attached] ------------> [away]
//!   subscriptions and positions           each partition is
//!   in the log, nothing else              Behind -- caught up --> Live -- inbox full --> Behind
//!
//!   dispatcher, when Live ------> inbox --------.  in turns
//!   the log, when Behind -------> caught -------+-----------> next()
//!   retained messages ----------> replays ------'
//!   groups, in turns -----------> inbox
//! ```

mod attach;
mod attached;
mod catch_up;
mod core;
mod cut;
mod follow;
mod history;
mod inbox;
mod incoming;
mod load;
mod replay;
mod share;
mod snapshot;

pub use self::attach::Attach;
pub use self::attached::{Attached, Next, Subscribed};
pub(crate) use self::core::Core;
pub(crate) use self::cut::Ends;
pub use self::history::Since;
pub(crate) use self::incoming::Checkpoint;
pub(crate) use self::load::{Loaded, Sessions, load};
pub(crate) use self::snapshot::fields;
pub use self::snapshot::{IncomingRecord, OutgoingRecord, OwedRecord, Snapshot, SnapshotError};

/// The log topic.
pub(crate) const TOPIC: &str = "__headwater_sessions";

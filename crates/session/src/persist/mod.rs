//! A [`State`] as bytes, and what changes in it as a few bytes each, so that a program keeps a session where a crash does not reach it.
//!
//! ```text
//!   record_changes(limit)      poll_change()   poll_change()   poll_change()
//!          |                        |               |               |
//!   [  snapshot  ] ----------> [ change ] ----> [ change ] ----> [ change ]        one after the other in a file, say
//!          '-- decode() ---------- apply() ------- apply() ------- apply() ----->  the state of the session
//! ```
//!
//! # The bytes
//!
//! Integers are big-endian. Messages are whatever the caller makes of them.
//!
//! ```text
//!  snapshot
//!   0       1                3                 5
//!  +-------+----------------+-----------------+-----------------------------+
//!  |version| last packet    | how many ranges | first u16, last u16 of each |       identifiers that are avoided
//!  | u8 = 1| identifier u16 | u16             |                             |       (0 for the last one: not known)
//!  +-------+----------------+-----------------+-----------------------------+
//!          | how many incoming u16            | identifier u16 of each      |       held until PUBREL, ascending
//!          +----------------------------------+-----------------------------+
//!          | how many outgoing u16            | message of each             |       in the order of sending
//!          +----------------------------------+-----------------------------+
//!
//!  message                                                    stage
//!  +------------------+----------+------------+--------+       1  QoS 1, never written
//!  | packet identifier| stage u8 | length u32 | bytes  |       2  QoS 1, waits for PUBACK
//!  | u16              |          |            |        |       3  QoS 2, never written
//!  +------------------+----------+------------+--------+       4  QoS 2, waits for PUBREC
//!                                                              5  QoS 2, waits for PUBCOMP
//!  change
//!  +---------+-----------------------+                         1  taken, QoS 1       length u32, bytes
//!  | kind u8 | packet identifier u16 |  length u32, bytes      2  taken, QoS 2       length u32, bytes
//!  +---------+-----------------------+                         3  written for the first time
//!            (kind 6 ends here:                                4  PUBREC came
//!             it has no identifier)                            5  complete
//!                                                              6  the peer has forgotten the session
//!                                                              7  identifier given out for what is not kept
//!                                                              8  incoming identifier held
//!                                                              9  incoming identifier released
//! ```
//!
//! There is no checksum: a file that can be torn or damaged has its own, over a snapshot and over each change.
//!
//! Not in it is an incoming message of QoS 2 that the caller has not acknowledged. The peer holds it, sends it again, and it comes as a new
//! one; a [`Receipt`](crate::Receipt) is worth nothing in another process, and must not be handed to a session that came from bytes.
//!
//! # Examples
//!
//! ```
//! use headwater_session::persist::{self, Change};
//! use headwater_session::{State, client};
//! use headwater_codec::QoS;
//!
//! let write = |message: &&str, out: &mut Vec<u8>| out.extend_from_slice(message.as_bytes());
//! let read = |bytes: &[u8]| core::str::from_utf8(bytes).ok().map(String::from);
//!
//! let mut session = client::Session::<&str>::new(client::Config::default());
//! session.record_changes(1_000);
//! let mut snapshot = Vec::new();
//! persist::encode(&session.state(), &mut snapshot, write)?;
//!
//! session.publish("21.5", QoS::ExactlyOnce)?;
//! let mut changes = Vec::new();
//! while let Some(change) = session.poll_change()? {
//!     change.encode(&mut changes, |message, out| write(message, out))?;
//! }
//! assert_eq!(changes, b"\x02\0\x01\0\0\0\x0421.5");
//!
//! // The program starts again.
//! let mut state: State<String> = persist::decode(&snapshot, read)?;
//! let mut rest = &changes[..];
//! while !rest.is_empty() {
//!     let (change, length) = Change::decode(rest, read)?;
//!     state.apply(change);
//!     rest = &rest[length..];
//! }
//! assert_eq!(state.outgoing[0].message, "21.5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod journal;
mod reader;
mod snapshot;

pub use self::change::Change;
pub(crate) use self::journal::{Journal, Note};
pub use self::snapshot::{VERSION, decode, encode};
#[cfg(doc)]
use crate::state::State;

use headwater_codec::PacketId;

/// These bytes are no snapshot, or no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They end too early.
    #[error("the bytes end at {position}, within {field}")]
    Truncated {
        /// Where they end.
        position: usize,
        /// What is not complete.
        field: &'static str,
    },
    /// Another version of this crate wrote them, or they are something else.
    #[error("version {found} at byte 0; this program reads version {VERSION}")]
    Version {
        /// What stands there.
        found: u8,
    },
    /// A value that means nothing where it stands.
    #[error("{value} at byte {position} is no {field}")]
    Value {
        /// Where it begins.
        position: usize,
        /// What should stand there.
        field: &'static str,
        /// What does.
        value: u16,
    },
    /// Incoming identifiers do not ascend, a range goes backwards, or two outgoing messages have one identifier.
    #[error("packet identifier {} at byte {position} is not in its place in {field}", packet_id.get())]
    Misplaced {
        /// Where it begins.
        position: usize,
        /// In which list.
        field: &'static str,
        /// Which one.
        packet_id: PacketId,
    },
    /// The caller cannot read its own message.
    #[error("the message at byte {position} cannot be read")]
    Message {
        /// Where it begins.
        position: usize,
    },
    /// A snapshot has bytes behind it.
    #[error("the snapshot ends at byte {position}, the bytes do not")]
    Trailing {
        /// Where it ends.
        position: usize,
    },
}

/// A state that was made by hand is none that a session has, or a message is larger than its length can say; what was written is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// More than there are packet identifiers.
    #[error("{count} {field}, more than there are packet identifiers")]
    TooMany {
        /// How many.
        count: usize,
        /// Of what.
        field: &'static str,
    },
    /// Two outgoing messages under one identifier, or a range that goes backwards.
    #[error("packet identifier {} is not in its place in {field}", packet_id.get())]
    Misplaced {
        /// In which list.
        field: &'static str,
        /// Which one.
        packet_id: PacketId,
    },
    /// A message of 4 GiB or more.
    #[error("a message of {length} bytes; the largest has 4,294,967,295")]
    MessageTooLarge {
        /// Its length.
        length: usize,
    },
}

/// More changes waited than the limit of `record_changes`: they are gone. Take the whole state again; changes are recorded from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} changes waited and are lost; take the whole state again")]
pub struct ChangesLost {
    /// How many may wait.
    pub limit: usize,
}

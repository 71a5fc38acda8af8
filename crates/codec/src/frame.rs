//! Framing: where one packet ends and the next begins.
//!
//! ```text
//!  byte 0            bytes 1 to 4, at most                    remaining length bytes
//! +--------+-------+-------------------------------------+----------------------------+
//! | type 4 | flags | remaining length, variable integer   | body                       |
//! +--------+-------+-------------------------------------+----------------------------+
//!  fixed header (section 2.1; 2.2 in 3.1.1)
//! ```
//!
//! Bytes come from a socket in pieces of any size. This module is the only one that knows "not enough yet"; it hands
//! on whole packets, and behind it a packet that ends too early is malformed. Without a heap, [`first`] finds the
//! packet in the caller's buffer; with `alloc`, [`FrameReader`] keeps the buffer.

pub(crate) mod header;
mod limits;
#[cfg(feature = "alloc")]
mod owned;
#[cfg(feature = "alloc")]
mod reader;

pub use header::{Header, Status, first};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use owned::Frame;
#[cfg(feature = "alloc")]
pub use reader::FrameReader;

use crate::id::SubscriptionId;

/// The largest whole packet there can be, in bytes: five bytes of fixed header and 268,435,455 more (section 2.1.4).
pub const PACKET_SIZE_MAX: u32 = 5 + SubscriptionId::MAX;

/// The size of any packet is a `usize`.
const _: () = assert!(usize::BITS >= 32);

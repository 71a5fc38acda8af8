//! Our crates beside those of other people, timed in one run; each answer is compared before it is timed.
//!
//! ```text
//!  bin/codec.rs --> codec::cases   what is timed: bytes, and what they say
//!                   codec::peer::* one file per crate: decode, encode, and the answer in our words
//!                   codec::limit   by hand and without rules: how fast it can be
//!                        |
//!                   timing         all in turn, several rounds, the median
//!                        |
//!                   report         the table, the targets, JSON
//!
//!  bin/topic.rs --> topic::workload   who subscribed to what, and what is published
//!                   topic::naive      the judge
//!                   topic::peer::*    one file per tree: subscribe, unsubscribe, match
//!                   topic::matching   the trees in turn; one_off, retained, readers, rules: the rest
//!                   topic::plot       the figures as a picture
//!                   memory            bytes, counted where they are allocated
//!
//!  bin/log.rs --> log::append, durable, reading, tailing, opening   what is timed
//!                 log::peer::*     one file per log
//!                 log::targets     what was to be held; log::plot the pictures
//!
//!  bin/strictness.rs --> strictness::malformed   packets that break a rule each
//!                        strictness::judge       whom they get past
//! ```
//!
//! An area is a module here and a binary of the same name.

#![expect(clippy::panic, reason = "a bench that gets a wrong answer should stop")]

pub mod codec;
pub mod log;
pub mod memory;
pub mod options;
pub mod report;
pub mod strictness;
pub mod timing;
pub mod topic;

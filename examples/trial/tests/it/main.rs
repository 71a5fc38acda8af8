//! What the broker promises, where it takes more time or a worse disk than a test over a socket has; and the corpus of its fuzz target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests assert")]

mod corpus;
mod disk;
mod time;

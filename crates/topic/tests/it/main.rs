//! Integration tests of `headwater-topic`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests assert, and a failed assertion is a panic"
)]

mod bad_input;
#[cfg(feature = "std")]
mod concurrent;
mod deliveries;
mod exhaustive;
mod groups;
mod hostile;
mod memory;
mod oracle;
mod pages;
mod relation;
mod sequences;
mod table;

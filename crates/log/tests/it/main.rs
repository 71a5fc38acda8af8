//! Integration tests of `headwater-log`, one binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests assert")]

mod bed;
mod concurrency;
mod crash;
mod damage;
mod faults;
mod model;
mod read_only;
mod reading;
mod topics;

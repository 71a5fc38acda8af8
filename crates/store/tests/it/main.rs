//! Integration tests of `headwater-store`, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unused_must_use,
    reason = "tests assert"
)]

mod bed;
mod clauses;
mod crash;
mod delivery;
mod exactly_once;
mod exactly_once_world;
mod held;
mod history;
mod hook;
mod kept;
mod kept_law;
mod live;
mod mapping;
mod retained;
mod retained_limits;
mod retained_pages;
mod routes;
mod routes_law;
mod scans;
mod sessions;
mod shared;
mod shared_away;
mod shared_crash;
mod shared_law;
mod shared_record;
mod shared_review;
mod shared_threads;
mod stopped;
mod worker;

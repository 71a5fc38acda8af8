//! Integration tests of `headwater-session`, one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests assert"
)]

mod alias;
mod auth;
mod auth_client;
mod auth_phases;
mod auth_table;
mod bad_input;
mod clauses;
mod client;
mod closing;
mod cuts;
mod explained;
mod held;
mod limits;
mod offer;
mod opening;
mod pair;
mod persist;
mod reconnection;
mod server;
mod shadow;
mod side;
mod simulation;

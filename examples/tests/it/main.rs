//! The examples as their users meet them: programs with options, output and sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests assert"
)]

mod alias;
mod bad_input;
mod broker;
mod clauses;
mod client;
mod clients;
mod event_sourcing;
mod groups;
mod history;
mod kill;
mod limits;
mod loadgen;
mod logtool;
mod program;
mod raw;
mod replay;
mod routes;
mod shared;
mod sys;

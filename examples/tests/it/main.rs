//! The examples as their users meet them: programs with options, output and sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests assert"
)]

mod alias;
mod auth;
mod bad_input;
mod broker;
mod broker_kill;
mod clauses;
mod client;
mod clients;
mod clients_v5;
mod event_sourcing;
mod exactly_once;
mod groups;
mod guide;
mod history;
mod kill;
mod limits;
mod loadgen;
mod logtool;
mod program;
mod promises;
mod raw;
mod replay;
mod routes;
mod shared;
mod sys;

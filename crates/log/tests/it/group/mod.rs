//! Consumer groups.

mod bad_input;
pub(crate) mod bed;
mod crash;
mod law;
mod members;
mod offsets;
mod threads;

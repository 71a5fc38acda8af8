//! Consumer groups.

mod bad_input;
mod bed;
mod crash;
mod law;
mod members;
mod offsets;
mod threads;

//! Consumer groups.

mod bad_input;
mod bed;
mod members;
mod offsets;

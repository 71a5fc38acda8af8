//! Which packets that break a rule of the specification each codec lets through.

pub mod judge;
pub mod malformed;

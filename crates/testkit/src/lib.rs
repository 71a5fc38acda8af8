//! Placeholder front page of `headwater-testkit`.

pub mod fuzz;
pub mod wire;

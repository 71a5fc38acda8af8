//! Placeholder front page of `headwater-testkit`.

pub mod wire;

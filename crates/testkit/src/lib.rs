//! Placeholder front page of `headwater-testkit`.

pub mod fuzz;
pub mod manual_clock;
pub mod sim_disk;
pub mod wire;

//! What Headwater's own tests share: a disk that forgets, a wire that breaks, a clock that is told, the model of a log,
//! bodies of the fuzz targets.

pub mod compact_model;
pub mod fuzz;
pub mod log_model;
pub mod manual_clock;
pub mod sim_disk;
pub mod wire;

//! Idempotent producers: what a partition remembers of them.

mod numbers;

pub use numbers::{Appended, ProducerNumbers};

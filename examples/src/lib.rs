//! What the examples share: how their options are written, how figures and records are shown.

pub mod output;
pub mod show;
pub mod value;

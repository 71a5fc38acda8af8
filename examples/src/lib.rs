//! What the examples share: how their options are written, and how figures are shown.

pub mod show;
pub mod value;

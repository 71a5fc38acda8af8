//! Placeholder front page of `headwater-log`.

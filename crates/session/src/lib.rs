//! Placeholder front page of `headwater-session`.

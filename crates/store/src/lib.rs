//! Placeholder front page of `headwater-store`.

//! Placeholder front page of `headwater-codec`.

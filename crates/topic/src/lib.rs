//! Placeholder front page of `headwater-topic`.

//! Placeholder front page of `headwater-testkit`.

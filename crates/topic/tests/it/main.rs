//! Integration tests of `headwater-topic`.

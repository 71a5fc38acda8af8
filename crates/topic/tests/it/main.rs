//! Integration tests of `headwater-topic`, one binary.

//! Integration tests of `headwater-session`, one binary.

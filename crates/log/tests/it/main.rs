//! Integration tests of `headwater-log`, one binary.

//! Integration tests of `headwater-store`, one binary.

//! Integration tests of `headwater-codec`, one binary.

//! Integration tests of `headwater-codec`, one binary.
#![expect(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests assert"
)]

mod bad_connect;
mod bad_frame;
mod bad_properties;
mod bad_publish;
mod bad_subscribe;
mod build;
mod connect_payload;
mod encode;
mod fan_out;
mod generate;
mod hostile;
mod lenient;
mod only;
mod reasons;
mod round_trip;
mod stream;
mod strings;
mod vectors;
mod wire;
mod written;

//! An MQTT broker that keeps every message in a log whose files are Kafka's. What it does is in `lib.rs`.
//!
//! Run `cargo run --release --example broker -- --help` for its options.

use anyhow::Result;
use clap::Parser;
use headwater_broker::Options;
use tracing_subscriber::EnvFilter;

fn main() -> Result<()> {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // It would tell of a line that cannot be written by one that cannot be written either, and panic.
        .log_internal_errors(false)
        .init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads()).enable_all().build()?;
    runtime.block_on(headwater_broker::serve(options))
}

//! An MQTT broker that keeps every message in a log whose files are Kafka's.
//!
//! ```text
//!   accept -> connection (a task each) -> store <- lanes (a thread each: sync, dispatch)
//!                                           ^----- upkeep (a thread: retention, expired sessions)
//! ```
//!
//! Run `cargo run --release --example broker -- --help` for its options.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic where nobody reads; the broker lives on"
)]

mod connection;
mod files;
mod hub;
mod listener;
mod options;
mod registry;
mod sys;
mod threads;
mod welcome;
mod wills;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use headwater::log::{Log, LogOptions};
use headwater::store::Store;
use headwater_examples::show::now_ms;
use tracing_subscriber::EnvFilter;

use crate::files::Share;
use crate::hub::Hub;
use crate::options::{Options, PARTITIONS_DEFAULT};

/// How long connections may take to end when the broker stops.
const STOP: Duration = Duration::from_secs(15);

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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<()> {
    let log = Log::open(&options.data, LogOptions::default())
        .with_context(|| format!("the log in {} cannot be opened", options.data.display()))?;
    let log = Arc::new(log);
    let store = open_store(&log, &options)?;
    let socket = tokio::net::TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another broker there?", options.listen))?;
    let partitions: u64 = store.topics().map(|topic| u64::from(topic.partition_count())).sum();
    let files = Share::of(files::raise_limit(), partitions, options.connections_max.into())?;
    welcome::print(&log, &store, &options, files, socket.local_addr()?);

    let hub = Arc::new(Hub::new(store, options, files));
    let threads = threads::start(&hub, &log)?;
    let statistics = tokio::spawn(sys::run(Arc::clone(&hub)));
    let connections = listener::accept(&hub, socket).await;

    tracing::info!("stopping");
    connections.close();
    if tokio::time::timeout(STOP, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time");
    }
    // It ends by itself; its hub has to be gone before the log is closed.
    let _ = statistics.await;
    hub.wills.publish_all(&hub);
    threads.stop();
    let log = Arc::into_inner(log).context("a thread still has the log")?;
    log.close().context("the log was not closed cleanly; it is checked at the next start")?;
    welcome::farewell(&hub);
    Ok(())
}

fn open_store(log: &Log, options: &Options) -> Result<Store> {
    let mut store = options.store();
    if store.messages.partitions.is_none() && log.topic(headwater::store::MESSAGES_TOPIC).is_none() {
        store.messages.partitions = Some(PARTITIONS_DEFAULT);
    }
    Store::open(log, store, now_ms())
        .with_context(|| format!("what is in {} cannot be used", options.data.display()))
}

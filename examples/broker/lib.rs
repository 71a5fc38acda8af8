//! An MQTT broker that keeps every message in a log whose files are Kafka's.
//!
//! ```text
//!   accept -> connection (a task each) -> store <- lanes (a thread each: sync, dispatch)
//!                                           ^----- upkeep (a thread: retention, expired sessions)
//! ```
//!
//! The program is `main.rs` beside this: it reads its options and calls [`serve`]. A [`Connection`] takes any pair of byte streams, and
//! its time is the runtime's, so that it is also tried without a network, on a disk that forgets and by a clock that is told.

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
use headwater::log::{Log, LogOptions};
use headwater::store::Store;
use headwater_examples::show::now_ms;

pub use crate::connection::Connection;
pub use crate::files::Share;
pub use crate::hub::Hub;
pub use crate::options::Options;
use crate::options::PARTITIONS_DEFAULT;

/// How long connections may take to end when the broker stops.
const STOP: Duration = Duration::from_secs(15);

/// Serves until a signal says to stop, and closes the log.
///
/// # Errors
///
/// The log cannot be opened or closed, the address is in use, or too few files may be open. Each says what to do about it.
pub async fn serve(options: Options) -> Result<()> {
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

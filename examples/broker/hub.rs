//! What all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater::session::{Millis, server};
use headwater::store::Store;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::files::Share;
use crate::options::Options;
use crate::registry::Registry;
use crate::sys::Values;
use crate::wills::Wills;

/// What all connections share.
#[derive(Debug)]
pub struct Hub {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) wills: Wills,
    pub(crate) options: Options,
    pub(crate) session: server::Config,
    /// True once the broker is to stop.
    pub(crate) stopping: watch::Sender<bool>,
    /// A packet that has begun must be complete in this time.
    pub(crate) packet_timeout_millis: u64,
    /// A permit a connection.
    pub(crate) connections: Arc<Semaphore>,
    /// A permit a connection that is told that it is one too many.
    pub(crate) refusals: Arc<Semaphore>,
    pub(crate) counters: Counters,
    /// What is told below `$SYS`.
    pub(crate) sys: watch::Sender<Values>,
    /// The origin of the sessions' time.
    start: Instant,
}

/// What happened to messages, since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// Messages that the log did not take.
    pub(crate) failed: AtomicU64,
    /// Messages that were larger than their receiver takes, or cannot be sent at all.
    pub(crate) too_large: AtomicU64,
    /// Messages to topics that only the broker publishes to.
    pub(crate) reserved: AtomicU64,
    /// Wills that did not wait for their delay, because too many did.
    pub(crate) wills_early: AtomicU64,
}

impl Hub {
    /// A hub for connections to this store.
    #[must_use]
    pub fn new(store: Store, options: Options, files: Share) -> Self {
        Self {
            store,
            registry: Arc::default(),
            wills: Wills::default(),
            session: options.session(),
            packet_timeout_millis: u64::try_from(options.packet_timeout.as_millis()).unwrap_or(u64::MAX),
            stopping: watch::Sender::new(false),
            connections: permits(files.connections),
            refusals: permits(files.refusals),
            counters: Counters::default(),
            sys: watch::Sender::default(),
            start: Instant::now(),
            options,
        }
    }

    /// Tells all connections to end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// The time as sessions know it.
    pub(crate) fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn permits(count: u64) -> Arc<Semaphore> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::shared::Shared;
use crate::clock::Clock;
use crate::error::SyncError;
use crate::group::{Groups, Offsets};
use crate::partition::{Core, Signal};
use crate::storage::LockGuard;
use crate::sync::{Mutex, RwLock};
use crate::topic::Topic;

/// The state of an open log.
pub(crate) struct Root {
    pub(super) shared: Arc<Shared>,
    pub(super) topics: RwLock<BTreeMap<String, Topic>>,
    /// The lock on the directory; `None` once the log is closed. Held while topics come and go.
    pub(super) guard: Mutex<Option<Box<dyn LockGuard>>>,
    /// Producer ids that are taken and were not given out yet.
    pub(super) producer_ids: Mutex<Range<i64>>,
    pub(super) groups: Groups,
    /// Counts how often a topic came, went or grew; groups look at topics when it has moved.
    pub(super) topics_version: AtomicU64,
    /// Moves with it, and when the log is closed.
    pub(super) topics_changed: Signal,
}

impl Root {
    pub(super) fn path(&self) -> &Path {
        &self.shared.path
    }

    pub(super) fn topic_names(&self) -> Vec<String> {
        self.topics.read().keys().cloned().collect()
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.read().get(name).cloned()
    }

    pub(crate) fn topic_handles(&self) -> Vec<Topic> {
        self.topics.read().values().cloned().collect()
    }

    pub(crate) fn topics_version(&self) -> u64 {
        self.topics_version.load(Ordering::Acquire)
    }

    pub(crate) fn topics_changed(&self) -> &Signal {
        &self.topics_changed
    }

    /// A topic came, went or grew.
    pub(super) fn note_topics_changed(&self) {
        self.topics_version.fetch_add(1, Ordering::AcqRel);
        self.topics_changed.notify();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.groups.offsets
    }

    /// All partitions of all topics.
    pub(super) fn cores(&self) -> Vec<Arc<Core>> {
        self.topics.read().values().flat_map(|topic| topic.cores().to_vec()).collect()
    }

    pub(super) fn confirm_clock(&self, now_ms: i64) {
        self.shared.believed.lock().confirm(now_ms, self.shared.clock.monotonic_ms());
    }

    pub(super) fn sync(&self) -> Result<(), SyncError> {
        let mut outcome = Ok(());
        for core in self.cores() {
            outcome = outcome.and(core.sync().map(|_| ()));
        }
        outcome
    }

    pub(super) fn wait_unsynced(&self, timeout: Duration) -> bool {
        let ready = || {
            if self.shared.closed.load(Ordering::Acquire) {
                return Some(false);
            }
            let unsynced =
                self.topics.read().values().any(|topic| topic.cores().iter().any(|core| core.is_unsynced()));
            unsynced.then_some(true)
        };
        self.shared.unsynced.wait(timeout, ready).unwrap_or(false)
    }
}

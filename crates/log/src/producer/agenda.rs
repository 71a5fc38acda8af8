//! Which partitions have something to do, and when.
//!
//! ```text
//!   ready   now: a batch was closed, or somebody waits
//!   later   by time: an open batch lingers, or one that was refused is tried again; one entry for each partition
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use crate::partition::Signal;
use crate::sync::Mutex;

#[derive(Default)]
pub(super) struct Agenda {
    entries: Mutex<Entries>,
    changed: Signal,
}

#[derive(Default)]
struct Entries {
    ready: Vec<Arc<Lane>>,
    later: BinaryHeap<Reverse<Later>>,
    /// Memory is short: what lingers is ready.
    pressed: bool,
    stopped: bool,
}

struct Later {
    due_ms: u64,
    lane: Arc<Lane>,
}

impl Agenda {
    pub(super) fn push_ready(&self, lane: Arc<Lane>) {
        self.entries.lock().ready.push(lane);
        self.changed.notify();
    }

    pub(super) fn push_later(&self, due_ms: u64, lane: Arc<Lane>) {
        let is_next = {
            let mut entries = self.entries.lock();
            let is_next = entries.later.peek().is_none_or(|Reverse(next)| next.due_ms > due_ms);
            entries.later.push(Reverse(Later { due_ms, lane }));
            is_next
        };
        if is_next {
            // Whoever sleeps until the next one has to set his alarm anew.
            self.changed.notify();
        }
    }

    /// Makes everything ready that lingers.
    pub(super) fn press(&self) {
        self.entries.lock().pressed = true;
        self.changed.notify();
    }

    pub(super) fn stop(&self) {
        self.entries.lock().stopped = true;
        self.changed.notify();
    }

    /// Lets go of the partitions: nobody will look any more.
    pub(super) fn clear(&self) {
        let entries = {
            let mut entries = self.entries.lock();
            (std::mem::take(&mut entries.ready), std::mem::take(&mut entries.later))
        };
        drop(entries);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.entries.lock().stopped
    }

    /// Takes the partitions that have something to do now.
    pub(super) fn take(&self, now_ms: u64) -> Vec<Arc<Lane>> {
        let mut woken = Vec::new();
        let mut lanes = {
            let mut entries = self.entries.lock();
            let pressed = std::mem::take(&mut entries.pressed);
            while entries.later.peek().is_some_and(|Reverse(next)| pressed || next.due_ms <= now_ms) {
                woken.extend(entries.later.pop().map(|Reverse(later)| later));
            }
            std::mem::take(&mut entries.ready)
        };
        // Not under the lock: partitions put themselves in while they hold theirs.
        for Later { due_ms, lane } in woken {
            lane.forget_alarm(due_ms);
            lanes.push(lane);
        }
        lanes
    }

    /// In how many milliseconds there is something to do; `None` when nothing is known.
    pub(super) fn next_in_ms(&self, now_ms: u64) -> Option<u64> {
        self.entries.lock().next_in_ms(now_ms)
    }

    /// Sleeps until there may be something to do.
    pub(super) fn sleep(&self, now_ms: impl Fn() -> u64) {
        let now = now_ms();
        let next_in_ms = self.next_in_ms(now);
        let due_ms = next_in_ms.map(|next| now.saturating_add(next));
        let timeout = next_in_ms.map_or(Duration::MAX, Duration::from_millis);
        self.changed.wait(timeout, || {
            let entries = self.entries.lock();
            let next_ms = entries.later.peek().map(|Reverse(next)| next.due_ms);
            let earlier = next_ms.is_some_and(|next| due_ms.is_none_or(|due| next < due) || next <= now_ms());
            (earlier || entries.stopped || entries.is_ready()).then_some(())
        });
    }
}

impl Entries {
    fn is_ready(&self) -> bool {
        !self.ready.is_empty() || (self.pressed && !self.later.is_empty())
    }

    fn next_in_ms(&self, now_ms: u64) -> Option<u64> {
        if self.is_ready() {
            return Some(0);
        }
        self.later.peek().map(|Reverse(next)| next.due_ms.saturating_sub(now_ms))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.due_ms == other.due_ms
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due_ms.cmp(&other.due_ms)
    }
}

//! Upkeep by a thread, for programs that have none of their own for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::root::Root;
use crate::error::{IoError, MaintainError};
use crate::report::MaintainReport;
use crate::sync::{Condvar, Mutex};

/// A thread that does the upkeep of a log; made by [`Log::start_maintenance`](crate::Log::start_maintenance).
///
/// Dropping it stops the thread and waits for it, which takes as long as an upkeep that is under way.
#[derive(Debug)]
#[must_use = "the upkeep stops when this is dropped"]
pub struct Maintenance {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.asked.lock() = true;
        self.changed.notify_all();
    }

    /// Sleeps so long, or until it is asked to stop; tells which it was.
    fn sleep(&self, interval: Duration) -> bool {
        // A time beyond what the clock can count never comes.
        let until = Instant::now().checked_add(interval);
        let mut asked = self.asked.lock();
        while !*asked {
            let Some(until) = until else {
                asked = self.changed.wait(asked);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            asked = self.changed.wait_timeout(asked, left);
        }
        *asked
    }
}

impl Maintenance {
    pub(super) fn start(
        root: Arc<Root>,
        interval: Duration,
        mut report: impl FnMut(Result<MaintainReport, MaintainError>) + Send + 'static,
    ) -> Result<Self, IoError> {
        let path = root.path().to_owned();
        let stop = Arc::new(Stop::default());
        let asked = Arc::clone(&stop);
        let work = move || {
            // It begins with an interval of nothing, so that a program that ends at once has done no upkeep.
            while !asked.sleep(interval) && !root.shared.closed.load(Ordering::Acquire) {
                report(root.maintain(root.shared.clock.now_ms()));
            }
        };
        let thread = thread::Builder::new().name("headwater-log".to_owned()).spawn(work);
        let thread = thread.map_err(IoError::of("start a thread for", &path))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops the thread and waits for it, as dropping does.
    pub fn stop(self) {
        drop(self);
    }

    /// Whether the thread has ended by itself: the log was closed, or the callback has panicked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.ask();
        let Some(thread) = self.thread.take() else { return };
        // A callback that owns this cannot wait for itself.
        if thread.thread().id() != thread::current().id() {
            // It panics only if the callback did, and that was said on standard error.
            let _ = thread.join();
        }
    }
}

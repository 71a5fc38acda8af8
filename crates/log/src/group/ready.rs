//! Waiting for any of several partitions, for the group, and for the log's topics, without a thread.
//!
//! ```text
//!   partition's durable end   --.
//!   group's generation        ---+--> one waker --> the task, or the thread that is parked in a poll
//!   topics, the log's closing --'
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::Instant;

use super::Root;
use super::coordinator::{Group, Place};
use crate::error::SyncError;
use crate::partition::Reached;
use crate::sync::{Condvar, Mutex};

/// A future that is ready when a poll may have something to give; made by [`Consumer::ready`](crate::Consumer::ready).
///
/// While it is there its member counts as one that polls.
#[must_use = "futures do nothing unless they are polled"]
pub struct Ready {
    root: Arc<Root>,
    group: Arc<Group>,
    place: Place,
    partitions: Vec<Reached>,
    /// There is something that is there without waiting.
    at_once: bool,
    in_group: Option<usize>,
    in_log: Option<usize>,
    /// After so long another member may have to be put out.
    pub(super) other_is_late_in_ms: Option<u64>,
}

impl Ready {
    pub(super) fn new(
        root: Arc<Root>,
        group: Arc<Group>,
        place: Place,
        partitions: Vec<Reached>,
        at_once: bool,
    ) -> Self {
        let other_is_late_in_ms = group.set_waiting(place.member, true, root.clock().monotonic_ms());
        Self { root, group, place, partitions, at_once, in_group: None, in_log: None, other_is_late_in_ms }
    }

    /// Blocks until it is ready, or until a time; `None` is for ever.
    pub(super) fn wait(mut self, until: Option<Instant>) {
        let parked = Arc::new(Parked::default());
        let waker = Arc::clone(&parked).into();
        let mut context = Context::from_waker(&waker);
        while Pin::new(&mut self).poll(&mut context).is_pending() {
            if !parked.wait(until) {
                return;
            }
        }
    }
}

impl Future for Ready {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut ready = this.at_once;
        this.partitions.retain_mut(|partition| match Pin::new(partition).poll(context) {
            Poll::Pending => true,
            // Nothing becomes durable there any more; what was is read already.
            Poll::Ready(Err(SyncError::Failed(_))) => false,
            Poll::Ready(_) => {
                ready = true;
                true
            }
        });
        let (root, group, place) = (&this.root, &this.group, this.place);
        let news = || (root.is_closed() || group.has_news(root, place)).then_some(());
        ready |= group.changed.poll(&mut this.in_group, context.waker(), news).is_ready();
        ready |= root.topics_changed().poll(&mut this.in_log, context.waker(), news).is_ready();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.group.changed.deregister(&mut self.in_group);
        self.root.topics_changed().deregister(&mut self.in_log);
        self.group.set_waiting(self.place.member, false, self.root.clock().monotonic_ms());
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("group", &self.group.name).finish_non_exhaustive()
    }
}

/// A thread that waits for a waker.
#[derive(Default)]
struct Parked {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parked {
    /// Blocks until it was woken; tells whether it was.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut woken = self.woken.lock();
        loop {
            if std::mem::take(&mut *woken) {
                return true;
            }
            woken = match until {
                None => self.changed.wait(woken),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_timeout(woken, left)
                }
            };
        }
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.changed.notify_all();
    }
}

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
use std::task::{Context, Poll};

use super::Root;
use super::coordinator::{Group, Place};
use crate::error::SyncError;
use crate::partition::Reached;

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

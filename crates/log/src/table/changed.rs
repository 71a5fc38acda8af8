//! Waiting for something to fold.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::SyncError;
use crate::partition::Reached;
use crate::partition::any::{self, Any};
use crate::topic::Topic;

/// A future that is ready when a table has something to fold; made by [`Table::changed`](crate::Table::changed).
///
/// It borrows nothing of the table, so that others can look at the state meanwhile. A thread waits by [`Changed::wait`].
#[must_use = "futures do nothing unless they are polled"]
pub struct Changed {
    any: Any<Source>,
}

/// What is waited for.
pub(super) enum Source {
    Readable(Reached),
    /// The topic has more partitions than it had.
    Grown {
        topic: Topic,
        count: u32,
        ticket: Option<usize>,
    },
}

impl Changed {
    pub(super) fn new(sources: impl Iterator<Item = Source>) -> Self {
        Self { any: sources.collect() }
    }

    /// Blocks until it is ready, or until the timeout; tells which it was.
    ///
    /// # Errors
    ///
    /// As the future.
    pub fn wait(self, timeout: Duration) -> Result<bool, SyncError> {
        self.wait_which(timeout).map(|(_, outcome)| outcome).transpose().map(|changed| changed.is_some())
    }

    /// The same; tells which of the sources it was.
    pub(super) fn wait_which(self, timeout: Duration) -> Option<(usize, Result<(), SyncError>)> {
        any::wait(self.any, timeout)
    }
}

impl Future for Changed {
    /// [`SyncError::Closed`], and [`SyncError::Failed`] when a partition has nothing to fold and never will.
    type Output = Result<(), SyncError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.any).poll(context).map(|(_, outcome)| outcome)
    }
}

impl Source {
    pub(super) fn grown(topic: Topic, count: u32) -> Self {
        Self::Grown { topic, count, ticket: None }
    }
}

impl Future for Source {
    type Output = Result<(), SyncError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Readable(reached) => Pin::new(reached).poll(context),
            Self::Grown { topic, count, ticket } => {
                let has_grown = || (topic.partition_count() > *count).then_some(Ok(()));
                topic.grown().poll(ticket, context.waker(), has_grown)
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Grown { topic, ticket, .. } = self {
            topic.grown().deregister(ticket);
        }
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

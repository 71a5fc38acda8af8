//! The future of a record that can be read.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Core;
use crate::error::SyncError;
use crate::options::ReadUpTo;

/// A future that is ready when a record can be read; made by
/// [`Partition::readable`](crate::Partition::readable).
#[must_use = "futures do nothing unless they are polled"]
pub struct Reached {
    core: Arc<Core>,
    up_to: ReadUpTo,
    offset: u64,
    ticket: Option<usize>,
}

impl Reached {
    pub(crate) fn new(core: Arc<Core>, up_to: ReadUpTo, offset: u64) -> Self {
        Self { core, up_to, offset, ticket: None }
    }
}

impl Future for Reached {
    type Output = Result<(), SyncError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (core, up_to, offset) = (&this.core, this.up_to, this.offset);
        core.signal(up_to).poll(&mut this.ticket, context.waker(), || core.reached(up_to, offset))
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        self.core.signal(self.up_to).deregister(&mut self.ticket);
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reached")
            .field("up_to", &self.up_to)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Core;
use crate::error::SyncError;
use crate::options::ReadUpTo;

/// A future that is ready when a record can be read; made by
/// [`Partition::readable`](crate::Partition::readable).
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Reached;

impl Reached {
    pub(super) fn new(_: Arc<Core>, _: ReadUpTo, _: u64) -> Self {
        Self
    }
}

impl Future for Reached {
    type Output = Result<(), SyncError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(SyncError::Closed))
    }
}

//! What became of a record: told once for each batch, to all who hold a receipt of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::lane::Lane;
use crate::error::ProduceError;
use crate::partition::Signal;
use crate::topic::Position;

/// Where a batch is in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) offset: u64,
    pub(super) log_append_ms: Option<i64>,
}

/// What became of a batch, once it is known.
pub(super) struct Outcome {
    told: OnceLock<Result<Told, ProduceError>>,
    moved: Signal,
    /// Somebody waits, so the batch is not to linger.
    wanted: AtomicBool,
    partition: u32,
    lane: Weak<Lane>,
}

impl Outcome {
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn told(&self) -> Option<&Result<Told, ProduceError>> {
        self.told.get()
    }

    /// Says that somebody waits.
    pub(super) fn want(&self) {
        if self.told.get().is_none()
            && !self.wanted.swap(true, Ordering::AcqRel)
            && let Some(lane) = self.lane.upgrade()
        {
            lane.make_ready();
        }
    }

    /// Waits until it is known, doing the work where no thread of the producer does it.
    pub(super) fn wait(&self, timeout: Duration) -> Option<&Result<Told, ProduceError>> {
        self.want();
        let driven = self.lane.upgrade().filter(|lane| !lane.shared().options.thread);
        let Some(lane) = driven else { return self.moved.wait(timeout, || self.told.get()) };
        let backoff = Duration::from_millis(lane.shared().options.retry_backoff_ms);
        let mut left = timeout;
        loop {
            lane.work();
            // Anew only where the log refuses for the time being.
            let pause = left.min(backoff);
            let told = self.moved.wait(pause, || self.told.get());
            left = left.saturating_sub(pause);
            if told.is_some() || left.is_zero() {
                return told;
            }
        }
    }
}

/// The duty to say what became of a batch. If it is dropped before, the records were abandoned.
pub(super) struct Promise(Arc<Outcome>);

impl Promise {
    pub(super) fn new(lane: &Arc<Lane>) -> Self {
        Self(Arc::new(Outcome {
            told: OnceLock::new(),
            moved: Signal::default(),
            wanted: AtomicBool::new(false),
            partition: lane.number(),
            lane: Arc::downgrade(lane),
        }))
    }

    pub(super) fn outcome(&self) -> &Outcome {
        &self.0
    }

    pub(super) fn share(&self) -> Arc<Outcome> {
        Arc::clone(&self.0)
    }

    #[inline]
    pub(super) fn receipt(&self, number: u32, timestamp: i64) -> Receipt {
        Receipt { outcome: Arc::clone(&self.0), ticket: None, timestamp, number }
    }

    pub(super) fn tell(&self, told: Result<Told, ProduceError>) {
        if self.0.told.set(told).is_ok() {
            self.0.moved.notify();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.0.told.get().is_none() {
            if let Some(lane) = self.0.lane.upgrade() {
                lane.shared().note_failure(&ProduceError::Abandoned);
            }
            self.tell(Err(ProduceError::Abandoned));
        }
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("told", &self.0.told.get()).finish_non_exhaustive()
    }
}

/// Where a record is: Kafka's `RecordMetadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledged {
    /// Its partition and offset.
    pub position: Position,
    /// Its timestamp as readers see it, in milliseconds since 1970-01-01 UTC.
    pub timestamp: i64,
}

/// Tells what became of a record that a producer took: by blocking, or as a future.
///
/// Whoever waits ends the lingering of the record's batch: it is appended as soon as the producer comes to it. Records that
/// others send meanwhile are in the same batch. So a program that sends and waits gets an answer at once, and many threads that
/// do share batches by themselves. Kafka's client waits out `linger.ms`.
///
/// It costs one reference count. Dropping it is fine: the record is appended all the same, and if that fails,
/// [`Producer::flush`](super::Producer::flush) says so.
#[must_use = "whether the record is in the log is told here, or by `Producer::flush`"]
pub struct Receipt {
    outcome: Arc<Outcome>,
    ticket: Option<usize>,
    timestamp: i64,
    number: u32,
}

impl Receipt {
    /// Blocks until the record is acknowledged as [`ProducerOptions::ack`](super::ProducerOptions::ack) says.
    ///
    /// # Errors
    ///
    /// The record is not in the log, or with [`AppendError::NotDurable`](crate::AppendError::NotDurable) in it and not known to
    /// be durable. All records of a batch have the same error.
    pub fn wait(&self) -> Result<Acknowledged, ProduceError> {
        self.wait_timeout(Duration::MAX).unwrap_or(Err(ProduceError::Abandoned))
    }

    /// The same for so long at most; `None` when it is not known by then. The record is still on its way.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<Acknowledged, ProduceError>> {
        self.outcome.wait(timeout).map(|told| self.of(told))
    }

    /// What is known now, without waiting and without ending the lingering.
    #[must_use]
    pub fn peek(&self) -> Option<Result<Acknowledged, ProduceError>> {
        self.outcome.told.get().map(|told| self.of(told))
    }

    fn of(&self, told: &Result<Told, ProduceError>) -> Result<Acknowledged, ProduceError> {
        let told = told.as_ref().map_err(ProduceError::clone)?;
        let offset = told.offset.saturating_add(u64::from(self.number));
        let position = Position { partition: self.outcome.partition, offset };
        Ok(Acknowledged { position, timestamp: told.log_append_ms.unwrap_or(self.timestamp) })
    }
}

/// Ready when the outcome is known. It needs no runtime. Where the producer has no thread, something has to call
/// [`Producer::poll`](super::Producer::poll).
impl Future for Receipt {
    type Output = Result<Acknowledged, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.outcome.want();
        let outcome = &this.outcome;
        let told = outcome.moved.poll(&mut this.ticket, context.waker(), || outcome.told.get());
        told.map(|told| this.of(told))
    }
}

impl Drop for Receipt {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.outcome.moved.deregister(&mut self.ticket);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("told", &self.peek()).finish_non_exhaustive()
    }
}

//! Appending the batches of a partition in order, making them durable, and saying what became of them.
//!
//! ```text
//!   next batch --> seal (codec, number, checksum) --> append --> [unsynced] --> sync --> told: offset
//!        ^                                             |                          |
//!        '-- held: tried again after a while <---------'-- refused for a reason ..'--> told: error
//!                                                          that may pass
//! ```
//!
//! A batch gets its sequence number when it is appended, not when it is gathered; so one that is given up leaves no gap.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::gather::Gathered;
use super::lane::Lane;
use super::receipt::{Promise, Told};
use crate::compress::Compression;
use crate::error::{AppendError, ProduceError, SyncError};
use crate::options::Ack;
use crate::producers::ProducerNumbers;

#[derive(Default)]
pub(super) struct Delivery {
    /// A batch that was refused and is tried again.
    held: Option<Gathered>,
    /// Not before this, by the clock that nobody sets.
    retry_ms: u64,
    /// The number of the next record.
    sequence: i32,
    /// Appended in this order, not durable yet.
    unsynced: VecDeque<Unsynced>,
}

struct Unsynced {
    promise: Promise,
    told: Told,
    last_offset: u64,
    opened_ms: u64,
}

impl Lane {
    /// Does all that there is to do: for who has no thread to do it.
    pub(super) fn work(self: &Arc<Self>) {
        self.append_round(true);
        self.sync_round();
    }

    /// Appends the batches that are closed, and the open one if it is due. With `again`, also what was refused a moment ago.
    pub(super) fn append_round(self: &Arc<Self>, again: bool) {
        let now_ms = self.shared().now_ms();
        let mut delivery = self.delivery.lock();
        let held = usize::from(delivery.held.is_some());
        if held > 0 && now_ms < delivery.retry_ms && !again && !self.shared().is_in_hurry() {
            return;
        }
        for _ in 0..self.begin_round().saturating_add(held) {
            let Some(batch) = delivery.held.take().or_else(|| self.next_batch(now_ms)) else { break };
            if !self.append(&mut delivery, batch, now_ms) {
                break;
            }
        }
    }

    /// Appends a batch; false when it was refused and is held.
    fn append(&self, delivery: &mut Delivery, mut batch: Gathered, now_ms: u64) -> bool {
        let shared = self.shared();
        let numbers =
            shared.id.map_or(ProducerNumbers::NONE, |id| ProducerNumbers::new(id, 0, delivery.sequence));
        let mut compression = self.partition.compression().unwrap_or(shared.options.compression);
        if self.partition.check_decompressed(batch.record_bytes()).is_err() {
            // Readers would refuse to undo it.
            compression = Compression::None;
        }
        let mut packed = Vec::new();
        let outcome = match batch.seal(numbers, compression, &mut packed) {
            Some(sealed) => self.partition.append_sealed(sealed, shared.options.ack),
            None => Err(AppendError::EmptyBatch),
        };
        let opened_ms = batch.opened_ms();
        match outcome {
            Ok(placed) => {
                delivery.sequence = numbers.behind(batch.count()).base_sequence;
                let promise = batch.into_promise();
                let told = Told { offset: placed.offset, log_append_ms: placed.log_append_ms };
                match shared.options.ack {
                    Ack::Appended => promise.tell(Ok(told)),
                    Ack::Durable => {
                        let last_offset = placed.last_offset;
                        delivery.unsynced.push_back(Unsynced { promise, told, last_offset, opened_ms });
                    }
                }
            }
            Err(error) => match shared.give_up(error, opened_ms, now_ms) {
                Some(error) => shared.tell_failure(&batch.into_promise(), error),
                None => {
                    delivery.held = Some(batch);
                    delivery.retry_ms = now_ms.saturating_add(shared.options.retry_backoff_ms);
                    return false;
                }
            },
        }
        true
    }

    /// Makes durable what was appended: one sync for all batches. Then says when to come again.
    pub(super) fn sync_round(self: &Arc<Self>) {
        let mut delivery = self.delivery.lock();
        if let Some(last) = delivery.unsynced.back() {
            let outcome = self.partition.wait_durable(last.last_offset);
            self.tell_synced(&mut delivery, outcome);
        }
        let waits = delivery.held.is_some() || !delivery.unsynced.is_empty();
        self.end_round(waits.then_some(delivery.retry_ms));
    }

    fn tell_synced(&self, delivery: &mut Delivery, outcome: Result<(), SyncError>) {
        let (shared, now_ms) = (self.shared(), self.shared().now_ms());
        // What became durable before the failure is durable all the same.
        let end = self.partition.durable_end();
        while let Some(first) = delivery.unsynced.pop_front() {
            let offset = first.told.offset;
            match &outcome {
                Err(error) if first.last_offset >= end => {
                    let error = AppendError::NotDurable { offset, error: error.clone() };
                    let Some(error) = shared.give_up(error, first.opened_ms, now_ms) else {
                        delivery.unsynced.push_front(first);
                        let retry_ms = now_ms.saturating_add(shared.options.retry_backoff_ms);
                        delivery.retry_ms = delivery.retry_ms.max(retry_ms);
                        return;
                    };
                    shared.tell_failure(&first.promise, error);
                }
                _ => first.promise.tell(Ok(first.told)),
            }
        }
    }
}

impl super::Shared {
    pub(super) fn is_in_hurry(&self) -> bool {
        self.hurry.load(Ordering::Acquire)
    }

    /// What a batch that was refused is told, unless it is to be tried again.
    fn give_up(&self, error: AppendError, opened_ms: u64, now_ms: u64) -> Option<ProduceError> {
        if !may_pass(&error) || self.is_in_hurry() {
            return Some(ProduceError::Append(error));
        }
        let after_ms = now_ms.saturating_sub(opened_ms);
        (after_ms >= self.options.delivery_timeout_ms).then_some(ProduceError::TimedOut { after_ms, error })
    }

    fn tell_failure(&self, promise: &Promise, error: ProduceError) {
        self.note_failure(&error);
        promise.tell(Err(error));
    }

    /// For the next flush, unless there is an earlier one.
    pub(super) fn note_failure(&self, error: &ProduceError) {
        self.failure.lock().get_or_insert_with(|| error.clone());
    }
}

/// Whether the same may be done later.
fn may_pass(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::NoSpace(_)
            | AppendError::Io(_)
            | AppendError::Refused(SyncError::Io(_))
            | AppendError::NotDurable { error: SyncError::Io(_), .. }
    )
}

//! What is remembered of one producer, and the rules by which its next batch is judged.

use super::numbers::{ProducerNumbers, sequence_behind};
use crate::error::AppendError;

/// So many batches of a producer are remembered, the last ones: as many as Kafka's clients have under way at most.
pub(crate) const WINDOW_BATCHES: usize = 5;

/// A batch that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: u64,
    /// The last offset less the first, and the last sequence number less the first.
    pub(crate) delta: u32,
    pub(crate) appended_ms: i64,
}

impl Sent {
    pub(crate) fn base_offset(&self) -> u64 {
        self.last_offset.saturating_sub(u64::from(self.delta))
    }
}

/// The state of a producer in a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// That of the coordinator that ended its last transaction; -1 when there was none.
    pub(crate) coordinator_epoch: i32,
    /// Where a transaction that was not ended begins: only in what a Kafka broker wrote.
    pub(crate) txn_first_offset: Option<u64>,
    /// When it was last heard of.
    pub(crate) used_ms: i64,
    /// The last batches in this epoch, oldest first; the first `count` count.
    sent: [Sent; WINDOW_BATCHES],
    count: usize,
}

/// What a batch is to a producer that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next one.
    Next,
    /// One that was appended before.
    Duplicate(Sent),
}

impl Producer {
    pub(crate) fn new(epoch: i16, used_ms: i64) -> Self {
        let (coordinator_epoch, txn_first_offset) = (-1, None);
        let sent = [Sent::default(); WINDOW_BATCHES];
        Self { epoch, coordinator_epoch, txn_first_offset, used_ms, sent, count: 0 }
    }

    /// The batches that are remembered, oldest first.
    pub(crate) fn sent(&self) -> &[Sent] {
        self.sent.get(..self.count).unwrap_or_default()
    }

    /// The offset behind its last batch; 0 without one.
    pub(crate) fn end(&self) -> u64 {
        self.sent().last().map_or(0, |sent| sent.last_offset.saturating_add(1))
    }

    /// Judges a batch whose last offset is so many above its first. The rules are those of Kafka's `ProducerAppendInfo`.
    pub(crate) fn judge(&self, numbers: ProducerNumbers, delta: u32) -> Result<Verdict, AppendError> {
        let ProducerNumbers { id: producer_id, epoch, base_sequence: found } = numbers;
        if epoch < self.epoch {
            return Err(AppendError::InvalidProducerEpoch { producer_id, epoch, current: self.epoch });
        }
        let expected = if epoch > self.epoch {
            0
        } else {
            let last_sequence = sequence_behind(found, delta);
            let is_it = |sent: &&Sent| sent.last_sequence == last_sequence && sent.delta == delta;
            if let Some(sent) = self.sent().iter().find(is_it) {
                return Ok(Verdict::Duplicate(*sent));
            }
            self.sent().last().map_or(0, |sent| sequence_behind(sent.last_sequence, 1))
        };
        if found != expected {
            return Err(AppendError::OutOfOrderSequence { producer_id, epoch, expected, found });
        }
        Ok(Verdict::Next)
    }

    /// Begins another epoch, if it is another one.
    pub(crate) fn begin_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            (self.epoch, self.count) = (epoch, 0);
        }
    }

    /// Remembers one more batch, and forgets the oldest if they are too many.
    pub(crate) fn remember(&mut self, sent: Sent) {
        if self.count == WINDOW_BATCHES {
            self.sent.rotate_left(1);
            self.count -= 1;
        }
        if let Some(place) = self.sent.get_mut(self.count) {
            *place = sent;
            self.count += 1;
        }
        self.used_ms = sent.appended_ms;
    }
}

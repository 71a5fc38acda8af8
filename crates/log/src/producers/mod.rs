//! Idempotent producers: what a partition remembers of them, so that a batch that is sent twice is there once.
//!
//! ```text
//!   batch, numbered    known producer?  -- no -->  appended, whatever its number
//!                          | yes
//!                      one of its last 5?  -- yes -->  its offset; nothing is appended
//!                          | no
//!                      the next number?   -- no -->  an error; nothing is appended
//!                          | yes
//!                      appended, remembered
//! ```
//!
//! All of it happens under the append lock. The state is always that of the batches in the log: it is read from the newest
//! snapshot, and from the headers of the batches behind that. Source: Apache Kafka, `ProducerStateManager` (KIP-98).

mod numbers;
mod producer;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use numbers::sequence_behind;
pub use numbers::{Appended, ProducerNumbers};
pub(crate) use producer::Verdict;
use producer::{Producer, Sent};

use crate::error::AppendError;
use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::producer_snapshot as snapshot;
use crate::format::record;

/// The producers that a partition remembers.
#[derive(Debug)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    /// So many, and no more.
    max: usize,
    /// No producer was last heard of before this.
    oldest_ms: i64,
}

impl Producers {
    pub(crate) fn new(max: usize) -> Self {
        Self { known: HashMap::new(), max: max.max(1), oldest_ms: i64::MAX }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> {
        self.known.keys().copied()
    }

    /// Judges a batch before it is appended. One of a producer that is not known is taken whatever its number, as by
    /// Kafka: what was known may have expired.
    pub(crate) fn judge(&self, numbers: ProducerNumbers, delta: u32) -> Result<Verdict, AppendError> {
        self.known.get(&numbers.id).map_or(Ok(Verdict::Next), |producer| producer.judge(numbers, delta))
    }

    /// Remembers a batch that was appended.
    pub(crate) fn remember(&mut self, numbers: ProducerNumbers, last_offset: u64, delta: u32, now_ms: i64) {
        let ProducerNumbers { id, epoch, base_sequence } = numbers;
        let last_sequence = sequence_behind(base_sequence, delta);
        let producer = self.producer(id, epoch, now_ms);
        producer.remember(Sent { last_sequence, last_offset, delta, appended_ms: now_ms });
    }

    /// The state of a producer, in this epoch.
    fn producer(&mut self, id: i64, epoch: i16, now_ms: i64) -> &mut Producer {
        if self.known.len() >= self.max && !self.known.contains_key(&id) {
            self.make_place();
        }
        self.oldest_ms = self.oldest_ms.min(now_ms);
        let producer = match self.known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(Producer::new(epoch, now_ms)),
        };
        producer.begin_epoch(epoch);
        producer
    }

    /// Forgets a quarter of the producers, those that have appended nothing for longest: so the work for each new one is
    /// small, however many come.
    fn make_place(&mut self) {
        let mut ends: Vec<u64> = self.known.values().map(Producer::end).collect();
        let Some(at) = (ends.len() / 4).max(1).checked_sub(1).filter(|at| *at < ends.len()) else { return };
        let (_, last, _) = ends.select_nth_unstable(at);
        let last = *last;
        self.known.retain(|_, producer| producer.end() > last);
    }

    /// Takes up what a batch in the log says, as it was appended there: nothing of it is judged.
    pub(crate) fn replay(&mut self, header: &Header, bytes: &[u8], now_ms: i64) {
        let Some(numbers) = header.producer() else { return };
        let delta = u32::try_from(header.last_offset.saturating_sub(header.base_offset)).unwrap_or(u32::MAX);
        if header.is_control() {
            let producer = self.producer(numbers.id, numbers.epoch, now_ms);
            producer.used_ms = now_ms;
            if let Some(coordinator_epoch) = end_of_transaction(bytes) {
                producer.coordinator_epoch = coordinator_epoch;
                producer.txn_first_offset = None;
            }
        } else if numbers.base_sequence >= 0 {
            self.remember(numbers, header.last_offset, delta, now_ms);
            if header.is_transactional() {
                let producer = self.producer(numbers.id, numbers.epoch, now_ms);
                producer.txn_first_offset.get_or_insert(header.base_offset);
            }
        }
    }

    /// Forgets the producers that were not heard of for so long. It looks at them only when one may be due.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: u64) {
        let is_due = |used_ms: i64| {
            u64::try_from(now_ms.saturating_sub(used_ms)).is_ok_and(|age_ms| age_ms >= expiration_ms)
        };
        if !is_due(self.oldest_ms) {
            return;
        }
        self.known.retain(|_, producer| producer.txn_first_offset.is_some() || !is_due(producer.used_ms));
        let in_no_transaction = self.known.values().filter(|producer| producer.txn_first_offset.is_none());
        self.oldest_ms = in_no_transaction.map(|producer| producer.used_ms).min().unwrap_or(i64::MAX);
    }

    /// The state as a snapshot: by producer, and of each the oldest batch first.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.known.len());
        let mut ids: Vec<i64> = self.ids().collect();
        ids.sort_unstable();
        for (id, producer) in ids.into_iter().filter_map(|id| self.known.get(&id).map(|known| (id, known))) {
            let entry = |last, offset_delta, timestamp| snapshot::Entry {
                producer_id: id,
                epoch: producer.epoch,
                last,
                offset_delta,
                timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                txn_first_offset: producer.txn_first_offset,
            };
            let of_batch = |sent: &Sent| {
                entry(Some((sent.last_sequence, sent.last_offset)), sent.delta, sent.appended_ms)
            };
            entries.extend(producer.sent().iter().map(of_batch));
            if producer.sent().is_empty() {
                entries.push(entry(None, 0, producer.used_ms));
            }
        }
        snapshot::encode(&entries)
    }

    /// The state that a snapshot of this offset has. One that names a batch at or behind its offset is none.
    pub(crate) fn decode(
        bytes: &[u8],
        offset: u64,
        max: usize,
        now_ms: i64,
    ) -> Result<Self, snapshot::Invalid> {
        let mut producers = Self::new(max);
        for entry in snapshot::decode(bytes)? {
            let snapshot::Entry { producer_id, epoch, last, offset_delta: delta, .. } = entry;
            if last.is_some_and(|(_, last_offset)| last_offset >= offset) {
                return Err(snapshot::Invalid::Field);
            }
            // Kafka takes the time from the records, which may lie ahead: such a producer would never expire.
            let used_ms = entry.timestamp.min(now_ms);
            let producer = producers.producer(producer_id, epoch, used_ms);
            producer.used_ms = used_ms;
            producer.coordinator_epoch = entry.coordinator_epoch;
            producer.txn_first_offset = entry.txn_first_offset;
            if let Some((last_sequence, last_offset)) = last {
                producer.remember(Sent { last_sequence, last_offset, delta, appended_ms: used_ms });
            }
        }
        Ok(producers)
    }
}

/// The coordinator epoch in the marker of the end of a transaction; `None` for other batches that are for brokers.
fn end_of_transaction(batch: &[u8]) -> Option<i32> {
    const ABORT: u8 = 0;
    const COMMIT: u8 = 1;
    let marker = record::decode(&mut batch.get(HEADER_BYTES..)?).ok()?;
    // version i16, type i16; then, in the value, version i16, coordinator epoch i32.
    let [_, _, 0, ABORT | COMMIT, ..] = marker.key? else { return None };
    let (_, value) = marker.value?.split_first_chunk::<2>()?;
    value.first_chunk().map(|epoch| i32::from_be_bytes(*epoch))
}

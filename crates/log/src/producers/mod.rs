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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to become of a batch: the offset that it had before, or nothing known of it, or the sequence that was expected, or the
    /// epoch that is current.
    #[derive(Debug, PartialEq, Eq)]
    enum Told {
        Next,
        Duplicate(u64),
        OutOfOrder(i32),
        OldEpoch(i16),
    }

    fn told(verdict: Result<Verdict, AppendError>) -> Told {
        match verdict {
            Ok(Verdict::Next) => Told::Next,
            Ok(Verdict::Duplicate(sent)) => Told::Duplicate(sent.base_offset()),
            Err(AppendError::OutOfOrderSequence { expected, .. }) => Told::OutOfOrder(expected),
            Err(AppendError::InvalidProducerEpoch { current, .. }) => Told::OldEpoch(current),
            Err(other) => unreachable!("{other}"),
        }
    }

    /// The same told by nothing but the list of what was appended.
    fn expected(log: &[(ProducerNumbers, u64)], numbers: ProducerNumbers) -> Told {
        let mut newest = log.iter().rev().filter(|(sent, _)| sent.id == numbers.id).peekable();
        let Some((last, _)) = newest.peek().copied() else { return Told::Next };
        if numbers.epoch < last.epoch {
            return Told::OldEpoch(last.epoch);
        }
        if numbers.epoch > last.epoch {
            return if numbers.base_sequence == 0 { Told::Next } else { Told::OutOfOrder(0) };
        }
        let in_epoch = newest.take_while(|(sent, _)| sent.epoch == last.epoch);
        if let Some((_, offset)) = in_epoch.take(5).find(|(sent, _)| *sent == numbers) {
            return Told::Duplicate(*offset);
        }
        let next = last.base_sequence.checked_add(1).unwrap_or(0);
        if numbers.base_sequence == next { Told::Next } else { Told::OutOfOrder(next) }
    }

    fn visit(
        producers: &Producers,
        log: &mut Vec<(ProducerNumbers, u64)>,
        sends: usize,
        alphabet: &[ProducerNumbers],
        count: &mut u64,
    ) {
        for numbers in alphabet {
            *count += 1;
            let found = told(producers.judge(*numbers, 0));
            assert_eq!(found, expected(log, *numbers), "{numbers:?} after {log:?}");
            // What is refused, or was there, changes nothing.
            if found != Told::Next || sends == 1 {
                continue;
            }
            let offset = log.len() as u64;
            let mut after = Producers { known: producers.known.clone(), ..Producers::new(10) };
            after.remember(*numbers, offset, 0, 0);
            log.push((*numbers, offset));
            visit(&after, log, sends - 1, alphabet, count);
            // The snapshot has the whole state.
            let again = Producers::decode(&after.encode(), offset + 1, 10, 0).unwrap();
            assert_eq!(again.encode(), after.encode());
            log.pop();
        }
    }

    /// All that two producers may send, in all orders, around the number that begins anew.
    #[test]
    fn every_history_of_two_producers_is_judged_as_the_list_of_batches_says() {
        let alphabet: Vec<_> = [7, 9]
            .into_iter()
            .flat_map(|id| [0, 1].map(|epoch| (id, epoch)))
            .flat_map(|(id, epoch)| {
                [i32::MAX, 0, 1, 2, 3, 4].map(|sequence| ProducerNumbers::new(id, epoch, sequence))
            })
            .collect();
        let mut count = 0;
        visit(&Producers::new(10), &mut Vec::new(), 7, &alphabet, &mut count);
        eprintln!("{count} batches judged");
        assert!(count > 100_000, "{count}");
    }

    #[test]
    fn batches_of_several_records_are_told_by_both_their_ends() {
        let mut producers = Producers::new(10);
        let numbers = ProducerNumbers::new(7, 0, 0);
        producers.remember(numbers, 102, 2, 0);
        assert_eq!(told(producers.judge(numbers, 2)), Told::Duplicate(100));
        assert_eq!(told(producers.judge(numbers, 1)), Told::OutOfOrder(3));
        assert_eq!(told(producers.judge(numbers.behind(1), 1)), Told::OutOfOrder(3));
        assert_eq!(told(producers.judge(numbers.behind(3), 1)), Told::Next);
        let wraps = ProducerNumbers::new(8, 0, i32::MAX - 1);
        producers.remember(wraps, 106, 3, 0);
        assert_eq!(told(producers.judge(wraps, 3)), Told::Duplicate(103));
        assert_eq!(told(producers.judge(ProducerNumbers::new(8, 0, 2), 0)), Told::Next);
    }

    #[test]
    fn one_more_than_may_be_known_takes_the_place_of_those_that_were_silent_longest() {
        let mut producers = Producers::new(8);
        for id in 0..8 {
            producers.remember(ProducerNumbers::new(id, 0, 0), id.cast_unsigned(), 0, 0);
        }
        producers.remember(ProducerNumbers::new(0, 0, 1), 8, 0, 0);
        producers.remember(ProducerNumbers::new(8, 0, 0), 9, 0, 0);
        let mut known: Vec<i64> = producers.ids().collect();
        known.sort_unstable();
        assert_eq!(known, [0, 3, 4, 5, 6, 7, 8]);
        for id in 100..100_000 {
            producers.remember(ProducerNumbers::new(id, 0, 0), id.cast_unsigned(), 0, 0);
            assert!(producers.len() <= 8);
        }
    }

    #[test]
    fn who_is_silent_for_too_long_is_forgotten_unless_a_transaction_is_open() {
        let mut producers = Producers::new(10);
        for (id, now_ms) in [(1, 1000), (2, 1500), (3, 1000)] {
            producers.remember(ProducerNumbers::new(id, 0, 0), 5, 0, now_ms);
        }
        producers.known.get_mut(&3).unwrap().txn_first_offset = Some(5);
        producers.expire(1999, 1000);
        assert_eq!(producers.len(), 3);
        // A clock that was set back forgets nobody.
        producers.expire(-5000, 1000);
        producers.expire(2000, 1000);
        assert!(!producers.known.contains_key(&1) && producers.known.contains_key(&3));
        producers.expire(2499, 1000);
        assert_eq!(producers.len(), 2);
        producers.expire(2500, 1000);
        assert_eq!(producers.ids().collect::<Vec<_>>(), [3]);
    }
}

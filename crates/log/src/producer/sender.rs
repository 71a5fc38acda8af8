//! Which partition a record goes to, and the way there.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::gather::batch_bytes;
use super::lane::{Lane, Put, Spare};
use super::memory::Buffer;
use super::receipt::Receipt;
use super::{Owner, Shared};
use crate::error::SendError;
use crate::partitioner;
use crate::record::Record;
use crate::topic::Topic;

/// The partitions of a topic as a producer sees them.
pub(super) struct Lanes {
    topic: Topic,
    slots: Slots,
    /// Where records without a key go until a batch is full.
    sticky: AtomicU32,
}

/// A place for each partition, found without a lock. Partitions that are added to the topic later have theirs in `more`.
struct Slots {
    here: Box<[OnceLock<Arc<Lane>>]>,
    more: OnceLock<Box<Slots>>,
}

impl Slots {
    fn new(count: usize) -> Self {
        Self { here: (0..count).map(|_| OnceLock::new()).collect(), more: OnceLock::new() }
    }

    #[inline]
    fn known(&self, number: usize) -> Option<&Arc<Lane>> {
        let mut slots = self;
        let mut at = number;
        loop {
            match slots.here.get(at) {
                Some(slot) => return slot.get(),
                None => {
                    at = at.saturating_sub(slots.here.len());
                    slots = slots.more.get()?;
                }
            }
        }
    }

    /// The place of this partition, of `count` there are.
    fn slot(&self, number: usize, count: usize) -> Option<&OnceLock<Arc<Lane>>> {
        let (mut slots, mut at, mut left) = (self, number, count);
        loop {
            match slots.here.get(at) {
                Some(slot) => return Some(slot),
                None => {
                    at = at.saturating_sub(slots.here.len());
                    left = left.saturating_sub(slots.here.len());
                    if at >= left {
                        return None;
                    }
                    slots = slots.more.get_or_init(|| Box::new(Self::new(left)));
                }
            }
        }
    }

    fn all(&self, into: &mut Vec<Arc<Lane>>) {
        let mut slots = Some(self);
        while let Some(these) = slots {
            into.extend(these.here.iter().filter_map(OnceLock::get).cloned());
            slots = these.more.get().map(|more| &**more);
        }
    }
}

impl Lanes {
    pub(super) fn new(topic: &Topic) -> Self {
        let count = topic.partition_count();
        let slots = Slots::new(usize::try_from(count).unwrap_or(usize::MAX));
        // The first turn is to partition 0.
        Self { topic: topic.clone(), slots, sticky: AtomicU32::new(count.saturating_sub(1)) }
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Those that were ever used.
    pub(super) fn all(&self, into: &mut Vec<Arc<Lane>>) {
        self.slots.all(into);
    }

    #[inline]
    fn lane<'a>(&'a self, shared: &Arc<Shared>, number: u32) -> Result<&'a Arc<Lane>, SendError> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        match self.slots.known(at) {
            Some(lane) => Ok(lane),
            None => self.make(shared, number, at),
        }
    }

    #[cold]
    fn make<'a>(&'a self, shared: &Arc<Shared>, number: u32, at: usize) -> Result<&'a Arc<Lane>, SendError> {
        // Under the lock that the end of the producer takes: it finds this one, or this one is ended.
        let registry = shared.registry.lock();
        let count = self.topic.partition_count();
        let missing = || SendError::NoPartition { partition: number, count };
        if number >= count {
            return Err(missing());
        }
        let core = self.topic.core(number).ok_or_else(missing)?;
        let slot = self.slots.slot(at, usize::try_from(count).unwrap_or(usize::MAX)).ok_or_else(missing)?;
        Ok(slot.get_or_init(|| Arc::new(Lane::new(core, Arc::clone(shared), registry.ended))))
    }

    /// Turns from this partition to the next, or goes along with who did.
    fn turn(&self, from: u32, count: u32) -> u32 {
        let next = from.saturating_add(1) % count.max(1);
        match self.sticky.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => next,
            Err(other) => other % count.max(1),
        }
    }
}

/// Sends records to one topic; made by [`Producer::sender`](super::Producer::sender). Clones are cheap and are the same sender.
///
/// A record takes one lock of its partition while it is encoded, and, where it has no timestamp, a look at the clock.
#[derive(Clone)]
pub struct Sender {
    owner: Arc<Owner>,
    lanes: Arc<Lanes>,
}

impl Sender {
    pub(super) fn new(owner: Arc<Owner>, lanes: Arc<Lanes>) -> Self {
        Self { owner, lanes }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.lanes.topic
    }

    /// Takes a record for the partition of its key; without a key for the one that such records go to until a batch is full or
    /// appended, then for the next one in turn: Kafka's sticky partitioner (KIP-480), which takes a random next one.
    ///
    /// What was sent to a partition by one thread is there in that order.
    ///
    /// It blocks while `buffer_bytes_max` are gathered, for `max_block_ms` at most. Memory goes to whoever asks first when there
    /// is some, not to who waited longest.
    ///
    /// # Errors
    ///
    /// The record was not taken: [`SendError::RecordTooLarge`], [`SendError::NegativeTimestamp`], [`SendError::BufferFull`],
    /// [`SendError::KeyRequired`], [`SendError::Closed`]. What happens to it later, the receipt tells.
    #[inline]
    pub fn send(&self, record: &Record<'_>) -> Result<Receipt, SendError> {
        self.by_key(record, self.max_block())
    }

    /// Takes a record for this partition; otherwise as [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`]; [`SendError::NoPartition`].
    #[inline]
    pub fn send_to(&self, partition: u32, record: &Record<'_>) -> Result<Receipt, SendError> {
        self.put(partition, record, 1, self.max_block())
    }

    /// The same as [`Sender::send`], but it never waits.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`]; [`SendError::BufferFull`] at once.
    pub fn try_send(&self, record: &Record<'_>) -> Result<Receipt, SendError> {
        self.by_key(record, Duration::ZERO)
    }

    /// The same as [`Sender::send_to`], but it never waits.
    ///
    /// # Errors
    ///
    /// As [`Sender::send_to`]; [`SendError::BufferFull`] at once.
    pub fn try_send_to(&self, partition: u32, record: &Record<'_>) -> Result<Receipt, SendError> {
        self.put(partition, record, 1, Duration::ZERO)
    }

    fn max_block(&self) -> Duration {
        Duration::from_millis(self.owner.shared.options.max_block_ms)
    }

    #[inline]
    fn by_key(&self, record: &Record<'_>, block: Duration) -> Result<Receipt, SendError> {
        let count = self.lanes.topic.partition_count();
        match record.key {
            Some(key) => self.put(partitioner::partition_for_key(key, count), record, 1, block),
            None => self.put(self.lanes.sticky.load(Ordering::Relaxed), record, count, block),
        }
    }

    /// Puts a record into a partition, or where that needs a new batch, into the next of `turns`.
    #[inline]
    fn put(
        &self,
        partition: u32,
        record: &Record<'_>,
        turns: u32,
        block: Duration,
    ) -> Result<Receipt, SendError> {
        let shared = &self.owner.shared;
        let timestamp = match record.timestamp {
            Some(timestamp) if timestamp < 0 => return Err(SendError::NegativeTimestamp { timestamp }),
            Some(timestamp) => timestamp,
            None => shared.clock.now_ms().max(0),
        };
        let mut lane = self.lanes.lane(shared, partition)?;
        if record.key.is_none() && lane.partition.needs_key() {
            return Err(SendError::KeyRequired);
        }
        match lane.put(record, timestamp, &mut None)? {
            Put::Taken(receipt) => return Ok(receipt),
            Put::NeedsBuffer if turns > 1 => {
                lane = self.lanes.lane(shared, self.lanes.turn(partition, turns))?;
            }
            Put::NeedsBuffer => {}
        }
        self.put_new(lane, record, timestamp, block)
    }

    /// Puts a record into a partition, with memory for a batch where it needs one.
    #[cold]
    fn put_new(
        &self,
        lane: &Arc<Lane>,
        record: &Record<'_>,
        timestamp: i64,
        block: Duration,
    ) -> Result<Receipt, SendError> {
        let mut spare = None;
        loop {
            if let Put::Taken(receipt) = lane.put(record, timestamp, &mut spare)? {
                return Ok(receipt);
            }
            spare = self.spare(lane, record, block)?;
        }
    }

    fn spare(&self, lane: &Lane, record: &Record<'_>, block: Duration) -> Result<Spare, SendError> {
        let shared = &self.owner.shared;
        let (bytes, max) = (batch_bytes(record), lane.bytes_max());
        if bytes as u64 > max {
            return Err(SendError::RecordTooLarge { bytes: bytes as u64, max });
        }
        let buffer = self.buffer(bytes, block).ok_or_else(|| SendError::BufferFull {
            bytes: bytes.max(shared.options.batch_bytes) as u64,
            max: shared.memory.max() as u64,
            waited: block,
        })?;
        Ok(Some((buffer, shared.now_ms())))
    }

    fn buffer(&self, bytes: usize, block: Duration) -> Option<Buffer> {
        let shared = &self.owner.shared;
        let (began, alone) = (Instant::now(), !shared.options.thread && !block.is_zero());
        let backoff = Duration::from_millis(shared.options.retry_backoff_ms);
        loop {
            let left = block.saturating_sub(began.elapsed());
            // There may be nobody else to do what is due, and to try again what was refused.
            let pause = if alone { left.min(backoff) } else { left };
            let buffer = shared.memory.take(bytes, pause, || {
                shared.agenda.press();
                if alone {
                    shared.work();
                }
            });
            if buffer.is_some() || pause == left {
                return buffer;
            }
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("topic", &self.topic().name()).finish_non_exhaustive()
    }
}

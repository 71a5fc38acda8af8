//! One partition as a producer sees it: the batch that takes records, and those that wait to be appended.
//!
//! ```text
//!   send --> open --(full, due, wanted)--> closed .. closed --> held (being appended, or refused for the time being)
//!            |                             |                    |
//!            '---- queue: a lock that each record takes ---'    '-- delivery: a lock that each batch takes
//!                                                                     '--> unsynced --(sync)--> told
//! ```
//!
//! Checksum, append and sync are done under the second lock, which no `send` takes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Shared;
use super::deliver::Delivery;
use super::gather::Gathered;
use super::memory::Buffer;
use super::receipt::{Outcome, Promise, Receipt};
use crate::error::SendError;
use crate::partition::Core;
use crate::record::Record;
use crate::sync::Mutex;

pub(super) struct Lane {
    pub(super) partition: Arc<Core>,
    shared: Arc<Shared>,
    queue: Mutex<Queue>,
    pub(super) delivery: Mutex<Delivery>,
}

#[derive(Default)]
struct Queue {
    open: Option<Gathered>,
    closed: VecDeque<Gathered>,
    /// What becomes of the batch that was opened last.
    last: Option<Arc<Outcome>>,
    /// It is among those that have something to do now.
    is_ready: bool,
    /// When it is next looked at, by the agenda's earliest entry for it.
    alarm_ms: Option<u64>,
    /// Takes no more records.
    ended: bool,
}

/// What became of the attempt to add a record.
pub(super) enum Put {
    Taken(Receipt),
    /// There is no open batch with room: bring memory for one.
    NeedsBuffer,
}

/// Memory for a batch, and when it was got.
pub(super) type Spare = Option<(Buffer, u64)>;

impl Lane {
    pub(super) fn new(partition: Arc<Core>, shared: Arc<Shared>, ended: bool) -> Self {
        let queue = Mutex::new(Queue { ended, ..Queue::default() });
        Self { partition, shared, queue, delivery: Mutex::default() }
    }

    pub(super) fn number(&self) -> u32 {
        self.partition.number()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Adds a record to the open batch, or to a new one made of `spare`.
    #[inline]
    pub(super) fn put(
        self: &Arc<Self>,
        record: &Record<'_>,
        timestamp: i64,
        spare: &mut Spare,
    ) -> Result<Put, SendError> {
        let mut queue = self.queue.lock();
        if queue.ended {
            return Err(SendError::Closed);
        }
        if let Some(open) = &mut queue.open
            && let Some(number) = open.put(record, timestamp)
        {
            return Ok(Put::Taken(open.promise().receipt(number, timestamp)));
        }
        let full = queue.open.take();
        let mut ready = full.is_some() && queue.set_ready();
        queue.closed.extend(full);
        let (mut put, mut alarm, mut lingers) = (Ok(Put::NeedsBuffer), None, false);
        if let Some((buffer, now_ms)) = spare.take() {
            let opened = self.open(&mut queue, buffer, now_ms, record, timestamp);
            put = opened.map(|(receipt, due_ms)| {
                lingers = due_ms > now_ms;
                if lingers {
                    alarm = queue.set_alarm(due_ms);
                } else {
                    ready |= queue.set_ready();
                }
                Put::Taken(receipt)
            });
        }
        drop(queue);
        self.announce(ready, alarm);
        // After the alarm was set: who is short of memory sees the alarm, or this sees that he is. There may be one of before, too.
        if lingers && self.shared.memory.is_short() {
            self.make_ready();
        }
        put
    }

    /// Puts it into the agenda, which may wake the thread: not under the lock.
    fn announce(self: &Arc<Self>, ready: bool, alarm: Option<u64>) {
        if let Some(due_ms) = alarm {
            self.shared.agenda.push_later(due_ms, Arc::clone(self));
        }
        if ready {
            self.shared.agenda.push_ready(Arc::clone(self));
        }
    }

    /// Opens a batch with its first record; tells when it is due.
    fn open(
        self: &Arc<Self>,
        queue: &mut Queue,
        buffer: Buffer,
        now_ms: u64,
        record: &Record<'_>,
        timestamp: i64,
    ) -> Result<(Receipt, u64), SendError> {
        let max = self.bytes_max();
        let limit = usize::try_from(max).unwrap_or(usize::MAX).min(self.shared.options.batch_bytes);
        let due_ms = now_ms.saturating_add(self.shared.options.linger_ms);
        let promise = Promise::new(self);
        let mut open = Gathered::new(buffer, limit, promise, now_ms, due_ms);
        // It has memory for this record; without, nobody has a receipt.
        let number = open.put(record, timestamp).ok_or_else(|| SendError::RecordTooLarge {
            bytes: super::gather::batch_bytes(record) as u64,
            max,
        })?;
        let receipt = open.promise().receipt(number, timestamp);
        queue.last = Some(open.promise().share());
        queue.open = Some(open);
        Ok((receipt, due_ms))
    }

    /// The largest batch that can be gathered and appended.
    pub(super) fn bytes_max(&self) -> u64 {
        self.partition.batch_bytes_max().min(self.shared.memory.max() as u64)
    }

    /// Has it looked at as soon as can be.
    pub(super) fn make_ready(self: &Arc<Self>) {
        let ready = self.queue.lock().set_ready();
        self.announce(ready, None);
    }

    pub(super) fn forget_alarm(&self, due_ms: u64) {
        let mut queue = self.queue.lock();
        if queue.alarm_ms == Some(due_ms) {
            queue.alarm_ms = None;
        }
    }

    /// How many batches can be taken now at most, so that one partition does not keep the others waiting.
    pub(super) fn begin_round(&self) -> usize {
        let mut queue = self.queue.lock();
        // What is closed from now on makes it ready again.
        queue.is_ready = false;
        queue.closed.len().saturating_add(usize::from(queue.open.is_some()))
    }

    /// The next batch to be appended: the oldest closed one, or the open one if it is due or wanted.
    pub(super) fn next_batch(&self, now_ms: u64) -> Option<Gathered> {
        let mut queue = self.queue.lock();
        if let Some(closed) = queue.closed.pop_front() {
            return Some(closed);
        }
        let is_due = |open: &mut Gathered| {
            open.outcome().is_wanted() || now_ms >= open.due_ms() || self.shared.memory.is_short()
        };
        if queue.ended { queue.open.take() } else { queue.open.take_if(is_due) }
    }

    /// Has it looked at again when that is needed: at `retry_ms`, or when the open batch is due.
    pub(super) fn end_round(self: &Arc<Self>, retry_ms: Option<u64>) {
        let mut queue = self.queue.lock();
        let due_ms = retry_ms.or_else(|| queue.open.as_ref().map(Gathered::due_ms));
        let alarm = due_ms.and_then(|due_ms| queue.set_alarm(due_ms));
        drop(queue);
        self.announce(false, alarm);
    }

    /// What becomes of the batch that was opened last; when that is known, all before it are.
    pub(super) fn last(&self) -> Option<Arc<Outcome>> {
        self.queue.lock().last.clone().filter(|last| last.told().is_none())
    }

    /// Takes no more records.
    pub(super) fn end(&self) {
        self.queue.lock().ended = true;
    }

    /// Lets go of everything that is not appended: nobody will do it any more.
    pub(super) fn abandon(&self) {
        self.end();
        let held = std::mem::take(&mut *self.delivery.lock());
        let (open, closed) = {
            let mut queue = self.queue.lock();
            (queue.open.take(), std::mem::take(&mut queue.closed))
        };
        // In order, and their promises say so; not under a lock.
        drop(held);
        drop(closed);
        drop(open);
    }
}

impl Queue {
    /// Notes when it is to be looked at; that time, unless it will be before.
    fn set_alarm(&mut self, due_ms: u64) -> Option<u64> {
        let is_earlier = self.alarm_ms.is_none_or(|alarm| alarm > due_ms);
        is_earlier.then(|| *self.alarm_ms.insert(due_ms))
    }

    /// Says that there is something to do now; whether that is new.
    fn set_ready(&mut self) -> bool {
        !std::mem::replace(&mut self.is_ready, true)
    }
}

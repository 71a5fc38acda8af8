//! Live messages that wait for a session.

use std::collections::VecDeque;

use headwater_codec::QoS;

use crate::delivery::Delivery;
use crate::group::Group;
use crate::options::StoreOptions;

/// Live messages that wait for a session, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: VecDeque<Delivery>,
    /// Of their messages.
    bytes: usize,
    /// Of each partition: how many of them the dispatcher has put here. What the session reads by itself comes behind those.
    dispatched: Vec<usize>,
    /// How many of them come from shared subscriptions.
    shared: usize,
}

impl Inbox {
    /// An empty one, for so many partitions.
    pub(super) fn new(partitions: usize) -> Self {
        Self { dispatched: vec![0; partitions], ..Self::default() }
    }

    /// Whether there is no room for this one.
    pub(super) fn is_full(&self, delivery: &Delivery, options: &StoreOptions) -> bool {
        let bytes = self.bytes.saturating_add(delivery.message.memory_bytes());
        let shared = delivery.share.is_some() && self.shared >= options.shared_inbox_max.max(1);
        shared
            || self.queue.len() >= options.inbox_max
            || (bytes > options.inbox_bytes_max && !self.queue.is_empty())
    }

    pub(super) fn push(&mut self, delivery: Delivery) {
        if let Some(count) = self.count_mut(&delivery) {
            *count += 1;
        }
        self.shared += usize::from(delivery.share.is_some());
        self.bytes += delivery.message.memory_bytes();
        self.queue.push_back(delivery);
    }

    pub(super) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.bytes -= delivery.message.memory_bytes();
        self.shared -= usize::from(delivery.share.is_some());
        if let Some(count) = self.count_mut(&delivery) {
            *count -= 1;
        }
        Some(delivery)
    }

    /// Whether something waits that the dispatcher took from this partition.
    pub(super) fn holds(&self, partition: usize) -> bool {
        self.dispatched.get(partition).is_some_and(|count| *count > 0)
    }

    /// Whether something waits that comes from a shared subscription.
    pub(super) fn holds_shared(&self) -> bool {
        self.shared > 0
    }

    /// Takes out what waits and comes from one group.
    pub(super) fn take_shared(&mut self, group: &Group) -> VecDeque<Delivery> {
        let is_of_it = |delivery: &Delivery| delivery.share.as_ref().is_some_and(|share| share.is_of(group));
        let (taken, kept) = std::mem::take(&mut self.queue).into_iter().partition(is_of_it);
        self.queue = kept;
        let taken: VecDeque<Delivery> = taken;
        self.shared -= taken.len();
        self.bytes -= taken.iter().map(|delivery| delivery.message.memory_bytes()).sum::<usize>();
        taken
    }

    /// Takes out what the dispatcher took from a partition.
    pub(super) fn take_dispatched(&mut self, partition: u32) -> VecDeque<Delivery> {
        let is_of_it =
            |delivery: &Delivery| is_dispatched(delivery) && delivery.source.partition == partition;
        let (taken, kept) = std::mem::take(&mut self.queue).into_iter().partition(is_of_it);
        self.queue = kept;
        let taken: VecDeque<Delivery> = taken;
        self.bytes -= taken.iter().map(|delivery| delivery.message.memory_bytes()).sum::<usize>();
        if let Some(count) = usize::try_from(partition).ok().and_then(|index| self.dispatched.get_mut(index))
        {
            *count = 0;
        }
        taken
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Delivery> {
        self.queue.iter()
    }

    /// The count that a delivery belongs to.
    fn count_mut(&mut self, delivery: &Delivery) -> Option<&mut usize> {
        if !is_dispatched(delivery) {
            return None;
        }
        self.dispatched.get_mut(usize::try_from(delivery.source.partition).ok()?)
    }
}

/// What was published with QoS 0 was forwarded when it came, out of order.
fn is_dispatched(delivery: &Delivery) -> bool {
    delivery.message.qos != QoS::AtMostOnce && delivery.share.is_none()
}

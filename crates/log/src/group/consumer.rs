//! One member of a group: where it reads, and what a poll does.
//!
//! ```text
//!   poll_event --> the group: who owns what --> news: Lost, Revoked, Assigned --> told one by one
//!              '-> partitions in turn, from the one behind the last: position --> read --> Records
//!              '-> nothing: waits for any of them
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::coordinator::{Group, Owned, Place};
use super::position::{begin, out_of_range};
use super::ready::Ready;
use super::{ConsumerEvent, ConsumerOptions, ConsumerRecords, Root, Subscription, TopicPartition};
use crate::error::{NotAssigned, PollError, ReadError, SeekError, SubscribeError};
use crate::options::ReadUpTo;
use crate::partition::{Reached, any};

/// A member of a consumer group in this process. Kafka's `KafkaConsumer`.
///
/// The members of a group share the partitions of the topics that they subscribe to: each partition has one of them at a
/// time. What the group has committed is where it reads on, after a restart too. A record comes to the group at least
/// once, and never again after an offset behind it was committed.
///
/// A member reads durable records only. It does nothing by itself: a poll is what lets others join, and a member that does
/// not poll for longer than `max_poll_interval_ms` is put out. Dropping it gives what it has to the others at once, and
/// commits nothing.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use headwater_log::{Ack, ConsumerOptions, Log, LogOptions, OffsetReset, Record, TopicOptions};
///
/// let dir = tempfile::tempdir()?;
/// let log = Log::open(dir.path(), LogOptions::default())?;
/// let topic = log.create_topic("telemetry", TopicOptions::default().partitions(4))?;
/// topic.append(&Record::new("21.5").key("line-1"), Ack::Durable)?;
///
/// let options = ConsumerOptions::default().auto_offset_reset(OffsetReset::Earliest);
/// let mut billing = log.consumer_with("billing", ["telemetry"], options)?;
/// while let Some(records) = billing.poll(Duration::ZERO)? {
///     for record in &records {
///         assert_eq!(record?.value.as_deref(), Some(b"21.5".as_slice()));
///     }
///     billing.commit(&records)?; // on disk: nobody of the group gets them again
/// }
/// assert_eq!(log.describe_group("billing")?.lag(), 0);
/// # Ok(())
/// # }
/// ```
pub struct Consumer {
    root: Arc<Root>,
    group: Arc<Group>,
    place: Place,
    subscription: Subscription,
    options: ConsumerOptions,
    partitions: BTreeMap<TopicPartition, Reading>,
    /// What was told to be revoked: it is given up by the next poll.
    revoked: Vec<TopicPartition>,
    /// What it was told to have, has lost, and was not told of yet.
    lost: Vec<TopicPartition>,
    /// Topics that it had partitions of and that are gone, and of which it was not told yet.
    deleted: Vec<Arc<str>>,
    /// Whose turn it was last.
    last: Option<TopicPartition>,
}

/// A partition of the member.
#[derive(Debug)]
struct Reading {
    owned: Owned,
    /// The offset to read next; `None` until it was looked up.
    next: Option<u64>,
    paused: bool,
    told: Told,
}

/// What the member was told last of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Assigned,
    Revoked,
}

impl Reading {
    /// Whether records of it are given: not when it goes to another member.
    fn is_read(&self) -> bool {
        !self.paused && !self.owned.revoked && self.told == Told::Assigned
    }
}

impl Consumer {
    pub(super) fn join(
        root: Arc<Root>,
        group: Arc<Group>,
        subscription: Subscription,
        options: ConsumerOptions,
    ) -> Result<Self, SubscribeError> {
        options.check()?;
        check_topics(&root, &group, &subscription)?;
        root.offsets().make_ready(&root)?;
        let place = group.join(&root, &subscription, &options)?;
        Ok(Self {
            root,
            group,
            place,
            subscription,
            options,
            partitions: BTreeMap::new(),
            revoked: Vec::new(),
            lost: Vec::new(),
            deleted: Vec::new(),
            last: None,
        })
    }

    /// The group's name.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group.name
    }

    /// The member's number in its group, by the order of joining. A member that was put out and polls again has another one.
    #[must_use]
    pub fn member(&self) -> u64 {
        self.place.member
    }

    /// The group's generation when the member polled last. It moves whenever partitions change hands.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.place.generation
    }

    /// The partitions that were the member's when it polled last, in order.
    pub fn assignment(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// Subscribes to other topics instead. The next polls tell what comes and goes.
    ///
    /// # Errors
    ///
    /// As [`Log::consumer`](crate::Log::consumer) for the topics; then everything is as before.
    pub fn subscribe(&mut self, topics: impl Into<Subscription>) -> Result<(), SubscribeError> {
        let subscription = topics.into();
        check_topics(&self.root, &self.group, &subscription)?;
        self.subscription = subscription;
        self.group.subscribe(&self.root, self.place.member, &self.subscription);
        Ok(())
    }

    /// Gives records of one partition, as soon as there are some; `None` after the timeout. Partitions have their turns.
    ///
    /// To poll again means to be done with what was polled before: a partition that goes to another member is given up
    /// then, and what is not committed of it the other one gets again. Whoever commits later than that, or wants to know
    /// what the member has, calls [`Consumer::poll_event`], whose other events this passes over.
    ///
    /// With a timeout of zero it does not block.
    ///
    /// # Errors
    ///
    /// [`PollError`] says which partition has no place to begin, or cannot be read. The next poll goes on with the others.
    pub fn poll(&mut self, timeout: Duration) -> Result<Option<ConsumerRecords>, PollError> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            match self.poll_until(deadline)? {
                Some(ConsumerEvent::Records(records)) => return Ok(Some(records)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Gives what there is to tell next: records, or what happened to the member's partitions; `None` after the timeout.
    ///
    /// After [`ConsumerEvent::Revoked`] the member has those partitions until it polls again, and can commit.
    ///
    /// # Errors
    ///
    /// As [`Consumer::poll`].
    pub fn poll_event(&mut self, timeout: Duration) -> Result<Option<ConsumerEvent>, PollError> {
        self.poll_until(Instant::now().checked_add(timeout))
    }

    /// A future that is ready when a poll may have something to give. It needs no runtime; a poll without a timeout may
    /// still give nothing. As long as it is there, the member counts as one that polls.
    ///
    /// It does not wake when another member becomes late. Who waits for partitions of members that hang has to poll from
    /// time to time.
    pub fn ready(&self) -> Ready {
        let mut at_once = !self.lost.is_empty() || !self.deleted.is_empty() || !self.revoked.is_empty();
        let mut partitions: Vec<Reached> = Vec::new();
        for reading in self.partitions.values() {
            at_once |= reading.told == Told::Nothing;
            if !reading.is_read() {
                continue;
            }
            match reading.next {
                Some(next) => {
                    partitions.push(Reached::new(Arc::clone(&reading.owned.core), ReadUpTo::Durable, next))
                }
                None => at_once = true,
            }
        }
        Ready::new(Arc::clone(&self.root), Arc::clone(&self.group), self.place, partitions, at_once)
    }

    /// Goes on at another offset, in memory: what is committed stays. It ends a lack of a beginning, too.
    ///
    /// # Errors
    ///
    /// [`SeekError::NotAssigned`]; [`SeekError::OffsetOutOfRange`] before the start or behind the durable end.
    pub fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), SeekError> {
        let reading = reading(&mut self.partitions, &self.group, self.place, partition)?;
        let (start, end) = (reading.owned.core.start_offset(), reading.owned.core.durable_end());
        if offset < start || offset > end {
            let partition = partition.clone();
            return Err(SeekError::OffsetOutOfRange { partition, offset, start, end });
        }
        reading.next = Some(offset);
        Ok(())
    }

    /// The offset that the member reads next; `None` while it has not been looked up, or there is none.
    ///
    /// # Errors
    ///
    /// [`NotAssigned`].
    pub fn position(&self, partition: &TopicPartition) -> Result<Option<u64>, NotAssigned> {
        match self.partitions.get(partition) {
            Some(reading) => Ok(reading.next),
            None => Err(self.group.not_assigned(partition, self.place.generation)),
        }
    }

    /// Gives nothing of a partition until it is resumed, or was another member's meanwhile. It stays this one's.
    ///
    /// # Errors
    ///
    /// [`NotAssigned`].
    pub fn pause(&mut self, partition: &TopicPartition) -> Result<(), NotAssigned> {
        reading(&mut self.partitions, &self.group, self.place, partition)?.paused = true;
        Ok(())
    }

    /// Gives records of a partition again.
    ///
    /// # Errors
    ///
    /// [`NotAssigned`].
    pub fn resume(&mut self, partition: &TopicPartition) -> Result<(), NotAssigned> {
        reading(&mut self.partitions, &self.group, self.place, partition)?.paused = false;
        Ok(())
    }

    /// Leaves the group: what the member has is free for the others at once. It commits nothing. Dropping does the same.
    pub fn close(self) {}

    pub(super) fn parts(&self) -> (&Arc<Root>, &Arc<Group>, Place) {
        (&self.root, &self.group, self.place)
    }

    /// What the member would read next of each partition it may still commit.
    pub(super) fn positions(&self) -> impl Iterator<Item = (&TopicPartition, u64, &Owned)> {
        self.partitions
            .iter()
            .filter_map(|(partition, reading)| Some((partition, reading.next?, &reading.owned)))
    }

    fn poll_until(&mut self, deadline: Option<Instant>) -> Result<Option<ConsumerEvent>, PollError> {
        loop {
            if self.root.is_closed() {
                return Err(PollError::Closed);
            }
            self.look_at_group();
            if let Some(news) = self.news() {
                return news.map(Some);
            }
            if let Some(event) = self.fetch() {
                return event.map(Some);
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(None);
            }
            let ready = self.ready();
            let late = ready.other_is_late_in_ms.and_then(|ms| now.checked_add(Duration::from_millis(ms)));
            any::wait_until(ready, [deadline, late].into_iter().flatten().min());
        }
    }

    /// Tells the group that the member is there, gives up what it was told to, and notes what is new.
    fn look_at_group(&mut self) {
        let given_up = std::mem::take(&mut self.revoked);
        let who = (&self.subscription, &self.options);
        let owned = self.group.poll(&self.root, &mut self.place, who, &given_up);
        given_up.iter().for_each(|partition| drop(self.partitions.remove(partition)));
        let Some(mut owned) = owned else { return };
        let (lost, deleted) = (&mut self.lost, &mut self.deleted);
        self.partitions.retain(|partition, reading| {
            if let Some(now) = owned.get(partition).filter(|now| now.since == reading.owned.since) {
                reading.owned.revoked = now.revoked;
                owned.remove(partition);
                return true;
            }
            // What it was never told to have, it need not be told to have lost.
            if reading.told != Told::Nothing {
                lost.push(partition.clone());
                if reading.owned.core.is_closed() && !deleted.contains(&partition.topic) {
                    deleted.push(Arc::clone(&partition.topic));
                }
            }
            false
        });
        let new = |owned| Reading { owned, next: None, paused: false, told: Told::Nothing };
        self.partitions.extend(owned.into_iter().map(|(partition, owned)| (partition, new(owned))));
    }

    /// What the member has not been told yet of its partitions: first what it has lost, then what it has, then what it gives up.
    fn news(&mut self) -> Option<Result<ConsumerEvent, PollError>> {
        if !self.lost.is_empty() {
            return Some(Ok(ConsumerEvent::Lost(std::mem::take(&mut self.lost))));
        }
        if let Some(topic) = self.deleted.pop() {
            return Some(Err(PollError::TopicDeleted { group: Arc::clone(&self.group.name), topic }));
        }
        let assigned = self.tell(|reading| reading.told == Told::Nothing, Told::Assigned);
        if !assigned.is_empty() {
            return Some(Ok(ConsumerEvent::Assigned(assigned)));
        }
        let revoked =
            self.tell(|reading| reading.owned.revoked && reading.told != Told::Revoked, Told::Revoked);
        if !revoked.is_empty() {
            self.revoked.extend(revoked.iter().cloned());
            return Some(Ok(ConsumerEvent::Revoked(revoked)));
        }
        None
    }

    /// Notes what the member is told of some partitions, and gives their names.
    fn tell(&mut self, of: impl Fn(&Reading) -> bool, told: Told) -> Vec<TopicPartition> {
        let mut names = Vec::new();
        for (partition, reading) in self.partitions.iter_mut().filter(|(_, reading)| of(reading)) {
            reading.told = told;
            names.push(partition.clone());
        }
        names
    }

    /// The first partition in turn that has something to give, be it an error.
    fn fetch(&mut self) -> Option<Result<ConsumerEvent, PollError>> {
        let behind = match &self.last {
            Some(last) => (Bound::Excluded(last.clone()), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let first: Vec<_> = self.partitions.range(behind).map(|(partition, _)| partition.clone()).collect();
        let rest = self.partitions.len().saturating_sub(first.len());
        let turns: Vec<_> = first.into_iter().chain(self.partitions.keys().take(rest).cloned()).collect();
        for partition in turns {
            if let Some(event) = self.fetch_from(&partition) {
                self.last = Some(partition);
                return Some(event);
            }
        }
        None
    }

    fn fetch_from(&mut self, partition: &TopicPartition) -> Option<Result<ConsumerEvent, PollError>> {
        let (group, root, options) = (&self.group, &self.root, self.options);
        let reading = self.partitions.get_mut(partition)?;
        if !reading.is_read() {
            return None;
        }
        let from = match reading.next {
            Some(next) => next,
            None => match begin(root, group, options.auto_offset_reset, partition, &reading.owned) {
                Ok((next, moved)) => {
                    reading.next = Some(next);
                    if let Some(event) = moved {
                        return Some(Ok(event));
                    }
                    next
                }
                Err(error) => return Some(Err(error)),
            },
        };
        match reading.owned.core.read(ReadUpTo::Durable, from, options.max_partition_fetch_bytes) {
            Ok(fetched) => {
                reading.next = Some(fetched.next_offset());
                if fetched.is_empty() {
                    return None;
                }
                let records = ConsumerRecords::new(partition.clone(), reading.owned.since, fetched);
                Some(Ok(ConsumerEvent::Records(records)))
            }
            Err(ReadError::OffsetOutOfRange { offset, .. }) => {
                match out_of_range(group, options.auto_offset_reset, partition, &reading.owned, offset) {
                    Ok((next, moved)) => {
                        reading.next = Some(next);
                        moved.map(Ok)
                    }
                    Err(error) => Some(Err(error)),
                }
            }
            // The topic was deleted just now, or the log closed: the next look tells.
            Err(ReadError::Closed) => None,
            Err(error) => Some(Err(PollError::Read { partition: partition.clone(), error })),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.group.leave(self.place.member, &self.root);
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("group", &self.group.name)
            .field("member", &self.place.member)
            .field("generation", &self.place.generation)
            .finish_non_exhaustive()
    }
}

fn reading<'a>(
    partitions: &'a mut BTreeMap<TopicPartition, Reading>,
    group: &Group,
    place: Place,
    partition: &TopicPartition,
) -> Result<&'a mut Reading, NotAssigned> {
    partitions.get_mut(partition).ok_or_else(|| group.not_assigned(partition, place.generation))
}

fn check_topics(root: &Root, group: &Group, subscription: &Subscription) -> Result<(), SubscribeError> {
    if root.is_closed() {
        return Err(SubscribeError::Closed);
    }
    let Some(names) = subscription.names() else { return Ok(()) };
    let group = &group.name;
    if names.is_empty() {
        return Err(SubscribeError::Nothing { group: Arc::clone(group) });
    }
    match names.iter().find(|name| root.topic(name).is_none()) {
        Some(topic) => {
            Err(SubscribeError::TopicNotFound { group: Arc::clone(group), topic: Arc::clone(topic) })
        }
        None => Ok(()),
    }
}

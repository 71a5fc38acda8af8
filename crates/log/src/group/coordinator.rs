//! One group: its members, who owns which partition, and who shall.
//!
//! ```text
//!            joins, leaves, is put out, subscribes to other topics; a topic comes, goes, grows
//!                                   |
//!                            new generation, new target
//!                                   |
//!   owned and in the target:  kept, nothing happens
//!   owned, not in the target: the owner is told at its next poll, keeps it until the poll after that, then it is free
//!   free and in the target:   owned by the target's member from its next poll on, in a new generation
//! ```
//!
//! So a partition has one owner at a time, and no generation has two. There is no thread: each step is taken by a member that
//! polls, commits or closes. What a member is due is decided under one lock, which is not held during any wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use super::assignor::{Assignment, Assignor, MemberId, Situation};
use super::description::MemberDescription;
use super::offsets::{Appended, identity};
use super::{ConsumerOptions, Root, Subscription, TopicPartition};
use crate::error::{CommitError, NotAssigned, SubscribeError};
use crate::format::metadata::TopicId;
use crate::format::offset_commit::Value;
use crate::partition::{Core, Signal};
use crate::sync::Mutex;
use crate::topic::Topic;

/// A group that has, or had, members in this process.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    state: Mutex<State>,
    /// Moves with the generation, and when somebody has given something up.
    pub(crate) changed: Signal,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    last_member: MemberId,
    assignor: Assignor,
    members: BTreeMap<MemberId, Member>,
    /// The topics that somebody subscribes to.
    topics: BTreeMap<Arc<str>, Known>,
    /// The state of the log's topics that `topics` was made from.
    topics_version: u64,
    owners: BTreeMap<TopicPartition, Ownership>,
    target: Assignment,
    /// Where the reset policy has let somebody begin who has not committed since.
    begun: BTreeMap<TopicPartition, Begun>,
}

/// Where a partition was begun; of another topic of its name it says nothing.
#[derive(Debug)]
struct Begun {
    core: Weak<Core>,
    offset: u64,
}

#[derive(Debug)]
struct Member {
    subscription: Subscription,
    topics: BTreeSet<Arc<str>>,
    max_poll_interval_ms: u64,
    polled_at_ms: u64,
    /// So many of its futures wait for something to poll: then it is alive.
    waiting: usize,
}

#[derive(Debug, Clone)]
struct Known {
    topic: Topic,
    partitions: u32,
    id: Option<TopicId>,
}

#[derive(Debug, Clone, Copy)]
struct Ownership {
    member: MemberId,
    /// The generation that began when the member got it.
    since: u64,
}

/// A partition that a member owns.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) core: Arc<Core>,
    pub(crate) topic_id: Option<TopicId>,
    pub(crate) since: u64,
    /// It belongs to another one from now on.
    pub(crate) revoked: bool,
}

/// A member's place in its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) member: MemberId,
    /// The generation that the member knows.
    pub(crate) generation: u64,
}

impl Group {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self { name, state: Mutex::default(), changed: Signal::default() }
    }

    /// A new member, which has nothing before its first poll.
    pub(crate) fn join(
        &self,
        root: &Root,
        subscription: &Subscription,
        options: &ConsumerOptions,
    ) -> Result<Place, SubscribeError> {
        let mut state = self.state.lock();
        if state.members.is_empty() {
            state.assignor = options.assignor;
        } else if state.assignor != options.assignor {
            let group = Arc::clone(&self.name);
            let (found, wanted) = (state.assignor, options.assignor);
            return Err(SubscribeError::Assignor { group, found, wanted });
        }
        let member = state.add(root, subscription, options);
        drop(state);
        self.changed.notify();
        // It knows nothing yet, so its first poll looks.
        Ok(Place { member, generation: 0 })
    }

    /// Subscribes a member to other topics; it is told what that means for it by its next poll.
    pub(crate) fn subscribe(&self, root: &Root, member: MemberId, subscription: &Subscription) {
        let mut state = self.state.lock();
        if let Some(known) = state.members.get_mut(&member) {
            known.subscription = subscription.clone();
            state.look_at_topics(root);
            state.rebalance();
            drop(state);
            self.changed.notify();
        }
    }

    /// A member is no more; what it had is free at once.
    pub(crate) fn leave(&self, member: MemberId, root: &Root) {
        let mut state = self.state.lock();
        if state.remove(&[member]) {
            state.look_at_topics(root);
            state.rebalance();
            drop(state);
            self.changed.notify();
        }
    }

    /// A member polls: it gives up what it was told to, others who are late are put out, and it learns what it owns, if that is
    /// not what it knows.
    pub(crate) fn poll(
        &self,
        root: &Root,
        place: &mut Place,
        (subscription, options): (&Subscription, &ConsumerOptions),
        given_up: &[TopicPartition],
    ) -> Option<BTreeMap<TopicPartition, Owned>> {
        let now_ms = root.clock().monotonic_ms();
        let mut state = self.state.lock();
        let before = state.generation;
        state.release(place.member, given_up);
        let late = state.late(place.member, now_ms);
        let mut unsettled = state.remove(&late);
        if !state.members.contains_key(&place.member) {
            *place = Place { member: state.add(root, subscription, options), generation: 0 };
        }
        if let Some(member) = state.members.get_mut(&place.member) {
            member.polled_at_ms = now_ms;
        }
        if state.topics_version != root.topics_version() {
            unsettled |= state.look_at_topics(root);
        }
        if unsettled {
            state.rebalance();
        }
        state.acquire(place.member);
        let moved = state.generation != before;
        let news = (state.generation != place.generation).then(|| state.owned_by(place.member));
        place.generation = state.generation;
        drop(state);
        if moved || !given_up.is_empty() {
            self.changed.notify();
        }
        news
    }

    /// Whether a member would learn something by a poll now.
    pub(crate) fn has_news(&self, root: &Root, place: Place) -> bool {
        let state = self.state.lock();
        state.topics_version != root.topics_version()
            || state.generation != place.generation
            || !state.members.contains_key(&place.member)
            || state.could_acquire(place.member)
    }

    /// Says that a future of a member waits for something to poll, or does not any more; gives after how long another one may be late.
    pub(crate) fn set_waiting(&self, member: MemberId, waiting: bool, now_ms: u64) -> Option<u64> {
        let mut state = self.state.lock();
        if let Some(member) = state.members.get_mut(&member) {
            member.waiting =
                if waiting { member.waiting.saturating_add(1) } else { member.waiting.saturating_sub(1) };
            member.polled_at_ms = now_ms;
        }
        let others = state.members.iter().filter(|(id, other)| **id != member && other.waiting == 0);
        others.map(|(_, other)| other.late_at().saturating_add(1).saturating_sub(now_ms)).min()
    }

    /// Where a partition was begun, if somebody did who has committed nothing since; not before `start`.
    pub(crate) fn begin(
        &self,
        partition: &TopicPartition,
        core: &Arc<Core>,
        start: u64,
        otherwise: u64,
    ) -> u64 {
        let mut state = self.state.lock();
        let known = state.begun.get(partition).filter(|begun| begun.offset >= start);
        let known = known.filter(|begun| std::ptr::eq(begun.core.as_ptr(), Arc::as_ptr(core)));
        let offset = known.map_or(otherwise, |begun| begun.offset);
        state.begun.insert(partition.clone(), Begun { core: Arc::downgrade(core), offset });
        offset
    }

    /// Begins a partition at this offset, wherever it was begun before.
    pub(crate) fn begin_at(&self, partition: &TopicPartition, core: &Arc<Core>, offset: u64) -> u64 {
        let begun = Begun { core: Arc::downgrade(core), offset };
        self.state.lock().begun.insert(partition.clone(), begun);
        offset
    }

    /// Commits offsets for a member, all or none; `since` is the generation from which on it has had the partition, where the
    /// caller knows.
    pub(crate) fn commit(
        &self,
        root: &Root,
        place: Place,
        offsets: &[(TopicPartition, u64, Option<u64>)],
        back: bool,
    ) -> Result<Appended, CommitError> {
        let committed_ms = root.clock().now_ms();
        let mut state = self.state.lock();
        let generation = state.generation;
        let fenced = |since| CommitError::Fenced { group: Arc::clone(&self.name), since, generation };
        if !state.members.contains_key(&place.member) {
            return Err(fenced(place.generation));
        }
        let mut values = BTreeMap::new();
        for (partition, offset, since) in offsets {
            let owner = state.owners.get(partition).filter(|owner| owner.member == place.member);
            let (Some(owner), Some(owned)) = (owner, state.owned(partition)) else {
                return Err(match since {
                    Some(since) => fenced(*since),
                    None => self.not_assigned(partition, generation).into(),
                });
            };
            if let Some(since) = since.filter(|since| *since != owner.since) {
                return Err(fenced(since));
            }
            if owned.core.is_closed() && !root.is_closed() {
                return Err(CommitError::TopicDeleted { topic: Arc::clone(&partition.topic) });
            }
            let end = owned.core.durable_end();
            if *offset > end {
                return Err(CommitError::BeyondEnd { partition: partition.clone(), offset: *offset, end });
            }
            let committed = root.offsets().committed(&self.name, partition, owned.topic_id);
            let committed = committed.map(|committed| committed.value.offset);
            if let Some(committed) = committed.filter(|committed| committed > offset && !back) {
                let group = Arc::clone(&self.name);
                let (partition, offset) = (partition.clone(), *offset);
                return Err(CommitError::MovesBack { group, partition, offset, committed });
            }
            values
                .insert(partition.clone(), Value { offset: *offset, topic_id: owned.topic_id, committed_ms });
        }
        let values: Vec<_> = values.into_iter().collect();
        let appended = root.offsets().commit(&self.name, &values).map_err(CommitError::Append)?;
        state.begun.retain(|begun, _| !values.iter().any(|(partition, _)| partition == begun));
        Ok(appended)
    }

    pub(crate) fn not_assigned(&self, partition: &TopicPartition, generation: u64) -> NotAssigned {
        NotAssigned { group: Arc::clone(&self.name), partition: partition.clone(), generation }
    }

    /// The generation, the assignor, and the members.
    pub(crate) fn describe(&self) -> (u64, Assignor, Vec<MemberDescription>) {
        let state = self.state.lock();
        let describe = |(id, member): (&MemberId, &Member)| MemberDescription {
            member: *id,
            topics: member.topics.iter().map(ToString::to_string).collect(),
            partitions: state
                .owners
                .iter()
                .filter(|(_, owner)| owner.member == *id)
                .map(|(one, _)| one.clone())
                .collect(),
        };
        (state.generation, state.assignor, state.members.iter().map(describe).collect())
    }

    pub(crate) fn has_members(&self) -> bool {
        !self.state.lock().members.is_empty()
    }

    /// Runs something while nobody joins; `Err` has the number of members, if there are some.
    pub(crate) fn while_empty<T>(&self, run: impl FnOnce() -> T) -> Result<T, usize> {
        let mut state = self.state.lock();
        match state.members.len() {
            0 => {
                state.begun.clear();
                Ok(run())
            }
            members => Err(members),
        }
    }
}

impl Member {
    /// At this time it is not late yet.
    fn late_at(&self) -> u64 {
        self.polled_at_ms.saturating_add(self.max_poll_interval_ms)
    }
}

impl State {
    fn add(&mut self, root: &Root, subscription: &Subscription, options: &ConsumerOptions) -> MemberId {
        self.last_member += 1;
        let member = Member {
            subscription: subscription.clone(),
            topics: BTreeSet::new(),
            max_poll_interval_ms: options.max_poll_interval_ms,
            polled_at_ms: root.clock().monotonic_ms(),
            waiting: 0,
        };
        self.members.insert(self.last_member, member);
        self.look_at_topics(root);
        self.rebalance();
        self.last_member
    }

    /// Those but this one that have not polled for too long.
    fn late(&self, but: MemberId, now_ms: u64) -> Vec<MemberId> {
        let others = self.members.iter().filter(|(id, member)| **id != but && member.waiting == 0);
        others.filter(|(_, member)| member.late_at() < now_ms).map(|(id, _)| *id).collect()
    }

    /// Takes members out, and from them what they own; tells whether one was in.
    fn remove(&mut self, members: &[MemberId]) -> bool {
        let before = self.members.len();
        self.members.retain(|member, _| !members.contains(member));
        self.owners.retain(|_, owner| !members.contains(&owner.member));
        self.members.len() < before
    }

    /// Matches subscriptions and topics anew; tells whether that changes what there is to divide.
    fn look_at_topics(&mut self, root: &Root) -> bool {
        // The version first: what changes after this is looked at next time.
        self.topics_version = root.topics_version();
        let all = root.topic_handles();
        let mut changed = false;
        for member in self.members.values_mut() {
            let takes = all.iter().map(Topic::name).filter(|name| member.subscription.takes(name));
            let topics: BTreeSet<Arc<str>> = takes.map(Arc::from).collect();
            changed |= topics != member.topics;
            member.topics = topics;
        }
        let mut topics = BTreeMap::new();
        for topic in all {
            let name: Arc<str> = topic.name().into();
            // What somebody owns stays known until it is given up, also when nobody subscribes to it any more.
            let is_owned = || self.owners.keys().any(|partition| partition.topic == name);
            if !self.members.values().any(|member| member.topics.contains(&name)) && !is_owned() {
                continue;
            }
            let partitions = topic.partition_count();
            let before = self.topics.get(&name).filter(|before| before.topic.is_same(&topic));
            changed |= before.is_none_or(|before| before.partitions != partitions);
            let id = before.map_or_else(|| identity(&topic), |before| before.id);
            topics.insert(name, Known { topic, partitions, id });
        }
        changed |= topics.len() != self.topics.len();
        // What was owned of a topic that is no more, or is another one now, is nobody's.
        let stays = |partition: &TopicPartition| match (
            self.topics.get(&partition.topic),
            topics.get(&partition.topic),
        ) {
            (Some(before), Some(now)) => before.topic.is_same(&now.topic),
            _ => false,
        };
        self.owners.retain(|partition, _| stays(partition));
        // Also when the group has no members for a while.
        self.begun.retain(|_, begun| begun.core.upgrade().is_some_and(|core| !core.is_closed()));
        self.topics = topics;
        changed
    }

    /// Begins a generation with a new target.
    fn rebalance(&mut self) {
        self.generation += 1;
        let members = self.members.iter().map(|(id, member)| (*id, member.topics.clone())).collect();
        let topics = self.topics.iter().map(|(name, known)| (Arc::clone(name), known.partitions)).collect();
        let owners = self.owners.iter().map(|(partition, owner)| (partition.clone(), owner.member)).collect();
        let situation = Situation { members: &members, topics: &topics, owners: &owners };
        self.target = self.assignor.assign(situation);
    }

    /// A member gives up what it was told to.
    fn release(&mut self, member: MemberId, partitions: &[TopicPartition]) {
        for partition in partitions {
            if self.owners.get(partition).is_some_and(|owner| owner.member == member) {
                self.owners.remove(partition);
            }
        }
    }

    fn free_for(&self, member: MemberId) -> impl Iterator<Item = &TopicPartition> {
        let target = self.target.get(&member).into_iter().flatten();
        target.filter(|partition| !self.owners.contains_key(*partition))
    }

    fn could_acquire(&self, member: MemberId) -> bool {
        self.free_for(member).next().is_some()
    }

    /// A member takes what the target has for it and nobody owns, in a generation of its own.
    fn acquire(&mut self, member: MemberId) {
        let free: Vec<_> = self.free_for(member).cloned().collect();
        if !free.is_empty() {
            self.generation += 1;
            let owner = Ownership { member, since: self.generation };
            self.owners.extend(free.into_iter().map(|partition| (partition, owner)));
        }
    }

    fn owned(&self, partition: &TopicPartition) -> Option<Owned> {
        let owner = self.owners.get(partition)?;
        let known = self.topics.get(&partition.topic)?;
        let revoked = self.target.get(&owner.member).is_none_or(|target| !target.contains(partition));
        let core = known.topic.core(partition.partition)?;
        Some(Owned { core, topic_id: known.id, since: owner.since, revoked })
    }

    fn owned_by(&self, member: MemberId) -> BTreeMap<TopicPartition, Owned> {
        let own = self.owners.iter().filter(|(_, owner)| owner.member == member);
        own.filter_map(|(partition, _)| Some((partition.clone(), self.owned(partition)?))).collect()
    }
}

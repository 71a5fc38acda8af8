//! The groups of a log: those that have members, and those that have committed something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::consumer::Consumer;
use super::coordinator::Group;
use super::offsets::{self, Appended, Committed, Offsets};
use super::{ConsumerOptions, GroupDescription, GroupPartition, Root, Subscription, TopicPartition};
use crate::error::{AppendError, GroupError, SubscribeError};
use crate::format::offset_commit::{GROUP_NAME_BYTES_MAX, Value};
use crate::options::Ack;
use crate::sync::Mutex;

/// The groups of an open log.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) offsets: Offsets,
    /// Those that have had members since the log was opened. They stay: a generation is never used again.
    live: Mutex<BTreeMap<Arc<str>, Arc<Group>>>,
}

impl Groups {
    pub(crate) fn new(offsets: Offsets) -> Self {
        Self { offsets, live: Mutex::default() }
    }

    fn live(&self, name: &str) -> Option<Arc<Group>> {
        self.live.lock().get(name).cloned()
    }

    fn live_or_new(&self, name: &str) -> Arc<Group> {
        let mut live = self.live.lock();
        if let Some(group) = live.get(name) {
            return Arc::clone(group);
        }
        let name: Arc<str> = name.into();
        let group = Arc::new(Group::new(Arc::clone(&name)));
        live.insert(name, Arc::clone(&group));
        group
    }

    /// Those that have members.
    fn names(&self) -> Vec<Arc<str>> {
        let groups: Vec<_> = self.live.lock().values().cloned().collect();
        groups.into_iter().filter(|group| group.has_members()).map(|group| Arc::clone(&group.name)).collect()
    }

    fn has_members(&self, name: &str) -> bool {
        self.live(name).is_some_and(|group| group.has_members())
    }
}

impl Root {
    pub(crate) fn consumer(
        self: &Arc<Self>,
        group: &str,
        topics: Subscription,
        options: ConsumerOptions,
    ) -> Result<Consumer, SubscribeError> {
        if !is_group_name(group) {
            return Err(SubscribeError::Name { len: group.len() });
        }
        Consumer::join(Arc::clone(self), self.groups().live_or_new(group), topics, options)
    }

    pub(crate) fn group_names(&self) -> Result<Vec<String>, GroupError> {
        let mut names: BTreeSet<Arc<str>> = self.offsets().groups()?.into_iter().collect();
        names.extend(self.groups().names());
        Ok(names.into_iter().map(|name| name.to_string()).collect())
    }

    pub(crate) fn describe_group(&self, name: &str) -> Result<GroupDescription, GroupError> {
        self.offsets().groups()?;
        let (live, committed) = (self.groups().live(name), self.offsets().of_group(name));
        if !self.groups().has_members(name) && committed.is_empty() {
            return Err(GroupError::NotFound { group: name.to_owned() });
        }
        let (generation, assignor, members) = live.map(|group| group.describe()).map_or(
            (0, None, Vec::new()),
            |(generation, assignor, members)| {
                (generation, (!members.is_empty()).then_some(assignor), members)
            },
        );
        let owners: BTreeMap<_, _> = members
            .iter()
            .flat_map(|member| member.partitions.iter().map(|partition| (partition.clone(), member.member)))
            .collect();
        let all: BTreeSet<_> = committed.keys().chain(owners.keys()).cloned().collect();
        let partitions = all
            .into_iter()
            .filter_map(|partition| {
                let topic = self.topic(&partition.topic)?;
                let core = topic.core(partition.partition)?;
                let known = committed.get(&partition);
                let known = known.filter(|known| known.is_of(offsets::identity(&topic)));
                let member = owners.get(&partition).copied();
                let ends = (core.start_offset(), core.durable_end());
                (known.is_some() || member.is_some())
                    .then(|| GroupPartition::new(partition, member, known, ends))
            })
            .collect();
        Ok(GroupDescription { name: name.to_owned(), generation, assignor, members, partitions })
    }

    pub(crate) fn committed(&self, group: &str, partition: &TopicPartition) -> Option<u64> {
        let topic_id = offsets::identity(&self.topic(&partition.topic)?);
        Some(self.offsets().committed(group, partition, topic_id)?.value.offset)
    }

    pub(crate) fn delete_group(&self, name: &str) -> Result<(), GroupError> {
        self.check_group(name)?;
        self.change_offsets(name, |group| self.offsets().forget(&group.name, |_| true))
    }

    pub(crate) fn delete_group_offsets(
        &self,
        name: &str,
        partitions: &[TopicPartition],
    ) -> Result<(), GroupError> {
        self.check_group(name)?;
        self.change_offsets(name, |group| self.offsets().forget(&group.name, |one| partitions.contains(one)))
    }

    pub(crate) fn reset_group_offsets(
        &self,
        name: &str,
        offsets: &[(TopicPartition, u64)],
    ) -> Result<(), GroupError> {
        if !is_group_name(name) {
            return Err(GroupError::NotFound { group: name.to_owned() });
        }
        let committed_ms = self.clock().now_ms();
        let mut values = BTreeMap::new();
        for (partition, offset) in offsets {
            let topic = self.topic(&partition.topic);
            let core = topic.as_ref().and_then(|topic| topic.core(partition.partition));
            let core = core.ok_or_else(|| GroupError::NoPartition { partition: partition.clone() })?;
            let (start, end) = (core.start_offset(), core.durable_end());
            if *offset < start || *offset > end {
                let (partition, offset) = (partition.clone(), *offset);
                return Err(GroupError::OffsetOutOfRange { partition, offset, start, end });
            }
            let topic_id = topic.as_ref().and_then(offsets::identity);
            values.insert(partition.clone(), Value { offset: *offset, topic_id, committed_ms });
        }
        let values: Vec<_> = values.into_iter().collect();
        self.change_offsets(name, |group| self.offsets().commit(&group.name, &values))
    }

    fn check_group(&self, name: &str) -> Result<(), GroupError> {
        self.offsets().groups()?;
        if !self.groups().has_members(name) && self.offsets().of_group(name).is_empty() {
            return Err(GroupError::NotFound { group: name.to_owned() });
        }
        Ok(())
    }

    /// Changes what a group has committed while it has no members, durably.
    fn change_offsets(
        &self,
        name: &str,
        change: impl FnOnce(&Group) -> Result<Appended, AppendError>,
    ) -> Result<(), GroupError> {
        self.offsets().make_ready(self)?;
        let group = self.groups().live_or_new(name);
        let changed = group.while_empty(|| change(&group));
        let changed = changed.map_err(|members| GroupError::NotEmpty { group: name.to_owned(), members })?;
        changed.map_err(GroupError::Append)?.wait(Ack::Durable).map_err(GroupError::NotDurable)
    }
}

fn is_group_name(name: &str) -> bool {
    (1..=GROUP_NAME_BYTES_MAX).contains(&name.len())
}

impl GroupPartition {
    pub(crate) fn new(
        partition: TopicPartition,
        member: Option<u64>,
        committed: Option<&Committed>,
        (start_offset, durable_end): (u64, u64),
    ) -> Self {
        Self {
            partition,
            member,
            committed: committed.map(|committed| committed.value.offset),
            committed_ms: committed.map(|committed| committed.value.committed_ms),
            start_offset,
            durable_end,
        }
    }
}

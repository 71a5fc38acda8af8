//! Who reads which partition: three functions from members, partitions and owners to an assignment.
//!
//! ```text
//!   members and what they subscribe to --.
//!   topics and how many partitions -------+--> assign --> for each member its partitions
//!   who owns which partition now ---------'              (only the sticky one looks at owners)
//! ```
//!
//! Each gives every partition that somebody subscribes to, to exactly one of those who do. How the group gets from one
//! assignment to the next is the coordinator's work, and the same for all of them.

mod cooperative_sticky;
mod range;
mod round_robin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TopicPartition;

/// A member, by the order in which the members of a group joined.
pub(crate) type MemberId = u64;

/// For each member, also those that get nothing, its partitions.
pub(crate) type Assignment = BTreeMap<MemberId, BTreeSet<TopicPartition>>;

/// How a group's partitions are divided among its members: Kafka's `partition.assignment.strategy`.
///
/// Kafka orders members by their id, which is random; here they are in the order in which they joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Assignor {
    /// Each topic by itself: its partitions in runs that differ by at most one, the longer ones for who joined earlier.
    /// Of topics with equally many partitions those of the same number come to the same member. Kafka's `RangeAssignor`.
    Range,
    /// All partitions of all topics dealt out in turn. Members that subscribe to the same differ by at most one. Kafka's
    /// `RoundRobinAssignor`.
    RoundRobin,
    /// Who has partitions keeps them, as far as no member could take one from another that has two more. Members that
    /// subscribe to the same differ by at most one, and no fewer partitions could have moved. Kafka's
    /// `CooperativeStickyAssignor` (KIP-429).
    #[default]
    CooperativeSticky,
}

/// What an assignment is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    /// The topics that each member subscribes to.
    pub(crate) members: &'a BTreeMap<MemberId, BTreeSet<Arc<str>>>,
    /// How many partitions each topic has.
    pub(crate) topics: &'a BTreeMap<Arc<str>, u32>,
    /// Who has which partition now; maybe members and partitions that are no more.
    pub(crate) owners: &'a BTreeMap<TopicPartition, MemberId>,
}

impl<'a> Situation<'a> {
    /// All partitions, by topic and number.
    fn partitions(self) -> impl Iterator<Item = TopicPartition> + 'a {
        self.topics.iter().flat_map(|(topic, count)| {
            (0..*count).map(|number| TopicPartition::new(Arc::clone(topic), number))
        })
    }

    fn subscribes(self, member: MemberId, topic: &str) -> bool {
        self.members.get(&member).is_some_and(|topics| topics.contains(topic))
    }

    /// Nothing for everybody.
    fn nothing(self) -> Assignment {
        self.members.keys().map(|member| (*member, BTreeSet::new())).collect()
    }
}

impl Assignor {
    /// Gives every partition to one of those who subscribe to its topic.
    pub(crate) fn assign(self, situation: Situation<'_>) -> Assignment {
        match self {
            Self::Range => range::assign(situation),
            Self::RoundRobin => round_robin::assign(situation),
            Self::CooperativeSticky => cooperative_sticky::assign(situation),
        }
    }
}

#[cfg(test)]
mod tests;

//! Kafka's results, and what each assignor promises for any situation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Assignment, Assignor, MemberId, Situation};
use crate::group::TopicPartition;

const ALL: [Assignor; 3] = [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky];

#[derive(Debug, Clone, Default)]
struct Case {
    members: BTreeMap<MemberId, BTreeSet<Arc<str>>>,
    topics: BTreeMap<Arc<str>, u32>,
    owners: BTreeMap<TopicPartition, MemberId>,
}

impl Case {
    fn new(topics: &[(&str, u32)], members: &[&[&str]]) -> Self {
        let topics = topics.iter().map(|(name, count)| ((*name).into(), *count)).collect();
        let subscribed = |names: &&[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        let members = (1..).zip(members.iter().map(subscribed)).collect();
        Self { members, topics, owners: BTreeMap::new() }
    }

    fn assign(&self, assignor: Assignor) -> Assignment {
        assignor.assign(Situation { members: &self.members, topics: &self.topics, owners: &self.owners })
    }

    fn subscribes(&self, member: MemberId, topic: &str) -> bool {
        self.members.get(&member).is_some_and(|topics| topics.contains(topic))
    }

    fn all_subscribe_to_the_same(&self) -> bool {
        self.members.values().collect::<BTreeSet<_>>().len() == 1
    }

    /// Every partition that somebody subscribes to.
    fn wanted(&self) -> BTreeSet<TopicPartition> {
        let all = self.topics.iter().flat_map(|(topic, count)| (0..*count).map(move |at| (topic, at)));
        let wanted =
            all.filter(|(topic, _)| self.members.keys().any(|member| self.subscribes(*member, topic)));
        wanted.map(|(topic, at)| TopicPartition::new(topic.clone(), at)).collect()
    }
}

fn told(assignment: &Assignment) -> Vec<String> {
    let names = |has: &BTreeSet<TopicPartition>| has.iter().map(ToString::to_string).collect::<Vec<_>>();
    assignment.values().map(|has| names(has).join(" ")).collect()
}

fn owners(assignment: &Assignment) -> BTreeMap<TopicPartition, MemberId> {
    assignment
        .iter()
        .flat_map(|(member, has)| has.iter().map(|partition| (partition.clone(), *member)))
        .collect()
}

/// A situation, and what each member gets by Kafka's range and round robin assignor.
type Row = (&'static [(&'static str, u32)], &'static [&'static [&'static str]], [&'static [&'static str]; 2]);

/// The situations of Kafka's `RangeAssignorTest` and `RoundRobinAssignorTest` without racks, and those of the
/// documentation of both classes.
const KAFKAS: &[Row] = &[
    (&[], &[&[]], [&[""], &[""]]),
    (&[], &[&["a"]], [&[""], &[""]]),
    (&[("a", 3)], &[&["a"]], [&["a-0 a-1 a-2"], &["a-0 a-1 a-2"]]),
    (&[("a", 3), ("other", 3)], &[&["a"]], [&["a-0 a-1 a-2"], &["a-0 a-1 a-2"]]),
    (&[("a", 1), ("b", 2)], &[&["a", "b"]], [&["a-0 b-0 b-1"], &["a-0 b-0 b-1"]]),
    (&[("a", 1)], &[&["a"], &["a"]], [&["a-0", ""], &["a-0", ""]]),
    (&[("a", 2)], &[&["a"], &["a"]], [&["a-0", "a-1"], &["a-0", "a-1"]]),
    (
        &[("a", 3), ("b", 2)],
        &[&["a"], &["a", "b"], &["a"]],
        [&["a-0", "a-1 b-0 b-1", "a-2"], &["a-0", "a-1 b-0 b-1", "a-2"]],
    ),
    (
        &[("a", 3), ("b", 3)],
        &[&["a", "b"], &["a", "b"]],
        [&["a-0 a-1 b-0 b-1", "a-2 b-2"], &["a-0 a-2 b-1", "a-1 b-0 b-2"]],
    ),
    (
        &[("a", 5), ("b", 4)],
        &[&["a", "b"], &["a", "b"], &["a", "b"], &["a", "b"]],
        [
            &["a-0 a-1 b-0", "a-2 b-1", "a-3 b-2", "a-4 b-3"],
            &["a-0 a-4 b-3", "a-1 b-0", "a-2 b-1", "a-3 b-2"],
        ],
    ),
    (
        &[("a", 1), ("b", 2), ("c", 3)],
        &[&["a"], &["a", "b"], &["a", "b", "c"]],
        [&["a-0", "b-0", "b-1 c-0 c-1 c-2"], &["a-0", "b-0", "b-1 c-0 c-1 c-2"]],
    ),
    (
        &[("a", 2), ("b", 2)],
        &[&["a"], &["b"], &["a", "b"]],
        [&["a-0", "b-0", "a-1 b-1"], &["a-0", "b-0", "a-1 b-1"]],
    ),
];

#[test]
fn range_and_round_robin_give_what_kafkas_give() {
    for (topics, members, results) in KAFKAS {
        let case = Case::new(topics, members);
        for (assignor, wanted) in ALL.iter().zip(results) {
            assert_eq!(told(&case.assign(*assignor)), *wanted, "{assignor:?} of {topics:?} to {members:?}");
        }
    }
}

/// A group divides them under a lock that its commits take too.
#[test]
fn thousands_of_partitions_are_divided_in_a_moment() {
    let mut case = Case::new(&[("a", 20_000)], &[&["a"]]);
    case.owners = owners(&case.assign(Assignor::CooperativeSticky));
    case.members.insert(2, ["a".into()].into());
    let began = std::time::Instant::now();
    let divided = case.assign(Assignor::CooperativeSticky);
    assert_eq!(divided.values().map(BTreeSet::len).collect::<Vec<_>>(), [10_000, 10_000]);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_member_that_comes_takes_from_others_only_what_it_has_to_have() {
    let mut case = Case::new(&[("a", 6)], &[&["a"], &["a"]]);
    case.owners = owners(&case.assign(Assignor::CooperativeSticky));
    assert_eq!(told(&case.assign(Assignor::CooperativeSticky)), ["a-0 a-2 a-4", "a-1 a-3 a-5"]);
    case.members.insert(3, ["a".into()].into());
    assert_eq!(told(&case.assign(Assignor::CooperativeSticky)), ["a-0 a-2", "a-1 a-3", "a-4 a-5"]);
    case.members.remove(&2);
    case.owners = [("a", 0, 1), ("a", 2, 1), ("a", 4, 3), ("a", 5, 3)]
        .map(|(topic, number, member)| (TopicPartition::new(topic, number), member))
        .into();
    assert_eq!(told(&case.assign(Assignor::CooperativeSticky)), ["a-0 a-1 a-2", "a-3 a-4 a-5"]);
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn case() -> impl Strategy<Value = Case> {
    let topics = proptest::collection::btree_map(proptest::sample::select(&NAMES[..]), 0..7_u32, 0..4);
    let topics =
        topics.prop_map(|topics| topics.into_iter().map(|(name, count)| (name.into(), count)).collect());
    let subscribed = proptest::collection::btree_set(proptest::sample::select(&NAMES[..]), 0..4);
    let subscribed =
        subscribed.prop_map(|names| names.into_iter().map(Arc::from).collect::<BTreeSet<Arc<str>>>());
    let members = prop_oneof![
        proptest::collection::btree_map(1..9_u64, subscribed.clone(), 1..5),
        (proptest::collection::btree_set(1..9_u64, 1..5), subscribed)
            .prop_map(|(ids, same)| ids.into_iter().map(|id| (id, same.clone())).collect()),
    ];
    // Owners that are members or not, of partitions that are there or not.
    let partition = (proptest::sample::select(&NAMES[..]), 0..8_u32);
    let partition = partition.prop_map(|(name, at)| TopicPartition::new(name, at));
    let owners = proptest::collection::btree_map(partition, 1..9_u64, 0..20);
    (members, topics, owners).prop_map(|(members, topics, owners)| Case { members, topics, owners })
}

/// How many partitions can stay where they are at most, when all subscribe to the same and nobody has two more than another.
fn most_kept(case: &Case, wanted: &BTreeSet<TopicPartition>) -> usize {
    let mut had: Vec<usize> = Vec::new();
    for member in case.members.keys() {
        had.push(wanted.iter().filter(|partition| case.owners.get(partition) == Some(member)).count());
    }
    let (each, longer) = (wanted.len() / had.len(), wanted.len() % had.len());
    let more = had.iter().filter(|count| **count > each).count().min(longer);
    had.iter().map(|count| (*count).min(each)).sum::<usize>() + more
}

proptest! {
    #[test]
    fn every_partition_goes_to_exactly_one_who_subscribes_to_it(case in case()) {
        for assignor in ALL {
            let assignment = case.assign(assignor);
            prop_assert!(assignment.keys().eq(case.members.keys()));
            let mut seen = BTreeSet::new();
            for (member, partition) in assignment.iter().flat_map(|(member, has)| has.iter().map(move |one| (member, one))) {
                prop_assert!(case.subscribes(*member, &partition.topic) && seen.insert(partition.clone()));
            }
            prop_assert_eq!(&seen, &case.wanted());
            let total = |counts: &[usize]| counts.iter().max().unwrap() - counts.iter().min().unwrap();
            if case.all_subscribe_to_the_same() && assignor != Assignor::Range {
                prop_assert!(total(&assignment.values().map(BTreeSet::len).collect::<Vec<_>>()) <= 1);
            }
            if assignor == Assignor::Range {
                for topic in case.topics.keys() {
                    let counts: Vec<_> = assignment
                        .iter()
                        .filter(|(member, _)| case.subscribes(**member, topic))
                        .map(|(_, has)| has.iter().filter(|one| one.topic == *topic).count())
                        .collect();
                    prop_assert!(counts.is_empty() || total(&counts) <= 1);
                }
            }
        }
    }

    #[test]
    fn the_sticky_one_moves_as_few_as_can_be_and_nobody_could_take_from_one_who_has_two_more(case in case()) {
        let assignment = case.assign(Assignor::CooperativeSticky);
        for (from, has) in &assignment {
            for (to, fewer) in &assignment {
                let could = has.iter().any(|partition| case.subscribes(*to, &partition.topic));
                prop_assert!(!could || has.len() < fewer.len() + 2, "{} could take from {}", to, from);
            }
        }
        if case.all_subscribe_to_the_same() {
            let after = owners(&assignment);
            let kept = after.iter().filter(|(partition, member)| case.owners.get(partition) == Some(member)).count();
            prop_assert_eq!(kept, most_kept(&case, &case.wanted()));
        }
        let again = Case { owners: owners(&assignment), ..case.clone() };
        prop_assert_eq!(again.assign(Assignor::CooperativeSticky), assignment);
    }
}

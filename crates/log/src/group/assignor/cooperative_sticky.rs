//! ```text
//!   keep      who has a partition keeps it, if the partition is there and the member subscribes to it
//!   place     what nobody has goes to the one with the fewest
//!   balance   as long as a member could take a partition from another one that has two more: it does
//! ```
//!
//! A move lowers the sum of the squares of what members have, so balancing ends. Of the partitions that could move, one goes
//! that its member did not have before, if there is one. Those are known by member: with thousands of partitions a step must not
//! look at all of them.

use super::{Assignment, MemberId, Situation, TopicPartition};

pub(super) fn assign(situation: Situation<'_>) -> Assignment {
    let (mut assignment, mut came) = (situation.nothing(), situation.nothing());
    for partition in situation.partitions() {
        let owner = situation.owners.get(&partition).copied();
        if let Some(owner) = owner.filter(|owner| situation.subscribes(*owner, &partition.topic)) {
            assignment.entry(owner).or_default().insert(partition);
        }
    }
    for partition in situation.partitions() {
        let owner = situation.owners.get(&partition).copied();
        if owner.is_some_and(|owner| situation.subscribes(owner, &partition.topic)) {
            continue;
        }
        let takers = assignment.iter().filter(|(member, _)| situation.subscribes(**member, &partition.topic));
        if let Some(member) = takers.min_by_key(|(_, has)| has.len()).map(|(member, _)| *member) {
            came.entry(member).or_default().insert(partition.clone());
            assignment.entry(member).or_default().insert(partition);
        }
    }
    while let Some((from, partition, to)) = next_move(situation, &assignment, &came) {
        assignment.entry(from).or_default().remove(&partition);
        came.entry(from).or_default().remove(&partition);
        if situation.owners.get(&partition) != Some(&to) {
            came.entry(to).or_default().insert(partition.clone());
        }
        assignment.entry(to).or_default().insert(partition);
    }
    assignment
}

/// A partition that should move, from the member that has the most to the one that has the fewest, as far as that can be. `came` are those
/// that members did not have before.
fn next_move<'a>(
    situation: Situation<'_>,
    assignment: &'a Assignment,
    came: &'a Assignment,
) -> Option<(MemberId, TopicPartition, MemberId)> {
    let mut by_load: Vec<(usize, MemberId)> =
        assignment.iter().map(|(member, has)| (has.len(), *member)).collect();
    by_load.sort_unstable();
    for (most, from) in by_load.iter().rev() {
        for (fewest, to) in by_load.iter().take_while(|(fewest, _)| fewest + 2 <= *most) {
            debug_assert!(fewest < most);
            // Of those that are alike the last one goes.
            let movable = |all: &'a Assignment| {
                let its = all.get(from).into_iter().flatten().rev();
                its.filter(|partition| situation.subscribes(*to, &partition.topic))
            };
            let first = movable(came).min_by_key(|partition| situation.owners.get(*partition) != Some(to));
            let first = first.or_else(|| movable(assignment).next());
            if let Some(partition) = first {
                return Some((*from, partition.clone(), *to));
            }
        }
    }
    None
}

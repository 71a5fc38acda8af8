//! ```text
//!   a-0 a-1 b-0 b-1 b-2      dealt to 1 2 3 1 2; whoever does not subscribe to the topic is passed over
//! ```

use super::{Assignment, MemberId, Situation};

pub(super) fn assign(situation: Situation<'_>) -> Assignment {
    let mut assignment = situation.nothing();
    let members: Vec<MemberId> = situation.members.keys().copied().collect();
    let mut turn = 0;
    for partition in situation.partitions() {
        let round = members.iter().copied().enumerate().cycle().skip(turn).take(members.len());
        let mut round = round.filter(|(_, member)| situation.subscribes(*member, &partition.topic));
        if let Some((at, member)) = round.next() {
            assignment.entry(member).or_default().insert(partition);
            turn = (at + 1) % members.len();
        }
    }
    assignment
}

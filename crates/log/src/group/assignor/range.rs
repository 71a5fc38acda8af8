//! ```text
//!   7 partitions, 3 members    0 1 2 | 3 4 | 5 6      7 = 3 x 2 + 1: one member has one more
//! ```

use super::{Assignment, MemberId, Situation, TopicPartition};

pub(super) fn assign(situation: Situation<'_>) -> Assignment {
    let mut assignment = situation.nothing();
    for (topic, partitions) in situation.topics {
        let members: Vec<MemberId> =
            situation.members.keys().copied().filter(|member| situation.subscribes(*member, topic)).collect();
        let Ok(count) = u32::try_from(members.len()) else { continue };
        if count == 0 {
            continue;
        }
        let (each, longer) = (partitions / count, partitions % count);
        let mut next = 0;
        for (at, member) in (0_u32..).zip(members) {
            let end = next + each + u32::from(at < longer);
            let run = (next..end).map(|number| TopicPartition::new(topic.clone(), number));
            assignment.entry(member).or_default().extend(run);
            next = end;
        }
    }
    assignment
}

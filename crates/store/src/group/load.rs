//! Groups read back from the log, for the sessions that belong to them.
//!
//! ```text
//!   group in the log     unfinished: 3 5 8      position: 9
//!   sessions in the log    on their way:   5            11
//!   the group then       returned: 3 8   held: 5 11     goes on with 9, 10, 12
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headwater_log::{Ack, Partition, Record};
use headwater_topic::TopicFilterBuf;

use super::cursor::Cursor;
use super::keep::{Saving, key};
use super::{Group, GroupRecord, Groups};
use crate::delivery::Origin;
use crate::error::OpenError;
use crate::lock::lock;
use crate::session::Snapshot;

/// What the sessions say about their groups.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    each: BTreeMap<TopicFilterBuf, Claim>,
    /// The next key that no session has.
    next_key: u64,
}

/// What they say about one group.
#[derive(Debug, Default)]
struct Claim {
    members: Vec<u64>,
    held: BTreeSet<(u64, u32, u64)>,
}

impl Claims {
    /// A session that was read back, whose key this is.
    pub(crate) fn take(&mut self, key: u64, saved: &Snapshot) {
        self.next_key = self.next_key.max(key.saturating_add(1));
        for subscription in saved.subscriptions.iter().filter(|one| one.filter.as_filter().shared().is_some())
        {
            self.each.entry(subscription.filter.clone()).or_default().members.push(key);
        }
        for record in saved.outgoing.iter().filter(|record| record.source.origin == Origin::Messages) {
            if let Some(text) = saved.share(record) {
                let place = (key, record.source.partition, record.source.offset);
                self.each.entry(text.clone()).or_default().held.insert(place);
            }
        }
    }
}

/// Makes the groups of which there are members; the records of others are ended. Returns the groups and whether something was written.
pub(crate) fn load(
    log: &Partition,
    mut records: HashMap<Box<str>, GroupRecord>,
    mut claims: Claims,
    ends: &[u64],
) -> Result<(Groups, bool), OpenError> {
    // Who has left a group keeps what was sent to it, but does not keep the group alive.
    claims.each.retain(|_, claim| !claim.members.is_empty());
    let mut changed = false;
    let mut groups = Vec::new();
    for (key_in_tree, (text, claim)) in (claims.next_key..).zip(claims.each) {
        let mut record = records.remove(text.as_str());
        if let Some(record) = &mut record
            && record.cut(ends)
        {
            changed = true;
            log.append(&Record::new(&record.encode()).key(&key(text.as_str())), Ack::Appended)?;
        }
        groups.push(Arc::new(Group::read_back(key_in_tree, text, record, claim, ends)));
    }
    for text in records.keys() {
        changed = true;
        log.append(&Record::tombstone(&key(text)), Ack::Appended)?;
    }
    Ok((Groups::new(groups), changed))
}

impl Group {
    fn read_back(
        key: u64,
        text: TopicFilterBuf,
        record: Option<GroupRecord>,
        claim: Claim,
        ends: &[u64],
    ) -> Self {
        let saving = record.as_ref().map(|record| Saving::kept(record.positions.clone())).unwrap_or_default();
        // It is written before the first session that belongs to it, so it is there.
        let beginning = || GroupRecord { positions: ends.to_vec(), unfinished: Vec::new() };
        let GroupRecord { positions, unfinished } = record.unwrap_or_else(beginning);
        let unfinished: BTreeSet<(u32, u64)> = unfinished.into_iter().collect();
        let claimed: BTreeSet<(u32, u64)> =
            claim.held.iter().map(|(_, partition, offset)| (*partition, *offset)).collect();
        let cursor = |(partition, position): (u32, &u64)| {
            let returned =
                of(&unfinished, partition, 0).filter(|offset| !claimed.contains(&(partition, *offset)));
            Cursor::away(*position, returned.collect(), of(&claimed, partition, *position).collect())
        };
        let group = Self::new(key, text, (0..).zip(&positions).map(cursor).collect());
        {
            let mut state = lock(&group.state);
            state.away = claim.members.into_iter().collect();
            state.held = claim.held;
            // What is finished is not the group's business any more, even if a session that was saved before sends it again.
            state.held.retain(|(_, partition, offset)| {
                let position = usize::try_from(*partition).ok().and_then(|index| positions.get(index));
                position.is_some_and(|position| offset >= position)
                    || unfinished.contains(&(*partition, *offset))
            });
        }
        *lock(&group.saving) = saving;
        group
    }
}

/// The offsets of one partition, from one on.
fn of(places: &BTreeSet<(u32, u64)>, partition: u32, from: u64) -> impl Iterator<Item = u64> {
    places.range((partition, from)..=(partition, u64::MAX)).map(|(_, offset)| *offset)
}

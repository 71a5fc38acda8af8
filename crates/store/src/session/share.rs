//! A session as a member of groups: shared subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_codec::{QoS, SubscribeOptions, SubscriptionId};
use headwater_log::{AppendError, ReadError};
use headwater_session::{InFlight, Stage};
use headwater_topic::{TopicFilter, TopicFilterBuf};

use super::attached::Attached;
use super::core::State;
use super::snapshot::{OutgoingRecord, Snapshot};
use crate::delivery::{Delivery, Origin, Share};
use crate::group::{Fate, Group, Occasion};
use crate::lock::lock;
use crate::offsets::Offsets;
use crate::store::Shared;
use crate::subscription::{Past, Subscription, Terms};

impl Attached {
    /// A delivery is done with: the exchange is complete, whatever the client said to it [MQTT-4.8.2-6], or the message was given up.
    ///
    /// Only messages of a [shared subscription](Delivery::share) of QoS 1 and 2 have to be finished, all others may be. One that is not
    /// finished goes to another member of the group when the client goes, unless [`detach`](Self::detach) is told that it is under way;
    /// after a crash it comes again. Costs O(log messages under way in the group), and now and then a record of the group.
    ///
    /// # Errors
    ///
    /// [`AppendError`] when the log does not take the group. The delivery is finished all the same; after a crash more comes again.
    pub fn finish(&self, delivery: &Delivery) -> Result<(), AppendError> {
        let Some(share) = &delivery.share else { return Ok(()) };
        let source = delivery.source;
        if !share.0.finish(self.core.key, source.partition, source.offset) {
            return Ok(());
        }
        self.shared.save_group(&share.0, Occasion::Message)
    }

    /// What the connection is done with as soon as it has it: QoS 0 is sent at most once.
    pub(super) fn hand_over(&self, delivery: Delivery) -> Delivery {
        if delivery.qos == QoS::AtMostOnce {
            self.let_go(&delivery);
        }
        delivery
    }

    /// A delivery is not sent, or not waited for. No exchange tells of it, so nobody saves the session, and with it the group.
    pub(super) fn let_go(&self, delivery: &Delivery) {
        // If the log does not take the group, more comes again after a crash.
        let _ = self.finish(delivery);
    }

    pub(super) fn subscribe_shared(
        &self,
        filter: TopicFilter<'_>,
        options: SubscribeOptions,
        id: Option<SubscriptionId>,
    ) -> bool {
        let text = TopicFilterBuf::from(filter);
        let terms = Terms { options, id };
        let group = self.shared.join_group(&text, &self.core, terms);
        let mut state = lock(&self.core.state);
        state.left.retain(|left| !Arc::ptr_eq(left, &group));
        match state.shares.iter_mut().find(|(share, _)| Arc::ptr_eq(share, &group)) {
            Some((_, before)) => {
                *before = terms;
                true
            }
            None => {
                state.shares.push((group, terms));
                false
            }
        }
    }

    pub(super) fn unsubscribe_shared(&self, filter: TopicFilter<'_>) -> bool {
        let group = {
            let mut state = lock(&self.core.state);
            let Some(index) = state.share(filter) else { return false };
            state.shares.remove(index).0
        };
        let left = self.shared.leave_group(&group, &self.core);
        let mut state = lock(&self.core.state);
        state.to_read.retain(|other| !Arc::ptr_eq(other, &group));
        if left.holds {
            state.left.push(Arc::clone(&group));
        }
        if left.has_ended {
            state.ended.push(group);
        }
        true
    }

    /// Reads for a group that is behind. `false` if none is.
    pub(super) fn read_for_group(&mut self) -> Result<bool, ReadError> {
        let group = {
            let mut state = lock(&self.core.state);
            if !state.can_read_for_group() {
                return Ok(false);
            }
            state.to_read.pop_front()
        };
        let Some(group) = group else { return Ok(false) };
        if group.read(&self.shared, self.core.key, &mut self.fell_behind)? {
            lock(&self.core.state).wants_read(&group);
        }
        Ok(true)
    }

    /// Saves the groups of the session, before the session itself if it is to outlive its connection.
    pub(super) fn save_groups(&self, occasion: Occasion) -> Result<(), AppendError> {
        let groups: Vec<_> =
            lock(&self.core.state).shares.iter().map(|(group, _)| Arc::clone(group)).collect();
        groups.iter().try_for_each(|group| self.shared.save_group(group, occasion))
    }

    /// Writes that groups have ended, once the session says that it is no member any more.
    pub(super) fn forget_groups(&self) -> Result<(), AppendError> {
        let ended = std::mem::take(&mut lock(&self.core.state).ended);
        ended.iter().try_for_each(|group| self.shared.forget_group(group))
    }
}

impl State {
    /// The place of a shared subscription.
    pub(super) fn share(&self, filter: TopicFilter<'_>) -> Option<usize> {
        self.shares.iter().position(|(group, _)| group.text.as_filter() == filter)
    }

    /// Shared subscriptions as they are kept.
    pub(super) fn shared_subscriptions(&self) -> impl Iterator<Item = Subscription> {
        self.shares.iter().map(|(group, terms)| Subscription {
            filter: group.text.clone(),
            terms: *terms,
            starts: Offsets::default(),
            earlier: Vec::new(),
            past: Past::default(),
        })
    }
}

/// The shared filters that messages came by, each once.
pub(super) fn shares_of<'a>(outgoing: impl Iterator<Item = &'a InFlight<Delivery>>) -> Vec<TopicFilterBuf> {
    let mut shares: Vec<TopicFilterBuf> = Vec::new();
    for share in outgoing.filter_map(|in_flight| in_flight.message.share.as_ref()) {
        if share.place(&shares).is_none() {
            shares.push(share.0.text.clone());
        }
    }
    shares
}

impl Share {
    /// The place of its filter.
    pub(super) fn place(&self, shares: &[TopicFilterBuf]) -> Option<u32> {
        place_of(&self.0, shares)
    }
}

fn place_of(group: &Group, shares: &[TopicFilterBuf]) -> Option<u32> {
    u32::try_from(shares.iter().position(|share| *share == group.text)?).ok()
}

/// The messages of groups that are under way with a session.
#[derive(Debug)]
pub(super) struct UnderWay {
    shares: Vec<TopicFilterBuf>,
    /// Filter, partition and offset; whether nobody else may get it.
    messages: HashMap<(u32, u32, u64), bool>,
}

impl UnderWay {
    fn find(&self, group: &Group, partition: u32, offset: u64) -> Option<bool> {
        self.messages.get(&(place_of(group, &self.shares)?, partition, offset)).copied()
    }
}

impl Snapshot {
    /// The shared filter that a message came by.
    pub(crate) fn share(&self, record: &OutgoingRecord) -> Option<&TopicFilterBuf> {
        self.shares.get(usize::try_from(record.share?).ok()?)
    }

    pub(super) fn under_way(&self) -> UnderWay {
        let of_groups = self.outgoing.iter().filter(|record| record.source.origin == Origin::Messages);
        let messages = of_groups.filter_map(|record| {
            let is_its_own = record.sent && record.stage != Stage::PubAck;
            Some(((record.share?, record.source.partition, record.source.offset), is_its_own))
        });
        UnderWay { shares: self.shares.clone(), messages: messages.collect() }
    }
}

impl Shared {
    /// The client of a session has gone, with these exchanges under way; `kept` is what is kept of the session, `None` if it has ended.
    /// What was not sent goes to other members; what was sent stays with the session. If that has ended, QoS 1 goes to others
    /// and QoS 2 to nobody [MQTT-4.8.2-4] [MQTT-4.8.2-5]. Returns the groups that have ended; nothing is written.
    pub(super) fn part(
        &self,
        key: u64,
        groups: &[Arc<Group>],
        under_way: Option<&UnderWay>,
        kept: Option<(&Snapshot, &UnderWay)>,
    ) -> Vec<Arc<Group>> {
        let fate = |group: &Group, partition: u32, offset: u64| {
            let find = |all: &UnderWay| all.find(group, partition, offset);
            if kept.is_some_and(|(_, kept)| find(kept).is_some()) {
                return Fate::Held;
            }
            if under_way.and_then(find) == Some(true) { Fate::Over } else { Fate::Returned }
        };
        let comes_back = |group: &Group| {
            kept.is_some_and(|(kept, _)| kept.subscriptions.iter().any(|one| one.filter == group.text))
        };
        self.leave_groups(groups, key, comes_back, fate)
    }

    /// Writes what has become of groups that sessions have left. One that has ended is not saved, and one that lasts is not forgotten.
    pub(super) fn save_left<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a Arc<Group>>,
        ended: &[Arc<Group>],
    ) -> Result<(), AppendError> {
        for group in groups {
            if ended.iter().any(|other| Arc::ptr_eq(other, group)) {
                self.forget_group(group)?;
            } else {
                self.save_group(group, Occasion::Change)?;
            }
        }
        Ok(())
    }

    /// A session whose client is away has ended. Returns its groups, and those of them that have ended with it, which is to be
    /// [written](Self::save_left).
    pub(super) fn part_for_good(&self, key: u64, saved: &Snapshot) -> (Vec<Arc<Group>>, Vec<Arc<Group>>) {
        let groups = self.groups_of(saved);
        let ended = self.part(key, &groups, Some(&saved.under_way()), None);
        (groups, ended)
    }

    /// The groups that a session is a member of or has messages of.
    pub(super) fn groups_of(&self, saved: &Snapshot) -> Vec<Arc<Group>> {
        let subscribed = saved.subscriptions.iter().map(|subscription| &subscription.filter);
        let shared = subscribed.filter(|filter| filter.as_filter().shared().is_some());
        let mut texts: Vec<_> = shared.chain(&saved.shares).collect();
        texts.sort_unstable();
        texts.dedup();
        texts.into_iter().filter_map(|text| self.groups.find(text.as_str())).collect()
    }
}

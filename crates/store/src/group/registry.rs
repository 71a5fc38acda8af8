//! All groups: found by their filter, and by the topics of messages while a member is connected.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use headwater_topic::{SubscriptionTree, TopicFilterBuf, TopicName};

use super::cursor::Cursor;
use super::{Fate, Group};
use crate::counters::Counters;
use crate::lock::{lock, read, write};
use crate::session::Core;
use crate::store::Shared;
use crate::subscription::Terms;

/// All groups of a store.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(super) by_text: Mutex<HashMap<Box<str>, Arc<Group>>>,
    /// Those with a member that is connected, under the filter that their messages match.
    tree: RwLock<SubscriptionTree<u64, Arc<Group>>>,
    /// How often a connected session is a member.
    members: AtomicUsize,
}

impl Groups {
    pub(super) fn new(groups: impl IntoIterator<Item = Arc<Group>>) -> Self {
        let by_text = groups.into_iter().map(|group| (group.text.as_str().into(), group)).collect();
        Self { by_text: Mutex::new(by_text), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.by_text).len()
    }

    pub(crate) fn members(&self) -> usize {
        self.members.load(Ordering::Relaxed)
    }

    pub(crate) fn find(&self, text: &str) -> Option<Arc<Group>> {
        lock(&self.by_text).get(text).cloned()
    }

    /// Those that have a member connected and match.
    pub(crate) fn matching(&self, topic: TopicName<'_>) -> Vec<Arc<Group>> {
        let tree = read(&self.tree);
        let mut found = Vec::new();
        if !tree.is_empty() {
            tree.matches(topic, |_, group| found.push(Arc::clone(group)));
        }
        found
    }
}

impl Shared {
    /// Makes a session that is connected a member of a group, or changes its terms. A group that is not there begins at the end of the
    /// log.
    pub(crate) fn join_group(&self, text: &TopicFilterBuf, core: &Arc<Core>, terms: Terms) -> Arc<Group> {
        let mut groups = lock(&self.groups.by_text);
        // Under the lock of the tree: what comes after the beginning finds the group.
        let mut tree = write(&self.groups.tree);
        let group = match groups.entry(text.as_str().into()) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                let cursors = self.lanes.iter().map(|lane| Cursor::beginning(lane.partition.appended_end()));
                let group = Group::new(self.next_session_key(), text.clone(), cursors.collect());
                Arc::clone(entry.insert(Arc::new(group)))
            }
        };
        let before = group.presence().0;
        group.enter(core, terms);
        let now = group.presence().0;
        self.groups.members.fetch_add(now - before, Ordering::Relaxed);
        if before == 0 {
            tree.subscribe(group.filter(), group.key, Arc::clone(&group));
        }
        group
    }

    /// A member that is connected goes, for a while or for good; `true` if the group has ended with it.
    fn exit_group(&self, group: &Arc<Group>, key: u64, comes_back: bool) -> bool {
        let mut groups = lock(&self.groups.by_text);
        let dispatched = self.dispatched();
        let (before, was_ended) = group.presence();
        group.exit(key, comes_back, &dispatched);
        let (now, ended) = group.presence();
        self.groups.members.fetch_sub(before - now, Ordering::Relaxed);
        if before > 0 && now == 0 {
            write(&self.groups.tree).unsubscribe(group.filter(), &group.key);
        }
        if ended && !was_ended {
            groups.remove(group.text.as_str());
        }
        ended && !was_ended
    }

    /// A session that is connected unsubscribes. What waits for it goes to others; what was sent stays with it.
    pub(crate) fn leave_group(&self, group: &Arc<Group>, core: &Core) -> Left {
        let has_ended = self.exit_group(group, core.key, false);
        let unsent: HashSet<(u32, u64)> = core.take_unsent(group).collect();
        let returned = group.give_back(core.key, &unsent, &self.dispatched());
        self.count_returned(returned);
        Left { has_ended, holds: !has_ended && group.is_holder(core.key) }
    }

    /// The client of a session goes, or the session ends: `fate` tells of each message that it was handed and has not finished, by group,
    /// partition and offset, what becomes of it. Returns the groups that have ended.
    pub(crate) fn leave_groups(
        &self,
        groups: &[Arc<Group>],
        key: u64,
        comes_back: impl Fn(&Group) -> bool,
        fate: impl Fn(&Group, u32, u64) -> Fate,
    ) -> Vec<Arc<Group>> {
        let mut ended = Vec::new();
        for group in groups {
            if self.exit_group(group, key, comes_back(group)) {
                ended.push(Arc::clone(group));
            }
            let fate = |partition, offset| fate(group, partition, offset);
            let returned = group.settle(key, &self.dispatched(), fate);
            self.count_returned(returned);
        }
        ended
    }

    fn count_returned(&self, returned: usize) {
        Counters::add(&self.counters.returned, u64::try_from(returned).unwrap_or(u64::MAX));
    }
}

/// What remains of a membership.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// The group has ended with it.
    pub(crate) has_ended: bool,
    /// The session still has messages of the group under way.
    pub(crate) holds: bool,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_codec::{Publish, QoS, SubscribeOptions};
    use headwater_log::{Log, LogOptions};
    use headwater_session::State;
    use headwater_topic::TopicFilter;

    use super::*;
    use crate::{Attach, Message, Next, Origin, Source, Store, StoreOptions};

    #[test]
    fn only_groups_with_a_member_that_is_connected_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        let store = Store::open(&log, StoreOptions::default(), 0).unwrap();
        let come = |client_id, expiry_secs| {
            let wake = Arc::new(|| {});
            let attach = Attach { client_id, clean_start: false, expiry_secs, wake, now_ms: 0 };
            let (mut attached, ..) = store.attach(&attach).unwrap();
            let filter = TopicFilter::parse("$share/g/t").unwrap();
            attached.subscribe(filter, SubscribeOptions::new(QoS::AtLeastOnce), None);
            attached
        };
        let asked = || store.shared.groups.matching(TopicName::parse("t").unwrap()).len();
        let go = |attached: crate::Attached, expiry_secs| {
            let _ = attached.detach(&State::default(), expiry_secs, 0).unwrap();
        };
        let (lasting, passing) = (come("lasting", 60), come("passing", 0));
        assert_eq!(asked(), 1);
        go(passing, 0);
        assert_eq!(asked(), 1);
        go(lasting, 60);
        assert_eq!((asked(), store.statistics().groups), (0, 1));
        let lasting = come("lasting", 60);
        assert_eq!(asked(), 1);
        go(lasting, 0);
        assert_eq!((asked(), store.statistics().groups), (0, 0));
    }

    #[test]
    fn a_message_of_qos_0_that_was_appended_before_the_group_is_not_for_it_though_it_is_forwarded_after() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        let store = Store::open(&log, StoreOptions::default(), 0).unwrap();
        let publish = Publish::new(TopicName::parse("t").unwrap(), b"x");
        let placement = store.publish(&publish, Bytes::new, "p", 0).unwrap();
        let (partition, offset) = placement.message.unwrap();
        let attach =
            Attach { client_id: "c", clean_start: true, expiry_secs: 0, wake: Arc::new(|| {}), now_ms: 0 };
        let (mut attached, ..) = store.attach(&attach).unwrap();
        let filter = TopicFilter::parse("$share/g/t").unwrap();
        attached.subscribe(filter, SubscribeOptions::new(QoS::AtLeastOnce), None);
        let group = store.shared.groups.find("$share/g/t").unwrap();
        let message = Arc::new(Message::from_publish(&publish, Bytes::new(), "p", 0).unwrap());
        for (offset, comes) in [(offset, false), (offset + 1, true)] {
            let source = Source { origin: Origin::Messages, partition, offset };
            assert!(group.offer(&message, source, &store.shared.options));
            assert_eq!(matches!(attached.next(0).unwrap(), Next::Delivery(_)), comes);
        }
    }
}

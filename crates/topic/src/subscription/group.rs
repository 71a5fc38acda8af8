//! Shared groups: subscriptions of which one gets each message, section 4.8.2 of MQTT 5.0.
//!
//! ```text
//!   $share/workers/jobs/+   {k1, k2}        by_filter   jobs/+ -> [group 0, group 1]       what a name matches
//!   $share/audit/jobs/+     {k3}            by_text     the whole text -> group            what is subscribed
//!                                           owners      k1 -> group 0, ..                  who leaves
//! ```
//!
//! They have an index of their own, so that a match in a tree without them pays for one question only.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::Hash;
use core::mem;

use super::choose::Choose;
use super::hash::{self, Seed};
use super::index::Index;
use super::members::Members;
use super::owners::{Held, Owners};
use super::subscribers::Subscribers;
use super::table::{Hashed, Table};
use super::trie::Walk;
use super::turn::Turn;
use crate::filter::TopicFilter;
use crate::name::TopicName;
use crate::shared::{self, SharedFilter};

/// One more than the place of a group.
pub(super) type GroupId = Held;

#[derive(Clone, Debug)]
pub(super) struct Groups<K, V> {
    by_filter: Index<Vec<GroupId>>,
    by_text: Table<Named>,
    /// Boxed, so that what a group leaves vacant is one word.
    groups: Vec<Option<Box<Entry<K, V>>>>,
    vacant: Vec<GroupId>,
    owners: Owners<K>,
    /// The number of subscriptions.
    len: usize,
}

#[derive(Clone, Debug)]
struct Named {
    hash: u32,
    group: GroupId,
}

impl Hashed for Named {
    fn hash(&self, _seed: u64) -> u32 {
        self.hash
    }
}

#[derive(Clone, Debug)]
struct Entry<K, V> {
    /// The whole text, `$share/` included.
    text: Box<str>,
    members: Members<K, V>,
    turn: Turn,
    seed: Seed,
    /// Where it is among the groups of its filter.
    place: usize,
}

impl<K, V> Groups<K, V> {
    pub(super) fn new(seed: &Seed) -> Self {
        Self {
            by_filter: Index::new(seed),
            by_text: Table::new(0),
            groups: Vec::new(),
            vacant: Vec::new(),
            owners: Owners::new(),
            len: 0,
        }
    }

    /// The number of subscriptions.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The number of groups, a group for each filter it shares.
    pub(super) const fn count(&self) -> usize {
        self.by_text.len()
    }

    pub(super) const fn node_count(&self) -> usize {
        self.by_filter.node_count()
    }

    /// Bytes allocated, what keys and values allocated aside.
    pub(super) fn bytes(&self) -> usize {
        let entry = |entry: &Entry<K, V>| size_of::<Entry<K, V>>() + entry.text.len() + entry.members.bytes();
        self.by_filter.bytes()
            + self.by_filter.iter().map(|(_, groups)| groups.capacity() * size_of::<GroupId>()).sum::<usize>()
            + self.by_text.bytes()
            + self.groups.capacity() * size_of::<Option<Box<Entry<K, V>>>>()
            + self.groups.iter().flatten().map(|boxed| entry(boxed)).sum::<usize>()
            + self.vacant.capacity() * size_of::<GroupId>()
            + self.owners.bytes()
    }

    fn entry(&self, id: GroupId) -> Option<&Entry<K, V>> {
        self.groups.get(id.get() as usize - 1)?.as_deref()
    }

    fn entry_mut(&mut self, id: GroupId) -> Option<&mut Entry<K, V>> {
        self.groups.get_mut(id.get() as usize - 1)?.as_deref_mut()
    }

    /// All groups, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Group<'_, K, V>> {
        self.groups.iter().flatten().map(|entry| Group { entry })
    }

    /// The group of a whole text.
    pub(super) fn get(&self, text: &str, seed: &Seed) -> Option<Group<'_, K, V>> {
        let (_, id) = self.find(text, seed)?;
        self.group(id)
    }

    /// The group with a number that [`matches`](Self::matches) gave.
    pub(super) fn group(&self, id: GroupId) -> Option<Group<'_, K, V>> {
        self.entry(id).map(|entry| Group { entry })
    }

    fn find(&self, text: &str, seed: &Seed) -> Option<(usize, GroupId)> {
        let hash = hash::high(seed.text(text.as_bytes()));
        let is = |named: &Named| {
            named.hash == hash && self.entry(named.group).is_some_and(|entry| *entry.text == *text)
        };
        let at = self.by_text.find(hash, is)?;
        self.by_text.get(at).map(|named| (at, named.group))
    }

    /// Calls `visit` for each group whose filter matches the name.
    pub(super) fn matches(&self, name: TopicName<'_>, walk: &mut Walk, mut visit: impl FnMut(GroupId)) {
        self.by_filter.matches(name, walk, |_, groups| groups.iter().for_each(|id| visit(*id)), |_| {});
    }
}

impl<K: Hash + Eq, V> Groups<K, V> {
    /// Enters a member, or replaces its value. `owner` is the key once more.
    pub(super) fn subscribe(
        &mut self,
        filter: SharedFilter<'_>,
        text: &str,
        key: K,
        owner: K,
        value: V,
        seed: &Seed,
    ) -> Option<V> {
        let id = match self.find(text, seed) {
            Some((_, id)) => id,
            None => self.add(filter, text, seed),
        };
        let entry = self.entry_mut(id)?;
        let before = entry.members.len();
        let replaced = entry.members.insert(key, value, seed);
        if replaced.is_none() {
            entry.turn.settle(before);
            self.owners.add(owner, id, seed);
            self.len += 1;
        }
        replaced
    }

    fn add(&mut self, filter: SharedFilter<'_>, text: &str, seed: &Seed) -> GroupId {
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.groups.push(None);
            u32::try_from(self.groups.len()).ok().and_then(GroupId::new).unwrap_or_else(|| overflow())
        });
        let wanted = self.by_filter.wanted(filter.filter());
        let place = match self.by_filter.find(wanted) {
            Some(at) => {
                let groups = self.by_filter.payload_mut(at);
                groups.map_or(0, |groups| {
                    groups.push(id);
                    groups.len() - 1
                })
            }
            None => {
                self.by_filter.insert(wanted, [id].into());
                0
            }
        };
        let entry = Entry {
            text: text.into(),
            members: Members::new(),
            turn: Turn::new(),
            seed: seed.clone(),
            place,
        };
        if let Some(slot) = self.groups.get_mut(id.get() as usize - 1) {
            *slot = Some(Box::new(entry));
        }
        self.by_text.insert(Named { hash: hash::high(seed.text(text.as_bytes())), group: id });
        id
    }

    /// Takes a member out, and the group with its last member.
    pub(super) fn unsubscribe<Q>(&mut self, text: &str, key: &Q, seed: &Seed) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (_, id) = self.find(text, seed)?;
        let value = self.leave(id, key, seed)?;
        self.owners.remove(key, id, seed);
        self.renumber(seed);
        Some(value)
    }

    /// Takes a subscriber out of all groups; returns of how many.
    pub(super) fn unsubscribe_all<Q>(&mut self, key: &Q, seed: &Seed) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let left = self.owners.take(key, seed).filter(|id| self.leave(*id, key, seed).is_some()).count();
        self.renumber(seed);
        left
    }

    fn leave<Q>(&mut self, id: GroupId, key: &Q, seed: &Seed) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.entry_mut(id)?;
        let before = entry.members.len();
        let value = entry.members.remove(key, seed)?;
        entry.turn.settle(before);
        let is_last = entry.members.len() == 0;
        self.len -= 1;
        if is_last {
            self.remove(id, seed);
        }
        Some(value)
    }

    fn remove(&mut self, id: GroupId, seed: &Seed) {
        let Some(entry) = self.groups.get_mut(id.get() as usize - 1).and_then(Option::take) else { return };
        self.vacant.push(id);
        let hash = hash::high(seed.text(entry.text.as_bytes()));
        if let Some(at) = self.by_text.find(hash, |named| named.group == id) {
            self.by_text.remove(at);
        }
        let Some(filter) = shared::split(&entry.text).map(SharedFilter::filter) else { return };
        let Some(at) = self.by_filter.find(self.by_filter.wanted(filter)) else { return };
        let Some(groups) = self.by_filter.payload_mut(at) else { return };
        groups.swap_remove(entry.place);
        if groups.len() < groups.capacity() / 4 {
            groups.shrink_to(groups.len() * 2);
        }
        let moved = groups.get(entry.place).copied();
        if groups.is_empty() {
            self.by_filter.remove(at, filter.as_str());
        }
        if let Some(moved) = moved.and_then(|moved| self.entry_mut(moved)) {
            moved.place = entry.place;
        }
        // Nobody else knows these texts by their place.
        if self.by_filter.should_move(0) {
            self.by_filter.move_texts();
        }
    }

    /// Gives all groups new numbers when three quarters of those given out are vacant, and no more memberships than those pay for.
    fn renumber(&mut self, seed: &Seed) {
        let vacant = self.vacant.len();
        if vacant <= 64 || vacant <= self.groups.len() / 4 * 3 || vacant <= self.len / 4 {
            return;
        }
        let mut numbers = Vec::with_capacity(self.groups.len());
        let mut groups = Vec::with_capacity(self.groups.len() - vacant);
        for group in mem::take(&mut self.groups) {
            groups.extend(group.map(Some));
            // Of a vacant one nobody asks for the number.
            numbers.push(u32::try_from(groups.len()).ok().and_then(GroupId::new).unwrap_or(GroupId::MIN));
        }
        let new = |old: GroupId| numbers.get(old.get() as usize - 1).copied().unwrap_or(old);
        self.vacant = Vec::new();
        self.groups = groups;
        self.by_text.iter_mut().for_each(|named| named.group = new(named.group));
        self.owners.rename(new, seed);
        for (id, entry) in (1..).zip(self.groups.iter().flatten()) {
            let Some(filter) = shared::split(&entry.text).map(SharedFilter::filter) else { continue };
            let Some(at) = self.by_filter.find(self.by_filter.wanted(filter)) else { continue };
            if let Some(groups) = self.by_filter.payload_mut(at)
                && let Some((group, id)) = groups.get_mut(entry.place).zip(GroupId::new(id))
            {
                *group = id;
            }
        }
    }
}

/// A shared group on one filter, with its members; one of them gets each message.
///
/// `Copy`, and one word wide. Found by a match, or by [`SubscriptionTree::group`](crate::SubscriptionTree::group) when a message
/// has to go to another member than the first one chosen.
pub struct Group<'tree, K, V> {
    entry: &'tree Entry<K, V>,
}

impl<'tree, K, V> Group<'tree, K, V> {
    /// The filter as it was subscribed to, `$share/` and the group's name included.
    #[must_use]
    pub fn filter(self) -> TopicFilter<'tree> {
        TopicFilter(&self.entry.text)
    }

    /// The number of members, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a group without members is none")]
    #[must_use]
    pub fn len(self) -> usize {
        self.entry.members.len()
    }

    /// The members. Their order changes when one leaves: the last takes its place.
    #[must_use]
    pub fn members(self) -> Subscribers<'tree, K, V> {
        Subscribers::of(&self.entry.members)
    }

    /// Chooses a member that is open, or `None` if none is.
    pub fn choose(
        self,
        choice: &mut (impl Choose<K, V> + ?Sized),
        mut open: impl FnMut(&K, &V) -> bool,
    ) -> Option<(&'tree K, &'tree V)> {
        let at = choice.choose(self, &mut open)?;
        self.members().get(at)
    }

    /// One member with its value.
    pub fn member<Q>(self, key: &Q) -> Option<(&'tree K, &'tree V)>
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        self.members().get(self.entry.members.find(key, &self.entry.seed)?)
    }

    pub(super) fn turn(self) -> &'tree Turn {
        &self.entry.turn
    }

    pub(super) fn hash_of(self, key: &K) -> u32
    where
        K: Hash,
    {
        self.entry.seed.key(key)
    }
}

impl<K, V> Clone for Group<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Group<'_, K, V> {}

/// Prints the filter and how many members there are.
impl<K, V> fmt::Debug for Group<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("filter", &self.filter())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 2^32 - 1 groups at most")
}

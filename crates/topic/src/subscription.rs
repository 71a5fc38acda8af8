//! Who gets a message: subscriptions, searched by topic name.
//!
//! ```text
//!   index    a/b -> k1 v     a/+ -> list 0      filters, each once: exact ones in a table, wildcards in a tree
//!   lists    [0: k1 k2 k3 | v v v]              subscribers of a filter that has several, side by side
//!   owners   k1 -> a/b, a/+                     the way back, for a subscriber that leaves
//!   groups   $share/g/a/+ -> {k1, k2}           shared subscriptions, of which one gets each message
//! ```
//!
//! `docs/topic.md` says why it is so.

mod change;
mod choose;
#[cfg(feature = "std")]
mod concurrent;
mod delivery;
mod found;
mod group;
mod hash;
mod index;
mod list;
mod matching;
mod members;
mod owners;
mod pile;
mod places;
mod prefetch;
mod split;
mod subscribers;
mod table;
mod text;
mod trie;
mod turn;
mod words;

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::fmt;
use core::hash::Hash;

use crate::filter::TopicFilter;
pub use choose::{Choose, LeastLoaded, Random, RoundRobin, Sticky};
#[cfg(feature = "std")]
pub use concurrent::{Change, ConcurrentTree, ReadGuard};
pub use delivery::{Delivery, DeliveryOptions};
pub use found::{Found, Matches};
pub use group::Group;
use group::Groups;
use hash::Seed;
use index::{Index, Place};
use list::{List, Lists};
use owners::Owners;
pub use subscribers::Subscribers;

/// A set of subscriptions, each a filter, a subscriber `K` and a value `V`, that finds those that match a topic name.
///
/// A subscription is named by its filter and its subscriber together: to subscribe again replaces the value, as
/// [MQTT-3.8.4-3] wants. `V` holds what the subscriber asked for, its options for one. `K` is cloned once for
/// each subscription.
///
/// A filter that begins with `$share/` is a shared one: its subscribers are the members of a group, and of those one gets each
/// message that the filter inside matches (MQTT 5.0, section 4.8.2). See [`Choose`] for who that is.
///
/// # Cost
///
/// | | |
/// |---|---|
/// | [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe), [`get`](Self::get) | O(bytes of the filter), amortised, whatever the number of subscriptions; at worst that for each level it shares with one other filter only |
/// | [`unsubscribe_all`](Self::unsubscribe_all) | that, for each subscription of the one who leaves |
/// | [`matches`](Self::matches) | O(bytes of the name + edges visited + bytes of the filters those lead to + matches) |
///
/// A match looks up the whole name once, and walks the tree of wildcard filters: it visits each edge of the tree at most once, and at
/// most 2 to the power of the level number on each level, so no choice of filters costs more than the edges it made and
/// the texts behind them. Filters
/// that cannot match are not looked at one by one. Nothing recurses, dropping included.
///
/// Lookups are by hash, with a seed: who does not know it cannot make them slow.
///
/// # Memory
///
/// An exact filter with one subscriber takes its text and some 40 bytes, if `K` has four bytes and `V` one; see
/// [`memory`](Self::memory). Removal gives memory back by and by: what is allocated stays in proportion to what is there. Removing
/// the last subscription returns all.
///
/// # Panics
///
/// If the filters have more than 4 GiB of text together.
///
/// # Examples
///
/// ```
/// use headwater_topic::{SubscriptionTree, TopicFilter, TopicName};
///
/// let mut subscriptions = SubscriptionTree::with_seed(7);
/// subscriptions.subscribe(TopicFilter::parse("factory/+/temperature")?, "display", 1);
/// subscriptions.subscribe(TopicFilter::parse("factory/#")?, "archive", 2);
///
/// let mut receivers = Vec::new();
/// let name = TopicName::parse("factory/line-1/temperature")?;
/// subscriptions.matches(name, |subscriber, qos| receivers.push((*subscriber, *qos)));
/// receivers.sort();
/// assert_eq!(receivers, [("archive", 2), ("display", 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SubscriptionTree<K, V> {
    seed: Seed,
    index: Index<List<K, V>>,
    lists: Lists<K, V>,
    owners: Owners<K>,
    /// `None` until there is a shared subscription.
    groups: Option<Box<Groups<K, V>>>,
    /// Subscriptions that are not shared.
    len: usize,
}

impl<K, V> SubscriptionTree<K, V> {
    /// A tree without subscriptions, with a random seed; allocates nothing.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new() -> Self {
        use core::hash::BuildHasher;
        Self::with_seed(std::hash::RandomState::new().hash_one(0_u8))
    }

    /// A tree without subscriptions; allocates nothing.
    ///
    /// What a tree answers does not depend on the seed, but the time it takes does: who subscribes or publishes should not know it.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        let seed = Seed::new(seed);
        Self {
            index: Index::new(&seed),
            seed,
            lists: Lists::new(),
            owners: Owners::new(),
            groups: None,
            len: 0,
        }
    }

    /// The number of subscriptions, that is of pairs of a filter and a subscriber. O(1).
    #[must_use]
    pub fn len(&self) -> usize {
        self.len + self.groups.as_ref().map_or(0, |groups| groups.len())
    }

    /// True if there is no subscription. O(1).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of different filters; each shared group on a filter is one. O(1).
    #[must_use]
    pub fn filter_count(&self) -> usize {
        self.index.len() + self.group_count()
    }

    /// The number of shared groups; a group with the same name on another filter is another group. O(1).
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.count())
    }

    /// The number of subscribers who have a subscription that is not shared. O(1).
    #[must_use]
    pub const fn subscriber_count(&self) -> usize {
        self.owners.len()
    }

    /// The number of edges in the tree of wildcard filters, and one for its root. O(1).
    ///
    /// A wildcard filter takes one edge, and one for each prefix that it begins alike with another. The number bounds the cost of a match,
    /// and depends on the subscriptions that are there, not on those that were.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.index.node_count() + self.groups.as_ref().map_or(0, |groups| groups.node_count())
    }

    /// How many bytes the tree has allocated, all arrays at the size they have, vacant parts included.
    ///
    /// What keys and values allocated themselves is not counted, nor what an allocator keeps for each allocation. O(filters with two
    /// subscribers or more + subscribers with two filters or more + groups).
    #[must_use]
    pub fn memory(&self) -> usize {
        let groups = |groups: &Groups<K, V>| size_of::<Groups<K, V>>() + groups.bytes();
        self.index.bytes()
            + self.lists.bytes()
            + self.owners.bytes()
            + self.groups.as_ref().map_or(0, |boxed| groups(boxed))
    }

    /// All subscriptions, those of one filter together, shared ones with their whole filter; in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (TopicFilter<'_>, &K, &V)> {
        let plain =
            self.index.iter().filter_map(|(filter, list)| Some((filter, self.lists.subscribers(list)?)));
        let shared = self.groups().map(|group| (group.filter(), group.members()));
        plain.chain(shared).flat_map(|(filter, subscribers)| {
            subscribers.iter().map(move |(key, value)| (filter, key, value))
        })
    }

    /// All shared groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_, K, V>> {
        self.groups.iter().flat_map(|groups| groups.iter())
    }

    /// The shared group that a filter is subscribed to by, as a whole, `$share/` included.
    ///
    /// ```
    /// use headwater_topic::{RoundRobin, SubscriptionTree, TopicFilter};
    ///
    /// let mut tree = SubscriptionTree::with_seed(7);
    /// let filter = TopicFilter::parse("$share/workers/jobs/#")?;
    /// tree.subscribe(filter, "a", ());
    /// tree.subscribe(filter, "b", ());
    ///
    /// // A message went to "a", who left without having acknowledged it.
    /// let group = tree.group(filter).expect("somebody is left");
    /// assert_eq!(group.choose(&mut RoundRobin, |member, ()| *member != "a"), Some((&"b", &())));
    /// # Ok::<(), headwater_topic::InvalidFilter>(())
    /// ```
    #[must_use]
    pub fn group(&self, filter: TopicFilter<'_>) -> Option<Group<'_, K, V>> {
        self.groups.as_ref()?.get(filter.as_str(), &self.seed)
    }
}

impl<K: Hash + Eq, V> SubscriptionTree<K, V> {
    /// The value of one subscription.
    pub fn get<Q>(&self, filter: TopicFilter<'_>, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if filter.shared().is_some() {
            let (_, value) = self.group(filter)?.member(key)?;
            return Some(value);
        }
        let place = self.find_filter(filter)?;
        let at = self.find_at(place, key)?;
        self.subscribers_at(place)?.values().get(at)
    }

    /// Where in the list of a filter a subscriber is.
    fn find_at<Q>(&self, place: Place, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.index.payload(place)?.1 {
            List::One { key: other, .. } => (other.borrow() == key).then_some(0),
            List::Many(many) => self.lists.get(*many)?.find(key, &self.seed),
        }
    }
}

impl<K, V> SubscriptionTree<K, V> {
    fn find_filter(&self, filter: TopicFilter<'_>) -> Option<Place> {
        self.index.find(self.index.wanted(filter))
    }
}

#[cfg(feature = "std")]
impl<K, V> Default for SubscriptionTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints the counts, not the subscriptions: there may be millions.
impl<K, V> fmt::Debug for SubscriptionTree<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionTree")
            .field("len", &self.len())
            .field("filter_count", &self.filter_count())
            .field("node_count", &self.node_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

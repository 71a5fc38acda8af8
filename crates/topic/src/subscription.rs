//! Who gets a message: subscriptions, searched by topic name.
//!
//! ```text
//!   exact    "a/b" -> 0                        filters without a wildcard: one lookup of the whole name
//!   trie     (a) -- + --> (a/+) ==> 1          filters with wildcards: walked level by level
//!   filters  [0: a/b {k1: v, k2: v}]           every filter once, with its subscribers
//!            [1: a/+ {k1: v}]
//!   by_key   k1 -> {0, 1}   k2 -> {0}          the way back, for a subscriber that leaves
//! ```

mod trie;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::borrow::Borrow;
use core::fmt;

use crate::arena::Arena;
use crate::filter::TopicFilter;
use crate::name::TopicName;
use trie::Trie;

/// Where a filter lies in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FilterId(usize);

/// A set of subscriptions, each a filter, a subscriber `K` and a value `V`, that finds those that match a topic name.
///
/// A subscription is named by its filter and its subscriber together: to subscribe again replaces the value, as
/// [MQTT-3.8.4-3] wants. `V` holds what the subscriber asked for, its options for one. `K` is cloned once for
/// each subscription.
///
/// Filters are taken as their text stands. For a shared filter subscribe [`SharedFilter::filter`], under a key that
/// names the group: the whole text would match only names below `$share/`.
///
/// # Cost
///
/// With `n` filters, `s` subscribers of one filter and levels of at most `e` different texts below one prefix:
///
/// | | |
/// |---|---|
/// | [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe), [`get`](Self::get) | O(log n + levels x log e + log s) |
/// | [`unsubscribe_all`](Self::unsubscribe_all) | that, for each subscription of the one who leaves |
/// | [`matches`](Self::matches) | O(log n + nodes visited x log e + matches) |
///
/// A match visits each node of the wildcard tree at most once, and at most 2 to the power of the level number on each
/// level: no choice of filters costs more than the nodes it made. Nothing recurses, dropping included. A match allocates
/// one list, no longer than the name has levels, and none if no filter has a wildcard.
///
/// # Memory
///
/// Removing a subscription frees the nodes that served it alone. The arrays that hold nodes and filters keep the size of
/// their fullest time until the last one goes; then all memory is returned.
///
/// # Examples
///
/// ```
/// use headwater_topic::{SubscriptionTree, TopicFilter, TopicName};
///
/// let mut subscriptions = SubscriptionTree::new();
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
///
/// [`SharedFilter::filter`]: crate::SharedFilter::filter
#[derive(Clone)]
pub struct SubscriptionTree<K, V> {
    filters: Arena<Entry<K, V>>,
    exact: BTreeMap<Box<str>, FilterId>,
    trie: Trie,
    by_key: BTreeMap<K, BTreeSet<FilterId>>,
    len: usize,
}

/// One filter and all who subscribed to it.
#[derive(Clone)]
struct Entry<K, V> {
    text: Box<str>,
    subscribers: BTreeMap<K, V>,
}

impl<K, V> Entry<K, V> {
    fn filter(&self) -> TopicFilter<'_> {
        TopicFilter(&self.text)
    }
}

impl<K, V> SubscriptionTree<K, V> {
    /// A tree without subscriptions; allocates nothing.
    pub const fn new() -> Self {
        Self {
            filters: Arena::new(),
            exact: BTreeMap::new(),
            trie: Trie::new(),
            by_key: BTreeMap::new(),
            len: 0,
        }
    }

    /// The number of subscriptions, that is of pairs of a filter and a subscriber. O(1).
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no subscription. O(1).
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of different filters. O(1).
    pub const fn filter_count(&self) -> usize {
        self.filters.len()
    }

    /// The number of nodes of the wildcard tree: of different prefixes of filters with a wildcard. O(1).
    ///
    /// With [`filter_count`](Self::filter_count) and [`len`](Self::len) it says what the tree's memory goes into, and it
    /// bounds the cost of a match. It depends on the subscriptions that are there, not on those that were.
    pub const fn node_count(&self) -> usize {
        self.trie.node_count()
    }

    /// All subscriptions; those of one filter together and ordered by subscriber, the filters in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (TopicFilter<'_>, &K, &V)> {
        self.filters
            .iter()
            .flat_map(|entry| entry.subscribers.iter().map(|(key, value)| (entry.filter(), key, value)))
    }

    /// Calls `visit` once for each subscription that matches the name.
    ///
    /// A subscriber with several matching filters is visited once for each. The order is not specified. The references
    /// live as long as the borrow of the tree, so they may be collected.
    ///
    /// See [`TopicFilter::matches`] for the rules, and the type for the cost.
    pub fn matches<'tree>(&'tree self, name: TopicName<'_>, mut visit: impl FnMut(&'tree K, &'tree V)) {
        let mut visit_all = |id: FilterId| {
            for (key, value) in &self.filters.get(id.0).subscribers {
                visit(key, value);
            }
        };
        if let Some(&id) = self.exact.get(name.as_str()) {
            visit_all(id);
        }
        self.trie.walk(name, visit_all);
    }

    fn find(&self, filter: TopicFilter<'_>) -> Option<FilterId> {
        if filter.has_wildcard() { self.trie.get(filter) } else { self.exact.get(filter.as_str()).copied() }
    }
}

impl<K: Ord + Clone, V> SubscriptionTree<K, V> {
    /// Enters a subscription; returns the value it replaces if the subscriber has this very filter already.
    ///
    /// [MQTT-3.8.4-3]: replaced, never doubled.
    pub fn subscribe(&mut self, filter: TopicFilter<'_>, key: K, value: V) -> Option<V> {
        // Cloned before anything is entered: a clone may panic, and is the caller's code.
        let owner = key.clone();
        let id = self.find(filter).unwrap_or_else(|| self.add(filter));
        let replaced = self.filters.get_mut(id.0).subscribers.insert(key, value);
        if replaced.is_none() {
            self.by_key.entry(owner).or_default().insert(id);
            self.len += 1;
        }
        replaced
    }

    fn add(&mut self, filter: TopicFilter<'_>) -> FilterId {
        let entry = Entry { text: filter.as_str().into(), subscribers: BTreeMap::new() };
        let id = FilterId(self.filters.insert(entry));
        if filter.has_wildcard() {
            self.trie.insert(filter, id);
        } else {
            self.exact.insert(filter.as_str().into(), id);
        }
        id
    }
}

impl<K: Ord, V> SubscriptionTree<K, V> {
    /// The value of one subscription.
    pub fn get<Q>(&self, filter: TopicFilter<'_>, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.filters.get(self.find(filter)?.0).subscribers.get(key)
    }

    /// Removes one subscription and returns its value.
    pub fn unsubscribe<Q>(&mut self, filter: TopicFilter<'_>, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let id = self.find(filter)?;
        let value = self.detach(id, key)?;
        if let Some(ids) = self.by_key.get_mut(key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_key.remove(key);
            }
        }
        self.return_memory();
        Some(value)
    }

    /// Removes every subscription of one subscriber and returns how many there were.
    pub fn unsubscribe_all<Q>(&mut self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let Some(ids) = self.by_key.remove(key) else { return 0 };
        for &id in &ids {
            self.detach(id, key);
        }
        self.return_memory();
        ids.len()
    }

    /// Takes a subscriber off a filter, and the filter out with its last subscriber.
    fn detach<Q>(&mut self, id: FilterId, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let entry = self.filters.get_mut(id.0);
        let value = entry.subscribers.remove(key)?;
        self.len -= 1;
        if entry.subscribers.is_empty() {
            let entry = self.filters.remove(id.0);
            if entry.filter().has_wildcard() {
                self.trie.remove(entry.filter());
            } else {
                self.exact.remove(&entry.text);
            }
        }
        Some(value)
    }

    /// An empty map keeps its last leaf allocated, a new one has none.
    fn return_memory(&mut self) {
        if self.exact.is_empty() {
            self.exact = BTreeMap::new();
        }
        if self.by_key.is_empty() {
            self.by_key = BTreeMap::new();
        }
    }
}

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

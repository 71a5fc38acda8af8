//! The matches of each subscriber taken together, so that he gets a message once.
//!
//! ```text
//!   filters that match   a/b -> k7           a/+ -> k1 k2 k3 .. k9999         #   -> k2 k7
//!   the longest list                         base: its keys are all different
//!   the others, sorted   k2 (#)  k7 (a/b, #)                  each looked up in the base
//!   deliveries           k2: a/+ and #    k7: a/b and #    k1, k3 ..: a/+ alone
//! ```
//!
//! So ten thousand subscribers of one filter cost no more than to go through them, and the others what it costs to sort them.

use alloc::vec::Vec;
use core::fmt;
use core::hash::Hash;
use core::num::NonZeroU32;

use super::SubscriptionTree;
use super::found::Found;
use super::index::Place;

/// What a subscription asks for, as far as it matters when several of one subscriber match.
///
/// All but the QoS came with MQTT 5.0; for 3.1.1 the defaults hold.
pub trait DeliveryOptions {
    /// The maximum QoS, 0 to 2.
    fn qos(&self) -> u8;

    /// Whether messages of the subscriber itself are not for this subscription. [MQTT-3.8.3-3]
    fn no_local(&self) -> bool {
        false
    }

    /// Whether the RETAIN flag goes on as it came. [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    fn retain_as_published(&self) -> bool {
        false
    }

    /// The subscription identifier.
    fn subscription_id(&self) -> Option<NonZeroU32> {
        None
    }
}

/// The maximum QoS and nothing else.
impl DeliveryOptions for u8 {
    fn qos(&self) -> u8 {
        *self
    }
}

/// One subscription that matched: the number of its filter among the found, and where in the list of that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    hash: u32,
    filter: u32,
    at: u32,
}

/// The parts of one subscriber, and where he is in the base.
#[derive(Clone, Copy, Debug)]
struct Head {
    begin: usize,
    end: usize,
    base: Option<usize>,
}

/// Memory for what is taken together.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    parts: Vec<Part>,
    heads: Vec<Head>,
    /// Who of the base is in `heads`, ordered.
    taken: Vec<usize>,
}

impl Merge {
    pub(super) const fn new() -> Self {
        Self { parts: Vec::new(), heads: Vec::new(), taken: Vec::new() }
    }
}

impl<'tree, K: Hash + Eq, V: DeliveryOptions> Found<'tree, '_, K, V> {
    /// One delivery for each subscriber, whatever number of his subscriptions match, shared groups aside.
    ///
    /// [MQTT-3.3.5-1] of 3.1.1 and [MQTT-3.3.4-2] of 5.0: at the highest QoS of all that match, and with all their subscription
    /// identifiers [MQTT-3.3.4-4]. `publisher` gets nothing by a subscription that has *no local* [MQTT-3.8.3-3]. A shared subscription
    /// is never taken together with others (section 4.8.2).
    ///
    /// Costs O(subscriptions that match), and O(m log m) more for those `m` that are not of the filter with the most subscribers.
    ///
    /// ```
    /// use headwater_topic::{Matches, SubscriptionTree, TopicFilter, TopicName};
    ///
    /// let mut tree = SubscriptionTree::with_seed(7);
    /// for (filter, client, qos) in [("plant/#", "a", 0_u8), ("plant/+", "a", 2), ("plant/7", "b", 1)] {
    ///     tree.subscribe(TopicFilter::parse(filter)?, client, qos);
    /// }
    /// let mut buffer = Matches::new();
    /// let mut found = tree.find(TopicName::parse("plant/7")?, &mut buffer);
    /// let mut deliveries: Vec<_> = found.deliveries(None).map(|one| (*one.key(), one.qos())).collect();
    /// deliveries.sort();
    /// assert_eq!(deliveries, [("a", 2), ("b", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deliveries<'a>(
        &'a mut self,
        publisher: Option<&'a K>,
    ) -> impl Iterator<Item = Delivery<'tree, 'a, K, V>> + use<'tree, 'a, K, V> {
        let base = self.merge();
        let tree = self.tree;
        let filters: &'a [Place] = &self.buffer.filters;
        let Merge { parts, heads, taken } = &self.buffer.merge;
        let delivery = move |key, first, parts| {
            let others = Parts { tree, filters, parts };
            Delivery { key, first, others, is_own: publisher == Some(key) }
        };
        let merged = heads.iter().filter_map(move |head| {
            let parts = parts.get(head.begin..head.end)?;
            let (key, first, parts) = match head.base {
                Some(at) => {
                    let (key, value) = base?.get(at)?;
                    (key, value, parts)
                }
                None => {
                    let (first, rest) = parts.split_first()?;
                    let (key, value) = first.resolve(tree, filters)?;
                    (key, value, rest)
                }
            };
            Some(delivery(key, first, parts))
        });
        let mut taken = taken.iter().copied().peekable();
        let alone = base.into_iter().flatten().enumerate().filter_map(move |(at, (key, value))| {
            if taken.next_if_eq(&at).is_some() {
                return None;
            }
            Some(delivery(key, value, &[][..]))
        });
        merged.chain(alone).filter(|delivery| delivery.values().next().is_some())
    }

    /// Sorts what is not of the longest list, and finds it there; returns that list.
    fn merge(&mut self) -> Option<super::Subscribers<'tree, K, V>> {
        let tree = self.tree;
        let super::Matches { filters, merge, .. } = &mut *self.buffer;
        let Merge { parts, heads, taken } = merge;
        parts.clear();
        heads.clear();
        taken.clear();
        let longest = (0..filters.len()).max_by_key(|at| {
            filters.get(*at).and_then(|place| tree.subscribers_at(*place)).map(|list| list.len())
        })?;
        for (number, place) in (0..).zip(&*filters).filter(|(number, _)| *number as usize != longest) {
            let list = tree.subscribers_at(*place).into_iter().flat_map(|list| list.keys());
            parts.extend((0..).zip(list).map(|(at, key)| Part {
                hash: tree.seed.key(key),
                filter: number,
                at,
            }));
        }
        parts.sort_unstable();
        let mut begin = 0;
        while let Some(first) = parts.get(begin).copied() {
            let Some((key, _)) = first.resolve(tree, filters) else { break };
            // The parts of the same subscriber have the same hash, and are put behind the first. Others with that hash are rare.
            let mut end = begin + 1;
            let mut at = end;
            while let Some(other) = parts.get(at).filter(|other| other.hash == first.hash) {
                if other.resolve(tree, filters).is_some_and(|(other, _)| other == key) {
                    parts.swap(end, at);
                    end += 1;
                }
                at += 1;
            }
            let base = filters.get(longest).and_then(|place| tree.find_at(*place, key));
            taken.extend(base);
            heads.push(Head { begin, end, base });
            begin = end;
        }
        taken.sort_unstable();
        filters.get(longest).and_then(|place| tree.subscribers_at(*place))
    }
}

impl Part {
    fn resolve<'tree, K, V>(
        self,
        tree: &'tree SubscriptionTree<K, V>,
        filters: &[Place],
    ) -> Option<(&'tree K, &'tree V)> {
        tree.subscribers_at(*filters.get(self.filter as usize)?)?.get(self.at as usize)
    }
}

/// The parts of a delivery but the first.
struct Parts<'tree, 'a, K, V> {
    tree: &'tree SubscriptionTree<K, V>,
    filters: &'a [Place],
    parts: &'a [Part],
}

/// What one subscriber gets of one message; made by [`Found::deliveries`].
pub struct Delivery<'tree, 'a, K, V> {
    key: &'tree K,
    first: &'tree V,
    others: Parts<'tree, 'a, K, V>,
    /// The subscriber published the message.
    is_own: bool,
}

impl<'tree, K, V: DeliveryOptions> Delivery<'tree, '_, K, V> {
    /// The subscriber.
    #[must_use]
    pub const fn key(&self) -> &'tree K {
        self.key
    }

    /// The values of his subscriptions that match; one at least. *No local* is looked at.
    pub fn values(&self) -> impl Iterator<Item = &'tree V> {
        let Parts { tree, filters, parts } = self.others;
        let others = parts.iter().filter_map(move |part| part.resolve(tree, filters)).map(|(_, value)| value);
        let is_own = self.is_own;
        core::iter::once(self.first).chain(others).filter(move |value| !(is_own && value.no_local()))
    }

    /// The highest QoS of his subscriptions; the message goes at this or at its own, whichever is lower. [MQTT-3.8.4-8]
    #[must_use]
    pub fn qos(&self) -> u8 {
        self.values().map(DeliveryOptions::qos).max().unwrap_or_default()
    }

    /// Whether the RETAIN flag goes on as it came: if any of his subscriptions wants that.
    #[must_use]
    pub fn retain_as_published(&self) -> bool {
        self.values().any(DeliveryOptions::retain_as_published)
    }

    /// The identifiers of his subscriptions, those that have one. [MQTT-3.3.4-4]
    pub fn subscription_ids(&self) -> impl Iterator<Item = NonZeroU32> {
        self.values().filter_map(DeliveryOptions::subscription_id)
    }
}

impl<K, V> Clone for Parts<'_, '_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Parts<'_, '_, K, V> {}

impl<K: fmt::Debug, V> fmt::Debug for Delivery<'_, '_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("key", &self.key)
            .field("subscriptions", &(1 + self.others.parts.len()))
            .finish_non_exhaustive()
    }
}

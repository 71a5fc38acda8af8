//! Who gets a message: a callback for each, or for all of one filter.

use super::SubscriptionTree;
use super::choose::{Choose, RoundRobin};
use super::list::List;
use super::subscribers::Subscribers;
use super::trie::Walk;
use crate::name::TopicName;

/// How many names are searched for at once.
const LANES: usize = 8;

impl<K, V> SubscriptionTree<K, V> {
    /// Calls `visit` once for each subscription that matches the name, and for one member of each shared group, [each in
    /// turn](RoundRobin).
    ///
    /// A subscriber with several matching filters is visited once for each. The order is not specified. The references
    /// live as long as the borrow of the tree, so they may be collected.
    ///
    /// See [`TopicFilter::matches`](crate::TopicFilter::matches) for the rules, and the type for the cost.
    pub fn matches<'tree>(&'tree self, name: TopicName<'_>, visit: impl FnMut(&'tree K, &'tree V)) {
        self.matches_with(name, &mut RoundRobin, |_, _| true, visit);
    }

    /// As [`matches`](Self::matches), with another way to choose among the members of a group for which `open` is true.
    ///
    /// A group none of whose members is open gets nothing: look into [`group`](Self::group) if that matters.
    pub fn matches_with<'tree>(
        &'tree self,
        name: TopicName<'_>,
        choice: &mut (impl Choose<K, V> + ?Sized),
        mut open: impl FnMut(&K, &V) -> bool,
        mut visit: impl FnMut(&'tree K, &'tree V),
    ) {
        self.index.matches_once(
            name,
            |_, list| {
                // One by one only here: most lists have one.
                match list {
                    List::One { key, value } => visit(key, value),
                    List::Many(place) => {
                        let many = self.lists.get(*place).map(Subscribers::of);
                        many.into_iter().flatten().for_each(|(key, value)| visit(key, value));
                    }
                }
            },
            |list| self.lists.prefetch(list),
        );
        if let Some(groups) = &self.groups {
            groups.matches(name, &mut Walk::new(), |id| {
                let chosen = groups.group(id).and_then(|group| group.choose(choice, &mut open));
                chosen.into_iter().for_each(|(key, value)| visit(key, value));
            });
        }
    }

    /// Calls `visit` with all subscribers of each filter that matches the name, shared groups aside.
    ///
    /// The fastest way to many subscribers: the keys of one filter are one slice.
    ///
    /// ```
    /// # use headwater_topic::{SubscriptionTree, TopicFilter, TopicName};
    /// let mut tree = SubscriptionTree::with_seed(7);
    /// for id in 0..10_000_u32 {
    ///     tree.subscribe(TopicFilter::parse("news/#")?, id, ());
    /// }
    /// let mut ids = Vec::new();
    /// tree.matches_by_filter(TopicName::parse("news/today")?, |subscribers| ids.extend_from_slice(subscribers.keys()));
    /// assert_eq!(ids.len(), 10_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches_by_filter<'tree>(
        &'tree self,
        name: TopicName<'_>,
        mut visit: impl FnMut(Subscribers<'tree, K, V>),
    ) {
        self.index.matches_once(
            name,
            |_, list| {
                self.lists.subscribers(list).into_iter().for_each(&mut visit);
            },
            |list| self.lists.prefetch(list),
        );
    }

    /// Calls `visit` with all subscribers of each filter that matches one of many names, shared groups aside, and with the place of
    /// the name in `names`.
    ///
    /// Names are searched for in groups of eight, whose waits for memory overlap: in a tree that is larger than the processor's caches
    /// that takes less time for each name than [`matches_by_filter`](Self::matches_by_filter), in a small one more. Fewer than eight, and what is
    /// left over, are searched for one by one. The calls for one name do not come one after the other.
    ///
    /// Costs what the names cost one by one. What a search writes down is on the stack while it is short, and is allocated once for
    /// each call where it is not.
    ///
    /// ```
    /// # use headwater_topic::{SubscriptionTree, TopicFilter, TopicName};
    /// let mut tree = SubscriptionTree::with_seed(7);
    /// tree.subscribe(TopicFilter::parse("news/#")?, 1, ());
    /// tree.subscribe(TopicFilter::parse("+/today")?, 2, ());
    /// let names = [TopicName::parse("news/today")?, TopicName::parse("weather/today")?];
    /// let mut ids = [const { Vec::new() }; 2];
    /// tree.matches_batch(&names, |name, subscribers| ids[name].extend_from_slice(subscribers.keys()));
    /// ids[0].sort();
    /// assert_eq!(ids, [vec![1, 2], vec![2]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches_batch<'tree>(
        &'tree self,
        names: &[TopicName<'_>],
        mut visit: impl FnMut(usize, Subscribers<'tree, K, V>),
    ) {
        let (eights, rest) = names.as_chunks::<LANES>();
        let (mut before, mut walk) = (0, Walk::new());
        for names in eights {
            self.index.matches_all(
                names,
                &mut walk,
                |lane, list| {
                    self.lists.subscribers(list).into_iter().for_each(|all| visit(before + lane, all));
                },
                |list| self.lists.prefetch(list),
            );
            before += LANES;
        }
        for (name, number) in rest.iter().zip(before..) {
            self.matches_by_filter(*name, |subscribers| visit(number, subscribers));
        }
    }
}

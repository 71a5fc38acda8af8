//! A match written down: what was found, in a buffer that is used again.

use alloc::vec::Vec;
use core::fmt;

use super::SubscriptionTree;
use super::delivery::Merge;
use super::group::{Group, GroupId};
use super::index::Place;
use super::subscribers::Subscribers;
use super::trie::Walk;
use crate::name::TopicName;

/// Memory for matches, to be used again and again: with it, a match allocates nothing once the buffer has grown.
///
/// It belongs to no tree and borrows from none. One for each thread that matches.
#[derive(Clone)]
pub struct Matches {
    walk: Walk,
    pub(super) filters: Vec<Place>,
    groups: Vec<GroupId>,
    pub(super) merge: Merge,
}

impl Matches {
    /// Allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { walk: Walk::new(), filters: Vec::new(), groups: Vec::new(), merge: Merge::new() }
    }
}

impl Default for Matches {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches").finish_non_exhaustive()
    }
}

impl<K, V> SubscriptionTree<K, V> {
    /// Writes down which filters match the name. What is asked about them afterwards costs no search.
    ///
    /// ```
    /// use headwater_topic::{Matches, SubscriptionTree, TopicFilter, TopicName};
    ///
    /// let mut tree = SubscriptionTree::with_seed(7);
    /// tree.subscribe(TopicFilter::parse("plant/+")?, "display", 1);
    /// tree.subscribe(TopicFilter::parse("$share/archive/plant/#")?, "disk 1", 2);
    ///
    /// let mut buffer = Matches::new();
    /// let found = tree.find(TopicName::parse("plant/7")?, &mut buffer);
    /// assert!(found.subscriptions().eq([(&"display", &1)]));
    /// assert_eq!(found.groups().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find<'tree, 'buffer>(
        &'tree self,
        name: TopicName<'_>,
        buffer: &'buffer mut Matches,
    ) -> Found<'tree, 'buffer, K, V> {
        let Matches { walk, filters, groups, .. } = &mut *buffer;
        filters.clear();
        groups.clear();
        self.index.matches(name, walk, |place, _| filters.push(place), |list| self.lists.prefetch(list));
        if let Some(shared) = &self.groups {
            shared.matches(name, walk, |id| groups.push(id));
        }
        Found { tree: self, buffer }
    }

    pub(super) fn subscribers_at(&self, place: Place) -> Option<Subscribers<'_, K, V>> {
        self.lists.subscribers(self.index.payload(place)?.1)
    }
}

/// What one match found; made by [`SubscriptionTree::find`].
pub struct Found<'tree, 'buffer, K, V> {
    pub(super) tree: &'tree SubscriptionTree<K, V>,
    pub(super) buffer: &'buffer mut Matches,
}

impl<'tree, K, V> Found<'tree, '_, K, V> {
    /// True if nobody gets the message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buffer.filters.is_empty() && self.buffer.groups.is_empty()
    }

    /// The subscribers of each filter that matches, shared groups aside.
    pub fn filters(&self) -> impl Iterator<Item = Subscribers<'tree, K, V>> {
        let tree = self.tree;
        self.buffer.filters.iter().filter_map(|place| tree.subscribers_at(*place))
    }

    /// Each subscription that matches, shared groups aside: a subscriber with several matching filters comes once for each.
    ///
    /// MQTT 3.1.1 and 5.0 both allow to send a message once for each. For once in all see [`Found::deliveries`].
    pub fn subscriptions(&self) -> impl Iterator<Item = (&'tree K, &'tree V)> {
        self.filters().flatten()
    }

    /// The shared groups whose filter matches; one member of each gets the message. [`Group::choose`] says who.
    pub fn groups(&self) -> impl Iterator<Item = Group<'tree, K, V>> {
        let groups = self.tree.groups.as_deref();
        self.buffer.groups.iter().filter_map(move |id| groups?.group(*id))
    }
}

impl<K, V> fmt::Debug for Found<'_, '_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("filters", &self.buffer.filters.len())
            .field("groups", &self.buffer.groups.len())
            .finish_non_exhaustive()
    }
}

//! What is known about each topic name, searched by filter: the other direction.
//!
//! ```text
//!   filter a/+/c      a/x/b   a/x/c   a/x/d   ...   a/y   a/y/c   ...   b
//!                       |---->| match                |
//!                             |---------- leave ---->|---->| match
//! ```
//!
//! Names lie in one ordered set in which `/` is the lowest character, so all names below a prefix are neighbours, and a
//! search goes forward by seeks: over whatever cannot match, it jumps.

mod block;
mod names;
mod order;
mod page;
mod seek;

use core::fmt;
use core::iter::FusedIterator;

use crate::filter::TopicFilter;
use crate::name::TopicName;
use names::{Names, Place};
pub use page::PageLimit;
use seek::{Seeker, Verdict};

/// A map from topic names to values, that finds the names a filter matches.
///
/// Made for retained messages: one value for each name, replaced by the next.
///
/// # Order
///
/// Names come in the order of their bytes, but `/` before every other character: a name, then all below it, then its
/// next sibling. The order does not depend on when a name was entered.
///
/// # Cost
///
/// With `n` names: [`insert`](Self::insert), [`remove`](Self::remove) and [`get`](Self::get) cost O(log n) comparisons of
/// names; the first two also move the text and the values of the block the name belongs to, up to 64 names of 4 KiB in
/// all, and once in some 32 changes a pointer for each block that comes after.
///
/// [`matching`](Self::matching) costs one step for each match, and at most two seeks for each stored prefix that fits the
/// filter up to one of its `+`; a filter without `+` costs one seek and its matches. Whatever lies below a prefix that does
/// not fit is passed over by one of these seeks, which costs O(log d) comparisons over a distance of `d` names. So
/// `+/+/+/x` may look at all names and find none: [`page`](Self::page) bounds that. Nothing recurses.
///
/// # Memory
///
/// Each name is stored once: its bytes, its value and some 10 bytes more, room for growth among them. Removing names returns
/// their memory, removing the last one all of it.
///
/// # Examples
///
/// ```
/// use headwater_topic::{RetainedTree, TopicFilter, TopicName};
///
/// let mut retained = RetainedTree::new();
/// retained.insert(TopicName::parse("factory/line-1/state")?, "running");
/// retained.insert(TopicName::parse("factory/line-2/state")?, "stopped");
///
/// let mut states = Vec::new();
/// retained.matches(TopicFilter::parse("factory/+/state")?, |_, state| states.push(*state));
/// assert_eq!(states, ["running", "stopped"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RetainedTree<V> {
    names: Names<V>,
}

impl<V> RetainedTree<V> {
    /// A tree without names; allocates nothing.
    pub const fn new() -> Self {
        Self { names: Names::new() }
    }

    /// The number of names. O(1).
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// True if there is no name. O(1).
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the value of a name; returns the one it replaces.
    pub fn insert(&mut self, name: TopicName<'_>, value: V) -> Option<V> {
        self.names.insert(name.as_str(), value)
    }

    /// Removes a name and returns its value.
    pub fn remove(&mut self, name: TopicName<'_>) -> Option<V> {
        self.names.remove(name.as_str())
    }

    /// The value of a name.
    pub fn get(&self, name: TopicName<'_>) -> Option<&V> {
        self.names.get(name.as_str())
    }

    /// All names with their values, in the order of the type.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (TopicName<'_>, &V)> + ExactSizeIterator {
        self.names.iter().map(|(name, value)| (TopicName(name), value))
    }

    /// Calls `visit` once for each name the filter matches, in the order of the type.
    ///
    /// See [`TopicFilter::matches`] for the rules; a shared filter is taken as its text stands, and subscribers who share
    /// get no retained messages anyway (MQTT 5.0, section 4.8.2).
    pub fn matches<'tree>(
        &'tree self,
        filter: TopicFilter<'_>,
        mut visit: impl FnMut(TopicName<'tree>, &'tree V),
    ) {
        self.matching(filter).for_each(|(name, value)| visit(name, value));
    }

    /// Iterates over the names the filter matches, in the order of the type.
    pub fn matching<'tree, 'filter>(
        &'tree self,
        filter: TopicFilter<'filter>,
    ) -> Matching<'tree, 'filter, V> {
        let seeker = Seeker::new(filter);
        let place = self.names.find(seeker.target());
        Matching { tree: self, seeker, place: Some(place.unwrap_or_else(|place| place)) }
    }

    /// Iterates over the names the filter matches, from the first one after `after`.
    ///
    /// The name to go on from need not be there any more, and need not match. To give a long answer page by page, see
    /// [`page`](Self::page), which bounds what a page costs besides.
    ///
    /// ```
    /// use headwater_topic::{RetainedTree, TopicFilter, TopicName};
    ///
    /// let mut retained = RetainedTree::new();
    /// for line in ["line-1", "line-2", "line-3"] {
    ///     retained.insert(TopicName::parse(line)?, ());
    /// }
    /// let after = TopicName::parse("line-1a")?;
    /// let rest: Vec<_> = retained.matching_after(TopicFilter::parse("#")?, after).map(|(name, ())| name.as_str()).collect();
    /// assert_eq!(rest, ["line-2", "line-3"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matching_after<'tree, 'filter>(
        &'tree self,
        filter: TopicFilter<'filter>,
        after: TopicName<'_>,
    ) -> Matching<'tree, 'filter, V> {
        let mut seeker = Seeker::new(filter);
        // As if the search had just been there.
        let place = match seeker.judge(after.as_str()) {
            Verdict::Match => Some(self.names.find(after.as_str()).map_or_else(|place| place, Place::next)),
            Verdict::Seek => Some(self.names.find(seeker.target()).unwrap_or_else(|place| place)),
            Verdict::Done => None,
        };
        Matching { tree: self, seeker, place }
    }
}

impl<V> Default for RetainedTree<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints the count, not the names: there may be millions.
impl<V> fmt::Debug for RetainedTree<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetainedTree").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Iterates over the names of a [`RetainedTree`] that match one filter; made by [`RetainedTree::matching`].
pub struct Matching<'tree, 'filter, V> {
    tree: &'tree RetainedTree<V>,
    seeker: Seeker<'filter>,
    /// The next name to look at; `None` when the search is over.
    place: Option<Place>,
}

impl<V> Matching<'_, '_, V> {
    /// Whether there is any match, if that shows after a look at so many names; `None` if it does not.
    ///
    /// A filter with `+` before a level that no name has may be judged against every name there is: this bounds it.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_topic::{RetainedTree, TopicFilter, TopicName};
    ///
    /// let mut tree = RetainedTree::new();
    /// for number in 0..100 {
    ///     tree.insert(TopicName::parse(&format!("plant/{number}/on"))?, ());
    /// }
    /// let any = |filter, names| Ok::<_, headwater_topic::InvalidFilter>(tree.matching(TopicFilter::parse(filter)?).any_within(names));
    /// assert_eq!(any("plant/+/on", 10)?, Some(true));
    /// assert_eq!(any("plant/+/off", 10)?, None);
    /// assert_eq!(any("plant/+/off", 1000)?, Some(false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any_within(mut self, names: usize) -> Option<bool> {
        for _ in 0..names {
            match self.look() {
                Some((_, Some(_))) => return Some(true),
                Some((_, None)) => {}
                None => return Some(false),
            }
        }
        None
    }
}

impl<'tree, V> Matching<'tree, '_, V> {
    /// Looks at one name, and gives its value with it if it matches; `None` if there is none left that can match.
    fn look(&mut self) -> Option<(TopicName<'tree>, Option<&'tree V>)> {
        let tree = self.tree;
        let found = self.place.take().and_then(|place| tree.names.at(place));
        let (name, value, next) = found?;
        let (place, value) = match self.seeker.judge(name) {
            Verdict::Match => (next, Some(value)),
            // Ends: the target is after the name that asked for it.
            Verdict::Seek => {
                (tree.names.find_from(next, self.seeker.target()).unwrap_or_else(|place| place), None)
            }
            Verdict::Done => return None,
        };
        self.place = Some(place);
        Some((TopicName(name), value))
    }
}

impl<'tree, V> Iterator for Matching<'tree, '_, V> {
    type Item = (TopicName<'tree>, &'tree V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let (name, Some(value)) = self.look()? {
                return Some((name, value));
            }
        }
    }
}

impl<V> FusedIterator for Matching<'_, '_, V> {}

impl<V> Clone for Matching<'_, '_, V> {
    fn clone(&self) -> Self {
        Self { tree: self.tree, seeker: self.seeker.clone(), place: self.place }
    }
}

impl<V> fmt::Debug for Matching<'_, '_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matching").field("seeker", &self.seeker).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// 20 x 20 x 20 names of three levels, each with what is above it.
    fn grid() -> RetainedTree<()> {
        let mut tree = RetainedTree::new();
        for (x, y, z) in (0..8_000).map(|number| (number / 400, number / 20 % 20, number % 20)) {
            for text in [format!("{x}"), format!("{x}/{y}"), format!("{x}/{y}/{z}")] {
                tree.insert(TopicName::parse(&text).unwrap(), ());
            }
        }
        tree
    }

    /// Searches as [`Matching`] does, and counts: seeks, matches, and names that were judged.
    fn search(tree: &RetainedTree<()>, filter: TopicFilter<'_>) -> (usize, usize, usize) {
        let mut seeker = Seeker::new(filter);
        let (mut seeks, mut matches, mut judged) = (1, 0, 0);
        let mut place = tree.names.find(seeker.target()).unwrap_or_else(|place| place);
        while let Some((name, (), next)) = tree.names.at(place) {
            judged += 1;
            place = next;
            match seeker.judge(name) {
                Verdict::Match => matches += 1,
                Verdict::Seek => {
                    assert_ne!(seeker.target(), name, "no step forward");
                    seeks += 1;
                    let found = tree.names.find(seeker.target());
                    place = found.unwrap_or_else(|place| place);
                    assert_eq!(found, tree.names.find_from(next, seeker.target()), "{name}");
                }
                Verdict::Done => break,
            }
        }
        (seeks, matches, judged)
    }

    /// The stored prefixes that fit the filter up to one of its `+`.
    fn choices(tree: &RetainedTree<()>, filter: TopicFilter<'_>) -> usize {
        let wanted: Vec<&str> = filter.levels().collect();
        let mut prefixes = BTreeSet::new();
        for (name, ()) in tree.iter() {
            let given: Vec<&str> = name.levels().collect();
            for length in (1..=wanted.len().min(given.len())).filter(|length| wanted[length - 1] == "+") {
                if wanted
                    .iter()
                    .zip(&given)
                    .take(length)
                    .all(|(wanted, given)| *wanted == "+" || wanted == given)
                {
                    prefixes.insert(given[..length].join("/"));
                }
            }
        }
        prefixes.len()
    }

    #[test]
    fn seeks_are_bounded_by_the_prefixes_that_have_a_choice() {
        let tree = grid();
        let levels = ["+", "7", "zz", "-"];
        for (a, b, c) in (0..64).map(|number| (number / 16, number / 4 % 4, number % 4)) {
            let texts = [
                String::from(levels[a]),
                format!("{}/{}", levels[a], levels[b]),
                format!("{}/{}/{}", levels[a], levels[b], levels[c]),
                format!("{}/{}/{}/{}", levels[a], levels[b], levels[c], "+"),
                format!("{}/{}/#", levels[a], levels[b]),
            ];
            for text in &texts {
                let filter = TopicFilter::parse(text).unwrap();
                let (seeks, matches, judged) = search(&tree, filter);
                assert_eq!(matches, tree.matching(filter).count(), "{text}");
                assert!(seeks <= 2 * choices(&tree, filter) + 1, "{text}: {seeks} seeks");
                assert!(judged <= matches + seeks, "{text}: {judged} judged, {matches} match, {seeks} seeks");
            }
        }
    }

    #[test]
    fn a_narrow_filter_looks_at_a_few_names_of_many() {
        let tree = grid();
        let looked_at = |text: &str| search(&tree, TopicFilter::parse(text).unwrap()).2;
        assert!(
            tree.len() == 8_420
                && looked_at("7/7/7") <= 2
                && looked_at("7/7/#") <= 22
                && looked_at("+/7/7") <= 60
        );
    }
}

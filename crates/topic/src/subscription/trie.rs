//! The tree of wildcard filters: a node for each prefix of them, an edge for each level.
//!
//! ```text
//!   filters  a/+/c   a/#   +/b/c
//!
//!   (root) --a--> (a) ==> #                    --x-->  an edge to the level `x`
//!     |             \                          --+-->  the edge to `+`, kept apart
//!     +--+--> (+)    +--+--> (a/+) --c--> (a/+/c) ==> end
//!               \                              ==>     the filter that ends here, or with `/#` below here
//!                +--b--> (+/b) --c--> (+/b/c) ==> end
//!
//!   walk for a/b/c: root, (a) and its `#`, (+), (a/+), (+/b), (a/+/c) and its end, (+/b/c) and its end
//! ```
//!
//! A node is one prefix, so a walk comes to it at most once: a walk visits min(nodes, 2^levels) nodes at the most, which
//! is the bound that `+` put at many places can reach but not cross.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;

use super::FilterId;
use crate::arena::Arena;
use crate::filter::TopicFilter;
use crate::level;
use crate::name::TopicName;

/// Where a node lies in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeId(usize);

/// Which wildcard filter lies where.
#[derive(Clone, Debug)]
pub(super) struct Trie {
    nodes: Arena<Node>,
    /// `None` while there are no filters, so that an empty tree holds no memory.
    root: Option<NodeId>,
}

#[derive(Clone, Debug)]
struct Node {
    parent: Option<NodeId>,
    literals: BTreeMap<Box<str>, NodeId>,
    plus: Option<NodeId>,
    /// The filter that is exactly this prefix.
    end: Option<FilterId>,
    /// The filter that is this prefix and `#`.
    hash: Option<FilterId>,
}

impl Node {
    const fn new(parent: Option<NodeId>) -> Self {
        Self { parent, literals: BTreeMap::new(), plus: None, end: None, hash: None }
    }

    fn is_bare(&self) -> bool {
        self.literals.is_empty() && self.plus.is_none() && self.end.is_none() && self.hash.is_none()
    }
}

impl Trie {
    pub(super) const fn new() -> Self {
        Self { nodes: Arena::new(), root: None }
    }

    /// The number of nodes, the root included.
    pub(super) const fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Enters a filter that is not there yet. O(levels x log of the edges of a node).
    pub(super) fn insert(&mut self, filter: TopicFilter<'_>, id: FilterId) {
        let mut at = match self.root {
            Some(root) => root,
            None => {
                let root = NodeId(self.nodes.insert(Node::new(None)));
                *self.root.insert(root)
            }
        };
        for level in filter.levels() {
            let node = self.nodes.get(at.0);
            let child = match level {
                "#" => {
                    self.nodes.get_mut(at.0).hash = Some(id);
                    return;
                }
                "+" => node.plus,
                _ => node.literals.get(level).copied(),
            };
            at = match child {
                Some(child) => child,
                None => {
                    let child = NodeId(self.nodes.insert(Node::new(Some(at))));
                    let node = self.nodes.get_mut(at.0);
                    if level == "+" {
                        node.plus = Some(child);
                    } else {
                        node.literals.insert(level.into(), child);
                    }
                    child
                }
            };
        }
        self.nodes.get_mut(at.0).end = Some(id);
    }

    /// Finds a filter by its own text. O(levels x log of the edges of a node).
    pub(super) fn get(&self, filter: TopicFilter<'_>) -> Option<FilterId> {
        let mut node = self.nodes.get(self.root?.0);
        for level in filter.levels() {
            let child = match level {
                "#" => return node.hash,
                "+" => node.plus,
                _ => node.literals.get(level).copied(),
            };
            node = self.nodes.get(child?.0);
        }
        node.end
    }

    /// Takes a filter out, and every node that served it alone. O(levels x log of the edges of a node).
    pub(super) fn remove(&mut self, filter: TopicFilter<'_>) {
        let Some(mut at) = self.root else { return };
        let (prefix, ends_in_hash) = match filter.as_str().strip_suffix('#') {
            Some(prefix) => (prefix.strip_suffix('/'), true),
            None => (Some(filter.as_str()), false),
        };
        // `#` alone has no prefix: it hangs on the root.
        for level in prefix.into_iter().flat_map(|prefix| prefix.split('/')) {
            let node = self.nodes.get(at.0);
            let child = if level == "+" { node.plus } else { node.literals.get(level).copied() };
            let Some(child) = child else { return };
            at = child;
        }
        let node = self.nodes.get_mut(at.0);
        if ends_in_hash {
            node.hash = None;
        } else {
            node.end = None;
        }
        self.prune(at, prefix);
    }

    /// Frees a node and its ancestors as far as nothing hangs on them; `prefix` names the node from the root.
    fn prune(&mut self, mut at: NodeId, prefix: Option<&str>) {
        let mut edges = prefix.into_iter().flat_map(|prefix| prefix.rsplit('/'));
        while self.nodes.get(at.0).is_bare() {
            let Some(parent) = self.nodes.remove(at.0).parent else {
                self.root = None;
                return;
            };
            let node = self.nodes.get_mut(parent.0);
            match edges.next() {
                Some("+") => node.plus = None,
                Some(level) => {
                    node.literals.remove(level);
                    if node.literals.is_empty() {
                        // An empty map keeps its last leaf allocated, a new one has none.
                        node.literals = BTreeMap::new();
                    }
                }
                None => {}
            }
            at = parent;
        }
    }

    /// Calls `visit` for each filter that matches the name, and says how many nodes it came to.
    pub(super) fn walk(&self, name: TopicName<'_>, mut visit: impl FnMut(FilterId)) -> usize {
        let Some(root) = self.root else { return 0 };
        let mut visited = 0;
        // Each step takes one pair and adds two of the next level at most, and the last added goes first: never more
        // pairs than the name has levels, and one.
        let mut pending = vec![(root, Some(name.as_str()))];
        while let Some((at, rest)) = pending.pop() {
            visited += 1;
            let node = self.nodes.get(at.0);
            // [MQTT-4.7.2-1] The wildcards that a filter can begin with hang on the root.
            let wildcards_reach = !(at == root && name.is_reserved());
            // [MQTT-4.7.1-1] `#` stands for this very level too, so whether the name goes on does not matter.
            if let Some(filter) = node.hash
                && wildcards_reach
            {
                visit(filter);
            }
            let Some(rest) = rest else {
                if let Some(filter) = node.end {
                    visit(filter);
                }
                continue;
            };
            let (level, rest) = level::split_first(rest);
            // [MQTT-4.7.1-2]
            if let Some(child) = node.plus
                && wildcards_reach
            {
                pending.push((child, rest));
            }
            if let Some(&child) = node.literals.get(level) {
                pending.push((child, rest));
            }
        }
        visited
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    fn filter(text: &str) -> TopicFilter<'_> {
        TopicFilter::parse(text).unwrap()
    }

    fn name(text: &str) -> TopicName<'_> {
        TopicName::parse(text).unwrap()
    }

    /// Every filter of `levels` levels that are `+` or `a`, each with its number.
    fn combinations(levels: u32) -> Vec<(FilterId, String)> {
        let text = |number: usize| -> String {
            let levels: Vec<&str> =
                (0..levels).map(|level| if number >> level & 1 == 1 { "+" } else { "a" }).collect();
            levels.join("/")
        };
        (0..1 << levels).map(|number| (FilterId(number), text(number))).collect()
    }

    #[test]
    fn visits_each_node_at_most_once_whatever_the_combination_of_plus() {
        let mut trie = Trie::new();
        for (id, text) in combinations(12) {
            trie.insert(filter(&text), id);
        }
        assert_eq!(trie.node_count(), (1 << 13) - 1);

        let mut found = 0;
        let all = trie.walk(name("a/a/a/a/a/a/a/a/a/a/a/a"), |_| found += 1);
        assert_eq!((all, found), (trie.node_count(), 4_096));
        // The same walk to the end, and none matches.
        let none = trie.walk(name("a/a/a/a/a/a/a/a/a/a/a/a/a"), |_| found += 1);
        assert_eq!((none, found), (trie.node_count(), 4_096));
        // Only the filters that have `+` wherever the name has `b`.
        let some = trie.walk(name("b/b/b/b/b/b/b/b/b/b/b/a"), |_| found += 1);
        assert_eq!((some, found), (14, 4_098));
    }

    #[test]
    fn removal_frees_exactly_the_nodes_that_served_the_filter_alone() {
        let mut trie = Trie::new();
        for (number, text) in ["a/+/c", "a/#", "+/b/c", "#"].into_iter().enumerate() {
            trie.insert(filter(text), FilterId(number));
        }
        assert_eq!(trie.node_count(), 7);
        trie.remove(filter("a/+/c"));
        assert_eq!(trie.node_count(), 5);
        trie.remove(filter("a/#"));
        assert_eq!(trie.node_count(), 4);
        trie.remove(filter("+/b/c"));
        assert_eq!(trie.node_count(), 1);
        trie.remove(filter("#"));
        assert_eq!((trie.node_count(), trie.root), (0, None));
    }

    #[test]
    fn a_node_that_is_an_end_survives_what_hung_below_it() {
        let mut trie = Trie::new();
        trie.insert(filter("+"), FilterId(0));
        trie.insert(filter("+/a"), FilterId(1));
        trie.remove(filter("+/a"));
        assert_eq!(
            (trie.get(filter("+")), trie.get(filter("+/a")), trie.node_count()),
            (Some(FilterId(0)), None, 2)
        );
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let mut trie = Trie::new();
        trie.remove(filter("+"));
        trie.insert(filter("a/+"), FilterId(0));
        trie.remove(filter("b/+"));
        trie.remove(filter("a/+/c"));
        assert_eq!((trie.get(filter("a/+")), trie.node_count()), (Some(FilterId(0)), 3));
    }
}

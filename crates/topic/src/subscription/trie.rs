//! The tree of wildcard filters: a level further with each step, two branches of a node in the node, the rest in one table.
//!
//! ```text
//!   filters  1 a/+/c    2 a/+/d/e    3 a/#    4 +/b/c/#
//!
//!   (root) --a--> (a) --+--> (a/+) --c--> [1 ]             (..)  a node: two filters or more begin so
//!     |             \             \--d--> [2 e]            [..]  a filter: no other begins so, and behind
//!     |              #--> [3 ]                                   it what it has from here on
//!     +--> [4 b/c/#]
//!
//!   nodes          `+`                  one literal        in the table     each branch to a node has hints
//!     0 root       filter 4, "b/c/#"    a -> node 1                         which branches that node has
//!     1 a          node 2, hints cd                        1
//!     2 a/+                             c -> filter 1      1
//!
//!   edges, a table: (node, token) -> where to       (1, #) -> filter 3     (2, d) -> filter 2, "e"
//!   words, the levels of branches                   a -> 3   c -> 4   d -> 5
//! ```
//!
//! Which tree a set of filters makes does not depend on how it came about: a branch leads to a node exactly if two filters or more begin
//! so. A branch is one prefix of filters, so a search comes to it at most once. `+`, which any name can take, and a literal cost a search no
//! lookup; a node with thousands of children costs it one.

mod edge;
mod remove;
mod walk;

use alloc::vec::Vec;

use super::hash::Seed;
use super::split::{Level, Split};
use super::table::Table;
use super::text::{Moved, TextAt, Texts};
use super::words::{END, HASH, PLUS, Token, Words};
use edge::{Branch, Edge, Hints, Node, NodeId, ROOT, Spilled, Step, Tail, To};
pub(super) use walk::Walk;

#[derive(Clone, Debug)]
pub(super) struct Trie<P> {
    edges: Table<Edge<P>>,
    /// The root first; none if there are no filters.
    nodes: Vec<Node<P>>,
    /// As many as there are nodes.
    spilled: Vec<Spilled>,
    /// Numbers of nodes to use again.
    vacant: Vec<NodeId>,
    /// Those of the root.
    hints: Hints,
    words: Words,
    filters: usize,
    branches: usize,
}

/// Where a branch is, as long as nothing is entered or taken out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The `+` of a node.
    Plus(NodeId),
    /// The literal of a node.
    Literal(NodeId),
    Edge(usize),
}

impl<P> Trie<P> {
    pub(super) const fn new(seed: Seed) -> Self {
        Self {
            edges: Table::new(seed.word()),
            nodes: Vec::new(),
            spilled: Vec::new(),
            vacant: Vec::new(),
            hints: Hints::NONE,
            words: Words::new(seed),
            filters: 0,
            branches: 0,
        }
    }

    /// The number of filters.
    pub(super) const fn len(&self) -> usize {
        self.filters
    }

    /// The number of branches, and one for the root if there is any.
    pub(super) const fn node_count(&self) -> usize {
        if self.filters == 0 { 0 } else { self.branches + 1 }
    }

    /// Bytes allocated, what the payloads allocated aside.
    pub(super) const fn bytes(&self) -> usize {
        self.edges.bytes()
            + self.nodes.capacity() * size_of::<Node<P>>()
            + self.spilled.capacity() * size_of::<Spilled>()
            + self.vacant.capacity() * size_of::<NodeId>()
            + self.words.bytes()
    }

    fn branches(&self) -> impl Iterator<Item = &Branch<P>> {
        let in_nodes = self.nodes.iter().flat_map(|node| node.plus.iter().chain(&node.literal));
        in_nodes.chain(self.edges.iter().map(|edge| &edge.branch))
    }

    /// All filters with their payloads, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TextAt, &P)> {
        self.branches().filter_map(|branch| match &branch.to {
            To::Filter { text, payload } => Some((*text, payload)),
            To::Node { .. } => None,
        })
    }

    /// Moves the text of each filter.
    pub(super) fn move_texts(&mut self, moved: &mut Moved, into: &mut Texts) {
        let in_nodes = self.nodes.iter_mut().flat_map(|node| node.plus.iter_mut().chain(&mut node.literal));
        for branch in in_nodes.chain(self.edges.iter_mut().map(|edge| &mut edge.branch)) {
            if let To::Filter { text, .. } = &mut branch.to {
                *text = moved.take(*text, into);
            }
        }
    }

    /// The payload at a place that [`find`](Self::find) or [`walk`](Self::walk) gave.
    #[inline]
    pub(super) fn payload(&self, place: Place) -> Option<(TextAt, &P)> {
        match &self.branch(place)?.to {
            To::Filter { text, payload } => Some((*text, payload)),
            To::Node { .. } => None,
        }
    }

    pub(super) fn payload_mut(&mut self, place: Place) -> Option<&mut P> {
        match &mut self.branch_mut(place)?.to {
            To::Filter { payload, .. } => Some(payload),
            To::Node { .. } => None,
        }
    }

    #[inline(always)]
    fn node(&self, id: NodeId) -> Option<&Node<P>> {
        self.nodes.get(id as usize)
    }

    #[inline(always)]
    fn branch(&self, place: Place) -> Option<&Branch<P>> {
        match place {
            Place::Plus(id) => self.node(id)?.plus.as_ref(),
            Place::Literal(id) => self.node(id)?.literal.as_ref(),
            Place::Edge(at) => self.edges.get(at).map(|edge| &edge.branch),
        }
    }

    fn branch_mut(&mut self, place: Place) -> Option<&mut Branch<P>> {
        match place {
            Place::Plus(id) => self.nodes.get_mut(id as usize)?.plus.as_mut(),
            Place::Literal(id) => self.nodes.get_mut(id as usize)?.literal.as_mut(),
            Place::Edge(at) => self.edges.get_mut(at).map(|edge| &mut edge.branch),
        }
    }

    /// The token of a level, if any branch has it; behind the last level, that of the end.
    #[inline]
    fn token(&self, level: Option<&Level<'_>>) -> Option<Token> {
        level.map_or(Some(END), |level| wildcard(level).or_else(|| self.words.token(level)))
    }

    /// Where a branch is.
    fn place(&self, step: Step) -> Option<Place> {
        let node = self.node(step.node)?;
        if step.token == PLUS {
            return node.plus.as_ref().map(|_| Place::Plus(step.node));
        }
        // Asked for before the node has come.
        self.edges.prefetch(step.hash(self.edges.seed()));
        if node.literal.as_ref().is_some_and(|branch| branch.is(step.token)) {
            return Some(Place::Literal(step.node));
        }
        self.spilled(step).map(Place::Edge)
    }

    /// Where a branch is in the table.
    #[inline(always)]
    fn spilled(&self, step: Step) -> Option<usize> {
        self.edges.find(step.hash(self.edges.seed()), |edge| edge.is(step))
    }

    /// Where a filter is. O(levels it has in common with another).
    pub(super) fn find(&self, text: &str, texts: &Texts) -> Option<Place> {
        let mut split = Split::new(text.as_bytes());
        let mut node = ROOT;
        // Ends: the branch of an end leads to a filter.
        loop {
            let token = self.token(split.next().as_ref())?;
            let place = self.place(Step { node, token })?;
            match &self.branch(place)?.to {
                To::Node { id, .. } => node = *id,
                To::Filter { text: other, .. } => {
                    return (texts.get_bytes(*other) == text.as_bytes()).then_some(place);
                }
            }
        }
    }

    /// Enters a filter that is not there yet. O(levels it has in common with another).
    pub(super) fn insert(&mut self, text: &str, at: TextAt, payload: P, texts: &Texts) {
        if self.nodes.is_empty() {
            self.push_node();
        }
        self.filters += 1;
        let mut split = Split::new(text.as_bytes());
        let (mut node, mut above) = (ROOT, None);
        loop {
            let level = split.next();
            let step = self.token(level.as_ref()).map(|token| Step { node, token });
            let Some((step, place)) = step.and_then(|step| Some((step, self.place(step)?))) else {
                self.attach(above, node, level, split.rest(), To::Filter { text: at, payload });
                return;
            };
            node = match self.branch(place).map(|branch| &branch.to) {
                Some(To::Node { id, .. }) => *id,
                _ => self.part(step, place, &split, texts),
            };
            above = Some(step);
        }
    }

    fn push_node(&mut self) -> NodeId {
        if self.nodes.len() == self.nodes.capacity() {
            // By a quarter: a doubling would leave half of it vacant.
            let more = self.nodes.len() / 4 + 4;
            self.nodes.reserve_exact(more);
            self.spilled.reserve_exact(more);
        }
        self.nodes.push(Node::new());
        self.spilled.push(Spilled::default());
        NodeId::try_from(self.nodes.len() - 1).unwrap_or_else(|_| overflow())
    }

    /// Puts a node where a branch leads to one filter; that filter goes one level on. `split` is behind the level of the branch, in a
    /// text that begins as the filter does.
    fn part(&mut self, step: Step, place: Place, split: &Split<'_>, texts: &Texts) -> NodeId {
        let id = self.vacant.pop().unwrap_or_else(|| self.push_node());
        if let Some(branch) = self.branch_mut(place)
            && let To::Filter { text, payload } =
                branch.turn(Tail::Nothing, To::Node { id, hints: Hints::NONE })
        {
            let mut split = split.of(texts.get_bytes(text));
            let level = split.next();
            self.attach(Some(step), id, level, split.rest(), To::Filter { text, payload });
        }
        id
    }

    /// Adds a branch to a node; `above` is the one that leads to the node, `rest` what the filter has behind `level`.
    fn attach(
        &mut self,
        above: Option<Step>,
        id: NodeId,
        level: Option<Level<'_>>,
        rest: Option<&[u8]>,
        to: To<P>,
    ) {
        let token = match &level {
            None => END,
            Some(level) => wildcard(level).unwrap_or_else(|| self.words.acquire(level)),
        };
        let tail = if token == HASH { Tail::Hash } else { Tail::of(rest) };
        let branch = Branch::new(token, tail, to);
        let Some((node, spilled)) = self.nodes.get_mut(id as usize).zip(self.spilled.get_mut(id as usize))
        else {
            return;
        };
        let mut new = Hints::of(token);
        if token == PLUS {
            node.plus = Some(branch);
        } else if token > END && node.literal.is_none() {
            node.literal = Some(branch);
        } else {
            if token > END {
                new = new.with(Hints::SPILLED);
            }
            spilled.count += 1;
            spilled.tokens ^= token;
            self.edges.insert(Edge { node: id, branch });
        }
        self.branches += 1;
        if let Some(hints) = self.hints_mut(above) {
            *hints = hints.with(new);
        }
    }

    /// The hints of the node that a branch leads to.
    fn hints_mut(&mut self, above: Option<Step>) -> Option<&mut Hints> {
        let Some(step) = above else { return Some(&mut self.hints) };
        let place = self.place(step)?;
        match &mut self.branch_mut(place)?.to {
            To::Node { hints, .. } => Some(hints),
            To::Filter { .. } => None,
        }
    }
}

/// The token of a wildcard.
#[inline(always)]
fn wildcard(level: &Level<'_>) -> Option<Token> {
    if level.is(b'+') {
        Some(PLUS)
    } else if level.is(b'#') {
        Some(HASH)
    } else {
        None
    }
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 2^32 nodes at most")
}

#[cfg(test)]
mod tests;

//! A filter is taken out, and the tree becomes what it would be had it never been there.
//!
//! ```text
//!   a/+/c is taken out      (a/+) --c--> [1 ]                 the branch goes
//!                                 \--d--> [2 e]               one filter is left behind `a/+`: no node is needed
//!                           (a) --+--> [2 d/e]                the branch leads to the filter
//! ```

use alloc::vec::Vec;
use core::mem;

use super::edge::{Branch, Hints, NodeId, ROOT, Step, Tail, To};
use super::{Place, Trie, wildcard};
use crate::subscription::split::Split;
use crate::subscription::text::{TextAt, Texts};

impl<P> Trie<P> {
    /// Takes a filter out, and every node that is not needed any more. O(levels it has in common with another).
    pub(in crate::subscription) fn remove(&mut self, text: &str, texts: &Texts) -> Option<(TextAt, P)> {
        // The branches to the filter, and where the level of each begins.
        let mut path: Vec<(Step, usize)> = Vec::new();
        let mut split = Split::new(text.as_bytes());
        let mut node = ROOT;
        let mut begin;
        let (step, place) = loop {
            begin = split.at();
            let token = self.token(split.next().as_ref())?;
            let step = Step { node, token };
            let place = self.place(step)?;
            match &self.branch(place)?.to {
                To::Node { id, .. } => node = *id,
                To::Filter { text: other, .. } if texts.get_bytes(*other) == text.as_bytes() => {
                    break (step, place);
                }
                To::Filter { .. } => return None,
            }
            path.push((step, begin));
        };
        let taken = self.detach(step, place, Split::at_of(text.as_bytes(), begin))?;
        if let Some((node, spilled)) = self.node(node).zip(self.spilled.get(node as usize)) {
            let above = path.last().map(|(step, _)| *step);
            let hints = self.hints(above).renewed(node, *spilled, step.token);
            if let Some(old) = self.hints_mut(above) {
                *old = hints;
            }
        }
        while let Some((above, above_begin)) = path.pop() {
            if !self.merge(node, above, begin, texts) {
                break;
            }
            (node, begin) = (above.node, above_begin);
        }
        self.filters -= 1;
        if self.filters == 0 {
            *self = Self::new(self.words.seed().clone());
        } else if self.is_sparse() {
            self.rebuild(texts);
        }
        match taken.to {
            To::Filter { text, payload } => Some((text, payload)),
            To::Node { .. } => None,
        }
    }

    fn hints(&self, above: Option<Step>) -> Hints {
        let Some(step) = above else { return self.hints };
        match self.place(step).and_then(|place| self.branch(place)).map(|branch| &branch.to) {
            Some(To::Node { hints, .. }) => *hints,
            _ => Hints::NONE,
        }
    }

    /// Takes a branch off its node; `split` is before the level of the branch.
    fn detach(&mut self, step: Step, place: Place, mut split: Split<'_>) -> Option<Branch<P>> {
        let node = self.nodes.get_mut(step.node as usize)?;
        let branch = match place {
            Place::Plus(_) => node.plus.take(),
            Place::Literal(_) => node.literal.take(),
            Place::Edge(at) => {
                let spilled = self.spilled.get_mut(step.node as usize)?;
                spilled.count -= 1;
                spilled.tokens ^= step.token;
                self.edges.remove(at).map(|edge| edge.branch)
            }
        }?;
        self.branches -= 1;
        if let Some(level) = split.next().filter(|level| wildcard(level).is_none()) {
            self.words.release(&level);
        }
        Some(branch)
    }

    /// Takes a node out that has one filter only, and leads the branch to the node to that filter. `begin` is where the levels behind
    /// the node begin.
    fn merge(&mut self, id: NodeId, above: Step, begin: usize, texts: &Texts) -> bool {
        let node = self.spilled.get(id as usize).zip(self.node(id));
        let Some(token) = node.and_then(|(spilled, node)| spilled.only(node)) else { return false };
        let step = Step { node: id, token };
        let Some((place, text)) = self.place(step).and_then(|place| Some((place, self.payload(place)?.0)))
        else {
            return false;
        };
        let split = Split::at_of(texts.get_bytes(text), begin);
        let tail = Tail::of(split.rest());
        let Some(branch) = self.detach(step, place, split) else { return false };
        self.vacant.push(id);
        if let Some(place) = self.place(above)
            && let Some(above) = self.branch_mut(place)
        {
            above.turn(tail, branch.to);
        }
        true
    }

    /// Whether most of what was given out is not in use any more.
    fn is_sparse(&self) -> bool {
        let vacant = self.vacant.len();
        // To make it anew costs what the branches that are left cost: few nodes do not pay for many of those.
        self.words.is_sparse(self.branches)
            || vacant > 64 && vacant > self.nodes.len() / 4 * 3 && vacant > self.branches / 4
    }

    /// Makes the tree anew, no larger than it has to be. O(levels of all filters); the removals before it pay for it.
    fn rebuild(&mut self, texts: &Texts) {
        let old = mem::replace(self, Self::new(self.words.seed().clone()));
        let in_nodes = old.nodes.into_iter().flat_map(|node| node.plus.into_iter().chain(node.literal));
        for branch in in_nodes.chain(old.edges.into_items().map(|edge| edge.branch)) {
            if let To::Filter { text, payload } = branch.to {
                self.insert(texts.get(text), text, payload, texts);
            }
        }
    }
}

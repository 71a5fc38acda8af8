//! The search: level by level, over all nodes that the levels so far lead to.
//!
//! ```text
//!   name a/b/c against the tree of the other picture
//!
//!   level   nodes             branches of them
//!   a       root              a: node 1; +: filter 4, "b/c/#" to be compared
//!   b       1, `a`            +: node 2; #: filter 3 matches
//!   c       2, `a/+`          c: filter 1 matches
//! ```
//!
//! When a node is found, the memory that its branches for the next level are in is asked for; it is looked at only when all nodes of the
//! level are found, so the waits for memory overlap. Hints of a node say which branches it may have, so little is looked for in vain.
//! A filter that no other begins like is compared at the end by its text; that is asked for when it is found.

use core::mem;

use super::edge::{Branch, Hints, NodeId, ROOT, Step, Tail, To};
use super::{Place, Trie, wildcard};
use crate::subscription::pile::Pile;
use crate::subscription::prefetch::prefetch;
use crate::subscription::split::{Level, Split};
use crate::subscription::text::{TextAt, Texts};
use crate::subscription::words::{END, HASH, Token};

/// A node that the levels so far lead to.
#[derive(Clone, Copy, Debug)]
struct Reached {
    id: NodeId,
    hints: Hints,
    /// How many bytes of a filter lie before the level of its branches.
    before: u32,
}

/// A filter that matches as far as it was looked at.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Which name it may match.
    lane: u32,
    place: Place,
    /// Its text, and where the rest of it begins.
    text: TextAt,
    filter_rest: u32,
    name_rest: u32,
    /// Whether there is no wildcard in the rest.
    is_literal: bool,
}

/// What a search writes down; used again, it allocates no more.
#[derive(Clone, Debug)]
pub(in crate::subscription) struct Walk {
    now: Nodes,
    next: Nodes,
    candidates: Candidates,
}

/// On the stack while there are few. More room would cost every search more than the memory that few searches ask for.
type Nodes = Pile<Reached, 32>;
type Candidates = Pile<Candidate, 16>;

impl Walk {
    #[inline(always)]
    pub(in crate::subscription) const fn new() -> Self {
        let reached = Reached { id: ROOT, hints: Hints::NONE, before: 0 };
        let candidate = Candidate {
            lane: 0,
            place: Place::Edge(0),
            text: TextAt::MIN,
            filter_rest: 0,
            name_rest: 0,
            is_literal: true,
        };
        Self { now: Pile::new(reached), next: Pile::new(reached), candidates: Pile::new(candidate) }
    }
}

/// How far the search for one name is.
#[derive(Clone, Copy)]
struct Lane<'n> {
    split: Split<'n>,
    level: Option<Level<'n>>,
    aim: Aim,
    /// Where the nodes that its levels so far lead to end; they begin where those of the lane before end.
    until: usize,
}

/// What branches are looked for by at one level.
#[derive(Clone, Copy)]
struct Aim {
    token: Token,
    /// The hint of the token; none if no branch has it.
    literal: Hints,
    /// All hints that matter here: a node that has none of them is of no use.
    any: Hints,
}

/// What a level of a search has at hand.
struct Search<'t, 'w, P, F, T> {
    trie: &'t Trie<P>,
    texts: &'t Texts,
    next: &'w mut Nodes,
    candidates: &'w mut Candidates,
    visit: F,
    prefetch: T,
    lane: usize,
    /// What the next level is looked for by.
    aim: Aim,
    /// The name ends with this level.
    is_last: bool,
    /// Where the rest of the name begins.
    name_rest: u32,
    visited: usize,
}

impl<'t, P, F, T> Search<'t, '_, P, F, T>
where
    F: FnMut(usize, Place, &'t P),
    T: Fn(&P),
{
    /// Goes where a branch leads; `before` bytes of a filter lie before what is behind it.
    #[inline(always)]
    fn follow(&mut self, place: Place, branch: &'t Branch<P>, before: u32) {
        self.visited += 1;
        match &branch.to {
            To::Node { id, hints } => {
                if hints.have(self.aim.any) {
                    self.trie.prefetch(*id, *hints, self.aim);
                    self.next.push(Reached { id: *id, hints: *hints, before });
                }
            }
            To::Filter { text, payload } => {
                let tail = branch.tail();
                if matches!(tail, Tail::Literal | Tail::More) {
                    if !self.is_last {
                        self.texts.prefetch(*text);
                        (self.prefetch)(payload);
                        self.candidates.push(Candidate {
                            lane: low(self.lane),
                            place,
                            text: *text,
                            filter_rest: before,
                            name_rest: self.name_rest,
                            is_literal: tail == Tail::Literal,
                        });
                    }
                } else if self.is_last || tail == Tail::Hash {
                    // [MQTT-4.7.1-1] `#` stands for its parent too: whether the name goes on does not matter.
                    (self.visit)(self.lane, place, payload);
                }
            }
        }
    }

    /// Follows the branches that a level leads to.
    #[inline(always)]
    fn level(&mut self, lane: &mut Lane<'_>, nodes: &[Reached]) {
        let trie = self.trie;
        let length = low(lane.level.map_or(0, |level| level.bytes.len()));
        let (is_end, aim) = (lane.level.is_none(), lane.aim);
        self.name_rest = low(lane.split.at());
        self.is_last = lane.split.rest().is_none();
        lane.level = lane.split.next();
        lane.aim = trie.aim(lane.level.as_ref());
        self.aim = lane.aim;
        for Reached { id, hints, before } in nodes {
            let (id, before) = (*id, *before);
            if hints.have(Hints::HASH)
                && let Some((place, branch)) = trie.rare_branch(Step { node: id, token: HASH })
            {
                self.follow(place, branch, before);
            }
            if is_end {
                if hints.have(Hints::END)
                    && let Some((place, branch)) = trie.rare_branch(Step { node: id, token: END })
                {
                    self.follow(place, branch, before);
                }
                continue;
            }
            let Some(node) = trie.node(id) else { continue };
            // [MQTT-4.7.1-2]
            if let Some(branch) = &node.plus
                && hints.have(Hints::PLUS)
            {
                self.follow(Place::Plus(id), branch, before + 2);
            }
            if !hints.have(aim.literal) {
                continue;
            }
            if let Some(branch) = &node.literal
                && branch.is(aim.token)
            {
                self.follow(Place::Literal(id), branch, before + length + 1);
            } else if hints.have(Hints::SPILLED)
                && let Some((place, branch)) = trie.spilled_branch(Step { node: id, token: aim.token })
            {
                self.follow(place, branch, before + length + 1);
            }
        }
    }
}

impl<P> Trie<P> {
    /// Calls `visit` for each filter that matches the name, with its place, and says how many branches it came to. `prefetch` asks
    /// for the memory of what a payload refers to.
    #[inline]
    pub(in crate::subscription) fn walk<'t>(
        &'t self,
        name: &[u8],
        texts: &'t Texts,
        walk: &mut Walk,
        mut visit: impl FnMut(Place, &'t P),
        prefetch: impl Fn(&P),
    ) -> usize {
        self.walk_all(&[name], texts, walk, |_, place, payload| visit(place, payload), prefetch)
    }

    /// As [`walk`](Self::walk), for several names, all a level further in turn, so that their waits for memory overlap too. `visit` is told
    /// which name it is.
    #[inline]
    pub(in crate::subscription) fn walk_all<'t, const N: usize>(
        &'t self,
        names: &[&[u8]; N],
        texts: &'t Texts,
        walk: &mut Walk,
        visit: impl FnMut(usize, Place, &'t P),
        prefetch: impl Fn(&P),
    ) -> usize {
        let Walk { now, next, candidates } = walk;
        let mut now = now;
        now.clear();
        candidates.clear();
        let mut until = 0;
        let mut lanes = names.map(|name| {
            let mut split = Split::new(name);
            let level = split.next();
            let aim = self.aim(level.as_ref());
            // [MQTT-4.7.2-1] The wildcards that a filter can begin with leave the root.
            let hints = if name.first() == Some(&b'$') { self.hints.literals() } else { self.hints };
            now.push(Reached { id: ROOT, hints, before: 0 });
            until += 1;
            Lane { split, level, aim, until }
        });
        let aim = Aim { token: END, literal: Hints::NONE, any: Hints::NONE };
        let (lane, is_last, name_rest, visited) = (0, false, 0, 0);
        let mut search = Search {
            trie: self,
            texts,
            next,
            candidates,
            visit,
            prefetch,
            lane,
            aim,
            is_last,
            name_rest,
            visited,
        };
        while !now.items().is_empty() {
            search.next.clear();
            let mut from = 0;
            for (number, lane) in lanes.iter_mut().enumerate() {
                let nodes = now.items().get(from..lane.until).unwrap_or_default();
                from = lane.until;
                if !nodes.is_empty() {
                    search.lane = number;
                    search.level(lane, nodes);
                }
                lane.until = search.next.len();
            }
            mem::swap(&mut now, &mut search.next);
        }
        let Search { candidates, mut visit, visited, .. } = search;
        for candidate in candidates.items() {
            let lane = candidate.lane as usize;
            let Some(name) = names.get(lane) else { continue };
            let name = name.get(candidate.name_rest as usize..).unwrap_or_default();
            let filter = texts.get_bytes(candidate.text);
            let filter = filter.get(candidate.filter_rest as usize..).unwrap_or_default();
            // Most do not match, and only who does is looked at again.
            if (filter == name || !candidate.is_literal && rest_matches(filter, name))
                && let Some((_, payload)) = self.payload(candidate.place)
            {
                visit(lane, candidate.place, payload);
            }
        }
        visited
    }

    #[inline(always)]
    fn aim(&self, level: Option<&Level<'_>>) -> Aim {
        let Some(level) = level else {
            return Aim { token: END, literal: Hints::NONE, any: Hints::HASH.with(Hints::END) };
        };
        let token = self.words.token(level);
        let literal = token.map_or(Hints::NONE, Hints::of);
        Aim { token: token.unwrap_or(END), literal, any: Hints::HASH.with(Hints::PLUS).with(literal) }
    }

    #[inline(always)]
    fn spilled_branch(&self, step: Step) -> Option<(Place, &Branch<P>)> {
        let at = self.spilled(step)?;
        self.edges.get(at).map(|edge| (Place::Edge(at), &edge.branch))
    }

    /// As [`spilled_branch`](Self::spilled_branch), out of the way.
    #[inline(never)]
    fn rare_branch(&self, step: Step) -> Option<(Place, &Branch<P>)> {
        self.spilled_branch(step)
    }

    /// Asks for the memory that the branches of a node for a level are in.
    #[inline(always)]
    fn prefetch(&self, id: NodeId, hints: Hints, aim: Aim) {
        if let Some(node) = self.node(id) {
            prefetch(node);
        }
        if hints.have(Hints::SPILLED) && hints.have(aim.literal) {
            self.edges.prefetch(Step { node: id, token: aim.token }.hash(self.edges.seed()));
        }
    }
}

/// Whether the rest of a filter matches the rest of a name; both begin with a level.
fn rest_matches(filter: &[u8], name: &[u8]) -> bool {
    let (mut wanted, mut given) = (Split::new(filter), Split::new(name));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), given) => match (wildcard(&wanted), given) {
                (Some(HASH), _) => return true,
                (Some(_), Some(_)) => {}
                (None, Some(given)) if wanted.word == given.word && wanted.bytes == given.bytes => {}
                _ => return false,
            },
            (None, Some(_)) => return false,
        }
    }
}

/// Positions in texts fit: a text has 65,535 bytes at most.
#[inline(always)]
fn low(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

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
//! When a node is found, the memory that its branches for the next level are in is touched; it is looked at only when all nodes of the
//! level are found, so the waits for memory overlap. Hints of a node say which branches it may have, so little is looked for in vain.
//! A filter that no other begins like is compared at the end by its text; that is touched when it is found.

use core::hint::black_box;
use core::mem;

use super::edge::{Branch, Hints, NodeId, ROOT, Step, Tail, To};
use super::{Place, Trie, wildcard};
use crate::subscription::pile::Pile;
use crate::subscription::split::{Level, Split};
use crate::subscription::text::Texts;
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
    place: Place,
    filter_rest: u32,
    name_rest: u32,
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
        let candidate = Candidate { place: Place::Edge(0), filter_rest: 0, name_rest: 0 };
        Self { now: Pile::new(reached), next: Pile::new(reached), candidates: Pile::new(candidate) }
    }
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
    touch: T,
    /// What the next level is looked for by.
    aim: Aim,
    /// The name ends with this level.
    is_last: bool,
    /// Where the rest of the name begins.
    name_rest: u32,
    visited: usize,
    /// Of no meaning; but what is read has to go somewhere.
    touched: u32,
}

impl<'t, P, F: FnMut(Place, &'t P), T: Fn(&P) -> u32> Search<'t, '_, P, F, T> {
    /// Goes where a branch leads; `before` bytes of a filter lie before what is behind it.
    #[inline(always)]
    fn follow(&mut self, place: Place, branch: &'t Branch<P>, before: u32) {
        self.visited += 1;
        match &branch.to {
            To::Node { id, hints } => {
                if hints.have(self.aim.any) {
                    // Of many, the processor overlaps the waits by itself, and what is touched first is pushed out by what is last.
                    if self.next.is_short() {
                        self.touched ^= self.trie.touch(*id, *hints, self.aim);
                    }
                    self.next.push(Reached { id: *id, hints: *hints, before });
                }
            }
            To::Filter { text, payload } => {
                let tail = branch.tail();
                if matches!(tail, Tail::Literal | Tail::More) {
                    if !self.is_last {
                        self.touched ^= u32::from(self.texts.touch(*text)) ^ (self.touch)(payload);
                        let name_rest = self.name_rest;
                        self.candidates.push(Candidate { place, filter_rest: before, name_rest });
                    }
                } else if self.is_last || tail == Tail::Hash {
                    // [MQTT-4.7.1-1] `#` stands for its parent too: whether the name goes on does not matter.
                    (self.visit)(place, payload);
                }
            }
        }
    }
}

impl<P> Trie<P> {
    /// Calls `visit` for each filter that matches the name, with its place, and says how many branches it came to. `touch` reads
    /// something of what a payload refers to.
    #[inline]
    pub(in crate::subscription) fn walk<'t>(
        &'t self,
        name: &[u8],
        texts: &'t Texts,
        walk: &mut Walk,
        visit: impl FnMut(Place, &'t P),
        touch: impl Fn(&P) -> u32,
    ) -> usize {
        let Walk { now, next, candidates } = walk;
        let mut now = now;
        now.clear();
        candidates.clear();
        let mut split = Split::new(name);
        let mut level = split.next();
        let mut aim = self.aim(level.as_ref());
        // [MQTT-4.7.2-1] The wildcards that a filter can begin with leave the root.
        let hints = if name.first() == Some(&b'$') { self.hints.literals() } else { self.hints };
        now.push(Reached { id: ROOT, hints, before: 0 });
        let (is_last, name_rest, visited, touched) = (false, 0, 0, 0);
        let mut search = Search {
            trie: self,
            texts,
            next,
            candidates,
            visit,
            touch,
            aim,
            is_last,
            name_rest,
            visited,
            touched,
        };
        loop {
            let nodes = now.items();
            if nodes.is_empty() {
                break;
            }
            let length = low(level.map_or(0, |level| level.bytes.len()));
            let is_end = level.is_none();
            search.name_rest = low(split.at());
            search.is_last = split.rest().is_none();
            level = split.next();
            search.aim = self.aim(level.as_ref());
            search.touched = black_box(search.touched);
            search.next.clear();
            for Reached { id, hints, before } in nodes {
                let (id, before) = (*id, *before);
                if hints.have(Hints::HASH)
                    && let Some((place, branch)) = self.rare_branch(Step { node: id, token: HASH })
                {
                    search.follow(place, branch, before);
                }
                if is_end {
                    if hints.have(Hints::END)
                        && let Some((place, branch)) = self.rare_branch(Step { node: id, token: END })
                    {
                        search.follow(place, branch, before);
                    }
                    continue;
                }
                let Some(node) = self.node(id) else { continue };
                // [MQTT-4.7.1-2]
                if let Some(branch) = &node.plus
                    && hints.have(Hints::PLUS)
                {
                    search.follow(Place::Plus(id), branch, before + 2);
                }
                if !hints.have(aim.literal) {
                    continue;
                }
                if let Some(branch) = &node.literal
                    && branch.is(aim.token)
                {
                    search.follow(Place::Literal(id), branch, before + length + 1);
                } else if hints.have(Hints::SPILLED)
                    && let Some((place, branch)) = self.spilled_branch(Step { node: id, token: aim.token })
                {
                    search.follow(place, branch, before + length + 1);
                }
            }
            mem::swap(&mut now, &mut search.next);
            aim = search.aim;
        }
        black_box(search.touched);
        let Search { candidates, mut visit, visited, .. } = search;
        for candidate in candidates.items() {
            let Some(branch) = self.branch(candidate.place) else { continue };
            let To::Filter { text, payload } = &branch.to else { continue };
            let filter = texts.get_bytes(*text).get(candidate.filter_rest as usize..).unwrap_or_default();
            let name = name.get(candidate.name_rest as usize..).unwrap_or_default();
            if filter == name || branch.tail() == Tail::More && rest_matches(filter, name) {
                visit(candidate.place, payload);
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

    /// Reads something of the memory that the branches of a node for a level are in.
    #[inline(always)]
    fn touch(&self, id: NodeId, hints: Hints, aim: Aim) -> u32 {
        let mut touched = u32::from(self.node(id).is_some_and(|node| node.plus.is_some()));
        if hints.have(Hints::SPILLED) && hints.have(aim.literal) {
            let hash = Step { node: id, token: aim.token }.hash(self.edges.seed());
            touched ^= u32::from(self.edges.touch(hash));
        }
        touched
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

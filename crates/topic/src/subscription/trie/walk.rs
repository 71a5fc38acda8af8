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
    now: Pile<Reached>,
    next: Pile<Reached>,
    candidates: Pile<Candidate>,
}

impl Walk {
    #[inline(always)]
    pub(in crate::subscription) const fn new() -> Self {
        let reached = Reached { id: ROOT, hints: Hints::NONE, before: 0 };
        let candidate = Candidate { place: Place::Edge(0), filter_rest: 0, name_rest: 0 };
        Self { now: Pile::new(reached), next: Pile::new(reached), candidates: Pile::new(candidate) }
    }
}

/// The level that branches are looked for.
#[derive(Clone, Copy)]
struct Aim {
    /// Behind the last level only ends and `#` are left.
    is_end: bool,
    token: Token,
    /// The hint of the token; none if no branch has it.
    hint: Hints,
}

impl<P> Trie<P> {
    /// Calls `visit` for each filter that matches the name, with its place, and says how many branches it came to.
    #[inline]
    pub(in crate::subscription) fn walk<'t>(
        &'t self,
        name: &[u8],
        texts: &Texts,
        walk: &mut Walk,
        mut visit: impl FnMut(Place, &'t P),
    ) -> usize {
        let Walk { now, next, candidates } = walk;
        now.clear();
        candidates.clear();
        let mut visited = 0;
        let mut touched = false;
        let mut split = Split::new(name);
        // [MQTT-4.7.2-1] The wildcards that a filter can begin with leave the root.
        let hints = if name.first() == Some(&b'$') { self.hints.literals() } else { self.hints };
        now.push(Reached { id: ROOT, hints, before: 0 });
        let mut level = split.next();
        let mut aim = self.aim(level.as_ref());
        while !now.items().is_empty() {
            let length = level.map_or(0, |level| level.bytes.len());
            // The rest of the name, behind the level.
            let name_rest = low(split.at());
            let is_last = split.rest().is_none();
            level = split.next();
            let aim_of_next = self.aim(level.as_ref());
            black_box(touched);
            next.clear();
            for reached in now.items() {
                let mut follow = |place: Place, branch: &'t Branch<P>, length: usize| {
                    visited += 1;
                    let before = reached.before + low(length) + 1;
                    match &branch.to {
                        To::Node { id, hints } => {
                            touched ^= self.touch(*id, *hints, aim_of_next);
                            next.push(Reached { id: *id, hints: *hints, before });
                        }
                        To::Filter { text, payload } => match branch.tail() {
                            // [MQTT-4.7.1-1] `#` stands for its parent too: whether the name goes on does not matter.
                            Tail::Hash => visit(place, payload),
                            Tail::Nothing if is_last => visit(place, payload),
                            Tail::More if !is_last => {
                                touched ^= texts.touch(*text) == 0;
                                candidates.push(Candidate { place, filter_rest: before, name_rest });
                            }
                            _ => {}
                        },
                    }
                };
                let Reached { id, hints, .. } = *reached;
                if hints.have(Hints::HASH)
                    && let Some((place, branch)) = self.spilled_branch(Step { node: id, token: HASH })
                {
                    follow(place, branch, 1);
                }
                if aim.is_end {
                    if hints.have(Hints::END)
                        && let Some((place, branch)) = self.spilled_branch(Step { node: id, token: END })
                    {
                        follow(place, branch, 0);
                    }
                    continue;
                }
                // [MQTT-4.7.1-2]
                if hints.have(Hints::PLUS)
                    && let Some(branch) = self.node(id).and_then(|node| node.plus.as_ref())
                {
                    follow(Place::Plus(id), branch, 1);
                }
                if hints.have(aim.hint) {
                    let literal = self.node(id).and_then(|node| node.literal.as_ref());
                    if let Some(branch) = literal
                        && branch.is(aim.token)
                    {
                        follow(Place::Literal(id), branch, length);
                    } else if hints.have(Hints::SPILLED)
                        && let Some((place, branch)) =
                            self.spilled_branch(Step { node: id, token: aim.token })
                    {
                        follow(place, branch, length);
                    }
                }
            }
            mem::swap(now, next);
            aim = aim_of_next;
        }
        black_box(touched);
        for candidate in candidates.items() {
            let Some((text, payload)) = self.payload(candidate.place) else { continue };
            let filter = texts.get_bytes(text).get(candidate.filter_rest as usize..).unwrap_or_default();
            let name = name.get(candidate.name_rest as usize..).unwrap_or_default();
            if filter == name || rest_matches(filter, name) {
                visit(candidate.place, payload);
            }
        }
        visited
    }

    #[inline(always)]
    fn aim(&self, level: Option<&Level<'_>>) -> Aim {
        let token = level.and_then(|level| self.words.token(level));
        Aim {
            is_end: level.is_none(),
            token: token.unwrap_or(END),
            hint: token.map_or(Hints::NONE, Hints::of),
        }
    }

    #[inline(always)]
    fn spilled_branch(&self, step: Step) -> Option<(Place, &Branch<P>)> {
        let at = self.spilled(step)?;
        self.edges.get(at).map(|edge| (Place::Edge(at), &edge.branch))
    }

    /// Reads something of the memory that the branches of a node for a level are in.
    #[inline(always)]
    fn touch(&self, id: NodeId, hints: Hints, aim: Aim) -> bool {
        let mut touched = false;
        if hints.have(aim.hint.with(Hints::PLUS)) {
            touched ^= self.node(id).is_some_and(|node| node.plus.is_some());
        }
        if hints.have(Hints::SPILLED) && hints.have(aim.hint) {
            touched ^= self.edges.touch(Step { node: id, token: aim.token }.hash(self.edges.seed()));
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

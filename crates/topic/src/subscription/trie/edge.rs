//! What the wildcard tree is made of: branches, in their node or in one table for all nodes.

use core::mem;

use crate::subscription::hash;
use crate::subscription::table::Hashed;
use crate::subscription::text::TextAt;
use crate::subscription::words::{END, HASH, PLUS, TOKEN_MAX, Token};

/// A node, by its number.
pub(super) type NodeId = u32;

/// Where every search begins; nothing leads to it.
pub(super) const ROOT: NodeId = 0;

/// What a branch is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The node it leaves.
    pub(super) node: NodeId,
    pub(super) token: Token,
}

impl Step {
    #[inline(always)]
    pub(super) const fn hash(self, seed: u64) -> u32 {
        hash::word(seed, (self.node as u64) << 32 | self.token as u64)
    }
}

/// A way to go on from a node.
#[derive(Clone, Debug)]
pub(super) struct Branch<P> {
    /// The token; in the two bits above it, the tail.
    label: u32,
    pub(super) to: To<P>,
}

const TAIL_SHIFT: u32 = 30;
const _: () = assert!(TOKEN_MAX >> TAIL_SHIFT == 0);

impl<P> Branch<P> {
    pub(super) const fn new(token: Token, tail: Tail, to: To<P>) -> Self {
        Self { label: label(token, tail), to }
    }

    /// Makes it lead elsewhere; returns where it led.
    pub(super) const fn turn(&mut self, tail: Tail, to: To<P>) -> To<P> {
        self.label = label(self.token(), tail);
        mem::replace(&mut self.to, to)
    }

    #[inline(always)]
    pub(super) const fn token(&self) -> Token {
        self.label & TOKEN_MAX
    }

    #[inline(always)]
    pub(super) const fn is(&self, token: Token) -> bool {
        (self.label ^ token) & TOKEN_MAX == 0
    }

    #[inline(always)]
    pub(super) const fn tail(&self) -> Tail {
        match self.label >> TAIL_SHIFT {
            0 => Tail::Nothing,
            1 => Tail::Hash,
            2 => Tail::Literal,
            _ => Tail::More,
        }
    }
}

const fn label(token: Token, tail: Tail) -> u32 {
    token | (tail as u32) << TAIL_SHIFT
}

/// What a branch leads to.
#[derive(Clone, Debug)]
pub(super) enum To<P> {
    /// Two filters or more.
    Node { id: NodeId, hints: Hints },
    /// One filter, whatever levels it has from here on.
    Filter { text: TextAt, payload: P },
}

/// What a filter has behind the branch that leads to it alone; behind a branch to a node, nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Nothing = 0,
    /// A single `#`, or the branch is that of a `#`: whatever a name has from here on, it matches.
    Hash = 1,
    /// Levels without a wildcard: its text has to be the name's.
    Literal = 2,
    /// Anything else: its text has to be looked at level by level.
    More = 3,
}

impl Tail {
    pub(super) fn of(rest: Option<&[u8]>) -> Self {
        match rest {
            None => Self::Nothing,
            Some(b"#") => Self::Hash,
            // A valid filter has these two characters nowhere else.
            Some(rest) if rest.iter().any(|byte| matches!(byte, b'+' | b'#')) => Self::More,
            Some(_) => Self::Literal,
        }
    }
}

/// A branch in the table, with the node it leaves.
#[derive(Clone, Debug)]
pub(super) struct Edge<P> {
    pub(super) node: NodeId,
    pub(super) branch: Branch<P>,
}

impl<P> Edge<P> {
    #[inline(always)]
    pub(super) const fn is(&self, step: Step) -> bool {
        self.node == step.node && self.branch.is(step.token)
    }
}

impl<P> Hashed for Edge<P> {
    #[inline(always)]
    fn hash(&self, seed: u64) -> u32 {
        Step { node: self.node, token: self.branch.token() }.hash(seed)
    }

    /// Few enough that most are at home: a search that goes on from there is a wrong guess of the processor.
    const LOAD_MAX: usize = 60;
}

/// What most nodes have, in the node; the table has the rest.
///
/// With payloads of eight bytes two of them fill a line of a processor's cache, and none lies across two lines.
#[derive(Clone, Debug)]
#[repr(align(32))]
pub(super) struct Node<P> {
    pub(super) plus: Option<Branch<P>>,
    /// One of the literals.
    pub(super) literal: Option<Branch<P>>,
}

impl<P> Node<P> {
    pub(super) const fn new() -> Self {
        Self { plus: None, literal: None }
    }
}

/// What a node has in the table; no search asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spilled {
    /// How many branches.
    pub(super) count: u32,
    /// Their tokens, one exclusive or the other: of the last that is left, the token itself.
    pub(super) tokens: u32,
}

impl Spilled {
    /// The token of the only branch of a node, if it has only one.
    pub(super) const fn only<P>(self, node: &Node<P>) -> Option<Token> {
        match (&node.plus, &node.literal, self.count) {
            (Some(_), None, 0) => Some(PLUS),
            (None, Some(branch), 0) => Some(branch.token()),
            (None, None, 1) => Some(self.tokens),
            _ => None,
        }
    }
}

/// Which branches a node has, kept beside its number so that few are looked for in vain.
///
/// ```text
///   bit  31 .. 4      3       2    1    0
///        literals  spilled   END HASH PLUS     a literal sets the bit that its token has the remainder of
/// ```
///
/// The lower four are exact. The others may be set for what is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hints(u32);

const EXACT_BITS: u32 = 4;

impl Hints {
    pub(super) const NONE: Self = Self(0);
    pub(super) const PLUS: Self = Self(1 << PLUS);
    pub(super) const HASH: Self = Self(1 << HASH);
    pub(super) const END: Self = Self(1 << END);
    /// Some literals are in the table.
    pub(super) const SPILLED: Self = Self(1 << (END + 1));

    /// The bit of a token.
    #[inline(always)]
    pub(super) const fn of(token: Token) -> Self {
        if token <= END {
            Self(1 << token)
        } else {
            Self(1 << (EXACT_BITS + token % (u32::BITS - EXACT_BITS)))
        }
    }

    #[inline(always)]
    pub(super) const fn have(self, bit: Self) -> bool {
        self.0 & bit.0 != 0
    }

    /// Without the wildcards and the end.
    #[inline(always)]
    pub(super) const fn literals(self) -> Self {
        self.without(Self(Self::PLUS.0 | Self::HASH.0 | Self::END.0))
    }

    pub(super) const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    pub(super) const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }

    /// Made right after a branch of `node` was taken out.
    pub(super) const fn renewed<P>(self, node: &Node<P>, spilled: Spilled, token: Token) -> Self {
        let mut hints = if token <= END { self.without(Self::of(token)) } else { self };
        let others = hints.have(Self::HASH) as u32 + hints.have(Self::END) as u32;
        if spilled.count == others {
            // What is left of the literals is known.
            hints = Self(hints.0 & ((1 << (EXACT_BITS - 1)) - 1));
            if let Some(branch) = &node.literal {
                hints = hints.with(Self::of(branch.token()));
            }
        }
        hints
    }
}

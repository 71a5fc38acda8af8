//! The seeded hash of everything that is looked up in the subscription tree.
//!
//! Who does not know the seed cannot choose filters or names that meet in one place. Who does can make a lookup as slow as a search
//! from end to end, and no answer wrong: what is found by a hash is compared before it is believed.

use core::hash::{Hash, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// An odd constant without pattern: the golden ratio's bits.
const SCATTER: u64 = 0x9E37_79B9_7F4A_7C15;

/// What the hashes of one tree depend on besides their input.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    /// What inputs are combined with. foldhash's `FixedState` has public constants here: half of an input that is equal to one makes
    /// the hash the same whatever the other half and the rest of the seed.
    shared: SharedSeed,
    word: u64,
}

impl Seed {
    /// The seed that makes all hashes one, in tests: what a flood would come to.
    #[cfg(test)]
    pub(super) const COLLIDING: u64 = u64::MAX;

    pub(super) const fn new(seed: u64) -> Self {
        Self { shared: SharedSeed::from_u64(seed ^ SCATTER), word: seed }
    }

    #[inline(always)]
    const fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.word, &self.shared)
    }

    /// The part that [`word`] wants.
    pub(super) const fn word(&self) -> u64 {
        self.word
    }

    /// Hashes a text.
    #[inline]
    pub(super) fn text(&self, text: &[u8]) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(text);
        self.admit(hasher.finish())
    }

    /// Hashes a subscriber.
    #[inline]
    pub(super) fn key<Q: Hash + ?Sized>(&self, key: &Q) -> u32 {
        let mut hasher = self.hasher();
        key.hash(&mut hasher);
        high(self.admit(hasher.finish()))
    }

    #[inline(always)]
    const fn admit(&self, hash: u64) -> u64 {
        #[cfg(test)]
        if self.word == Self::COLLIDING {
            return 0;
        }
        hash
    }
}

/// Hashes eight bytes: a multiplication whose halves are folded, and one that brings what they say into the upper bits.
#[inline(always)]
pub(super) const fn word(seed: u64, word: u64) -> u32 {
    #[cfg(test)]
    if seed == Seed::COLLIDING {
        return 0;
    }
    let product = (word ^ seed) as u128 * SCATTER as u128;
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
    let (low, folded) = (product as u64, (product >> 64) as u64);
    high((low ^ folded).wrapping_mul(SCATTER))
}

/// The upper half of a hash: the one whose bits depend on all of the input.
#[inline(always)]
pub(super) const fn high(hash: u64) -> u32 {
    (hash >> 32) as u32
}

//! Levels that stand in the wildcard tree, each with a number, so that edges compare numbers and not texts.

use core::num::NonZeroU32;

use super::hash::{self, Seed};
use super::split::Level;
use super::table::{Hashed, Table};
use super::text::{TextAt, Texts};

/// The number of a level, and what an edge is found by.
pub(super) type Token = u32;

/// The edge to what has any level here.
pub(super) const PLUS: Token = 0;
/// The edge to the filter that ends in `#` here.
pub(super) const HASH: Token = 1;
/// The edge to the filter that ends here.
pub(super) const END: Token = 2;
/// The first number of a literal level.
const FIRST: Token = 3;

/// The largest number there can be: an edge has two bits for something else.
pub(super) const TOKEN_MAX: Token = u32::MAX >> 2;

#[derive(Clone, Debug)]
struct Word {
    /// The level, or the hash of a level that is longer than this.
    word: u64,
    /// The text of a long level.
    long: Option<TextAt>,
    hash: u32,
    token: NonZeroU32,
    /// How many edges have it.
    uses: u32,
}

impl Hashed for Word {
    #[inline(always)]
    fn hash(&self, _seed: u64) -> u32 {
        self.hash
    }

    /// Looked up for each level of each name.
    const LOAD_MAX: usize = 50;
}

/// The levels in use.
#[derive(Clone, Debug)]
pub(super) struct Words {
    seed: Seed,
    table: Table<Word>,
    /// Texts of levels of more than eight bytes.
    long: Texts,
    /// Numbers below were given out.
    next: Token,
}

impl Words {
    pub(super) const fn new(seed: Seed) -> Self {
        let table = Table::new(0);
        Self { seed, table, long: Texts::new(), next: FIRST }
    }

    /// The number of levels.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) const fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Bytes allocated.
    pub(super) const fn bytes(&self) -> usize {
        self.table.bytes() + self.long.bytes()
    }

    /// Whether so many numbers went out of use that it should all be made anew, in a tree of so many branches.
    pub(super) fn is_sparse(&self, branches: usize) -> bool {
        let given = (self.next - FIRST) as usize;
        // Whoever made a branch of a new level paid for four other branches.
        given > 256 && given / 4 > self.table.len() && given > branches / 4
    }

    /// The number of a level, if it is in use.
    #[inline(always)]
    pub(super) fn token(&self, level: &Level<'_>) -> Option<Token> {
        self.table.get(self.find(level)?).map(|word| word.token.get())
    }

    #[inline(always)]
    fn find(&self, level: &Level<'_>) -> Option<usize> {
        if level.bytes.len() <= 8 {
            let hash = hash::word(self.seed.word(), level.word);
            return self.table.find(hash, |word| word.word == level.word && word.long.is_none());
        }
        self.find_long(level.bytes, self.seed.text(level.bytes))
    }

    #[inline(never)]
    fn find_long(&self, level: &[u8], hash: u64) -> Option<usize> {
        self.table.find(hash::high(hash), |word| {
            word.word == hash && word.long.is_some_and(|at| self.long.get_bytes(at) == level)
        })
    }

    /// The number of a level, for one more edge.
    ///
    /// # Panics
    ///
    /// At the 2^30th different level.
    pub(super) fn acquire(&mut self, level: &Level<'_>) -> Token {
        if let Some(word) = self.find(level).and_then(|at| self.table.get_mut(at)) {
            word.uses += 1;
            return word.token.get();
        }
        let Some(token) = NonZeroU32::new(self.next).filter(|token| token.get() <= TOKEN_MAX) else {
            overflow()
        };
        self.next += 1;
        let text = if level.bytes.len() <= 8 { None } else { core::str::from_utf8(level.bytes).ok() };
        let word = match text {
            None => {
                let hash = hash::word(self.seed.word(), level.word);
                Word { word: level.word, long: None, hash, token, uses: 1 }
            }
            Some(text) => {
                let hash = self.seed.text(level.bytes);
                let long = Some(self.long.add(text));
                Word { word: hash, long, hash: hash::high(hash), token, uses: 1 }
            }
        };
        self.table.insert(word);
        token.get()
    }

    /// Takes back what one edge acquired.
    pub(super) fn release(&mut self, level: &Level<'_>) {
        let Some(at) = self.find(level) else { return };
        let Some(word) = self.table.get_mut(at) else { return };
        word.uses -= 1;
        if word.uses == 0
            && let Some(Word { long: Some(text), .. }) = self.table.remove(at)
        {
            self.long.remove(text);
            self.move_long();
        }
    }

    /// Closes the gaps between the texts of long levels when that is due.
    fn move_long(&mut self) {
        if !self.long.should_move(self.table.len()) {
            return;
        }
        let mut moved = self.long.begin_move();
        for at in self.table.iter_mut().filter_map(|word| word.long.as_mut()) {
            *at = moved.take(*at, &mut self.long);
        }
    }
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 2^30 different levels at most")
}

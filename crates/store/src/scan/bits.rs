//! A set of keys that may say yes too often, never no: a Bloom filter of four bits a key.

/// In its largest form: 65,536 bits. Four numbers of 16 bits are what a key has.
const WORDS_MAX: usize = 1_024;

/// Two of five bits may be set: then 0.4^4, 2.6 of 100 keys that are not there, are said to be.
const SET_MAX: (usize, usize) = (2, 5);

/// A set of keys. Made at its largest, then [folded](Self::folded) to what its keys need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits {
    /// A power of two of them.
    words: Box<[u64]>,
}

impl Bits {
    pub(super) fn new() -> Self {
        Self { words: vec![0; WORDS_MAX].into() }
    }

    /// `None` if they are not as many as there can be.
    pub(super) fn from_words(words: Box<[u64]>) -> Option<Self> {
        (words.len().is_power_of_two() && words.len() <= WORDS_MAX).then_some(Self { words })
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn insert(&mut self, key: u64) {
        for (word, bit) in places(key, self.words.len()) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether the key may have been inserted.
    pub(super) fn may_have(&self, key: u64) -> bool {
        places(key, self.words.len())
            .into_iter()
            .all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// The same in as little memory as keeps false answers rare; `None` if there are too many keys for that: 8,300 or so.
    pub(super) fn folded(&self) -> Option<Self> {
        let mut words = self.words.to_vec();
        if !is_sparse(&words) {
            return None;
        }
        loop {
            let (lower, upper) = words.split_at(words.len() / 2);
            let half: Vec<u64> = lower.iter().zip(upper).map(|(one, other)| one | other).collect();
            if half.is_empty() || !is_sparse(&half) {
                return Some(Self { words: words.into() });
            }
            words = half;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }
}

fn is_sparse(words: &[u64]) -> bool {
    let set: usize = words.iter().map(|word| usize::try_from(word.count_ones()).unwrap_or(0)).sum();
    let (part, whole) = SET_MAX;
    set * whole <= words.len() * 64 * part
}

/// The four bits of a key: which word, and which bit of it.
fn places(key: u64, words: usize) -> [(usize, u64); 4] {
    [0, 16, 32, 48].map(|shift| {
        let number = (key >> shift) & 0xffff;
        let word = usize::try_from(number >> 6).unwrap_or(0) & (words - 1);
        (word, 1 << (number & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::keys::hash;

    fn key(number: usize) -> u64 {
        hash(&number.to_le_bytes())
    }

    #[test]
    fn what_was_inserted_is_there_however_it_is_folded_and_others_seldom_are() {
        for count in [0, 1, 10, 100, 1_000, 4_000, 8_300] {
            let mut bits = Bits::new();
            (0..count).for_each(|number| bits.insert(key(number)));
            let folded = bits.folded().unwrap();
            assert!((0..count).all(|number| folded.may_have(key(number))), "{count}");
            let said = (0..10_000).filter(|number| folded.may_have(key(1_000_000 + number))).count();
            assert!(said < 350, "{count} keys: {said} of 10,000");
            // 4 bits a key, of which two of five may be set, rounded up to a power of two.
            assert!(folded.bytes() <= 8 + count * 4, "{count} keys: {} bytes", folded.bytes());
        }
    }

    #[test]
    fn too_many_keys_are_not_kept() {
        let mut bits = Bits::new();
        (0..10_000).for_each(|number| bits.insert(key(number)));
        assert_eq!(bits.folded(), None);
        bits.clear();
        assert_eq!(bits.folded().unwrap().bytes(), 8);
    }
}

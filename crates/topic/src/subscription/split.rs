//! A text cut into levels, eight bytes at a time, each as the word that its bytes are.
//!
//! ```text
//!   s i t e / 4 / l|i n e / + / t e|m p      the first word has a `/` at 4: the level is its lower four bytes
//!  |---------------|                         "site" as a word: 0x65_74_69_73
//!            |---------------|               the next word begins behind the `/`
//! ```
//!
//! No text has U+0000, so a level of at most eight bytes is its word and nothing else is: the bytes above it are 0.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const SLASHES: u64 = ONES * b'/' as u64;

/// One level of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level<'a> {
    /// The level, if it has at most eight bytes; of a longer one the first eight.
    pub(super) word: u64,
    pub(super) bytes: &'a [u8],
}

impl Level<'_> {
    /// True if the level is one character, this one.
    #[inline(always)]
    pub(super) fn is(&self, character: u8) -> bool {
        self.word == u64::from(character)
    }
}

/// Cuts a text into levels, first to last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split<'a> {
    text: &'a [u8],
    /// Where the next level begins; behind the last level, more than the text is long.
    at: usize,
}

impl<'a> Split<'a> {
    #[inline(always)]
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Begins in the middle, where a level begins.
    pub(super) const fn at_of(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The same cuts in another text that begins alike.
    pub(super) const fn of<'b>(&self, text: &'b [u8]) -> Split<'b> {
        Split { text, at: self.at }
    }

    /// Where the next level begins; behind the last level, more than the text is long.
    #[inline(always)]
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What is left, or `None` behind the last level.
    #[inline(always)]
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        self.text.get(self.at..)
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Level<'a>> {
        let rest = self.rest()?;
        let (word, length) = match rest.first_chunk::<8>() {
            Some(chunk) => {
                let word = u64::from_le_bytes(*chunk);
                match first_slash(word) {
                    // The mask keeps what is below the `/`.
                    Some(length) => (word & ((1 << (8 * length)) - 1), length as usize),
                    None => (word, end_of_long(rest)),
                }
            }
            None => {
                let word = short_word(self.text, rest);
                match first_slash(word) {
                    Some(length) => (word & ((1 << (8 * length)) - 1), length as usize),
                    None => (word, rest.len()),
                }
            }
        };
        self.at += length + 1;
        Some(Level { word, bytes: rest.get(..length)? })
    }
}

/// How many bytes of the word stand before its first `/`: 0 to 7.
#[inline(always)]
const fn first_slash(word: u64) -> Option<u32> {
    let differs = word ^ SLASHES;
    // The lowest of these bits is right: a borrow goes upwards only.
    let zeros = differs.wrapping_sub(ONES) & !differs & HIGH;
    if zeros == 0 { None } else { Some(zeros.trailing_zeros() / 8) }
}

/// Where a level ends that fills its first word.
fn end_of_long(rest: &[u8]) -> usize {
    let mut at = 8;
    while let Some(chunk) = rest.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if let Some(length) = first_slash(u64::from_le_bytes(*chunk)) {
            return at + length as usize;
        }
        at += 8;
    }
    let tail = rest.get(at..).unwrap_or_default();
    at + tail.iter().position(|byte| *byte == b'/').unwrap_or(tail.len())
}

/// The last bytes of a text, fewer than eight, as a word.
#[inline(always)]
fn short_word(text: &[u8], rest: &[u8]) -> u64 {
    match text.last_chunk::<8>() {
        // All of a word but the bytes before the rest; in two steps, as the rest may be empty.
        Some(chunk) => u64::from_le_bytes(*chunk) >> (8 * (7 - rest.len())) >> 8,
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn cuts_where_a_naive_split_cuts() {
        for length in 0..20_usize {
            for marks in 0..1_u32 << length.min(12) {
                let text: Vec<u8> =
                    (0..length)
                        .map(|at| {
                            if marks >> (at % 12) & 1 == 1 { b'/' } else { b'a' + u8::try_from(at).unwrap() }
                        })
                        .collect();
                let mut split = Split::new(&text);
                for expected in text.split(|byte| *byte == b'/') {
                    let level = split.next().unwrap();
                    assert_eq!(level.bytes, expected);
                    let word =
                        expected.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
                    assert_eq!(level.word, word, "{expected:?}");
                }
                assert!(split.next().is_none() && split.rest().is_none());
            }
        }
    }

    #[test]
    fn a_byte_of_one_more_than_a_slash_is_none() {
        // A `/` borrows from the byte above it.
        let mut split = Split::new(b"ab/0/0000/000000000000000000/");
        let levels: Vec<&[u8]> = core::iter::from_fn(|| split.next().map(|level| level.bytes)).collect();
        assert_eq!(levels, [&b"ab"[..], b"0", b"0000", b"000000000000000000", b""]);
    }
}

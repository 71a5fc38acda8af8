//! Texts, one behind the other in one array, each named by where it begins.
//!
//! ```text
//!   at   1                  17
//!      |.|14|site/4/line/+|6|plant#|...       a length, then the text; lengths from 127 on take four bytes
//! ```
//!
//! What is forgotten stays as a gap until gaps are half of it all. Then the texts move together, and each leaves behind where it went,
//! for those who know it by where it was.

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::Range;

use super::prefetch::prefetch;

/// Where a text begins.
pub(super) type TextAt = NonZeroU32;

/// The length that says that the next three bytes have it.
const LONG: u8 = 0x7F;

/// No text takes less than a place takes: what moves leaves its new place in its old one.
const RECORD_BYTES_MIN: usize = size_of::<u32>();

#[derive(Clone, Debug)]
pub(super) struct Texts {
    /// A `String`, so that each part of it is text without another look. Lengths are written as characters of one byte.
    all: String,
    /// Bytes in gaps.
    dead: usize,
}

impl Texts {
    pub(super) const fn new() -> Self {
        Self { all: String::new(), dead: 0 }
    }

    /// Bytes allocated.
    pub(super) const fn bytes(&self) -> usize {
        self.all.capacity()
    }

    /// Keeps a text of at most 65,535 bytes and says where.
    ///
    /// # Panics
    ///
    /// Beyond 4 GiB.
    pub(super) fn add(&mut self, text: &str) -> TextAt {
        let needed = 1 + record_bytes(text.len());
        if self.all.capacity() - self.all.len() < needed {
            // By an eighth: a doubling would leave half of it vacant.
            self.all.reserve_exact(needed.max(self.all.capacity() / 8));
        }
        if self.all.is_empty() {
            // So that no text is at 0.
            self.all.push('\0');
        }
        let Some(at) = u32::try_from(self.all.len()).ok().and_then(TextAt::new) else { overflow() };
        let end = self.all.len() + record_bytes(text.len());
        match u8::try_from(text.len()) {
            Ok(length) if length < LONG => self.all.push(char::from(length)),
            _ => {
                self.all.push(char::from(LONG));
                let [low, high, ..] = text.len().to_le_bytes();
                // Seven bits each.
                for part in [low & 0x7F, low >> 7 | (high & 0x3F) << 1, high >> 6] {
                    self.all.push(char::from(part));
                }
            }
        }
        self.all.push_str(text);
        while self.all.len() < end {
            self.all.push('\0');
        }
        at
    }

    /// The text that was added here.
    #[inline]
    pub(super) fn get(&self, at: TextAt) -> &str {
        span(self.all.as_bytes(), at).and_then(|span| self.all.get(span)).unwrap_or_else(|| nowhere(at))
    }

    /// The bytes of the text that was added here.
    #[inline(always)]
    pub(super) fn get_bytes(&self, at: TextAt) -> &[u8] {
        let all = self.all.as_bytes();
        span(all, at).and_then(|span| all.get(span)).unwrap_or_else(|| nowhere(at))
    }

    /// Asks for the memory of the text that was added here.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: TextAt) {
        if let Some(first) = self.all.as_bytes().get(at.get() as usize) {
            prefetch(first);
        }
    }

    /// Forgets a text; it can be read until the texts move.
    pub(super) fn remove(&mut self, at: TextAt) {
        self.dead += record_bytes(self.get_bytes(at).len());
    }

    /// Whether so much is gaps that the texts should move. `knowers` know a text by its place and learn of the new one, so what that costs
    /// is paid by the removals before it only if there is a byte of gaps for each of them.
    pub(super) fn should_move(&self, knowers: usize) -> bool {
        self.dead > 256 && self.dead > self.all.len() / 2 && self.dead > knowers
    }

    /// Begins to move: hands out the old array, into a new one that has room for what is left.
    pub(super) fn begin_move(&mut self) -> Moved {
        let live = self.all.len() - self.dead;
        let old = core::mem::replace(self, Self::new());
        self.all.reserve_exact(live + live / 16);
        Moved { old: old.all.into_bytes() }
    }
}

/// The array that texts move out of, and the places they went to.
#[derive(Debug)]
pub(super) struct Moved {
    old: Vec<u8>,
}

impl Moved {
    /// Moves one text, and says to where.
    pub(super) fn take(&mut self, at: TextAt, into: &mut Texts) -> TextAt {
        let text = span(&self.old, at).and_then(|span| self.old.get(span)).unwrap_or_else(|| nowhere(at));
        let text = core::str::from_utf8(text).unwrap_or_else(|_| nowhere(at));
        let place = into.add(text);
        if let Some(record) = self.old.get_mut(at.get() as usize..).and_then(<[u8]>::first_chunk_mut) {
            *record = place.get().to_le_bytes();
        }
        place
    }

    /// Where a text that was moved is now.
    pub(super) fn place(&self, at: TextAt) -> TextAt {
        let record = self.old.get(at.get() as usize..).and_then(<[u8]>::first_chunk);
        record.and_then(|record| TextAt::new(u32::from_le_bytes(*record))).unwrap_or_else(|| nowhere(at))
    }
}

#[inline(always)]
fn span(all: &[u8], at: TextAt) -> Option<Range<usize>> {
    let at = at.get() as usize;
    let length = *all.get(at)?;
    if length < LONG {
        return Some(at + 1..at + 1 + usize::from(length));
    }
    long_span(all, at)
}

#[cold]
fn long_span(all: &[u8], at: usize) -> Option<Range<usize>> {
    let [_, low, middle, high] = *all.get(at..)?.first_chunk::<4>()?;
    let length = usize::from(low) | usize::from(middle) << 7 | usize::from(high) << 14;
    Some(at + 4..at + 4 + length)
}

const fn record_bytes(length: usize) -> usize {
    let bytes = length + if length < LONG as usize { 1 } else { 4 };
    if bytes < RECORD_BYTES_MIN { RECORD_BYTES_MIN } else { bytes }
}

#[cold]
fn overflow() -> ! {
    unreachable!("one subscription tree has 4 GiB of filter text at most")
}

/// A place outlived its text: a fault of this crate that no input can cause, and nothing sensible can follow.
#[cold]
fn nowhere(at: TextAt) -> ! {
    unreachable!("no text is at {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_texts_of_every_length() {
        let mut texts = Texts::new();
        let lengths = [1, 2, 3, 126, 127, 128, 255, 256, 16_383, 16_384, 16_385, 65_535];
        let places: Vec<TextAt> = lengths.iter().map(|length| texts.add(&"a".repeat(*length))).collect();
        for (at, length) in places.iter().zip(lengths) {
            assert_eq!(texts.get(*at), "a".repeat(length));
            assert_eq!(texts.get_bytes(*at).len(), length);
        }
    }

    #[test]
    fn moved_texts_are_found_through_where_they_were() {
        let mut texts = Texts::new();
        let words = ["a", "bc", "", "éé", "plant/+"];
        let places: Vec<TextAt> = words.iter().cycle().take(500).map(|word| texts.add(word)).collect();
        let before = texts.bytes();
        for at in places.iter().skip(1).step_by(2) {
            texts.remove(*at);
        }
        for at in places.iter().skip(2).step_by(4) {
            texts.remove(*at);
        }
        assert!(texts.should_move(0) && !texts.should_move(10_000));
        let mut moved = texts.begin_move();
        for at in places.iter().step_by(4) {
            moved.take(*at, &mut texts);
        }
        for (number, at) in (0..500).zip(&places).step_by(4) {
            assert_eq!(texts.get(moved.place(*at)), words[number % words.len()]);
        }
        assert!(texts.bytes() < before / 2 && !texts.should_move(0));
    }
}

//! A text looked at eight bytes at a time, for the few bytes that mean something in topics.
//!
//! ```text
//!   f a c t o r y / l i n e - 1 / + / t e m p
//!  |---------------|---------------|  words of eight bytes, and the last eight bytes once more:
//!                        |---------------|  to see a byte twice does no harm
//! ```
//!
//! What is said here is yes or no. Which rule a text breaks, and where, is worked out byte by byte when it is known
//! that it breaks one.

use crate::limits::SEPARATOR;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A word in which every byte is this one.
const fn all(byte: u8) -> u64 {
    ONES * byte as u64
}

/// The bit that `+` and `#` differ in; with it set, both are `+` and nothing else is.
const WILDCARD_BIT: u8 = b'+' ^ b'#';
const _: () = assert!(WILDCARD_BIT.count_ones() == 1 && b'#' | WILDCARD_BIT == b'+');

/// Not 0 exactly if some byte of the word is 0. Which one, it does not say.
#[inline]
const fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// The high bit of every byte of the word that is 0, and no other bit.
#[inline]
const fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word | !HIGH)
}

/// Not 0 exactly if the word has a U+0000, a `+` or a `#`.
#[inline]
const fn has_special(word: u64) -> u64 {
    has_zero(word) | has_zero((word | all(WILDCARD_BIT)) ^ all(b'+'))
}

/// The high bit of every byte of the word that is U+0000, `+` or `#`.
#[inline]
const fn specials(word: u64) -> u64 {
    zeros(word) | zeros((word | all(WILDCARD_BIT)) ^ all(b'+'))
}

/// Something with its high bits set if the word has a U+0000, a `+`, a `#`, or a letter beyond ASCII.
#[inline]
const fn unusual(word: u64) -> u64 {
    // A zero byte borrows from its own highest bit. Where all bytes are below 0x80, no other does.
    word | word.wrapping_sub(ONES) | ((word | all(WILDCARD_BIT)) ^ all(b'+')).wrapping_sub(ONES)
}

/// True if one of sixteen bytes is U+0000, `+` or `#`. Without a branch, so that it becomes a few vector instructions.
#[inline(always)]
fn any_of_16(bytes: &[u8; 16]) -> bool {
    bytes.iter().fold(false, |any, byte| any | (*byte == 0) | (*byte | WILDCARD_BIT == b'+'))
}

/// True if the text has U+0000, `+` or `#`.
#[inline]
pub(crate) fn any_special(text: &[u8]) -> bool {
    any_in_halves(text).unwrap_or_else(|| any_special_by_words(text))
}

/// As [`any_special`] for texts of 16 to 32 bytes, as most are: two halves that may overlap cover them.
#[inline(always)]
fn any_in_halves(text: &[u8]) -> Option<bool> {
    if text.len() > 32 {
        return None;
    }
    let (first, last) = (text.first_chunk::<16>()?, text.last_chunk::<16>()?);
    Some(any_of_16(first) | any_of_16(last))
}

/// As [`any_special`], for texts of other lengths.
#[inline(never)]
fn any_special_by_words(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().any(|byte| is_special(*byte));
    };
    let (words, _) = text.as_chunks::<8>();
    let last = unusual(u64::from_le_bytes(*last));
    let seen = words.iter().fold(last, |seen, word| seen | unusual(u64::from_le_bytes(*word)));
    seen & HIGH != 0 && any_special_in_full(text)
}

/// As [`any_special`], for texts that are not plain ASCII without any.
#[cold]
fn any_special_in_full(text: &[u8]) -> bool {
    !each_special(text, |_| false)
}

/// True if the text has no U+0000, and `+` and `#` only where a filter may have them.
#[inline(always)]
pub(crate) fn filter_is_right(text: &[u8]) -> bool {
    if text.len() > 32 {
        by_windows(text)
    } else {
        any_in_halves(text) == Some(false) || by_windows_apart(text)
    }
}

/// Not in line with the look at the halves, or other vectors are made of it.
#[inline(never)]
fn by_windows_apart(text: &[u8]) -> bool {
    by_windows(text)
}

/// As [`filter_is_right`], sixteen bytes at a time with those beside them.
#[inline(always)]
fn by_windows(text: &[u8]) -> bool {
    match (text, text.last_chunk::<WINDOW>()) {
        ([first, second, .., before, last], Some(end)) => {
            let right = (!is_special(*first) || *first == b'+' && *second == SEPARATOR)
                && (!is_special(*last) || *last != 0 && *before == SEPARATOR)
                && middle_is_right(end);
            let mut rest = text;
            while let Some(window) = rest.first_chunk::<WINDOW>() {
                // With a branch for each: of a loop without, vectors of single bytes are made.
                if !middle_is_right(window) {
                    return false;
                }
                rest = rest.get(WINDOW - 2..).unwrap_or_default();
            }
            right
        }
        _ => each_special(text, |position| wildcard_is_right(text, position)),
    }
}

/// Sixteen bytes, and those around them.
const WINDOW: usize = 18;

/// True if the window has no U+0000 and no `#`, and a `+` only between separators; of its first and last byte nothing is said.
/// Without a branch, so that it becomes a few vector instructions.
#[inline(always)]
fn middle_is_right(window: &[u8; WINDOW]) -> bool {
    let ([before @ .., _, _], [_, middle @ .., _], [_, _, after @ ..]) = (window, window, window);
    let wrong = before.iter().zip(middle).zip(after).fold(false, |wrong, ((before, byte), after)| {
        let inside = (*before != SEPARATOR) | (*after != SEPARATOR);
        wrong | (*byte == 0) | (*byte == b'#') | ((*byte == b'+') & inside)
    });
    !wrong
}

/// True if what stands here is a wildcard, and may stand here.
#[inline(always)]
fn wildcard_is_right(bytes: &[u8], position: usize) -> bool {
    let before = position.checked_sub(1).and_then(|before| bytes.get(before));
    let after = bytes.get(position + 1);
    matches!(before, None | Some(&SEPARATOR))
        && match bytes.get(position) {
            Some(b'+') => matches!(after, None | Some(&SEPARATOR)),
            Some(b'#') => after.is_none(),
            _ => false,
        }
}

/// True if every U+0000, `+` and `#` of the text is right where it stands; asks once or twice for each.
#[inline(always)]
pub(crate) fn each_special(text: &[u8], right: impl Fn(usize) -> bool) -> bool {
    let (words, tail) = text.as_chunks::<8>();
    for (word, position) in words.iter().zip((0..).step_by(8)) {
        if !each_in_word(u64::from_le_bytes(*word), position, &right) {
            return false;
        }
    }
    if tail.is_empty() {
        return true;
    }
    match text.last_chunk::<8>() {
        Some(word) => each_in_word(u64::from_le_bytes(*word), text.len() - 8, &right),
        None if halves_are_plain(text) => true,
        None => tail.iter().enumerate().all(|(position, byte)| !is_special(*byte) || right(position)),
    }
}

/// True if the text has 4 to 7 bytes and no U+0000, `+` or `#`.
#[inline]
fn halves_are_plain(text: &[u8]) -> bool {
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            has_special(u64::from(first) | u64::from(last) << 32) == 0
        }
        _ => false,
    }
}

#[inline(always)]
fn each_in_word(word: u64, position: usize, right: &impl Fn(usize) -> bool) -> bool {
    if has_special(word) == 0 {
        return true;
    }
    let mut marks = specials(word);
    while marks != 0 {
        if !right(position + (marks.trailing_zeros() / 8) as usize) {
            return false;
        }
        marks &= marks - 1;
    }
    true
}

#[inline]
const fn is_special(byte: u8) -> bool {
    matches!(byte, 0 | b'+' | b'#')
}

/// How many words can be counted before a byte of the sum could overflow: their separators have to fit one byte.
const WORDS_A_SUM: usize = 31;
const _: () = assert!(WORDS_A_SUM * 8 <= u8::MAX as usize);

/// How many levels the text has.
#[inline(never)]
fn count_levels(text: &[u8]) -> u32 {
    let (words, tail) = text.as_chunks::<8>();
    let mut count = 1;
    for group in words.chunks(WORDS_A_SUM) {
        let sum = group.iter().fold(0, |sum, word| sum + (separators(u64::from_le_bytes(*word)) >> 7));
        // The product has the sum of all bytes in its highest.
        let [.., separators] = sum.wrapping_mul(ONES).to_le_bytes();
        count += u32::from(separators);
    }
    // A text has 65,535 bytes at most: no overflow.
    tail.iter().fold(count, |count, byte| count + u32::from(*byte == SEPARATOR))
}

/// True if the text has at most so many levels.
#[inline]
pub(crate) fn levels_fit(text: &[u8], levels_max: u32) -> bool {
    // One level more than there are bytes is the most there can be, so most texts need no counting.
    text.len() < levels_max as usize || count_levels(text) <= levels_max
}

/// The high bit of every byte of the word that is a separator.
#[inline(always)]
pub(crate) const fn separators(word: u64) -> u64 {
    zeros(word ^ all(SEPARATOR))
}

/// With how many bytes both texts begin.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut same = 0;
    for (a, b) in a_words.iter().zip(b_words) {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return same + (difference.trailing_zeros() / 8) as usize;
        }
        same += 8;
    }
    let rest = |text| <[u8]>::get(text, same..).unwrap_or_default();
    same + rest(a).iter().zip(rest(b)).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of every length up to some words, with one byte of interest at every place.
    fn each_text(mut check: impl FnMut(&[u8])) {
        const INTEREST: [u8; 13] =
            [0, 1, b'"', b'#', b'$', b'*', b'+', b',', b'.', b'/', b'0', 0x80 | b'+', 0x80 | b'/'];
        for filler in [b'a', b'/', 0x01, 0xFF] {
            for length in (0..36).chain([39, 40, 41, 64, 65]) {
                let mut room = [filler; 65];
                let text = &mut room[..length];
                check(text);
                for place in 0..length {
                    for byte in INTEREST {
                        text[place] = byte;
                        check(text);
                    }
                    text[place] = filler;
                }
            }
        }
    }

    #[test]
    fn words_say_what_bytes_say() {
        each_text(|text| {
            assert_eq!(any_special(text), text.iter().any(|byte| is_special(*byte)), "{text:?}");
            let levels = 1 + text.iter().filter(|byte| **byte == b'/').count();
            assert_eq!(count_levels(text) as usize, levels, "{text:?}");
        });
    }

    #[test]
    fn every_special_byte_is_asked_for_and_no_other() {
        each_text(|text| {
            let mut asked = [false; 65];
            let cells = core::cell::Cell::from_mut(&mut asked[..]).as_slice_of_cells();
            assert!(each_special(text, |position| {
                cells[position].set(true);
                true
            }));
            for (place, byte) in text.iter().enumerate() {
                assert_eq!(asked[place], is_special(*byte), "{place} of {text:?}");
                assert_eq!(each_special(text, |position| position != place), !is_special(*byte));
            }
        });
    }

    #[test]
    fn windows_say_what_each_byte_says_wherever_two_of_interest_stand() {
        for length in [16, 17, 18, 19, 32, 33, 34, 35, 50] {
            for filler in [b'a', b'/'] {
                let mut room = [filler; 50];
                let text = &mut room[..length];
                for (first, second) in
                    (0..length).flat_map(|first| (first..length).map(move |second| (first, second)))
                {
                    for (a, b) in [
                        (b'+', b'+'),
                        (b'+', b'#'),
                        (b'/', b'#'),
                        (b'/', b'+'),
                        (b'+', b'/'),
                        (b'#', b'/'),
                        (b'a', 0),
                    ] {
                        (text[first], text[second]) = (a, b);
                        let right = each_special(text, |position| wildcard_is_right(text, position));
                        assert_eq!(filter_is_right(text), right, "{text:?}");
                    }
                    (text[first], text[second]) = (filler, filler);
                }
            }
        }
    }

    #[test]
    fn sums_of_many_words_do_not_overflow() {
        for length in [247, 248, 249, 255, 256, 257, 496, 500, 65_535] {
            let room = [b'/'; 65_535];
            assert_eq!(count_levels(&room[..length]) as usize, length + 1);
        }
        assert!(levels_fit(b"a/b", 2) && !levels_fit(b"a/b", 1) && !levels_fit(b"a", 0));
    }
}

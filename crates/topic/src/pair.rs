//! One filter against one name: the two texts side by side, eight bytes at a time.
//!
//! ```text
//!   p l a n t / + / s p e e d        as far as they are the same, words of eight bytes are compared
//!   p l a n t / 4 2 / s p e e d      where they differ stands a wildcard, or they do not match
//!              |---|                 of the name a whole level is passed over, and on it goes
//! ```
//!
//! No name has a `+` or a `#`, so a wildcard always differs; and no text has U+0000, so that can stand for the end.

use crate::error::InvalidPair;
use crate::filter::TopicFilter;
use crate::limits::SEPARATOR;
use crate::name::TopicName;
use crate::scan;

/// True if a filter matches a name by the rules of MQTT 5.0 and 3.1.1, section 4.7; both are texts, and are checked.
///
/// For the one answer of a rule or a route. Who asks again with the same text parses it once and calls
/// [`TopicFilter::matches`]; a shared filter is taken as its text stands, as it is there. Costs O(bytes of both) and allocates
/// nothing.
///
/// # Errors
///
/// [`InvalidPair`]: the rule that the filter breaks, or else the one that the name breaks; within the default
/// [`Limits`](crate::Limits).
///
/// # Examples
///
/// ```
/// assert!(headwater_topic::matches("factory/+/temperature", "factory/line-1/temperature")?);
/// assert!(!headwater_topic::matches("#", "$SYS/uptime")?);
/// # Ok::<(), headwater_topic::InvalidPair>(())
/// ```
#[inline]
pub fn matches(filter: &str, name: &str) -> Result<bool, InvalidPair> {
    Ok(TopicFilter::parse(filter)?.matches(TopicName::parse(name)?))
}

/// Whether a valid filter matches a valid name, `$` aside.
pub(crate) fn is_match(filter: &[u8], name: &[u8]) -> bool {
    compare(filter, name).is_none()
}

/// Where a filter and a name part that do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// The first byte of the filter that is not matched.
    pub(crate) filter: usize,
    /// The first byte of the name that does not match.
    pub(crate) name: usize,
    /// Where the last level of the name ends that matched a `+`.
    pub(crate) choice: Option<usize>,
}

/// Where a valid filter and a valid name part, `$` aside; `None` if they match.
#[inline(always)]
pub(crate) fn compare(filter: &[u8], name: &[u8]) -> Option<Parting> {
    let (mut wanted, mut given) = (Words::new(filter), Words::new(name));
    let mut choice = None;
    loop {
        let (filter_word, name_word) = (wanted.word(), given.word());
        let difference = filter_word ^ name_word;
        if difference == 0 {
            // Nothing but ends is U+0000.
            if filter_word >> 56 == 0 {
                return None;
            }
            wanted.skip(8);
            given.skip(8);
            continue;
        }
        let bits = difference.trailing_zeros() & !7;
        let same = (bits / 8) as usize;
        match (filter_word >> bits) & 0xFF {
            // [MQTT-4.7.1-2]
            PLUS => {
                wanted.skip(same + 1);
                let ends = scan::separators(name_word) >> bits;
                given.skip(same);
                if ends != 0 {
                    given.skip((ends.trailing_zeros() / 8) as usize);
                } else {
                    given.skip_level();
                }
                choice = Some(name.len() - given.rest.len());
            }
            // [MQTT-4.7.1-1] All below.
            HASH => return None,
            // [MQTT-4.7.1-1] The parent counts too.
            SLASH if given.rest.len() == same && wanted.rest.get(same + 1) == Some(&b'#') => return None,
            _ => {
                let (wanted, given) = (wanted.rest.len() - same, given.rest.len() - same);
                return Some(Parting { filter: filter.len() - wanted, name: name.len() - given, choice });
            }
        }
    }
}

const PLUS: u64 = b'+' as u64;
const HASH: u64 = b'#' as u64;
const SLASH: u64 = SEPARATOR as u64;

/// What is left of a text, to be looked at eight bytes at a time.
struct Words<'t> {
    rest: &'t [u8],
    /// The last eight bytes of the text, for when less are left; of a shorter text what there is, in the highest bytes.
    last: u64,
}

impl<'t> Words<'t> {
    #[inline(always)]
    fn new(text: &'t [u8]) -> Self {
        let last = match text.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => Self::last_of_short(text),
        };
        Self { rest: text, last }
    }

    #[cold]
    fn last_of_short(text: &[u8]) -> u64 {
        text.iter().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56)
    }

    /// The next eight bytes, the first as the lowest, and U+0000 for what lies behind the end.
    #[inline(always)]
    fn word(&self) -> u64 {
        match self.rest.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                // In two halves: no word can be shifted by all it has.
                let half = 4 * (8 - self.rest.len());
                self.last >> half >> half
            }
        }
    }

    /// Goes on behind so many bytes, or to the end.
    #[inline(always)]
    fn skip(&mut self, bytes: usize) {
        self.rest = match self.rest.get(bytes..) {
            Some(rest) => rest,
            None => nothing(),
        };
    }

    /// Goes to the end of the level.
    #[inline(never)]
    fn skip_level(&mut self) {
        while !self.rest.is_empty() {
            let ends = scan::separators(self.word());
            if ends != 0 {
                return self.skip((ends.trailing_zeros() / 8) as usize);
            }
            self.skip(8);
        }
    }
}

/// What is behind the end. A call, so that a place in a text does not wait for the look whether the text ends before it.
#[cold]
#[inline(never)]
const fn nothing() -> &'static [u8] {
    &[]
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    use super::*;
    use crate::error::{InvalidFilter, InvalidTopicName};

    #[test]
    fn says_which_of_the_two_is_wrong_the_filter_first() {
        let alone = InvalidFilter::HashNotAlone { position: 1 };
        assert_eq!(matches("a#", "+"), Err(InvalidPair::Filter(alone)));
        assert_eq!(matches("a/#", "a/+"), Err(InvalidPair::Name(InvalidTopicName::Wildcard { position: 2 })));
        assert_eq!(matches("a#", "a").map_err(InvalidPair::reason_code), Err(0x8F));
        assert_eq!(matches("a", "+").map_err(InvalidPair::reason_code), Err(0x90));
    }

    /// Level by level, as the specification says it.
    fn naive(filter: &str, name: &str) -> bool {
        let (mut filter, name): (Vec<&str>, Vec<&str>) =
            (filter.split('/').collect(), name.split('/').collect());
        let all_below = filter.last() == Some(&"#");
        filter.truncate(filter.len() - usize::from(all_below));
        let long_enough = if all_below { filter.len() <= name.len() } else { filter.len() == name.len() };
        long_enough && filter.iter().zip(name).all(|(wanted, given)| *wanted == "+" || *wanted == given)
    }

    #[test]
    fn words_say_what_levels_say_wherever_the_levels_end() {
        // Three levels of 0 to 17 bytes each: every end falls on every place of a word.
        let lengths = [0, 1, 2, 5, 6, 7, 8, 9, 15, 16, 17];
        for (a, b, c) in
            lengths.iter().flat_map(|a| lengths.iter().flat_map(move |b| lengths.map(|c| (*a, *b, c))))
        {
            let [a, b, c] = [("a", a), ("b", b), ("c", c)].map(|(letter, length)| letter.repeat(length));
            let name = format!("{a}/{b}/{c}");
            let mut filters = vec![
                name.clone(),
                format!("{a}/{b}"),
                format!("{name}/#"),
                format!("{name}/+"),
                format!("{name}x"),
            ];
            for mask in 0..8 {
                let pick =
                    |bit: u8, level: &String| if mask >> bit & 1 == 1 { "+".into() } else { level.clone() };
                let levels = [pick(0, &a), pick(1, &b), pick(2, &c)];
                filters.push(levels.join("/"));
                filters.push(format!("{}/#", levels.join("/")));
                filters.push(format!("{}/{}/#", levels[0], levels[1]));
                filters.push(format!("{}/#", levels[0]));
                filters.push(format!("{}/{}/{}y", levels[0], levels[1], c));
            }
            for filter in filters.iter().filter(|filter| TopicFilter::parse(filter).is_ok()) {
                assert_eq!(matches(filter, &name), Ok(naive(filter, &name)), "{filter} against {name}");
            }
        }
    }
}

//! The levels of a name or filter, from the first to the last.

use core::iter::FusedIterator;

/// Iterates over the levels of a topic name or filter, first to last.
///
/// Levels are what stands between the `/`, and may be empty: `/a/` has the levels `""`, `"a"` and `""` (section
/// 4.7.1.1). There is always at least one. To iterate over all of them costs O(bytes) and allocates nothing.
///
/// # Examples
///
/// ```
/// use headwater_topic::TopicName;
///
/// let levels = TopicName::parse("/plant//7")?.levels();
/// assert_eq!(levels.clone().next_back(), Some("7"));
/// assert!(levels.eq(["", "plant", "", "7"]));
/// # Ok::<(), headwater_topic::InvalidTopicName>(())
/// ```
#[derive(Clone, Debug)]
pub struct Levels<'a> {
    /// What has not been handed out; `None` after the last level, as the empty text is one more level.
    rest: Option<&'a str>,
}

impl<'a> Levels<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: Some(text) }
    }
}

impl<'a> Iterator for Levels<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let (level, rest) = split_first(self.rest?);
        self.rest = rest;
        Some(level)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // At most one level for each byte and one more.
        self.rest.map_or((0, Some(0)), |rest| (1, rest.len().checked_add(1)))
    }
}

impl<'a> DoubleEndedIterator for Levels<'a> {
    fn next_back(&mut self) -> Option<&'a str> {
        match self.rest?.rsplit_once('/') {
            Some((rest, level)) => {
                self.rest = Some(rest);
                Some(level)
            }
            None => self.rest.take(),
        }
    }
}

impl FusedIterator for Levels<'_> {}

/// Cuts the first level off; the rest is `None` if it was the last.
#[inline]
pub(crate) fn split_first(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn yields_empty_levels_around_and_between_separators() {
        assert!(Levels::new("/").eq(["", ""]));
        assert!(Levels::new("a//b/").eq(["a", "", "b", ""]));
    }

    #[test]
    fn yields_one_level_without_a_separator() {
        assert!(Levels::new("a").eq(["a"]));
    }

    #[test]
    fn stays_at_the_end() {
        let mut levels = Levels::new("a");
        levels.next();
        assert_eq!((levels.next(), levels.next()), (None, None));
    }

    #[test]
    fn goes_backwards_through_the_same_levels_and_meets_itself() {
        for text in ["a", "/", "//", "a//b/", "/a", "a/b/c"] {
            let forwards: Vec<&str> = Levels::new(text).collect();
            let mut backwards: Vec<&str> = Levels::new(text).rev().collect();
            backwards.reverse();
            assert_eq!(forwards, backwards, "{text}");
            let mut levels = Levels::new(text);
            let mut both = Vec::new();
            while let Some(first) = levels.next() {
                both.push(first);
                both.extend(levels.next_back());
            }
            both.sort_unstable();
            backwards.sort_unstable();
            assert_eq!((both, levels.next_back()), (backwards, None), "{text}");
        }
    }

    #[test]
    fn hints_hold_the_count() {
        for text in ["a", "/", "//", "a/b/c", "abc"] {
            let levels = Levels::new(text);
            let (low, high) = levels.size_hint();
            let count = levels.count();
            assert!(low <= count && Some(count) <= high, "{text}: {low} <= {count} <= {high:?}");
        }
    }
}

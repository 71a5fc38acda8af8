//! Where to look next: judges one name against a filter and, if it fails, says which name could be the next to match.
//!
//! ```text
//!   filter a/+/c over     a/x      too short:   seek a/x/c
//!                         a/x/b    c is ahead:  seek a/x/c
//!                         a/x/c    match:       go on
//!                         a/x/c/d  too deep:    leave a/x, seek the first name after all below it
//!                         a/y/d    c is behind: leave a/y
//!                         b        behind, and no `+` before: done
//! ```
//!
//! In the order where `/` is lowest, all names below a prefix lie together. So after a failure every name up to the
//! place named here fails too, and one seek passes over all of them.

use alloc::string::String;
use core::cmp::Ordering;

use crate::filter::TopicFilter;
use crate::level::Levels;

/// Greater than `/` and at most any other character of a name: U+0000 is in none. [MQTT-4.7.3-2]
const AFTER_ALL_BELOW: char = '\u{1}';

/// The first text after all that begin with `$`.
const AFTER_RESERVED: &str = "%";

/// What one name is to the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It matches; look at the name after it.
    Match,
    /// It does not, nor does any name below [`Seeker::target`], which lies after it.
    Seek,
    /// It does not, nor does any name after it.
    Done,
}

/// A search for the names one filter matches.
#[derive(Clone, Debug)]
pub(super) struct Seeker<'f> {
    filter: TopicFilter<'f>,
    target: String,
}

impl<'f> Seeker<'f> {
    /// A search whose target is the lowest name that can match.
    pub(super) fn new(filter: TopicFilter<'f>) -> Self {
        let mut seeker = Self { filter, target: String::new() };
        seeker.aim(None, filter.levels());
        seeker
    }

    /// Where to look: at the first, or when the last verdict was to seek. It need not be a name itself.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Judges any name, and sets the target if the verdict is [`Verdict::Seek`]. O(bytes of filter and name).
    pub(super) fn judge(&mut self, name: &str) -> Verdict {
        // [MQTT-4.7.2-1]
        if name.starts_with('$') && self.filter.begins_with_wildcard() {
            self.target.clear();
            self.target.push_str(AFTER_RESERVED);
            return Verdict::Seek;
        }
        let mut wanted = self.filter.levels();
        let mut given = Levels::new(name);
        // How many bytes of the name are levels that fit, without the separator after them.
        let mut fits: Option<usize> = None;
        // How many are so up to the last level that fits a `+`: only such a level has another to try.
        let mut choice: Option<usize> = None;
        loop {
            let from_here = wanted.clone();
            let (level, given) = match (wanted.next(), given.next()) {
                // [MQTT-4.7.1-1]
                (Some("#"), _) | (None, None) => return Verdict::Match,
                // Too deep: the name that would match lies before this one.
                (None, Some(_)) => return self.leave(name, choice),
                // Too short: what matches lies below.
                (Some(_), None) => {
                    self.aim(Some(name), from_here);
                    return Verdict::Seek;
                }
                (Some(level), Some(given)) => (level, given),
            };
            let end = fits.map_or(0, |fits| fits + 1) + given.len();
            // [MQTT-4.7.1-2]
            if level == "+" {
                choice = Some(end);
            } else {
                match given.cmp(level) {
                    Ordering::Equal => {}
                    // What matches lies ahead, under the same prefix.
                    Ordering::Less => {
                        self.aim(fits.and_then(|fits| name.get(..fits)), from_here);
                        return Verdict::Seek;
                    }
                    Ordering::Greater => return self.leave(name, choice),
                }
            }
            fits = Some(end);
        }
    }

    /// Sets the target to a prefix and the levels that must follow it, up to the first wildcard.
    fn aim(&mut self, prefix: Option<&str>, levels: Levels<'_>) {
        self.target.clear();
        self.target.push_str(prefix.unwrap_or_default());
        let mut first = prefix.is_none();
        for level in levels {
            // The parent counts: the target ends before the separator. [MQTT-4.7.1-1]
            if level == "#" {
                break;
            }
            if !first {
                self.target.push('/');
            }
            first = false;
            // Any level, so the target ends before it.
            if level == "+" {
                break;
            }
            self.target.push_str(level);
        }
    }

    /// Passes over all names that have the same first `choice` bytes, or ends the search if no level has a choice.
    fn leave(&mut self, name: &str, choice: Option<usize>) -> Verdict {
        let Some(prefix) = choice.and_then(|choice| name.get(..choice)) else {
            return Verdict::Done;
        };
        self.target.clear();
        self.target.push_str(prefix);
        self.target.push(AFTER_ALL_BELOW);
        Verdict::Seek
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(filter: &str, name: &str) -> (Verdict, String) {
        let mut seeker = Seeker::new(TopicFilter::parse(filter).unwrap());
        let verdict = seeker.judge(name);
        (verdict, seeker.target)
    }

    fn seek(target: &str) -> (Verdict, String) {
        (Verdict::Seek, target.into())
    }

    #[test]
    fn begins_at_the_lowest_name_that_can_match() {
        for (filter, target) in
            [("a/b", "a/b"), ("a/+/c", "a/"), ("a/#", "a"), ("#", ""), ("+/a", ""), ("/#", ""), ("/+", "/")]
        {
            assert_eq!(Seeker::new(TopicFilter::parse(filter).unwrap()).target(), target, "{filter}");
        }
    }

    #[test]
    fn takes_each_step_of_the_picture() {
        assert_eq!(judge("a/+/c", "a/x"), seek("a/x/c"));
        assert_eq!(judge("a/+/c", "a/x/b"), seek("a/x/c"));
        assert_eq!(judge("a/+/c", "a/x/c").0, Verdict::Match);
        assert_eq!(judge("a/+/c", "a/x/c/d"), seek("a/x\u{1}"));
        assert_eq!(judge("a/+/c", "a/y/d"), seek("a/y\u{1}"));
        assert_eq!(judge("a/+/c", "b").0, Verdict::Done);
    }

    #[test]
    fn leaves_the_nearest_choice_first() {
        assert_eq!(judge("+/+/c", "x/y/d"), seek("x/y\u{1}"));
        assert_eq!(judge("+/b/c", "x/b/d"), seek("x\u{1}"));
        assert_eq!(judge("+/b/+", "x/c/d"), seek("x\u{1}"));
    }

    #[test]
    fn passes_over_reserved_names_at_once() {
        assert_eq!(judge("#", "$SYS/a"), seek("%"));
        assert_eq!(judge("+/a", "$SYS/a"), seek("%"));
        assert_eq!(judge("$SYS/+", "$SYS/a").0, Verdict::Match);
    }

    #[test]
    fn keeps_an_empty_first_level_apart_from_no_level() {
        assert_eq!(judge("/b", "/a"), seek("/b"));
        assert_eq!(judge("b", "/a"), seek("b"));
        assert_eq!(judge("/+/c", "//a"), seek("//c"));
    }
}

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

use crate::filter::TopicFilter;
use crate::limits::SEPARATOR;
use crate::pair;

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
        seeker.aim("", 0);
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
        let (filter, bytes) = (self.filter.0.as_bytes(), name.as_bytes());
        let Some(parting) = pair::compare(filter, bytes) else { return Verdict::Match };
        // What the level ends with, where it does, is below all else.
        let rank = |byte: Option<&u8>| byte.copied().filter(|byte| *byte != SEPARATOR);
        match (filter.get(parting.filter), bytes.get(parting.name)) {
            // Too short: what matches lies below.
            (Some(&SEPARATOR), None) => {
                self.aim(name, parting.filter);
                Verdict::Seek
            }
            // What matches lies ahead, under the same prefix.
            (wanted, given) if rank(given) < rank(wanted) => {
                let before = |text: &[u8]| text.iter().rev().take_while(|byte| **byte != SEPARATOR).count();
                let same = bytes.get(..parting.name).map_or(0, before);
                self.aim(name.get(..parting.name - same).unwrap_or_default(), parting.filter - same);
                Verdict::Seek
            }
            // Too deep, or behind: the name that would match under this prefix lies before this one.
            _ => self.leave(name, parting.choice),
        }
    }

    /// Sets the target to a prefix and what the filter has from a place on, up to its next wildcard.
    fn aim(&mut self, prefix: &str, from: usize) {
        let rest = self.filter.0.get(from..).unwrap_or_default();
        let literal = rest.split(['+', '#']).next().unwrap_or_default();
        self.target.clear();
        self.target.push_str(prefix);
        self.target.push_str(literal);
        // Any level, so the target ends before that; but the parent counts, and it ends before the separator.
        // [MQTT-4.7.1-1]
        if rest.get(literal.len()..) == Some("#") && self.target.ends_with('/') {
            self.target.pop();
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

//! What two filters have to do with each other: level by level, without a name.
//!
//! ```text
//!   factory/#    covers      factory/+/state      whatever the second matches, the first does
//!   +/line-1     overlaps    factory/+            both match `factory/line-1`, and each more that the other does not
//!   #            neither     $SYS/#               [MQTT-4.7.2-1]
//! ```
//!
//! `+` and a text at the same level decide nearly all of it. What is left: a `$`, and that there is no empty name.

use crate::filter::TopicFilter;
use crate::level::Levels;
use crate::limits::TEXT_BYTES_MAX;

impl TopicFilter<'_> {
    /// True if every name that `other` matches is matched by this filter too.
    ///
    /// So a rule allows a subscription exactly if its filter covers the one that is asked for: whoever may read `factory/#`
    /// may subscribe to `factory/+/state`, but not to `+/line-1/state`. Of shared filters, on either side, the filter inside
    /// counts ([`TopicFilter::unshared`]): a group gets no more than a subscriber of its own.
    ///
    /// All names that MQTT allows are meant, whatever [`Limits`](crate::Limits) the filters were parsed with; section 4.7.
    /// Two filters that cover each other match the same names, although their texts may differ: `#` and `+/#`, or `/#` and
    /// `/+/#`, as there is no empty name. Costs O(bytes of the shorter), allocates nothing and does not recurse.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_topic::TopicFilter;
    ///
    /// let covers = |rule, asked| Ok::<_, headwater_topic::InvalidFilter>(TopicFilter::parse(rule)?.covers(TopicFilter::parse(asked)?));
    /// assert!(covers("factory/#", "factory/+/state")?);
    /// assert!(covers("factory/#", "$share/workers/factory/+/state")?);
    /// assert!(!covers("factory/+", "factory/#")?);
    /// // What begins with `$` is nobody's by a leading wildcard.
    /// assert!(!covers("#", "$SYS/#")?);
    /// # Ok::<(), headwater_topic::InvalidFilter>(())
    /// ```
    #[must_use]
    pub fn covers(self, other: TopicFilter<'_>) -> bool {
        let (wide, narrow) = (self.unshared(), other.unshared());
        // [MQTT-4.7.2-1]
        if wide.begins_with_wildcard() && narrow.0.starts_with('$') {
            return false;
        }
        let (mut wide, mut narrow) = (spelled_out(wide), spelled_out(narrow));
        loop {
            match (wide.next(), narrow.next()) {
                // [MQTT-4.7.1-1]
                (Some("#"), _) | (None, None) => return true,
                // [MQTT-4.7.1-2] `#` also matches one level less, and two.
                (Some("+"), Some(level)) if level != "#" => {}
                // Two wildcards are the same text; a wildcard under a text matches many others.
                (Some(wide), Some(narrow)) if wide == narrow => {}
                _ => return false,
            }
        }
    }

    /// True if there is a name that both filters match.
    ///
    /// So a rule that forbids touches a subscription exactly if the two overlap. Of shared filters, on either side, the
    /// filter inside counts ([`TopicFilter::unshared`]).
    ///
    /// All names that MQTT allows are meant, whatever [`Limits`](crate::Limits) the filters were parsed with, but no more: two
    /// filters whose common name would have more than 65,535 bytes do not overlap [MQTT-4.7.3-3]. Costs O(bytes of both),
    /// allocates nothing and does not recurse.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_topic::TopicFilter;
    ///
    /// let forbidden = TopicFilter::parse("+/secret/#")?;
    /// assert!(forbidden.overlaps(TopicFilter::parse("factory/#")?));
    /// assert!(forbidden.overlaps(TopicFilter::parse("$share/workers/factory/+")?));
    /// assert!(!forbidden.overlaps(TopicFilter::parse("factory/line-1/#")?));
    /// # Ok::<(), headwater_topic::InvalidFilter>(())
    /// ```
    #[must_use]
    pub fn overlaps(self, other: TopicFilter<'_>) -> bool {
        let (one, other) = (self.unshared(), other.unshared());
        // [MQTT-4.7.2-1]
        if one.begins_with_wildcard() && other.0.starts_with('$')
            || other.begins_with_wildcard() && one.0.starts_with('$')
        {
            return false;
        }
        let (mut one, mut other) = (spelled_out(one), spelled_out(other));
        let mut bytes = 0;
        let rest = loop {
            let (from_one, from_other) = (one.clone(), other.clone());
            bytes += match (one.next(), other.next()) {
                // [MQTT-4.7.1-1] All that the other may be is matched.
                (Some("#"), _) => break from_other,
                (_, Some("#")) => break from_one,
                (None, None) => break from_one,
                // [MQTT-4.7.1-2]
                (Some("+"), Some(level)) | (Some(level), Some("+")) => shortest(level),
                (Some(level), Some(same)) if level == same => shortest(level),
                _ => return false,
            };
        };
        // There is no separator before the first level.
        bytes + rest.map(shortest).sum::<usize>() <= TEXT_BYTES_MAX + 1
    }
}

/// The fewest bytes of a name that match a level, with the separator before it.
fn shortest(level: &str) -> usize {
    match level {
        "#" => 0,
        "+" => 1,
        text => text.len() + 1,
    }
}

/// The levels of a filter that matches the same names, and whose `#` has a name as its parent.
///
/// The parent of `#` is the empty text, that of `/#` is one empty level and so the empty text too: no names [MQTT-4.7.3-1].
fn spelled_out(filter: TopicFilter<'_>) -> Levels<'_> {
    Levels::new(match filter.0 {
        "#" => "+/#",
        "/#" => "/+/#",
        text => text,
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use super::*;
    use crate::Limits;

    fn filter(text: &str) -> TopicFilter<'_> {
        TopicFilter::parse_with(text, Limits::SPECIFICATION).unwrap()
    }

    fn covers(wide: &str, narrow: &str) -> bool {
        filter(wide).covers(filter(narrow))
    }

    fn overlaps(one: &str, other: &str) -> bool {
        assert_eq!(filter(one).overlaps(filter(other)), filter(other).overlaps(filter(one)));
        filter(one).overlaps(filter(other))
    }

    #[test]
    fn hash_covers_its_parent_and_all_below() {
        assert!(covers("a/#", "a") && covers("a/#", "a/+/b") && covers("a/#", "a/b/#"));
        assert!(!covers("a/#", "+") && !covers("a/#", "#") && !covers("a/+", "a/#"));
        assert!(!covers("a/+/#", "a/#"), "the second matches `a`");
    }

    #[test]
    fn filters_of_the_same_names_cover_each_other_whatever_their_texts() {
        for (one, other) in [("#", "+/#"), ("/#", "/+/#")] {
            assert!(covers(one, other) && covers(other, one), "{one} {other}");
        }
        assert!(!covers("+/+/#", "+/#") && !covers("//#", "/#") && !covers("+/+/#", "#"));
    }

    #[test]
    fn leading_wildcards_have_nothing_to_do_with_names_that_begin_with_a_dollar() {
        assert!(!covers("#", "$SYS/#") && !overlaps("#", "$SYS/#"));
        assert!(!covers("+/a", "$SYS/a") && !overlaps("+/a", "$SYS/a"));
        assert!(covers("$SYS/#", "$SYS/a") && !covers("$SYS/a", "+/a"));
        assert!(covers("a/+", "a/$SYS") && overlaps("+/$SYS", "a/+"));
    }

    #[test]
    fn no_filter_meets_another_in_the_empty_name() {
        assert!(!overlaps("+", "/#"), "one level that is empty is no name");
        assert!(overlaps("+/+", "/#") && overlaps("+/#", "/#") && overlaps("+", "#"));
    }

    #[test]
    fn what_would_have_too_long_a_name_in_common_does_not_overlap() {
        let letters = |count| "x".repeat(count);
        let longest = [std::format!("{}/+", letters(32_767)), std::format!("+/{}", letters(32_767))];
        assert!(overlaps(&longest[0], &longest[1]), "65,535 bytes");
        let longer = std::format!("{}/+", letters(32_768));
        assert!(!overlaps(&longer, &longest[1]), "65,536 bytes");
        let (hash, rest) = (std::format!("{}/#", letters(32_767)), std::format!("+/{}/+/+", letters(32_765)));
        assert!(overlaps(&hash, &rest), "65,535 bytes");
        let rest: String = std::format!("{rest}/#");
        assert!(overlaps(&hash, &rest), "the parent of the second is enough");
        let rest = rest.replace('#', "+");
        assert!(!overlaps(&hash, &rest), "65,536 bytes");
    }

    #[test]
    fn of_shared_filters_the_filter_inside_counts() {
        assert!(covers("a/#", "$share/g/a/b") && covers("$share/g/a/#", "a/b"));
        assert!(covers("$share/g/a/#", "$share/h/a/b") && overlaps("$share/g/a", "+"));
        assert!(!covers("#", "$share/g/$SYS/a") && !covers("a/#", "$share/g/#"));
        assert!(!covers("$share/g/+", "$share/g/a/b"));
    }
}

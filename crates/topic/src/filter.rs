//! Topic filters: what a subscriber asks for.
//!
//! ```text
//!   factory / + / temperature        +   any one level, also an empty one
//!   factory / #                      #   the level before it and all below: `factory`, `factory/a`, `factory/a/b`
//!   $share  / g / factory / +        a shared filter: the group `g` shares what `factory/+` matches
//! ```

use core::fmt;

use crate::error::InvalidFilter;
use crate::level::Levels;
use crate::limits::{Limits, SEPARATOR, TEXT_BYTES_MAX};
use crate::name::TopicName;
use crate::pair;
use crate::scan;
use crate::shared::{self, SharedFilter};

/// A topic filter that keeps every rule of MQTT 5.0, sections 4.7 and 4.8.2.
///
/// `Copy`, and two words wide: parse once, then carry the type. It has 1 to 65,535 bytes of UTF-8, no U+0000, `#` only
/// as its last level and `+` only as a whole level, and at most as many levels as the [`Limits`] it was parsed with. A
/// text that begins with `$share/` is a whole shared filter besides: [`TopicFilter::shared`] takes it apart. All its
/// levels count against the limit, `$share` and the group too. MQTT 3.1.1 has no shared subscriptions and would take such a
/// text as it stands; it is held to the same rules here. Order and hash are those of the text.
///
/// # Examples
///
/// ```
/// use headwater_topic::{TopicFilter, TopicName};
///
/// let filter = TopicFilter::parse("factory/+/temperature")?;
/// assert!(filter.matches(TopicName::parse("factory/line-1/temperature")?));
/// assert!(!filter.matches(TopicName::parse("factory/line-1/pressure")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter<'a>(pub(crate) &'a str);

impl<'a> TopicFilter<'a> {
    /// Checks a text with the default [`Limits`].
    ///
    /// Costs O(bytes) and allocates nothing.
    ///
    /// # Errors
    ///
    /// A rule the text breaks, see [`InvalidFilter`]; those of shared filters are looked at before those of levels.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, InvalidFilter> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a text with limits of the caller's.
    ///
    /// # Errors
    ///
    /// As [`TopicFilter::parse`].
    #[inline(always)]
    pub fn parse_with(text: &'a str, limits: Limits) -> Result<Self, InvalidFilter> {
        check(text, limits)?;
        Ok(Self(text))
    }

    /// The text.
    #[inline]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels, first to last, wildcards as `"+"` and `"#"`; at least one.
    #[inline]
    pub const fn levels(self) -> Levels<'a> {
        Levels::new(self.0)
    }

    /// True if some level is `+` or `#`; a filter without one matches the one name that is the same text.
    ///
    /// Costs O(bytes).
    pub fn has_wildcard(self) -> bool {
        // A valid filter has `+` and `#` nowhere else, and U+0000 nowhere.
        scan::any_special(self.0.as_bytes())
    }

    /// The two halves of a shared filter, or `None` if the filter does not begin with `$share/`.
    ///
    /// Section 4.8.2. What messages the subscription gets is decided by [`SharedFilter::filter`].
    #[inline]
    pub fn shared(self) -> Option<SharedFilter<'a>> {
        shared::split(self.0)
    }

    /// The filter inside if this one is shared, else this one: what decides which messages a subscription gets.
    ///
    /// ```
    /// use headwater_topic::TopicFilter;
    ///
    /// assert_eq!(TopicFilter::parse("$share/workers/factory/#")?.unshared(), TopicFilter::parse("factory/#")?);
    /// assert_eq!(TopicFilter::parse("factory/#")?.unshared(), TopicFilter::parse("factory/#")?);
    /// # Ok::<(), headwater_topic::InvalidFilter>(())
    /// ```
    #[inline]
    pub fn unshared(self) -> Self {
        self.shared().map_or(self, SharedFilter::filter)
    }

    /// True if the name matches this filter by the rules of section 4.7.
    ///
    /// `+` matches one level, also an empty one; `#` the level before it and everything below; neither, as the first
    /// level, a name that begins with `$`. All else is compared byte by byte. Costs O(bytes of the shorter) and
    /// allocates nothing.
    ///
    /// The text is taken as it stands, so a shared filter here matches only names below `$share/`, which is
    /// hardly ever meant: match what [`TopicFilter::unshared`] gives.
    pub fn matches(self, name: TopicName<'_>) -> bool {
        // [MQTT-4.7.2-1]
        if name.is_reserved() && self.begins_with_wildcard() {
            return false;
        }
        pair::is_match(self.0.as_bytes(), name.0.as_bytes())
    }

    pub(crate) fn begins_with_wildcard(self) -> bool {
        self.0.starts_with(['+', '#'])
    }
}

/// Whether a text keeps every rule of a topic filter; if not, one that it breaks.
#[inline(always)]
pub(crate) fn check(text: &str, limits: Limits) -> Result<(), InvalidFilter> {
    if is_right(text.as_bytes(), limits.levels_max) { Ok(()) } else { check_each_rule(text, limits) }
}

/// True if the bytes of a text keep every rule and are not a shared filter.
#[inline]
fn is_right(text: &[u8], levels_max: u32) -> bool {
    !text.is_empty()
        && text.len() <= TEXT_BYTES_MAX
        && !text.starts_with(shared::PREFIX.as_bytes())
        && scan::filter_is_right(text)
        && scan::levels_fit(text, levels_max)
}

/// The rules of a topic filter, one by one; shared filters are rare enough to be checked here too.
#[cold]
fn check_each_rule(text: &str, limits: Limits) -> Result<(), InvalidFilter> {
    // [MQTT-4.7.3-1]
    if text.is_empty() {
        return Err(InvalidFilter::Empty);
    }
    // [MQTT-4.7.3-3]
    if text.len() > TEXT_BYTES_MAX {
        return Err(InvalidFilter::TooLong { bytes: text.len() });
    }
    shared::check(text)?;
    // A group has no wildcard and no separator, so the levels of a shared filter are valid exactly if those of the
    // filter inside are: one walk over the whole text checks both.
    check_levels(text, limits.levels_max)
}

fn check_levels(text: &str, levels_max: u32) -> Result<(), InvalidFilter> {
    let mut levels = 1_u32;
    if levels > levels_max {
        return Err(InvalidFilter::TooManyLevels { position: 0, levels_max });
    }
    // The text begins a level, as if a separator stood before it.
    let mut before = SEPARATOR;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((position, byte)) = bytes.next() {
        let after = bytes.peek().map(|&(_, byte)| byte);
        let alone = before == SEPARATOR && matches!(after, None | Some(SEPARATOR));
        match byte {
            // [MQTT-4.7.3-2]
            0 => return Err(InvalidFilter::Nul { position }),
            // [MQTT-4.7.1-2]
            b'+' if !alone => return Err(InvalidFilter::PlusNotAlone { position }),
            // [MQTT-4.7.1-1]
            b'#' if !alone => return Err(InvalidFilter::HashNotAlone { position }),
            b'#' if after.is_some() => return Err(InvalidFilter::HashNotLast { position }),
            SEPARATOR => {
                // At most one for each of 65,535 bytes: no overflow.
                levels += 1;
                if levels > levels_max {
                    return Err(InvalidFilter::TooManyLevels { position, levels_max });
                }
            }
            _ => {}
        }
        before = byte;
    }
    Ok(())
}

impl<'a> TryFrom<&'a str> for TopicFilter<'a> {
    type Error = InvalidFilter;

    fn try_from(text: &'a str) -> Result<Self, InvalidFilter> {
        Self::parse(text)
    }
}

impl AsRef<str> for TopicFilter<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

/// Prints the text in quotes, escaped as a string is.
impl fmt::Debug for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(filter: &str, name: &str) -> bool {
        TopicFilter::parse(filter).unwrap().matches(TopicName::parse(name).unwrap())
    }

    #[test]
    fn hash_matches_the_parent_and_all_below() {
        assert!(matches("a/#", "a"));
        assert!(matches("a/#", "a/"));
        assert!(matches("a/#", "a/b/c"));
        assert!(!matches("a/#", "ab"));
        assert!(matches("#", "/"));
    }

    #[test]
    fn plus_matches_exactly_one_level() {
        assert!(matches("a/+", "a/"));
        assert!(!matches("a/+", "a"));
        assert!(!matches("a/+", "a/b/c"));
        assert!(matches("/+", "/a"));
        assert!(!matches("+", "/a"));
    }

    #[test]
    fn text_is_compared_as_it_stands() {
        assert!(!matches("ACCOUNTS", "Accounts"));
        // U+00E9 against e with a combining accent. [MQTT-4.7.3-4]
        assert!(!matches("caf\u{E9}", "cafe\u{301}"));
    }

    #[test]
    fn a_later_wildcard_reaches_below_a_reserved_level() {
        assert!(matches("$SYS/#", "$SYS/a"));
        assert!(matches("$SYS/+", "$SYS/a"));
        assert!(!matches("+/a", "$SYS/a"));
        assert!(!matches("#", "$SYS"));
        assert!(matches("+/$SYS", "a/$SYS"));
    }

    #[test]
    fn a_shared_filter_is_text_to_its_own_match() {
        assert!(!matches("$share/g/a", "a"));
        assert!(matches("$share/g/+", "$share/g/a"));
    }

    #[test]
    fn says_whether_it_has_a_wildcard() {
        for (text, has) in
            [("a/b", false), ("+", true), ("a/#", true), ("$share/g/a", false), ("$share/g/+", true)]
        {
            assert_eq!(TopicFilter::parse(text).map(TopicFilter::has_wildcard), Ok(has), "{text}");
        }
    }
}

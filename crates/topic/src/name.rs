//! Topic names: what a message is published under.

use core::fmt;

use crate::error::InvalidTopicName;
use crate::level::Levels;
use crate::limits::{Limits, SEPARATOR, TEXT_BYTES_MAX};
use crate::scan;

/// A topic name that keeps every rule of MQTT 5.0 and 3.1.1, section 4.7.
///
/// `Copy`, and two words wide: parse once, then carry the type. It has 1 to 65,535 bytes of UTF-8, no U+0000, no
/// `+` and no `#`, and at most as many levels as the [`Limits`] it was parsed with. Names are compared byte by byte:
/// case counts, and nothing is normalised [MQTT-4.7.3-4]. Order and hash are those of the text.
///
/// Control characters and Unicode non-characters, which section 1.5.4 advises against, are accepted.
///
/// # Examples
///
/// ```
/// use headwater_topic::TopicName;
///
/// let name = TopicName::parse("factory/line-1/temperature")?;
/// assert_eq!(name.levels().nth(1), Some("line-1"));
/// assert_eq!(name.to_string(), "factory/line-1/temperature");
/// # Ok::<(), headwater_topic::InvalidTopicName>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(pub(crate) &'a str);

impl<'a> TopicName<'a> {
    /// Checks a text with the default [`Limits`].
    ///
    /// Costs O(bytes) and allocates nothing.
    ///
    /// # Errors
    ///
    /// The first rule the text breaks, see [`InvalidTopicName`].
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, InvalidTopicName> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a text with limits of the caller's.
    ///
    /// # Errors
    ///
    /// The first rule the text breaks, see [`InvalidTopicName`].
    #[inline(always)]
    pub fn parse_with(text: &'a str, limits: Limits) -> Result<Self, InvalidTopicName> {
        check(text, limits)?;
        Ok(Self(text))
    }

    /// The text.
    #[inline]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels, first to last; at least one.
    #[inline]
    pub const fn levels(self) -> Levels<'a> {
        Levels::new(self.0)
    }

    /// True if the name begins with `$`.
    ///
    /// Servers keep such names for their own ends, `$SYS/` above all, and filters that begin with a wildcard do not
    /// reach them. [MQTT-4.7.2-1]
    #[inline]
    pub fn is_reserved(self) -> bool {
        self.0.starts_with('$')
    }
}

/// Whether a text keeps every rule of a topic name; if not, which it breaks first.
#[inline(always)]
pub(crate) fn check(text: &str, limits: Limits) -> Result<(), InvalidTopicName> {
    if is_right(text.as_bytes(), limits.levels_max) { Ok(()) } else { check_each_rule(text, limits) }
}

/// True if the bytes of a text keep every rule.
#[inline]
fn is_right(text: &[u8], levels_max: u32) -> bool {
    !text.is_empty()
        && text.len() <= TEXT_BYTES_MAX
        && !scan::any_special(text)
        && scan::levels_fit(text, levels_max)
}

/// The rules of a topic name, one by one.
#[cold]
fn check_each_rule(text: &str, limits: Limits) -> Result<(), InvalidTopicName> {
    // [MQTT-4.7.3-1]
    if text.is_empty() {
        return Err(InvalidTopicName::Empty);
    }
    // [MQTT-4.7.3-3]
    if text.len() > TEXT_BYTES_MAX {
        return Err(InvalidTopicName::TooLong { bytes: text.len() });
    }
    let levels_max = limits.levels_max;
    let mut levels = 1_u32;
    if levels > levels_max {
        return Err(InvalidTopicName::TooManyLevels { position: 0, levels_max });
    }
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            // [MQTT-4.7.3-2]
            0 => return Err(InvalidTopicName::Nul { position }),
            // [MQTT-3.3.2-2], [MQTT-4.7.0-1]
            b'+' | b'#' => return Err(InvalidTopicName::Wildcard { position }),
            SEPARATOR => {
                // At most one for each of 65,535 bytes: no overflow.
                levels += 1;
                if levels > levels_max {
                    return Err(InvalidTopicName::TooManyLevels { position, levels_max });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl<'a> TryFrom<&'a str> for TopicName<'a> {
    type Error = InvalidTopicName;

    fn try_from(text: &'a str) -> Result<Self, InvalidTopicName> {
        Self::parse(text)
    }
}

impl AsRef<str> for TopicName<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

/// Prints the text in quotes, escaped as a string is.
impl fmt::Debug for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_section_4_7_3_names_as_valid() {
        for text in
            ["/", "//", "a", "/finance", "Accounts payable", "finance/", "$SYS/uptime", "\u{1F6A2}/\u{FEFF}"]
        {
            assert_eq!(TopicName::parse(text).map(TopicName::as_str), Ok(text));
        }
    }

    #[test]
    fn rejects_the_empty_text() {
        assert_eq!(TopicName::parse(""), Err(InvalidTopicName::Empty));
    }

    #[test]
    fn rejects_nul_with_its_place() {
        assert_eq!(TopicName::parse("a/\0"), Err(InvalidTopicName::Nul { position: 2 }));
    }

    #[test]
    fn rejects_wildcards_anywhere() {
        assert_eq!(TopicName::parse("a/+/b"), Err(InvalidTopicName::Wildcard { position: 2 }));
        assert_eq!(TopicName::parse("#"), Err(InvalidTopicName::Wildcard { position: 0 }));
        assert_eq!(TopicName::parse("a#"), Err(InvalidTopicName::Wildcard { position: 1 }));
    }

    #[test]
    fn a_limit_of_no_levels_refuses_every_name() {
        let none = Limits::default().levels_max(0);
        assert_eq!(
            TopicName::parse_with("a", none),
            Err(InvalidTopicName::TooManyLevels { position: 0, levels_max: 0 })
        );
    }

    #[test]
    fn only_a_leading_dollar_reserves() {
        assert_eq!(TopicName::parse("$SYS/a").map(TopicName::is_reserved), Ok(true));
        assert_eq!(TopicName::parse("a/$SYS").map(TopicName::is_reserved), Ok(false));
        assert_eq!(TopicName::parse("/$SYS").map(TopicName::is_reserved), Ok(false));
    }
}

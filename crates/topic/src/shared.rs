//! Shared filters: one subscription of a whole group, MQTT 5.0 section 4.8.2.
//!
//! ```text
//!   $share / workers / factory/+/temperature
//!            group     filter
//! ```

use core::fmt;

use crate::error::InvalidFilter;
use crate::filter::TopicFilter;
use crate::level;
use crate::limits::Limits;

/// What every shared filter begins with. [MQTT-4.8.2-1]
pub(crate) const PREFIX: &str = "$share/";

/// A shared filter taken apart: the group, and the filter whose messages the group shares.
///
/// The group has at least one character and none of `/`, `+` and `#`. The filter is never a shared one itself. Order and hash
/// are those of the whole text. [`SharedFilterBuf`](crate::SharedFilterBuf) owns its text.
///
/// # Examples
///
/// ```
/// use headwater_topic::{SharedFilter, TopicName};
///
/// let shared = SharedFilter::parse("$share/workers/factory/#")?;
/// assert_eq!(shared.group(), "workers");
/// assert!(shared.filter().matches(TopicName::parse("factory/line-1")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedFilter<'a> {
    text: &'a str,
    group: &'a str,
    filter: TopicFilter<'a>,
}

impl<'a> SharedFilter<'a> {
    /// Checks a whole text, `$share/` included, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// [`InvalidFilter::NotShared`] if the text does not begin with `$share/`, else as [`TopicFilter::parse`].
    pub fn parse(text: &'a str) -> Result<Self, InvalidFilter> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a whole text with limits of the caller's; all its levels count, `$share` and the group too.
    ///
    /// # Errors
    ///
    /// As [`SharedFilter::parse`].
    pub fn parse_with(text: &'a str, limits: Limits) -> Result<Self, InvalidFilter> {
        TopicFilter::parse_with(text, limits)?.shared().ok_or(InvalidFilter::NotShared)
    }

    /// The whole text, `$share/` included.
    #[inline]
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// The whole text as the filter that SUBSCRIBE and UNSUBSCRIBE name.
    #[inline]
    pub const fn whole(self) -> TopicFilter<'a> {
        TopicFilter(self.text)
    }

    /// The name of the group, which the specification calls the share name.
    #[inline]
    pub const fn group(self) -> &'a str {
        self.group
    }

    /// The filter whose messages the group shares.
    #[inline]
    pub const fn filter(self) -> TopicFilter<'a> {
        self.filter
    }
}

/// The rules of section 4.8.2, for texts that begin with `$share/`; any other text passes.
pub(crate) fn check(text: &str) -> Result<(), InvalidFilter> {
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return Ok(());
    };
    let (group, filter) = level::split_first(rest);
    // [MQTT-4.8.2-1]
    if group.is_empty() {
        return Err(InvalidFilter::ShareGroupEmpty { position: PREFIX.len() });
    }
    // [MQTT-4.8.2-2] The third character that is forbidden, `/`, ends the group.
    if let Some(at) = group.find(['+', '#']) {
        return Err(InvalidFilter::ShareGroupWildcard { position: PREFIX.len() + at });
    }
    // [MQTT-4.8.2-2]
    let Some(filter) = filter.filter(|filter| !filter.is_empty()) else {
        return Err(InvalidFilter::ShareFilterMissing { position: text.len() });
    };
    // Section 4.8.2: the rest reads as the filter of a subscription that is not shared.
    if filter.starts_with(PREFIX) {
        return Err(InvalidFilter::ShareNested { position: text.len() - filter.len() });
    }
    Ok(())
}

/// Takes the text of a valid filter apart, if it is shared.
pub(crate) fn split(text: &str) -> Option<SharedFilter<'_>> {
    text.starts_with(PREFIX).then(|| split_shared(text))
}

/// Takes the text of a valid shared filter apart.
pub(crate) fn split_shared(text: &str) -> SharedFilter<'_> {
    let rest = text.get(PREFIX.len()..).unwrap_or_default();
    let (group, filter) = rest.split_once('/').unwrap_or_default();
    SharedFilter { text, group, filter: TopicFilter(filter) }
}

impl<'a> TryFrom<&'a str> for SharedFilter<'a> {
    type Error = InvalidFilter;

    fn try_from(text: &'a str) -> Result<Self, InvalidFilter> {
        Self::parse(text)
    }
}

impl<'a> TryFrom<TopicFilter<'a>> for SharedFilter<'a> {
    type Error = InvalidFilter;

    /// [`InvalidFilter::NotShared`] if the filter does not begin with `$share/`.
    fn try_from(filter: TopicFilter<'a>) -> Result<Self, InvalidFilter> {
        filter.shared().ok_or(InvalidFilter::NotShared)
    }
}

impl<'a> From<SharedFilter<'a>> for TopicFilter<'a> {
    fn from(filter: SharedFilter<'a>) -> Self {
        filter.whole()
    }
}

impl AsRef<str> for SharedFilter<'_> {
    fn as_ref(&self) -> &str {
        self.text
    }
}

/// Writes the whole text, `$share/` included.
impl fmt::Display for SharedFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.text, f)
    }
}

/// Prints the whole text in quotes, escaped as a string is.
impl fmt::Debug for SharedFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(text: &str) -> Option<(&str, &str)> {
        TopicFilter::parse(text).unwrap().shared().map(|shared| (shared.group(), shared.filter().as_str()))
    }

    #[test]
    fn takes_group_and_filter_apart() {
        assert_eq!(halves("$share/g/a/+"), Some(("g", "a/+")));
        assert_eq!(halves("$share/g//"), Some(("g", "/")));
        assert_eq!(halves("$share/$share/a"), Some(("$share", "a")));
        assert_eq!(halves("$share/g/$SYS/#"), Some(("g", "$SYS/#")));
    }

    #[test]
    fn leaves_filters_alone_that_only_resemble_shared_ones() {
        for text in ["$share", "$shared/g/a", "$SHARE/g/a", "a/$share/g/a", "/$share/g/a"] {
            assert_eq!(halves(text), None, "{text}");
            assert_eq!(SharedFilter::parse(text), Err(InvalidFilter::NotShared), "{text}");
        }
    }

    #[test]
    fn rejects_a_shared_filter_inside_a_shared_filter() {
        assert_eq!(
            TopicFilter::parse("$share/g/$share/h/a"),
            Err(InvalidFilter::ShareNested { position: 9 })
        );
    }

    #[test]
    fn rejects_bad_levels_inside() {
        assert_eq!(TopicFilter::parse("$share/g/a+"), Err(InvalidFilter::PlusNotAlone { position: 10 }));
        assert_eq!(TopicFilter::parse("$share/g/#/a"), Err(InvalidFilter::HashNotLast { position: 9 }));
    }

    #[test]
    fn is_the_text_it_was_parsed_from() {
        extern crate std;
        let text = "$share/g/a/+";
        let shared = SharedFilter::parse(text).unwrap();
        assert_eq!(std::format!("{shared}"), text);
        assert_eq!(std::format!("{shared:?}"), "\"$share/g/a/+\"");
        assert_eq!((shared.as_str(), shared.whole().as_str()), (text, text));
        assert_eq!(SharedFilter::try_from(TopicFilter::from(shared)), Ok(shared));
        assert_eq!(SharedFilter::try_from(shared.filter()), Err(InvalidFilter::NotShared));
    }
}

//! Topic filters that own their text.

use alloc::boxed::Box;
use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use crate::error::InvalidFilter;
use crate::filter::{self, TopicFilter};
use crate::limits::Limits;

/// A topic filter that owns its text; what [`TopicFilter`] promises holds for it too.
///
/// Equality, order and hash are those of the text, so a map keyed by it can be asked with a `&str`.
///
/// # Examples
///
/// ```
/// use headwater_topic::{TopicFilterBuf, TopicName};
///
/// let filter: TopicFilterBuf = "factory/#".parse()?;
/// assert!(filter.as_filter().matches(TopicName::parse("factory/line-1")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilterBuf(Box<str>);

impl TopicFilterBuf {
    /// Checks a text with the default [`Limits`] and keeps it.
    ///
    /// # Errors
    ///
    /// As [`TopicFilter::parse`].
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, InvalidFilter> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a text with limits of the caller's and keeps it.
    ///
    /// # Errors
    ///
    /// As [`TopicFilter::parse`].
    pub fn parse_with(text: impl Into<Box<str>>, limits: Limits) -> Result<Self, InvalidFilter> {
        let text = text.into();
        filter::check(&text, limits)?;
        Ok(Self(text))
    }

    /// The filter, borrowed; costs nothing, as it was checked when it was made.
    #[inline]
    pub fn as_filter(&self) -> TopicFilter<'_> {
        TopicFilter(&self.0)
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<TopicFilter<'_>> for TopicFilterBuf {
    /// Copies the text; it is not checked again.
    fn from(filter: TopicFilter<'_>) -> Self {
        Self(filter.as_str().into())
    }
}

impl From<TopicFilterBuf> for Box<str> {
    fn from(filter: TopicFilterBuf) -> Self {
        filter.0
    }
}

impl FromStr for TopicFilterBuf {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        TopicFilter::parse(text).map(Self::from)
    }
}

impl TryFrom<&str> for TopicFilterBuf {
    type Error = InvalidFilter;

    fn try_from(text: &str) -> Result<Self, InvalidFilter> {
        text.parse()
    }
}

impl TryFrom<String> for TopicFilterBuf {
    type Error = InvalidFilter;

    /// Keeps the text if it is right, without a copy if nothing beyond it is allocated.
    fn try_from(text: String) -> Result<Self, InvalidFilter> {
        Self::parse(text)
    }
}

impl<'a> From<&'a TopicFilterBuf> for TopicFilter<'a> {
    fn from(filter: &'a TopicFilterBuf) -> Self {
        filter.as_filter()
    }
}

impl Borrow<str> for TopicFilterBuf {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TopicFilterBuf {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicFilterBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Prints the text in quotes, escaped as a string is.
impl fmt::Debug for TopicFilterBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn refuses_what_the_borrowed_form_refuses() {
        assert_eq!(TopicFilterBuf::parse("a#"), Err(InvalidFilter::HashNotAlone { position: 1 }));
        assert_eq!("".parse::<TopicFilterBuf>(), Err(InvalidFilter::Empty));
    }

    #[test]
    fn becomes_what_it_is_made_of_and_back() {
        let kept = TopicFilterBuf::try_from(String::from("a/+")).unwrap();
        assert_eq!(TopicFilterBuf::try_from("a/+"), Ok(kept.clone()));
        assert_eq!(TopicFilter::from(&kept), TopicFilter::parse("a/+").unwrap());
        assert_eq!(&*Box::<str>::from(kept), "a/+");
    }

    #[test]
    fn is_found_in_a_map_by_its_text() {
        let map = BTreeMap::from([(TopicFilterBuf::parse("a/+").unwrap(), 7)]);
        assert_eq!(map.get("a/+"), Some(&7));
    }
}

//! Shared filters that own their text.

use alloc::boxed::Box;
use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use crate::error::InvalidFilter;
use crate::filter::TopicFilter;
use crate::filter_buf::TopicFilterBuf;
use crate::limits::Limits;
use crate::shared::{self, SharedFilter};

/// A shared filter that owns its text; what [`SharedFilter`] promises holds for it too.
///
/// Equality, order and hash are those of the whole text, so a map keyed by it can be asked with a `&str`.
///
/// # Examples
///
/// ```
/// use headwater_topic::{SharedFilterBuf, TopicName};
///
/// let shared: SharedFilterBuf = "$share/workers/factory/#".parse()?;
/// assert_eq!(shared.group(), "workers");
/// assert!(shared.filter().matches(TopicName::parse("factory/line-1")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedFilterBuf {
    text: TopicFilterBuf,
}

impl SharedFilterBuf {
    /// Checks a whole text, `$share/` included, with the default [`Limits`] and keeps it.
    ///
    /// # Errors
    ///
    /// As [`SharedFilter::parse`].
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, InvalidFilter> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a whole text with limits of the caller's and keeps it.
    ///
    /// # Errors
    ///
    /// As [`SharedFilter::parse`].
    pub fn parse_with(text: impl Into<Box<str>>, limits: Limits) -> Result<Self, InvalidFilter> {
        TopicFilterBuf::parse_with(text, limits)?.try_into()
    }

    /// The shared filter, borrowed; costs O(bytes of the group), as it is taken apart.
    #[inline]
    pub fn as_shared(&self) -> SharedFilter<'_> {
        shared::split_shared(self.text.as_str())
    }

    /// The name of the group.
    #[inline]
    pub fn group(&self) -> &str {
        self.as_shared().group()
    }

    /// The filter whose messages the group shares.
    #[inline]
    pub fn filter(&self) -> TopicFilter<'_> {
        self.as_shared().filter()
    }

    /// The whole text, `$share/` included.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl From<SharedFilter<'_>> for SharedFilterBuf {
    /// Copies the text; it is not checked again.
    fn from(shared: SharedFilter<'_>) -> Self {
        Self { text: shared.whole().into() }
    }
}

impl<'a> From<&'a SharedFilterBuf> for SharedFilter<'a> {
    fn from(shared: &'a SharedFilterBuf) -> Self {
        shared.as_shared()
    }
}

impl From<SharedFilterBuf> for TopicFilterBuf {
    fn from(shared: SharedFilterBuf) -> Self {
        shared.text
    }
}

impl TryFrom<TopicFilterBuf> for SharedFilterBuf {
    type Error = InvalidFilter;

    /// [`InvalidFilter::NotShared`] if the filter does not begin with `$share/`.
    fn try_from(filter: TopicFilterBuf) -> Result<Self, InvalidFilter> {
        match filter.as_filter().shared() {
            Some(_) => Ok(Self { text: filter }),
            None => Err(InvalidFilter::NotShared),
        }
    }
}

impl FromStr for SharedFilterBuf {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        SharedFilter::parse(text).map(Self::from)
    }
}

impl TryFrom<&str> for SharedFilterBuf {
    type Error = InvalidFilter;

    fn try_from(text: &str) -> Result<Self, InvalidFilter> {
        text.parse()
    }
}

impl TryFrom<String> for SharedFilterBuf {
    type Error = InvalidFilter;

    /// Keeps the text if it is right, without a copy if nothing beyond it is allocated.
    fn try_from(text: String) -> Result<Self, InvalidFilter> {
        Self::parse(text)
    }
}

impl From<SharedFilterBuf> for Box<str> {
    fn from(shared: SharedFilterBuf) -> Self {
        shared.text.into()
    }
}

impl Borrow<str> for SharedFilterBuf {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SharedFilterBuf {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for SharedFilterBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// Prints the whole text in quotes, escaped as a string is.
impl fmt::Debug for SharedFilterBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn refuses_what_the_borrowed_form_refuses() {
        assert_eq!(SharedFilterBuf::parse("a/b"), Err(InvalidFilter::NotShared));
        assert_eq!(
            SharedFilterBuf::parse("$share/g"),
            Err(InvalidFilter::ShareFilterMissing { position: 8 })
        );
        let plain = TopicFilterBuf::parse("a/b").unwrap();
        assert_eq!(SharedFilterBuf::try_from(plain), Err(InvalidFilter::NotShared));
    }

    #[test]
    fn becomes_what_it_is_made_of_and_back() {
        let kept = SharedFilterBuf::try_from("$share/g/a/+").unwrap();
        assert_eq!((kept.group(), kept.filter().as_str()), ("g", "a/+"));
        assert_eq!(SharedFilterBuf::from(SharedFilter::from(&kept)), kept);
        assert_eq!(SharedFilterBuf::try_from(TopicFilterBuf::from(kept.clone())), Ok(kept));
    }

    #[test]
    fn is_found_in_a_map_by_its_text() {
        let map = BTreeMap::from([(SharedFilterBuf::parse("$share/g/a").unwrap(), 7)]);
        assert_eq!(map.get("$share/g/a"), Some(&7));
    }
}

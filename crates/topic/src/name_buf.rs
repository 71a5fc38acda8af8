//! Topic names that own their text.

use alloc::boxed::Box;
use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use crate::error::InvalidTopicName;
use crate::limits::Limits;
use crate::name::{self, TopicName};

/// A topic name that owns its text; what [`TopicName`] promises holds for it too.
///
/// Equality, order and hash are those of the text, so a map keyed by it can be asked with a `&str`.
///
/// # Examples
///
/// ```
/// use headwater_topic::{TopicName, TopicNameBuf};
///
/// let kept = TopicNameBuf::parse(format!("factory/line-{}", 1))?;
/// assert_eq!(kept.as_name(), TopicName::parse("factory/line-1")?);
/// # Ok::<(), headwater_topic::InvalidTopicName>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicNameBuf(Box<str>);

impl TopicNameBuf {
    /// Checks a text with the default [`Limits`] and keeps it.
    ///
    /// # Errors
    ///
    /// As [`TopicName::parse`].
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, InvalidTopicName> {
        Self::parse_with(text, Limits::default())
    }

    /// Checks a text with limits of the caller's and keeps it.
    ///
    /// # Errors
    ///
    /// As [`TopicName::parse`].
    pub fn parse_with(text: impl Into<Box<str>>, limits: Limits) -> Result<Self, InvalidTopicName> {
        let text = text.into();
        name::check(&text, limits)?;
        Ok(Self(text))
    }

    /// The name, borrowed; costs nothing, as it was checked when it was made.
    #[inline]
    pub fn as_name(&self) -> TopicName<'_> {
        TopicName(&self.0)
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<TopicName<'_>> for TopicNameBuf {
    /// Copies the text; it is not checked again.
    fn from(name: TopicName<'_>) -> Self {
        Self(name.as_str().into())
    }
}

impl From<TopicNameBuf> for Box<str> {
    fn from(name: TopicNameBuf) -> Self {
        name.0
    }
}

impl FromStr for TopicNameBuf {
    type Err = InvalidTopicName;

    fn from_str(text: &str) -> Result<Self, InvalidTopicName> {
        TopicName::parse(text).map(Self::from)
    }
}

impl TryFrom<&str> for TopicNameBuf {
    type Error = InvalidTopicName;

    fn try_from(text: &str) -> Result<Self, InvalidTopicName> {
        text.parse()
    }
}

impl TryFrom<String> for TopicNameBuf {
    type Error = InvalidTopicName;

    /// Keeps the text if it is right, without a copy if nothing beyond it is allocated.
    fn try_from(text: String) -> Result<Self, InvalidTopicName> {
        Self::parse(text)
    }
}

impl<'a> From<&'a TopicNameBuf> for TopicName<'a> {
    fn from(name: &'a TopicNameBuf) -> Self {
        name.as_name()
    }
}

impl Borrow<str> for TopicNameBuf {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TopicNameBuf {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicNameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Prints the text in quotes, escaped as a string is.
impl fmt::Debug for TopicNameBuf {
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
        assert_eq!(TopicNameBuf::parse("a/+"), Err(InvalidTopicName::Wildcard { position: 2 }));
        assert_eq!("".parse::<TopicNameBuf>(), Err(InvalidTopicName::Empty));
    }

    #[test]
    fn becomes_what_it_is_made_of_and_back() {
        let kept = TopicNameBuf::try_from(String::from("a/b")).unwrap();
        assert_eq!(TopicNameBuf::try_from("a/b"), Ok(kept.clone()));
        assert_eq!(TopicName::from(&kept), TopicName::parse("a/b").unwrap());
        assert_eq!(&*Box::<str>::from(kept), "a/b");
    }

    #[test]
    fn is_found_in_a_map_by_its_text() {
        let map = BTreeMap::from([(TopicNameBuf::parse("a/b").unwrap(), 7)]);
        assert_eq!(map.get("a/b"), Some(&7));
    }
}

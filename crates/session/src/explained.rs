//! Reasons in words: reason strings and user properties.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use headwater_codec::{Property, ReasonCode};

/// A reason code with an explanation in words, for people and logs; a [`ReasonCode`] alone becomes one by `into`.
///
/// The explanation goes to peers of 5.0 only. The session leaves it out rather than make a packet larger than the peer takes, first the user
/// properties, then the reason string ([MQTT-3.2.2-19], [MQTT-3.2.2-20] and their like), and where the client wants none
/// [MQTT-3.1.2-29].
///
/// # Examples
///
/// ```
/// use headwater_codec::ReasonCode;
/// use headwater_session::Explained;
///
/// let explained = Explained::new(ReasonCode::QUOTA_EXCEEDED)
///     .reason_string("1,000 subscriptions at most")
///     .user_properties(&[("limit", "1000")]);
/// # let _ = explained;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained<'a> {
    pub(crate) reason: ReasonCode,
    pub(crate) words: Words<'a>,
}

/// The explanation alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words<'a> {
    pub(crate) reason_string: Option<&'a str>,
    pub(crate) user_properties: &'a [(&'a str, &'a str)],
}

impl<'a> Explained<'a> {
    /// A reason without explanation.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, words: Words { reason_string: None, user_properties: &[] } }
    }

    /// The same with this reason string.
    #[must_use]
    pub const fn reason_string(mut self, text: &'a str) -> Self {
        self.words.reason_string = Some(text);
        self
    }

    /// The same with these user properties, names and values.
    #[must_use]
    pub const fn user_properties(mut self, pairs: &'a [(&'a str, &'a str)]) -> Self {
        self.words.user_properties = pairs;
        self
    }
}

impl From<ReasonCode> for Explained<'_> {
    fn from(reason: ReasonCode) -> Self {
        Self::new(reason)
    }
}

/// The explanation of an acknowledgement that has to wait for its turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    reason_string: Option<String>,
    user_properties: Vec<(String, String)>,
}

impl Kept {
    /// What [`Words::push_onto`] gives.
    pub(crate) fn push_onto<'a>(&'a self, properties: &mut Vec<Property<'a>>) {
        properties.extend(self.reason_string.as_deref().map(Property::ReasonString));
        properties
            .extend(self.user_properties.iter().map(|(name, value)| Property::UserProperty(name, value)));
    }
}

impl<'a> Words<'a> {
    /// A copy; `None` where there are no words.
    pub(crate) fn keep(&self) -> Option<Box<Kept>> {
        let owned = |(name, value): &(&str, &str)| (String::from(*name), String::from(*value));
        (self.reason_string.is_some() || !self.user_properties.is_empty()).then(|| {
            Box::new(Kept {
                reason_string: self.reason_string.map(String::from),
                user_properties: self.user_properties.iter().map(owned).collect(),
            })
        })
    }

    /// Puts itself behind other properties, what is left out first at the end.
    pub(crate) fn push_onto(&self, properties: &mut Vec<Property<'a>>) {
        properties.extend(self.reason_string.map(Property::ReasonString));
        properties
            .extend(self.user_properties.iter().map(|(name, value)| Property::UserProperty(name, value)));
    }
}

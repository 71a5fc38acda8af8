//! A program's own say about each message before it is stored.
//!
//! ```text
//!   publish() --> hook --> Pass ---> routing rules --> log
//!                   |----> Drop ---> nothing is stored, and the publisher is answered as if it were
//!                   '----> Refuse -> nothing is stored, and the publisher gets a reason
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_codec::{PacketType, Properties, Property, Publish, QoS, ReasonCode};
use headwater_topic::{TopicName, TopicNameBuf};

use crate::route::check_header_name;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored, with what was changed.
    Pass,
    /// It is not stored, and the publisher is told nothing of it: an empty [`Placement`](crate::Placement), which is durable at once.
    Drop,
    /// It is not stored: [`PublishError::Refused`](crate::PublishError::Refused) with this reason, which is for PUBACK or PUBREC (5.0). What is no
    /// error there becomes [`ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR`].
    Refuse(ReasonCode),
}

/// What a hook wanted to write into a message does not go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidChange {
    /// No string of MQTT: it has U+0000, or more than 65,535 bytes [MQTT-1.5.4-2].
    #[error("user property {index}: name and value have at most 65,535 bytes and no U+0000")]
    UserProperty {
        /// Which one, counted from 0.
        index: usize,
    },
    /// The name of a header is empty, or one of the mapping's own.
    #[error("the name of a header is not empty, and does not begin with mqtt.")]
    HeaderName,
}

/// A message that has come, as a hook sees it and may change it.
pub struct Incoming<'a> {
    publish: &'a Publish<'a>,
    topic: TopicName<'a>,
    client_id: &'a str,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Changes {
    topic: Option<TopicNameBuf>,
    payload: Option<Bytes>,
    user_properties: Option<Vec<(String, String)>>,
    headers: Vec<(String, String)>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(publish: &'a Publish<'a>, client_id: &'a str) -> Option<Self> {
        Some(Self { publish, topic: publish.topic?, client_id, changes: Changes::default() })
    }

    /// The MQTT topic.
    #[must_use]
    pub fn topic(&self) -> TopicName<'_> {
        self.changes.topic.as_ref().map_or(self.topic, TopicNameBuf::as_name)
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.changes.payload.as_deref().unwrap_or(self.publish.payload)
    }

    /// The QoS that it is published with.
    #[must_use]
    pub fn qos(&self) -> QoS {
        self.publish.qos()
    }

    /// Whether it is to be retained.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.publish.retain
    }

    /// Who publishes it.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.client_id
    }

    /// The properties as they came (5.0).
    #[must_use]
    pub fn properties(&self) -> Properties<'a> {
        self.publish.properties
    }

    /// Publishes it to this topic instead: routing rules and subscriptions go by it, and a retained message is that of it.
    pub fn set_topic(&mut self, topic: TopicName<'_>) {
        self.changes.topic = Some(topic.into());
    }

    /// Gives it this payload. An empty one of a message that is to be retained ends the retained message of the topic, as ever [MQTT-3.3.1-6].
    pub fn set_payload(&mut self, payload: impl Into<Bytes>) {
        self.changes.payload = Some(payload.into());
    }

    /// Gives it these user properties instead of those that came, names and values. Subscribers of 5.0 get them.
    ///
    /// # Errors
    ///
    /// [`InvalidChange::UserProperty`]: nothing has changed.
    pub fn set_user_properties(&mut self, all: Vec<(String, String)>) -> Result<(), InvalidChange> {
        let is_string = |text: &str| text.len() <= usize::from(u16::MAX) && !text.contains('\0');
        match all.iter().position(|(name, value)| !is_string(name) || !is_string(value)) {
            Some(index) => Err(InvalidChange::UserProperty { index }),
            None => {
                self.changes.user_properties = Some(all);
                Ok(())
            }
        }
    }

    /// Adds a header to its record, behind those of the routing rule. It is for those who read the log; subscribers do not get it.
    ///
    /// # Errors
    ///
    /// [`InvalidChange::HeaderName`].
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), InvalidChange> {
        check_header_name(name).map_err(|_| InvalidChange::HeaderName)?;
        self.changes.headers.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Lends the message as it is now to `take`: the packet, its payload if that was changed, and the headers that were added.
    pub(crate) fn lend<R>(
        self,
        take: impl FnOnce(&Publish<'_>, Option<Bytes>, Vec<(&str, Cow<'_, str>)>) -> R,
    ) -> R {
        let Self { publish, topic, changes, .. } = self;
        let Changes { topic: new_topic, payload, user_properties, headers } = changes;
        let list: Option<Vec<Property<'_>>> = user_properties.as_ref().map(|user| {
            let others = publish.properties.iter().filter(|one| !matches!(one, Property::UserProperty(..)));
            others.chain(user.iter().map(|(name, value)| Property::UserProperty(name, value))).collect()
        });
        let publish = Publish {
            topic: Some(new_topic.as_ref().map_or(topic, TopicNameBuf::as_name)),
            payload: payload.as_deref().unwrap_or(publish.payload),
            properties: list.as_deref().map_or(publish.properties, Properties::new),
            ..*publish
        };
        let headers = headers.iter().map(|(name, value)| (&**name, Cow::Borrowed(&**value))).collect();
        take(&publish, payload.clone(), headers)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("client_id", &self.client_id)
            .field("topic", &self.topic())
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// What a program says about each message.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(&mut Incoming<'_>) -> Verdict + Send + Sync>);

impl Hook {
    pub(crate) fn new(decide: impl Fn(&mut Incoming<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(crate) fn decide(&self, incoming: &mut Incoming<'_>) -> Verdict {
        match (self.0)(incoming) {
            Verdict::Refuse(reason) if !(reason.is_error() && reason.allowed_in(PacketType::PubAck)) => {
                Verdict::Refuse(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR)
            }
            verdict => verdict,
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

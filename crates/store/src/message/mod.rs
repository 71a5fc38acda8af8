//! A message as the log keeps it: the mapping of `docs/mapping.md`, both ways.

mod decode;
mod encode;
pub mod header;

use bytes::Bytes;
use headwater_codec::{Delivery, Properties, Property, Publish, QoS, SubscriptionId};
use headwater_topic::{TopicName, TopicNameBuf};

pub(crate) use self::decode::topic_text;
pub use self::decode::{NotAMessage, topic_of};
pub(crate) use self::encode::{Beside, with_record};

/// A message, on its way from the log to those who subscribed.
///
/// The payload is [`Bytes`] over the log's map or over the packet that it came in: it is not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The MQTT topic.
    pub topic: TopicNameBuf,
    /// The payload.
    pub payload: Bytes,
    /// The QoS that it was published with.
    pub qos: QoS,
    /// Whether it was published with the RETAIN flag.
    pub retain: bool,
    /// When it came, in milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: i64,
    /// Who published it; empty if the record does not say.
    pub client_id: Bytes,
    /// What 5.0 adds.
    pub properties: MessageProperties,
}

/// The properties of a PUBLISH that belong to the message and not to one transmission of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// Whether the payload is UTF-8 text.
    pub payload_format_indicator: Option<bool>,
    /// For how many seconds after its arrival the message is worth sending.
    pub message_expiry_interval_secs: Option<u32>,
    /// What the payload is.
    pub content_type: Option<String>,
    /// Where an answer is expected.
    pub response_topic: Option<TopicNameBuf>,
    /// By what the asker knows the answer.
    pub correlation_data: Option<Bytes>,
    /// Name and value, in the order sent; names may repeat.
    pub user_properties: Vec<(String, String)>,
}

impl Message {
    /// A message that has just come: `payload` are the bytes of `publish.payload`, owned. `None` without a topic name.
    #[must_use]
    pub fn from_publish(
        publish: &Publish<'_>,
        payload: Bytes,
        client_id: &str,
        timestamp_ms: i64,
    ) -> Option<Self> {
        let mut properties = MessageProperties::default();
        for property in publish.properties.iter() {
            properties.take(&property);
        }
        Some(Self {
            topic: TopicNameBuf::from(publish.topic?),
            payload,
            qos: publish.qos(),
            retain: publish.retain,
            timestamp_ms,
            client_id: Bytes::copy_from_slice(client_id.as_bytes()),
            properties,
        })
    }

    /// Stands for a message that retention has deleted, where only its packet identifier matters.
    pub(crate) fn gone() -> Option<Self> {
        Some(Self {
            topic: TopicNameBuf::parse("gone").ok()?,
            payload: Bytes::new(),
            qos: QoS::ExactlyOnce,
            retain: false,
            timestamp_ms: 0,
            client_id: Bytes::new(),
            properties: MessageProperties::default(),
        })
    }

    /// Whether its time is over [MQTT-3.3.2-5].
    #[must_use]
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.properties.message_expiry_interval_secs.is_some()
            && self.seconds_left(now_ms).is_none_or(|left| left == 0)
    }

    /// The seconds for which it is still worth sending, at least 0; `None` if it has no end.
    fn seconds_left(&self, now_ms: i64) -> Option<u32> {
        let interval = i64::from(self.properties.message_expiry_interval_secs?);
        // A clock that was set back does not lengthen a message's life.
        let age = now_ms.saturating_sub(self.timestamp_ms).max(0) / 1_000;
        Some(u32::try_from(interval.saturating_sub(age).max(0)).unwrap_or(0))
    }

    /// The packet that sends it. `scratch` holds the properties while the packet is encoded; for versions before 5.0 leave it empty by
    /// not calling [`fill`](Self::fill).
    #[must_use]
    pub fn publish<'a>(
        &'a self,
        delivery: Delivery,
        retain: bool,
        scratch: &'a [Property<'a>],
    ) -> Publish<'a> {
        Publish::new(self.topic(), &self.payload)
            .with_delivery(delivery)
            .with_retain(retain)
            .with_properties(Properties::new(scratch))
    }

    /// About how much memory it holds, payload and all.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let properties = &self.properties;
        let user: usize =
            properties.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        size_of::<Self>()
            + size_of::<(String, String)>() * properties.user_properties.len()
            + user
            + self.topic.as_str().len()
            + self.payload.len()
            + self.client_id.len()
            + properties.content_type.as_deref().map_or(0, str::len)
            + properties.response_topic.as_ref().map_or(0, |topic| topic.as_str().len())
            + properties.correlation_data.as_deref().map_or(0, <[u8]>::len)
    }

    /// The topic name, borrowed.
    #[must_use]
    pub fn topic(&self) -> TopicName<'_> {
        self.topic.as_name()
    }

    /// Puts the properties of a 5.0 PUBLISH into `scratch`: those of the message, with the expiry that is left, and the identifiers of
    /// the subscriptions that it is for.
    pub fn fill<'a>(
        &'a self,
        subscription_ids: &[SubscriptionId],
        now_ms: i64,
        scratch: &mut Vec<Property<'a>>,
    ) {
        let properties = &self.properties;
        scratch.extend(properties.payload_format_indicator.map(Property::PayloadFormatIndicator));
        // [MQTT-3.3.2-6]
        scratch.extend(self.seconds_left(now_ms).map(Property::MessageExpiryInterval));
        scratch.extend(properties.content_type.as_deref().map(Property::ContentType));
        scratch
            .extend(properties.response_topic.as_ref().map(|topic| Property::ResponseTopic(topic.as_name())));
        scratch.extend(properties.correlation_data.as_deref().map(Property::CorrelationData));
        // [MQTT-3.3.4-3] [MQTT-3.3.4-4]
        scratch.extend(subscription_ids.iter().map(|id| Property::SubscriptionIdentifier(*id)));
        // [MQTT-3.3.2-17] [MQTT-3.3.2-18]
        scratch.extend(
            properties.user_properties.iter().map(|(name, value)| Property::UserProperty(name, value)),
        );
    }
}

impl MessageProperties {
    /// Takes one property of a PUBLISH in; those that belong to a transmission are passed over.
    fn take(&mut self, property: &Property<'_>) {
        match property {
            Property::PayloadFormatIndicator(text) => self.payload_format_indicator = Some(*text),
            Property::MessageExpiryInterval(secs) => self.message_expiry_interval_secs = Some(*secs),
            Property::ContentType(text) => self.content_type = Some((*text).to_owned()),
            Property::ResponseTopic(topic) => self.response_topic = Some(TopicNameBuf::from(*topic)),
            Property::CorrelationData(data) => self.correlation_data = Some(Bytes::copy_from_slice(data)),
            Property::UserProperty(name, value) => {
                self.user_properties.push(((*name).to_owned(), (*value).to_owned()));
            }
            _ => {}
        }
    }
}

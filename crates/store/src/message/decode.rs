//! A record as a message.

use bytes::Bytes;
use headwater_codec::QoS;
use headwater_log::RecordView;
use headwater_topic::{TopicName, TopicNameBuf};

use super::{Message, MessageProperties, header};

/// A record cannot be sent as a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither the header mqtt.topic nor the key of the record is the name of an MQTT topic")]
pub struct NotAMessage;

impl Message {
    /// The message in a record. A record that was not written by us is read as far as it goes.
    ///
    /// `memory` is what the record was read from ([`Fetched::bytes`](headwater_log::Fetched::bytes)): the message shares it. Parts that lie
    /// elsewhere are copied.
    ///
    /// # Errors
    ///
    /// [`NotAMessage`] if neither the header `mqtt.topic` nor the key is a topic name.
    pub fn from_record(record: &RecordView<'_>, memory: &Bytes) -> Result<Self, NotAMessage> {
        let topic = topic_of(record).ok_or(NotAMessage)?;
        let mut message = Self {
            topic: TopicNameBuf::from(topic),
            payload: owned(memory, record.value.unwrap_or_default()),
            qos: QoS::AtMostOnce,
            retain: false,
            timestamp_ms: record.timestamp,
            client_id: Bytes::new(),
            properties: MessageProperties::default(),
        };
        let mut headers = record.headers.iter();
        while let Some(entry) = headers.next() {
            if let (header::ADDED, Some(value)) = (entry.key, entry.value) {
                // They are for those who read the log.
                let added = text(value).and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
                if let Some(last) = added.checked_sub(1) {
                    let _ = headers.nth(last);
                }
                continue;
            }
            message.take(entry.key, entry.value.unwrap_or_default(), memory);
        }
        Ok(message)
    }

    /// Takes one header in; one of ours whose value does not fit is left out.
    fn take(&mut self, key: &str, value: &[u8], memory: &Bytes) {
        let properties = &mut self.properties;
        if let Some(name) = key.strip_prefix(header::USER_PROPERTY) {
            properties.push_user(name, value);
            return;
        }
        match key {
            header::QOS => {
                self.qos = match value {
                    b"1" => QoS::AtLeastOnce,
                    b"2" => QoS::ExactlyOnce,
                    _ => QoS::AtMostOnce,
                };
            }
            header::RETAIN => self.retain = value == b"true",
            header::CLIENT_ID => self.client_id = owned(memory, value),
            header::PAYLOAD_FORMAT_INDICATOR => {
                properties.payload_format_indicator = match value {
                    b"0" => Some(false),
                    b"1" => Some(true),
                    _ => None,
                };
            }
            header::MESSAGE_EXPIRY_INTERVAL => {
                properties.message_expiry_interval_secs = text(value).and_then(|text| text.parse().ok());
            }
            header::CONTENT_TYPE => properties.content_type = text(value).map(str::to_owned),
            header::RESPONSE_TOPIC => {
                let topic = text(value).and_then(|text| TopicName::parse(text).ok());
                properties.response_topic = topic.map(TopicNameBuf::from);
            }
            header::CORRELATION_DATA => properties.correlation_data = Some(owned(memory, value)),
            // One of ours that a later version may write.
            _ if key.starts_with(header::PREFIX) => {}
            _ => properties.push_user(key, value),
        }
    }
}

impl MessageProperties {
    fn push_user(&mut self, name: &str, value: &[u8]) {
        if let (Some(name), Some(value)) = (text(name.as_bytes()), text(value)) {
            self.user_properties.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// The MQTT topic of a record: what the first header says, or else the key if it is one.
///
/// What comes of a record is [`Message::from_record`]; this costs less, for who looks for some topics only.
#[must_use]
pub fn topic_of<'a>(record: &RecordView<'a>) -> Option<TopicName<'a>> {
    let parse = |name: &'a [u8]| text(name).and_then(|text| TopicName::parse(text).ok());
    first_topic(record).and_then(parse).or_else(|| parse(record.key?))
}

/// The text that says the topic of a record, if it is a topic name; else [`topic_of`] finds out.
pub(crate) fn topic_text<'a>(record: &RecordView<'a>) -> Option<&'a [u8]> {
    first_topic(record).or(record.key)
}

/// It is asked of every record that somebody reads for a filter: one look.
fn first_topic<'a>(record: &RecordView<'a>) -> Option<&'a [u8]> {
    let first = record.headers.iter().next().filter(|first| first.key == header::TOPIC);
    first.and_then(|first| first.value)
}

/// A part of what a record was read from, without a copy.
fn owned(memory: &Bytes, part: &[u8]) -> Bytes {
    let (whole, range) = (memory.as_ptr_range(), part.as_ptr_range());
    let inside = whole.start <= range.start && range.end <= whole.end;
    if inside { memory.slice_ref(part) } else { Bytes::copy_from_slice(part) }
}

/// What may stand as a string in a PUBLISH: UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

//! A PUBLISH as a record.

use std::borrow::Cow;

use headwater_codec::{PacketId, Property, Publish, QoS};
use headwater_log::{Header, Record};

use super::header;

/// What a record has that the message does not say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// The key; `None`: the topic.
    pub(crate) key: Option<&'a str>,
    /// For a publisher that is known by it after a crash.
    pub(crate) packet_id: Option<PacketId>,
    /// For the retained topic: where the same message is among all.
    pub(crate) source: Option<&'a str>,
    /// Headers for those who read the log: those of the rule, those of the hook.
    pub(crate) added: [&'a [(&'a str, Cow<'a, str>)]; 2],
}

/// Lends the record of a message to `append`. The usual message, one without user properties, costs no allocation.
///
/// `None` if the packet has no topic name: a topic alias is resolved before.
pub(crate) fn with_record<R>(
    publish: &Publish<'_>,
    client_id: &str,
    timestamp_ms: i64,
    beside: Beside<'_>,
    append: impl FnOnce(&Record<'_>) -> R,
) -> Option<R> {
    let topic = publish.topic?.as_str();
    let key = beside.key.unwrap_or(topic);
    let (mut decimal, mut packet_id) = (Decimal::default(), Decimal::default());
    let mut list = List::default();
    list.push(Header::new(header::QOS, qos_text(publish.qos())));
    if publish.retain {
        list.push(Header::new(header::RETAIN, "true"));
    }
    list.push(Header::new(header::CLIENT_ID, client_id));
    if let Some(id) = beside.packet_id {
        list.push(Header::new(header::PACKET_ID, packet_id.write(id.get().into())));
    }
    let properties = publish.properties;
    if let Some(text) = properties.payload_format_indicator() {
        list.push(Header::new(header::PAYLOAD_FORMAT_INDICATOR, if text { "1" } else { "0" }));
    }
    if let Some(secs) = properties.message_expiry_interval() {
        list.push(Header::new(header::MESSAGE_EXPIRY_INTERVAL, decimal.write(secs)));
    }
    if let Some(content_type) = properties.content_type() {
        list.push(Header::new(header::CONTENT_TYPE, content_type));
    }
    if let Some(response_topic) = properties.response_topic() {
        list.push(Header::new(header::RESPONSE_TOPIC, response_topic.as_str()));
    }
    if let Some(correlation_data) = properties.correlation_data() {
        list.push(Header::new(header::CORRELATION_DATA, correlation_data));
    }
    if let Some(source) = beside.source {
        list.push(Header::new(header::SOURCE, source));
    }
    let mut record = Record::new(publish.payload).key(key).timestamp(timestamp_ms);
    let user: Vec<(Cow<'_, str>, &str)> = properties
        .iter()
        .filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((user_name(name), value)),
            _ => None,
        })
        .collect();
    let [of_rule, of_hook] = beside.added;
    let added = of_rule.len() + of_hook.len();
    if user.is_empty() && beside.key.is_none() && added == 0 {
        record = record.headers(list.as_slice());
        return Some(append(&record));
    }
    let mut headers = Vec::with_capacity(list.len + 2 + added + user.len());
    // First, for who looks for the topic alone.
    if key != topic {
        headers.push(Header::new(header::TOPIC, topic));
    }
    headers.extend_from_slice(list.as_slice());
    let mut count = Decimal::default();
    if added > 0 {
        headers.push(Header::new(header::ADDED, count.write(u32::try_from(added).unwrap_or(u32::MAX))));
        headers.extend(of_rule.iter().chain(of_hook).map(|(name, value)| Header::new(name, &**value)));
    }
    headers.extend(user.iter().map(|(name, value)| Header::new(name, *value)));
    record = record.headers(&headers);
    Some(append(&record))
}

fn qos_text(qos: QoS) -> &'static str {
    match qos {
        QoS::AtMostOnce => "0",
        QoS::AtLeastOnce => "1",
        QoS::ExactlyOnce => "2",
    }
}

/// A user property keeps its name, unless it would be taken for one of ours.
fn user_name(name: &str) -> Cow<'_, str> {
    if name.starts_with(header::PREFIX) {
        Cow::Owned(format!("{}{name}", header::USER_PROPERTY))
    } else {
        Cow::Borrowed(name)
    }
}

/// The headers of our own, without the heap: there are ten kinds that need no rule, and each stands once.
#[derive(Debug)]
struct List<'a> {
    headers: [Header<'a>; 10],
    len: usize,
}

impl Default for List<'_> {
    fn default() -> Self {
        Self { headers: [Header { key: "", value: None }; 10], len: 0 }
    }
}

impl<'a> List<'a> {
    fn push(&mut self, header: Header<'a>) {
        if let Some(slot) = self.headers.get_mut(self.len) {
            *slot = header;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[Header<'a>] {
        self.headers.get(..self.len).unwrap_or_default()
    }
}

/// A decimal number without the heap.
#[derive(Debug, Default)]
struct Decimal {
    digits: [u8; 10],
}

impl Decimal {
    fn write(&mut self, mut number: u32) -> &[u8] {
        let mut first = self.digits.len();
        for (index, digit) in self.digits.iter_mut().enumerate().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            first = index;
            if number == 0 {
                break;
            }
        }
        self.digits.get(first..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_standard_library() {
        for number in [0, 1, 9, 10, 123, 999_999_999, 1_000_000_000, u32::MAX] {
            assert_eq!(Decimal::default().write(number), number.to_string().as_bytes());
        }
    }
}

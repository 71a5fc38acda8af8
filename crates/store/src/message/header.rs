//! The names of our record headers, as in `docs/mapping.md`.

/// What all of them begin with.
pub const PREFIX: &str = "mqtt.";
/// `0`, `1` or `2`.
pub const QOS: &str = "mqtt.qos";
/// `true`, or absent.
pub const RETAIN: &str = "mqtt.retain";
/// The publisher's client identifier.
pub const CLIENT_ID: &str = "mqtt.client-id";
/// The packet identifier of a QoS 2 message whose publisher's session outlives the connection, decimal.
pub const PACKET_ID: &str = "mqtt.packet-id";
/// `0` bytes, `1` UTF-8 text.
pub const PAYLOAD_FORMAT_INDICATOR: &str = "mqtt.payload-format-indicator";
/// Seconds, decimal.
pub const MESSAGE_EXPIRY_INTERVAL: &str = "mqtt.message-expiry-interval";
/// UTF-8.
pub const CONTENT_TYPE: &str = "mqtt.content-type";
/// A topic name.
pub const RESPONSE_TOPIC: &str = "mqtt.response-topic";
/// Bytes.
pub const CORRELATION_DATA: &str = "mqtt.correlation-data";
/// The topic name, if the key of the record is another one; the first header, or none.
pub const TOPIC: &str = "mqtt.topic";
/// How many headers directly behind this one were added to the message, and are not part of it.
pub const ADDED: &str = "mqtt.added-headers";
/// Comes before the name of a user property that would be taken for one of ours.
pub const USER_PROPERTY: &str = "mqtt.user-property.";
/// Where a retained message is among all: `partition:offset` in `mqtt`, `topic-partition:offset` in another log topic.
pub const SOURCE: &str = "mqtt.source";

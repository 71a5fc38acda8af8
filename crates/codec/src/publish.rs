//! PUBLISH: a message (section 3.3).

use headwater_topic::{InvalidTopicName, TopicName};

use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed};
use crate::properties::{self, Properties, properties};
use crate::property::{PropertyId, PropertyPlace};
use crate::qos::QoS;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// A message.
///
/// ```text
///  0011 | DUP | QoS (2) | retain | remaining length
///  topic name | packet identifier, for QoS 1 and 2 | properties (5.0) | payload: all that is left
/// ```
///
/// # Examples
///
/// Encode, and send the payload without copying it:
///
/// ```
/// use headwater_codec::{Delivery, PacketId, Publish, SliceSink, Version};
/// use headwater_topic::TopicName;
///
/// let payload = b"21.5";
/// let publish = Publish::new(TopicName::parse("plant/7")?, payload)
///     .with_delivery(Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false });
/// let mut buffer = [0; 32];
/// let mut head = SliceSink::new(&mut buffer);
/// publish.encode_head(Version::V3_1_1, &mut head)?;
/// assert_eq!(head.written(), b"\x32\x0F\x00\x07plant/7\x00\x01");
/// // Now write both slices: [head.written(), payload].
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// How the message is to be delivered.
    pub delivery: Delivery,
    /// To the server: keep the message for later subscribers. From the server: it was kept.
    pub retain: bool,
    /// The topic; `None` if a topic alias stands for it, in 5.0 only.
    pub topic: Option<TopicName<'a>>,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// The payload.
    pub payload: &'a [u8],
}

/// How a message is to be delivered: QoS, and what only QoS 1 and 2 have.
///
/// A message of QoS 0 with a packet identifier [MQTT-2.2.1-2] or with DUP [MQTT-3.3.1-2] cannot be written down.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Delivery, PacketId, QoS};
///
/// let delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
/// assert_eq!((delivery.qos(), delivery.packet_id()), (QoS::AtLeastOnce, Some(PacketId::MIN)));
/// assert!(!delivery.dup() && delivery.again().dup());
/// assert_eq!(Delivery::AtMostOnce.again(), Delivery::AtMostOnce);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce {
        /// What PUBACK will repeat.
        packet_id: PacketId,
        /// True if the message may have been sent before. [MQTT-3.3.1-1]
        dup: bool,
    },
    /// QoS 2.
    ExactlyOnce {
        /// What PUBREC will repeat.
        packet_id: PacketId,
        /// True if the message may have been sent before. [MQTT-3.3.1-1]
        dup: bool,
    },
}

impl Delivery {
    /// The quality of service.
    #[inline]
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce { .. } => QoS::AtLeastOnce,
            Self::ExactlyOnce { .. } => QoS::ExactlyOnce,
        }
    }

    /// The packet identifier; `None` for QoS 0.
    #[inline]
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce { packet_id, .. } | Self::ExactlyOnce { packet_id, .. } => Some(packet_id),
        }
    }

    /// True if the message may have been sent before; false for QoS 0.
    #[inline]
    pub const fn dup(self) -> bool {
        match self {
            Self::AtMostOnce => false,
            Self::AtLeastOnce { dup, .. } | Self::ExactlyOnce { dup, .. } => dup,
        }
    }

    /// The same, sent again: DUP is set for QoS 1 and 2. [MQTT-3.3.1-1]
    #[inline]
    #[must_use]
    pub const fn again(self) -> Self {
        match self {
            Self::AtMostOnce => Self::AtMostOnce,
            Self::AtLeastOnce { packet_id, .. } => Self::AtLeastOnce { packet_id, dup: true },
            Self::ExactlyOnce { packet_id, .. } => Self::ExactlyOnce { packet_id, dup: true },
        }
    }
}

impl<'a> Publish<'a> {
    /// A message of QoS 0 that is not retained.
    pub const fn new(topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        Self {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties: Properties::EMPTY,
            payload,
        }
    }

    /// The message with another delivery.
    #[must_use]
    pub const fn with_delivery(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// The message with another retain flag.
    #[must_use]
    pub const fn with_retain(self, retain: bool) -> Self {
        Self { retain, ..self }
    }

    /// The message with other properties.
    #[must_use]
    pub const fn with_properties(self, properties: Properties<'a>) -> Self {
        Self { properties, ..self }
    }

    /// The quality of service.
    #[inline]
    pub const fn qos(&self) -> QoS {
        self.delivery.qos()
    }

    /// The packet identifier; `None` for QoS 0.
    #[inline]
    pub const fn packet_id(&self) -> Option<PacketId> {
        self.delivery.packet_id()
    }

    /// True if the message may have been sent before; false for QoS 0.
    #[inline]
    pub const fn dup(&self) -> bool {
        self.delivery.dup()
    }

    /// The size of the whole packet in bytes, payload included.
    ///
    /// # Errors
    ///
    /// Those of [`Publish::encode`] that do not depend on the sink.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        write::encoded_len(self, version)
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is written then.
    #[inline]
    pub fn encode<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
        self.encode_part(version, Part::Whole, sink)
    }

    /// Writes all of the packet but its payload, which has to follow on the wire.
    ///
    /// The remaining length counts the payload, so a payload of any size goes from where it lies to the socket as a
    /// second slice. The packet limit of the sink holds for the whole packet, its room for the head alone.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is written then.
    #[inline]
    pub fn encode_head<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
        self.encode_part(version, Part::Head, sink)
    }

    /// Most messages have no properties, and the code that writes those is short.
    #[inline]
    fn encode_part<S: Sink + ?Sized>(
        &self,
        version: Version,
        part: Part,
        sink: &mut S,
    ) -> Result<(), EncodeError> {
        match self.properties.is_empty() {
            true => write::encode(&Plain(self), version, part, sink),
            false => write::encode(self, version, part, sink),
        }
    }
}

/// The flags of PUBLISH (section 3.3.1).
pub(crate) mod flags {
    pub(crate) const DUP: u8 = 0b1000;
    pub(crate) const QOS: u8 = 0b0110;
    pub(crate) const QOS_SHIFT: u32 = 1;
    pub(crate) const RETAIN: u8 = 0b0001;
}

/// The rule the flags of a PUBLISH break, if they do.
#[inline]
pub(crate) const fn check_flags(bits: u8) -> Result<QoS, Rule> {
    match QoS::from_u8((bits & flags::QOS) >> flags::QOS_SHIFT) {
        // [MQTT-3.3.1-4]
        None => Err(Rule::QosReserved),
        // [MQTT-3.3.1-2]
        Some(QoS::AtMostOnce) if bits & flags::DUP != 0 => Err(Rule::DupWithQos0),
        Some(qos) => Ok(qos),
    }
}

/// The body of PUBLISH.
#[inline(always)]
pub(crate) fn publish<'a>(context: Context, flag_bits: u8, body: &'a [u8]) -> Parsed<'a, Publish<'a>> {
    let qos = check_flags(flag_bits).map_err(|rule| Fault::new(body, Field::Flags, rule))?;
    // [MQTT-3.3.2-1], [MQTT-3.3.2-2]
    let alias_may_stand_in = context.version.has_properties() && body.starts_with(&[0, 0]);
    let (rest, topic) = if alias_may_stand_in {
        let (rest, _empty) = parse::two_bytes(Field::TopicName)(body)?;
        (rest, None)
    } else {
        let (rest, topic) = parse::topic_name(Field::TopicName, context.topic_limits, body)?;
        (rest, Some(topic))
    };
    let dup = flag_bits & flags::DUP != 0;
    let (rest, delivery) = match qos {
        QoS::AtMostOnce => (rest, Delivery::AtMostOnce),
        QoS::AtLeastOnce => {
            let (rest, packet_id) = parse::packet_id(rest)?;
            (rest, Delivery::AtLeastOnce { packet_id, dup })
        }
        QoS::ExactlyOnce => {
            let (rest, packet_id) = parse::packet_id(rest)?;
            (rest, Delivery::ExactlyOnce { packet_id, dup })
        }
    };
    let (payload, properties) = properties(context, PropertyPlace::Publish, rest)?;
    // Section 3.3.2.1: an empty topic name needs a topic alias.
    if topic.is_none() && !properties.contains(PropertyId::TopicAlias) {
        return Err(Fault::new(body, Field::TopicName, Rule::TopicName(InvalidTopicName::Empty)));
    }
    let retain = flag_bits & flags::RETAIN != 0;
    Ok((&[], Publish { delivery, retain, topic, properties, payload }))
}

/// Packet type and flags (section 3.3.1).
#[inline(always)]
pub(crate) const fn first_byte(delivery: Delivery, retain: bool) -> u8 {
    let mut byte = PacketType::Publish.as_u8() << 4 | delivery.qos().as_u8() << flags::QOS_SHIFT;
    if delivery.dup() {
        byte |= flags::DUP;
    }
    if retain {
        byte |= flags::RETAIN;
    }
    byte
}

/// The topic name, or the nothing that an alias stands for.
#[inline(always)]
pub(crate) fn write_topic<O: Output>(
    publish: &Publish<'_>,
    version: Version,
    out: &mut O,
) -> Result<(), EncodeError> {
    match publish.topic {
        Some(topic) => write::binary(out, Field::TopicName, topic.as_str().as_bytes()),
        // Section 3.3.2.1
        None if version.has_properties() && publish.properties.contains(PropertyId::TopicAlias) => {
            out.put(&[0, 0]);
            Ok(())
        }
        None => Err(EncodeError::NoTopic),
    }
}

impl Body for Publish<'_> {
    #[inline]
    fn first_byte(&self) -> u8 {
        first_byte(self.delivery, self.retain)
    }

    #[inline(always)]
    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        write_before_properties(self, version, out)?;
        self.properties.write(version, PropertyPlace::Publish, out)
    }

    #[inline]
    fn payload(&self) -> &[u8] {
        self.payload
    }
}

/// Topic name and packet identifier.
#[inline(always)]
fn write_before_properties<O: Output>(
    publish: &Publish<'_>,
    version: Version,
    out: &mut O,
) -> Result<(), EncodeError> {
    write_topic(publish, version, out)?;
    if let Some(packet_id) = publish.packet_id() {
        out.put(&packet_id.get().to_be_bytes());
    }
    Ok(())
}

/// A PUBLISH that is known to have no properties.
struct Plain<'p, 'a>(&'p Publish<'a>);

impl Body for Plain<'_, '_> {
    #[inline]
    fn first_byte(&self) -> u8 {
        self.0.first_byte()
    }

    #[inline(always)]
    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        write_before_properties(self.0, version, out)?;
        properties::write_none(version, out);
        Ok(())
    }

    #[inline]
    fn payload(&self) -> &[u8] {
        self.0.payload
    }
}

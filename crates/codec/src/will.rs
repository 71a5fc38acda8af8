//! The will inside CONNECT: what the server publishes if the client vanishes (sections 3.1.3.2 to 3.1.3.4).

use headwater_topic::TopicName;

use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::parse::{self, Context, Parsed};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::qos::QoS;
use crate::version::Version;
use crate::write::{self, Output};

/// What the server publishes if the client vanishes.
///
/// Its QoS and retain flag travel in the flags of CONNECT, the rest behind the client identifier:
///
/// ```text
///  will properties (5.0) | will topic | will payload, 2 bytes of length and at most 65,535 bytes
/// ```
///
/// # Examples
///
/// A retained "gone", half a minute after the client vanished:
///
/// ```
/// use headwater_codec::{Connect, Properties, Property, QoS, SliceSink, TopicName, Version, Will};
///
/// let properties = [Property::WillDelayInterval(30)];
/// let mut connect = Connect::new(Version::V5, "sensor-7");
/// connect.will = Some(Will {
///     qos: QoS::AtLeastOnce,
///     retain: true,
///     properties: Properties::new(&properties),
///     ..Will::new(TopicName::parse("plant/7/state")?, b"gone")
/// });
/// let mut buffer = [0; 64];
/// let mut sink = SliceSink::new(&mut buffer);
/// connect.encode(&mut sink)?;
/// assert_eq!(sink.written()[9], 0b0010_1110); // retain, QoS 1, a will, clean start
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// The QoS of the message.
    pub qos: QoS,
    /// True if the message is to be retained.
    pub retain: bool,
    /// The topic it is published to.
    pub topic: TopicName<'a>,
    /// The payload, at most 65,535 bytes.
    pub payload: &'a [u8],
    /// The properties of the message and the delay of the will; none before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Will<'a> {
    /// A will of QoS 0 that is not retained.
    pub const fn new(topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        Self { qos: QoS::AtMostOnce, retain: false, topic, payload, properties: Properties::EMPTY }
    }

    /// Writes the part behind the client identifier.
    pub(crate) fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        self.properties.write(version, PropertyPlace::Will, out)?;
        write::binary(out, Field::WillTopic, self.topic.as_str().as_bytes())?;
        write::binary(out, Field::WillPayload, self.payload)
    }
}

/// The part behind the client identifier. [MQTT-3.1.2-9], [MQTT-3.1.3-11]
#[inline(always)]
pub(crate) fn will<'a>(context: Context, qos: QoS, retain: bool, input: &'a [u8]) -> Parsed<'a, Will<'a>> {
    let (rest, properties) = properties(context, PropertyPlace::Will, input)?;
    let (rest, topic) = parse::topic_name(Field::WillTopic, context.topic_limits, rest)?;
    let (rest, payload) = parse::binary(Field::WillPayload, rest)?;
    Ok((rest, Will { qos, retain, topic, payload, properties }))
}

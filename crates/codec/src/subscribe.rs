//! SUBSCRIBE: a client asks for messages (section 3.8).

use headwater_topic::{Limits, TopicFilter};

use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::PacketId;
use crate::list::{check_each, list};
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed, Strings};
use crate::properties::{Properties, properties};
use crate::property::PropertyPlace;
use crate::qos::QoS;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// A client asks for messages.
///
/// ```text
///  82 | remaining length | packet identifier | properties (5.0)
///  topic filter | options      once or more
/// ```
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, PacketId, QoS, SliceSink, Subscribe, SubscribeFilter, Version};
/// use headwater_topic::TopicFilter;
///
/// let filters = [SubscribeFilter::new(TopicFilter::parse("plant/+")?, QoS::AtLeastOnce)];
/// let mut buffer = [0; 32];
/// let mut sink = SliceSink::new(&mut buffer);
/// Subscribe::new(PacketId::MIN, &filters).encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), b"\x82\x0C\x00\x01\x00\x07plant/+\x01");
///
/// let Packet::Subscribe(subscribe) = Packet::decode(sink.written(), Version::V3_1_1)? else {
///     unreachable!("it was a SUBSCRIBE")
/// };
/// for subscription in subscribe.filters.iter() {
///     assert_eq!(subscription.filter.as_str(), "plant/+");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// What SUBACK will repeat.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What is asked for; at least one.
    pub filters: Filters<'a>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFilter<'a> {
    /// The topics that are asked for.
    pub filter: TopicFilter<'a>,
    /// How they are to be sent.
    pub options: SubscribeOptions,
}

/// How a subscription's messages are to be sent (section 3.8.3.1).
///
/// ```text
///  bit  7 6   5 4               3                     2          1 0
///     +-----+-----------------+---------------------+----------+-------------+
///     | 0 0 | retain handling | retain as published | no local | maximum QoS |
///     +-----+-----------------+---------------------+----------+-------------+
/// ```
///
/// Before 5.0 there is only the QoS, and the rest has to be as it is by default.
///
/// # Examples
///
/// What a bridge asks for, so that it hears nothing of its own and can pass on what it hears:
///
/// ```
/// use headwater_codec::{QoS, RetainHandling, SubscribeFilter, SubscribeOptions, TopicFilter};
///
/// let options = SubscribeOptions {
///     no_local: true,
///     retain_as_published: true,
///     retain_handling: RetainHandling::SendIfNew,
///     ..SubscribeOptions::new(QoS::AtLeastOnce)
/// };
/// let asked = SubscribeFilter { filter: TopicFilter::parse("plant/#")?, options };
/// assert_ne!(asked, SubscribeFilter::new(asked.filter, QoS::AtLeastOnce));
/// # Ok::<(), headwater_topic::InvalidFilter>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// The highest QoS the client wants.
    pub qos: QoS,
    /// True to leave out what the client publishes itself; not on a shared subscription. [MQTT-3.8.3-4]
    pub no_local: bool,
    /// True to keep the retain flag as it was published. [MQTT-3.3.1-13]
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When a subscription is answered by the retained messages it matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetainHandling {
    /// At each SUBSCRIBE, as before 5.0. [MQTT-3.3.1-9]
    #[default]
    Send,
    /// Only if the subscription is new. [MQTT-3.3.1-10]
    SendIfNew,
    /// Never. [MQTT-3.3.1-11]
    DoNotSend,
}

list! {
    /// The filters of a SUBSCRIBE with their options.
    Filters, FilterIter of SubscribeFilter<'a>, with Strings<'a>, parsed by validated
}

impl<'a> SubscribeFilter<'a> {
    /// A filter with default options but for its QoS.
    pub const fn new(filter: TopicFilter<'a>, qos: QoS) -> Self {
        Self { filter, options: SubscribeOptions::new(qos) }
    }
}

impl SubscribeOptions {
    /// Default options but for the QoS: all that 3.1 and 3.1.1 can say.
    pub const fn new(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Send }
    }

    const NO_LOCAL: u8 = 0b0000_0100;
    const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
    const QOS: u8 = 0b0000_0011;
    const RETAIN_HANDLING_SHIFT: u32 = 4;
    const RESERVED_V5: u8 = 0b1100_0000;
    const RESERVED_V3: u8 = 0b1111_1100;

    const fn from_byte(version: Version, byte: u8) -> Result<Self, Rule> {
        let reserved = if version.has_properties() { Self::RESERVED_V5 } else { Self::RESERVED_V3 };
        // [MQTT-3.8.3-5]; 3.1.1: section 3.8.3, [MQTT-3-8.3-4]
        if byte & reserved != 0 {
            return Err(Rule::SubscriptionOptionsReserved { options: byte });
        }
        let Some(qos) = QoS::from_u8(byte & Self::QOS) else {
            return Err(Rule::MaximumQosReserved);
        };
        let retain_handling = match byte >> Self::RETAIN_HANDLING_SHIFT {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(Rule::RetainHandlingReserved),
        };
        Ok(Self {
            qos,
            no_local: byte & Self::NO_LOCAL != 0,
            retain_as_published: byte & Self::RETAIN_AS_PUBLISHED != 0,
            retain_handling,
        })
    }

    const fn to_byte(self) -> u8 {
        let mut byte = self.qos.as_u8();
        if self.no_local {
            byte |= Self::NO_LOCAL;
        }
        if self.retain_as_published {
            byte |= Self::RETAIN_AS_PUBLISHED;
        }
        let handling = match self.retain_handling {
            RetainHandling::Send => 0,
            RetainHandling::SendIfNew => 1,
            RetainHandling::DoNotSend => 2,
        };
        byte | handling << Self::RETAIN_HANDLING_SHIFT
    }
}

impl From<QoS> for SubscribeOptions {
    fn from(qos: QoS) -> Self {
        Self::new(qos)
    }
}

impl<'a> Subscribe<'a> {
    /// A SUBSCRIBE for these filters.
    pub const fn new(packet_id: PacketId, filters: &'a [SubscribeFilter<'a>]) -> Self {
        Self { packet_id, properties: Properties::EMPTY, filters: Filters::new(filters) }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Subscribe::encode`] that do not depend on the sink.
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
        write::encode(self, version, Part::Whole, sink)
    }
}

/// One filter with its options.
#[inline(always)]
fn filter<'a>(
    version: Version,
    limits: Limits,
    strings: Strings<'a>,
    input: &'a [u8],
) -> Parsed<'a, SubscribeFilter<'a>> {
    // [MQTT-3.8.3-1]
    let (at, filter) = parse::topic_filter(strings, limits, input)?;
    let (rest, byte) = parse::byte(Field::SubscriptionOptions)(at)?;
    let options = SubscribeOptions::from_byte(version, byte)
        .map_err(|rule| Fault::new(at, Field::SubscriptionOptions, rule))?;
    // [MQTT-3.8.3-4]
    if options.no_local && filter.shared().is_some() {
        return Err(Fault::new(at, Field::SubscriptionOptions, Rule::NoLocalShared));
    }
    Ok((rest, SubscribeFilter { filter, options }))
}

/// One filter that passed before: the options of the older revisions are a part of those of 5.0.
#[inline]
fn validated<'a>(strings: Strings<'a>, input: &'a [u8]) -> Parsed<'a, SubscribeFilter<'a>> {
    filter(Version::V5, Limits::SPECIFICATION, strings, input)
}

/// The body of SUBSCRIBE.
#[inline(always)]
pub(crate) fn subscribe<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, Subscribe<'a>> {
    let (rest, packet_id) = parse::packet_id(body)?;
    let (rest, properties) = properties(context, PropertyPlace::Subscribe, rest)?;
    // [MQTT-3.8.3-2]; 3.1.1: [MQTT-3.8.3-3]
    if rest.is_empty() {
        return Err(Fault::new(rest, Field::TopicFilter, Rule::NoFilters));
    }
    let strings = Strings::new(rest);
    check_each(rest, |input| filter(context.version, context.topic_limits, strings, input))?;
    Ok((&[], Subscribe { packet_id, properties, filters: Filters::validated(rest, strings) }))
}

impl Body for Subscribe<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Subscribe.as_u8() << 4 | PacketType::Subscribe.fixed_flags().unwrap_or(0)
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        out.put(&self.packet_id.get().to_be_bytes());
        self.properties.write(version, PropertyPlace::Subscribe, out)?;
        // [MQTT-3.8.3-2]
        if self.filters.is_empty() {
            return Err(EncodeError::NoFilters { packet: PacketType::Subscribe });
        }
        for SubscribeFilter { filter, options } in self.filters.iter() {
            if !version.has_properties() && options != SubscribeOptions::new(options.qos) {
                return Err(EncodeError::NotInVersion { field: Field::SubscriptionOptions, version });
            }
            // [MQTT-3.8.3-4]
            if options.no_local && filter.shared().is_some() {
                return Err(EncodeError::NoLocalShared);
            }
            write::binary(out, Field::TopicFilter, filter.as_str().as_bytes())?;
            out.put_u8(options.to_byte());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_options_byte_comes_back_or_is_refused() {
        for version in Version::ALL {
            for byte in 0..=u8::MAX {
                match SubscribeOptions::from_byte(version, byte) {
                    Ok(options) => {
                        assert_eq!(options.to_byte(), byte);
                        assert!(version == Version::V5 || byte <= 2);
                    }
                    Err(rule) => {
                        let v5 = version == Version::V5;
                        let reserved = byte & if v5 { 0xC0 } else { 0xFC } != 0;
                        assert_eq!(matches!(rule, Rule::SubscriptionOptionsReserved { .. }), reserved);
                        assert!(reserved || byte & 3 == 3 || byte >> 4 == 3, "{byte:#010b}");
                    }
                }
            }
        }
    }
}

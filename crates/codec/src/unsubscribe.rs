//! UNSUBSCRIBE: a client wants messages no longer (section 3.10).

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
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// A client wants messages no longer.
///
/// ```text
///  A2 | remaining length | packet identifier | properties (5.0)
///  topic filter      once or more
/// ```
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, PacketId, SliceSink, TopicFilter, Unsubscribe, Version};
///
/// let filters = [TopicFilter::parse("plant/+")?, TopicFilter::parse("a/#")?];
/// let mut buffer = [0; 32];
/// let mut sink = SliceSink::new(&mut buffer);
/// Unsubscribe::new(PacketId::MIN, &filters).encode(Version::V3_1_1, &mut sink)?;
/// assert_eq!(sink.written(), b"\xA2\x10\x00\x01\x00\x07plant/+\x00\x03a/#");
///
/// let Packet::Unsubscribe(read) = Packet::decode(sink.written(), Version::V3_1_1)? else { unreachable!() };
/// assert!(read.filters.iter().eq(filters));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// What UNSUBACK will repeat.
    pub packet_id: PacketId,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// The filters as they were subscribed, character by character [MQTT-3.10.4-1]; at least one.
    pub filters: TopicFilters<'a>,
}

list! {
    /// The filters of an UNSUBSCRIBE.
    TopicFilters, TopicFilterIter of TopicFilter<'a>, with Strings<'a>, parsed by validated
}

impl<'a> Unsubscribe<'a> {
    /// An UNSUBSCRIBE for these filters.
    pub const fn new(packet_id: PacketId, filters: &'a [TopicFilter<'a>]) -> Self {
        Self { packet_id, properties: Properties::EMPTY, filters: TopicFilters::new(filters) }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Unsubscribe::encode`] that do not depend on the sink.
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

/// One filter that passed before.
#[inline]
fn validated<'a>(strings: Strings<'a>, input: &'a [u8]) -> Parsed<'a, TopicFilter<'a>> {
    parse::topic_filter(strings, Limits::SPECIFICATION, input)
}

/// The body of UNSUBSCRIBE.
#[inline(always)]
pub(crate) fn unsubscribe<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, Unsubscribe<'a>> {
    let (rest, packet_id) = parse::packet_id(body)?;
    let (rest, properties) = properties(context, PropertyPlace::Unsubscribe, rest)?;
    // [MQTT-3.10.3-2]
    if rest.is_empty() {
        return Err(Fault::new(rest, Field::TopicFilter, Rule::NoFilters));
    }
    // [MQTT-3.10.3-1]
    let strings = Strings::new(rest);
    check_each(rest, |input| parse::topic_filter(strings, context.topic_limits, input))?;
    Ok((&[], Unsubscribe { packet_id, properties, filters: TopicFilters::validated(rest, strings) }))
}

impl Body for Unsubscribe<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Unsubscribe.as_u8() << 4 | PacketType::Unsubscribe.fixed_flags().unwrap_or(0)
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        out.put(&self.packet_id.get().to_be_bytes());
        self.properties.write(version, PropertyPlace::Unsubscribe, out)?;
        // [MQTT-3.10.3-2]
        if self.filters.is_empty() {
            return Err(EncodeError::NoFilters { packet: PacketType::Unsubscribe });
        }
        for filter in self.filters.iter() {
            write::binary(out, Field::TopicFilter, filter.as_str().as_bytes())?;
        }
        Ok(())
    }
}

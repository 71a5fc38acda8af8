//! The properties of a packet, as they came or as they are to go.

use core::fmt;

use headwater_topic::Limits;
use nom::Parser;
use nom::bytes::complete::take;

use crate::decode_error::{DecodeError, Rule};
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::id::SubscriptionId;
use crate::packet::DecodeOptions;
use crate::parse::{self, Context, Fault, Parsed};
use crate::property::{self, Property, PropertyId, PropertyPlace};
use crate::version::Version;
use crate::write::{self, Output};

/// The properties of a packet, in order.
///
/// One type for both directions, `Copy`, without a heap:
///
/// ```text
///                  +------------------------------------------+
///  decoded         | bytes of the frame, validated once       |   iterated where they lie
///                  +------------------------------------------+
///                  +----------+----------+----------+
///  to be encoded   | Property | Property | Property |              the caller's slice
///                  +----------+----------+----------+
/// ```
///
/// Two values are equal if they hold the same properties in the same order, whatever their form. Packets of 3.1 and
/// 3.1.1 have none.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Properties, Property};
///
/// let list = [Property::MessageExpiryInterval(60), Property::UserProperty("plant", "7")];
/// let properties = Properties::from(&list);
/// assert_eq!(properties.message_expiry_interval(), Some(60));
/// assert_eq!(properties.content_type(), None);
/// assert_eq!(properties.user_properties().collect::<Vec<_>>(), [("plant", "7")]);
/// ```
#[derive(Clone, Copy)]
pub struct Properties<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    /// Bytes that [`check`] found right for this place, and the set of properties in them.
    Wire { bytes: &'a [u8], place: PropertyPlace, present: u64 },
    /// The caller's own, unchecked.
    List(&'a [Property<'a>]),
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self(Form::List(&[]));

    /// The properties of a slice.
    ///
    /// # Examples
    ///
    /// What depends on the moment is put together first; the packet borrows the list.
    ///
    /// ```
    /// use headwater_codec::{EncodeError, Properties, Property, PropertyId, Publish, TopicName, Version};
    ///
    /// let expires_secs = Some(60);
    /// let mut list = vec![Property::PayloadFormatIndicator(true)];
    /// list.extend(expires_secs.map(Property::MessageExpiryInterval));
    /// let publish = Publish::new(TopicName::parse("plant/7")?, b"21.5").with_properties(Properties::new(&list));
    /// assert_eq!(publish.encoded_len(Version::V5)?, 23);
    ///
    /// // Whether they may stand where they are is checked when the packet is encoded.
    /// let twice = [list[0], list[0]];
    /// let publish = publish.with_properties(Properties::new(&twice));
    /// let refused = EncodeError::PropertyTwice { property: PropertyId::PayloadFormatIndicator };
    /// assert_eq!(publish.encoded_len(Version::V5), Err(refused));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn new(list: &'a [Property<'a>]) -> Self {
        Self(Form::List(list))
    }

    /// Reads properties that stand by themselves, without the length in front of them.
    ///
    /// The way back from [`Properties::as_wire`], for who keeps the bytes of a message longer than its frame.
    ///
    /// # Errors
    ///
    /// What [`Packet::decode_with`](crate::Packet::decode_with) says of properties; positions count from the first byte
    /// given.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{DecodeOptions, Packet, Properties, PropertyPlace, Version};
    ///
    /// let frame = b"\x30\x0D\x00\x01a\x05\x02\x00\x00\x00\x3C21.5";
    /// let Packet::Publish(publish) = Packet::decode(frame, Version::V5)? else { unreachable!() };
    /// let kept = publish.properties.as_wire().map(<[u8]>::to_vec).unwrap_or_default();
    ///
    /// let again = Properties::decode(&kept, PropertyPlace::Publish, DecodeOptions::default())?;
    /// assert_eq!(again, publish.properties);
    /// assert_eq!(again.message_expiry_interval(), Some(60));
    /// assert!(Properties::decode(&kept, PropertyPlace::PubAck, DecodeOptions::default()).is_err());
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    pub fn decode(
        bytes: &'a [u8],
        place: PropertyPlace,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        check(bytes, place, options.topic_limits).map_err(|fault| fault.in_frame(bytes))
    }

    /// The bytes on the wire, without the length in front of them; `None` if these did not come from the wire.
    #[inline]
    pub const fn as_wire(self) -> Option<&'a [u8]> {
        match self.0 {
            Form::Wire { bytes, .. } => Some(bytes),
            Form::List(_) => None,
        }
    }

    /// True if there are none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        match self.0 {
            Form::Wire { bytes, .. } => bytes.is_empty(),
            Form::List(list) => list.is_empty(),
        }
    }

    /// Each property, in order.
    #[inline]
    pub const fn iter(self) -> PropertyIter<'a> {
        PropertyIter(self.0)
    }

    /// True if the property is there.
    pub fn contains(self, id: PropertyId) -> bool {
        match self.0 {
            Form::Wire { present, .. } => present & id.bit() != 0,
            Form::List(list) => list.iter().any(|property| property.id() == id),
        }
    }

    /// The user properties, name and value, in order. [MQTT-3.3.2-18]
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// The identifiers of all the subscriptions that caused a PUBLISH. [MQTT-3.3.4-4]
    pub fn subscription_identifiers(self) -> impl Iterator<Item = SubscriptionId> + Clone {
        self.iter().filter_map(|property| match property {
            Property::SubscriptionIdentifier(id) => Some(id),
            _ => None,
        })
    }

    /// False only if it costs nothing to know that the property is not there.
    #[inline]
    pub(crate) const fn may_have(self, id: PropertyId) -> bool {
        match self.0 {
            Form::Wire { present, .. } => present & id.bit() != 0,
            Form::List(list) => !list.is_empty(),
        }
    }

    /// True if there are none; by reference, which costs a load where a copy would have to be made first.
    #[inline(always)]
    pub(crate) const fn none(&self) -> bool {
        match &self.0 {
            Form::Wire { bytes, .. } => bytes.is_empty(),
            Form::List(list) => list.is_empty(),
        }
    }

    /// Writes length and properties; before 5.0, nothing.
    #[inline(always)]
    pub(crate) fn write<O: Output>(
        &self,
        version: Version,
        place: PropertyPlace,
        out: &mut O,
    ) -> Result<(), EncodeError> {
        if version.has_properties() {
            return out.block(|out| if self.none() { Ok(()) } else { self.write_some(place, out) });
        }
        // What was checked has none.
        if O::CHECKS && !self.none() {
            return Err(EncodeError::NotInVersion { field: Field::Properties, version });
        }
        Ok(())
    }

    /// Writes properties, of which there are some.
    fn write_some<O: Output>(&self, place: PropertyPlace, out: &mut O) -> Result<(), EncodeError> {
        match &self.0 {
            Form::Wire { bytes, place: valid_in, .. } if *valid_in == place => {
                out.put(bytes);
                Ok(())
            }
            Form::Wire { .. } | Form::List(_) => self.write_each(place, out),
        }
    }

    /// Writes length and properties of a PUBLISH, subscription identifiers first; before 5.0, nothing.
    pub(crate) fn write_with_ids<O: Output>(
        &self,
        version: Version,
        ids: &[SubscriptionId],
        out: &mut O,
    ) -> Result<(), EncodeError> {
        let place = PropertyPlace::Publish;
        if ids.is_empty() {
            return self.write(version, place, out);
        }
        if !version.has_properties() {
            return Err(EncodeError::NotInVersion { field: Field::Properties, version });
        }
        out.block(|out| {
            for id in ids {
                write_id(*id, out);
            }
            self.write_some(place, out)
        })
    }

    /// Writes the properties after checking that each may stand in the place, and as often as it does.
    fn write_each<O: Output>(&self, place: PropertyPlace, out: &mut O) -> Result<(), EncodeError> {
        let mut seen = 0;
        match &self.0 {
            // By reference: a property is five words.
            Form::List(list) => {
                list.iter().try_for_each(|property| write_one(property, place, &mut seen, out))
            }
            Form::Wire { .. } => {
                self.iter().try_for_each(|property| write_one(&property, place, &mut seen, out))
            }
        }
    }
}

/// Writes a property that may stand in the place, and was not seen where it may stand but once.
#[inline(always)]
fn write_one<O: Output>(
    property: &Property<'_>,
    place: PropertyPlace,
    seen: &mut u64,
    out: &mut O,
) -> Result<(), EncodeError> {
    if O::CHECKS {
        let id = property.id();
        if !id.allowed_in(place) {
            return Err(EncodeError::PropertyNotAllowed { property: id, place });
        }
        if *seen & id.bit() != 0 && !id.repeatable_in(place) {
            return Err(EncodeError::PropertyTwice { property: id });
        }
        *seen |= id.bit();
    }
    property.write(out)
}

/// Writes that there are no properties; before 5.0, nothing.
#[inline(always)]
pub(crate) fn write_none<O: Output>(version: Version, out: &mut O) {
    if version.has_properties() {
        out.put_u8(0);
    }
}

/// Writes one subscription identifier as a property.
#[inline]
pub(crate) fn write_id<O: Output>(id: SubscriptionId, out: &mut O) {
    out.put_u8(PropertyId::SubscriptionIdentifier.as_u8());
    write::variable(out, id.get());
}

/// Reads the length of the properties and the properties; before 5.0, nothing.
#[inline]
pub(crate) fn properties<'a>(
    context: Context,
    place: PropertyPlace,
    input: &'a [u8],
) -> Parsed<'a, Properties<'a>> {
    match input {
        _ if !context.version.has_properties() => Ok((input, Properties::new(&[]))),
        [0, rest @ ..] => Ok((rest, Properties(Form::Wire { bytes: &[], place, present: 0 }))),
        _ => some_properties(context, place, input),
    }
}

/// As [`properties`], where there are some.
fn some_properties<'a>(
    context: Context,
    place: PropertyPlace,
    input: &'a [u8],
) -> Parsed<'a, Properties<'a>> {
    let (rest, length) = parse::variable(Field::Properties)(input)?;
    let taken: Parsed<'a, &'a [u8]> = take(length).parse(rest);
    let Ok((rest, bytes)) = taken else {
        return Err(Fault::new(rest, Field::Properties, Rule::Truncated));
    };
    match check(bytes, place, context.topic_limits) {
        Ok(properties) => Ok((rest, properties)),
        Err(fault) => Err(nom::Err::Failure(fault)),
    }
}

/// Checks bytes that are to be properties, each of them.
fn check(bytes: &[u8], place: PropertyPlace, limits: Limits) -> Result<Properties<'_>, Fault<'_>> {
    let mut present = 0_u64;
    let mut input = bytes;
    while !input.is_empty() {
        let (rest, id) = property::id(input).map_err(|error| Fault::of(error, input))?;
        // Section 2.2.2.2: an identifier that is not valid for the packet is malformed.
        if !id.allowed_in(place) {
            return Err(Fault { at: input, field: Field::Property(id), rule: Rule::PropertyNotAllowed });
        }
        // Such as section 3.1.2.11.2: more than once is a protocol error.
        if present & id.bit() != 0 && !id.repeatable_in(place) {
            return Err(Fault { at: input, field: Field::Property(id), rule: Rule::PropertyTwice });
        }
        present |= id.bit();
        (input, ()) = property::skip(id, limits, rest).map_err(|error| Fault::of(error, rest))?;
    }
    Ok(Properties(Form::Wire { bytes, place, present }))
}

/// What is left of the properties, in order.
#[derive(Clone)]
pub struct PropertyIter<'a>(Form<'a>);

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    #[inline]
    fn next(&mut self) -> Option<Property<'a>> {
        match &mut self.0 {
            Form::Wire { bytes, .. } => {
                // The bytes were validated, so what fails here is only their end. The level limit was applied then.
                let (rest, id) = property::id(bytes).ok()?;
                let (rest, property) = property::value(id, Limits::SPECIFICATION, rest).ok()?;
                *bytes = rest;
                Some(property)
            }
            Form::List(list) => {
                let (first, rest) = list.split_first()?;
                *list = rest;
                Some(*first)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            // The smallest property, a byte, has two with its identifier.
            Form::Wire { bytes, .. } => (usize::from(!bytes.is_empty()), Some(bytes.len() / 2)),
            Form::List(list) => (list.len(), Some(list.len())),
        }
    }
}

impl core::iter::FusedIterator for PropertyIter<'_> {}

impl fmt::Debug for PropertyIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;

    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

impl Default for Properties<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a> From<&'a [Property<'a>]> for Properties<'a> {
    fn from(list: &'a [Property<'a>]) -> Self {
        Self::new(list)
    }
}

impl<'a, const N: usize> From<&'a [Property<'a>; N]> for Properties<'a> {
    fn from(list: &'a [Property<'a>; N]) -> Self {
        Self::new(list)
    }
}

impl PartialEq for Properties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Properties<'_> {}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

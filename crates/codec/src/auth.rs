//! AUTH: a step of enhanced authentication (section 3.15), 5.0 only.

use crate::ack::write_tail;
use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed};
use crate::properties::{Properties, properties};
use crate::property::{PropertyId, PropertyPlace};
use crate::reason::ReasonCode;
use crate::sink::Sink;
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// A step of enhanced authentication; 5.0 only.
///
/// ```text
///  F0 | remaining length | reason code | properties
/// ```
///
/// Section 3.15.2.2.2 wants an authentication method in every AUTH, section 3.15.2.1 allows an empty body for
/// success without properties. Both are kept: the empty body is read, and a body with properties must name the method.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Auth, EncodeError, Properties, Property, ReasonCode, Version};
///
/// let challenge = [
///     Property::AuthenticationMethod("SCRAM-SHA-256"),
///     Property::AuthenticationData(b"r=fyko"),
/// ];
/// let auth = Auth::new(ReasonCode::CONTINUE_AUTHENTICATION, Properties::new(&challenge));
/// assert_eq!(auth.encoded_len(Version::V5)?, 29);
///
/// // Data without a method means nothing.
/// let auth = Auth::new(ReasonCode::CONTINUE_AUTHENTICATION, Properties::new(&challenge[1..]));
/// assert_eq!(auth.encoded_len(Version::V5), Err(EncodeError::NoAuthenticationMethod));
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Which step this is.
    pub reason: ReasonCode,
    /// The properties, an authentication method among them.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// An AUTH with this reason and these properties.
    #[inline]
    pub const fn new(reason: ReasonCode, properties: Properties<'a>) -> Self {
        Self { reason, properties }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Auth::encode`] that do not depend on the sink.
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

/// The body of AUTH.
#[inline(always)]
pub(crate) fn auth<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, Auth<'a>> {
    // Section 3.15.2.1: with a remaining length of 0 the reason code is 0x00.
    if body.is_empty() {
        return Ok((body, Auth::new(ReasonCode::SUCCESS, Properties::EMPTY)));
    }
    // [MQTT-3.15.2-1]
    let (at, reason) = parse::reason_code(PacketType::Auth)(body)?;
    let (rest, properties) = properties(context, PropertyPlace::Auth, at)?;
    // Section 3.15.2.2.2
    if !properties.contains(PropertyId::AuthenticationMethod) {
        return Err(Fault::new(at, Field::Properties, Rule::NoAuthenticationMethod));
    }
    Ok((rest, Auth { reason, properties }))
}

impl Body for Auth<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Auth.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        if !version.has_properties() {
            return Err(EncodeError::NotInVersion { field: Field::PacketType, version });
        }
        let empty = self.reason == ReasonCode::SUCCESS && self.properties.is_empty();
        // Section 3.15.2.2.2
        if !empty && !self.properties.contains(PropertyId::AuthenticationMethod) {
            return Err(EncodeError::NoAuthenticationMethod);
        }
        let (packet, place) = (PacketType::Auth, PropertyPlace::Auth);
        write_tail(version, packet, place, self.reason, &self.properties, out)
    }
}

//! CONNECT: a client asks for a connection (section 3.1).

use crate::decode_error::Rule;
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::frame::{Header, Limits, Status};
use crate::packet_type::PacketType;
use crate::parse::{self, Context, Fault, Parsed};
use crate::properties::{Properties, properties};
use crate::property::{PropertyId, PropertyPlace};
use crate::qos::QoS;
use crate::sink::Sink;
use crate::version::Version;
use crate::will::{Will, will};
use crate::write::{self, Body, Output, Part};

/// A client asks for a connection.
///
/// ```text
///  10 | remaining length
///  protocol name   00 04 M Q T T    or  00 06 M Q I s d p   in 3.1
///  protocol level  3, 4 or 5
///  connect flags   user name | password | will retain | will QoS (2) | will | clean start | 0
///  keep alive      2 bytes, seconds
///  properties      5.0
///  client identifier | will | user name | password            the last three as the flags say
/// ```
///
/// The packet names its revision itself, so it is read and written by [`Connect::version`] and no other.
///
/// What the codec leaves to the session: whether the server takes an empty client identifier, which 3.1.1 allows only
/// with `clean_start` [MQTT-3.1.3-7] and 3.1 not at all. 3.1 limits the identifier to 23 characters; clients have long
/// ignored that, so longer ones are read. A 3.1 client may set QoS and retain flag of a will that it does not have, and it may set the flags of user name and password and then leave
/// the strings out at the end of the packet; they are read as missing, as 3.1 demands.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Connect, Packet, SliceSink, Version};
///
/// let mut connect = Connect::new(Version::V3_1_1, "sensor-7");
/// connect.keep_alive_secs = 30;
/// let mut buffer = [0; 32];
/// let mut sink = SliceSink::new(&mut buffer);
/// connect.encode(&mut sink)?;
/// assert_eq!(sink.written(), b"\x10\x14\x00\x04MQTT\x04\x02\x00\x1E\x00\x08sensor-7");
/// assert_eq!(Packet::decode(sink.written(), Version::V5)?, Packet::Connect(connect));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With properties, in 5.0:
///
/// ```
/// use headwater_codec::{Connect, EncodeError, Field, Properties, Property, Version};
///
/// let properties = [Property::SessionExpiryInterval(3600), Property::TopicAliasMaximum(16)];
/// let mut connect = Connect::new(Version::V5, "sensor-7");
/// connect.clean_start = false;
/// connect.properties = Properties::new(&properties);
/// assert_eq!(connect.encoded_len()?, 31);
///
/// // An older revision cannot say that, and does not leave it out in silence.
/// connect.version = Version::V3_1_1;
/// let refused = EncodeError::NotInVersion { field: Field::Properties, version: Version::V3_1_1 };
/// assert_eq!(connect.encoded_len(), Err(refused));
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The revision the client speaks.
    pub version: Version,
    /// True to forget an earlier session; called clean session before 5.0.
    pub clean_start: bool,
    /// The longest silence of the client in seconds; 0 for no limit.
    pub keep_alive_secs: u16,
    /// The name the session is kept under; empty to have the server choose one.
    pub client_id: &'a str,
    /// The properties; none before 5.0.
    pub properties: Properties<'a>,
    /// What the server publishes if the client vanishes.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub user_name: Option<&'a str>,
    /// The password; before 5.0 only with a user name.
    pub password: Option<&'a [u8]>,
}

impl<'a> Connect<'a> {
    /// A CONNECT with a clean start and neither keep alive, will, nor credentials.
    pub const fn new(version: Version, client_id: &'a str) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive_secs: 0,
            client_id,
            properties: Properties::EMPTY,
            will: None,
            user_name: None,
            password: None,
        }
    }

    /// The revision a CONNECT asks for, whatever is wrong behind its protocol level.
    ///
    /// For a server that has to refuse a packet it could not decode and must choose the form of its CONNACK. `None`
    /// if the frame does not begin as a CONNECT, or asks for a revision there is not.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{Connect, Packet, Version};
    ///
    /// // The reserved flag is set: malformed, and yet it is known how to answer.
    /// let frame = b"\x10\x0D\x00\x04MQTT\x05\x03\x00\x1E\x00\x00\x00";
    /// assert!(Packet::decode(frame, Version::V5).is_err());
    /// assert_eq!(Connect::peek_version(frame), Some(Version::V5));
    /// ```
    pub fn peek_version(frame: &[u8]) -> Option<Version> {
        let limits = Limits::PROTOCOL.with_overlong_lengths();
        let Ok(Status::Complete(header)) = Header::decode(frame, &limits) else { return None };
        let body = frame.get(header.header_len()..)?;
        match header.packet_type {
            PacketType::Connect => protocol(body).ok().map(|(_, version)| version),
            _ => None,
        }
    }

    /// The size of the packet in bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Connect::encode`] that do not depend on the sink.
    #[inline]
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        write::encoded_len(self, self.version)
    }

    /// Writes the packet, in the revision it names.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is written then.
    #[inline]
    pub fn encode<S: Sink + ?Sized>(&self, sink: &mut S) -> Result<(), EncodeError> {
        write::encode(self, self.version, Part::Whole, sink)
    }
}

/// The connect flags (section 3.1.2.3).
#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    const USER_NAME: u8 = 0b1000_0000;
    const PASSWORD: u8 = 0b0100_0000;
    const WILL_RETAIN: u8 = 0b0010_0000;
    const WILL_QOS: u8 = 0b0001_1000;
    const WILL_QOS_SHIFT: u32 = 3;
    const WILL: u8 = 0b0000_0100;
    const CLEAN_START: u8 = 0b0000_0010;
    const RESERVED: u8 = 0b0000_0001;

    const fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// Protocol name and level: the revision.
fn protocol(input: &[u8]) -> Parsed<'_, Version> {
    // What nearly all clients send.
    match input {
        [0, 4, b'M', b'Q', b'T', b'T', 4, rest @ ..] => return Ok((rest, Version::V3_1_1)),
        [0, 4, b'M', b'Q', b'T', b'T', 5, rest @ ..] => return Ok((rest, Version::V5)),
        _ => {}
    }
    let (rest, name) = parse::binary(Field::ProtocolName, input)?;
    // [MQTT-3.1.2-1]
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(Fault::new(input, Field::ProtocolName, Rule::ProtocolName));
    }
    let (after, level) = parse::byte(Field::ProtocolVersion)(rest)?;
    for version in Version::ALL {
        if version.level() == level && version.protocol_name().as_bytes() == name {
            return Ok((after, version));
        }
    }
    // [MQTT-3.1.2-2]
    Err(Fault::new(rest, Field::ProtocolVersion, Rule::ProtocolVersion { level }))
}

/// The connect flags, and the QoS of the will if there is one.
fn flags(version: Version, input: &[u8]) -> Parsed<'_, (Flags, Option<QoS>)> {
    let (rest, byte) = parse::byte(Field::ConnectFlags)(input)?;
    let fault = |rule| Err(Fault::new(input, Field::ConnectFlags, rule));
    let flags = Flags(byte);
    // [MQTT-3.1.2-3]
    if flags.has(Flags::RESERVED) {
        return fault(Rule::ConnectFlagReserved);
    }
    // 3.1.1: [MQTT-3.1.2-22]; 3.1 says the same in words. 5.0 allows a password alone.
    if version < Version::V5 && flags.has(Flags::PASSWORD) && !flags.has(Flags::USER_NAME) {
        return fault(Rule::PasswordWithoutUserName);
    }
    if !flags.has(Flags::WILL) {
        // [MQTT-3.1.2-11], [MQTT-3.1.2-13]; 3.1.1: [MQTT-3.1.2-13], [MQTT-3.1.2-15]. 3.1 disregards them.
        if version > Version::V3_1 && flags.has(Flags::WILL_QOS | Flags::WILL_RETAIN) {
            return fault(Rule::WillFlagsWithoutWill);
        }
        return Ok((rest, (flags, None)));
    }
    match QoS::from_u8((byte & Flags::WILL_QOS) >> Flags::WILL_QOS_SHIFT) {
        Some(qos) => Ok((rest, (flags, Some(qos)))),
        // [MQTT-3.1.2-12]; 3.1.1: [MQTT-3.1.2-14]
        None => fault(Rule::QosReserved),
    }
}

/// The body of CONNECT; the fields come in this order. [MQTT-3.1.3-1]
#[inline(always)]
pub(crate) fn connect<'a>(context: Context, body: &'a [u8]) -> Parsed<'a, Connect<'a>> {
    let (rest, version) = protocol(body)?;
    let context = Context { version, ..context };
    let (rest, (flags, will_qos)) = flags(version, rest)?;
    let (rest, keep_alive_secs) = parse::two_bytes(Field::KeepAlive)(rest)?;
    let at = rest;
    let (rest, properties) = properties(context, PropertyPlace::Connect, rest)?;
    if data_without_method(properties) {
        return Err(Fault::new(at, Field::Properties, Rule::AuthenticationDataAlone));
    }
    // [MQTT-3.1.3-3], [MQTT-3.1.3-4]
    let (rest, client_id) = parse::string(Field::ClientId, rest)?;
    let (rest, will) = match will_qos {
        // [MQTT-3.1.2-9]
        Some(qos) => {
            let (rest, will) = will(context, qos, flags.has(Flags::WILL_RETAIN), rest)?;
            (rest, Some(will))
        }
        None => (rest, None),
    };
    // 3.1, section "CONNECT": the remaining length takes precedence over the flags of user name and password.
    let may_miss = version == Version::V3_1;
    let (rest, user_name) = if flags.has(Flags::USER_NAME) && !(may_miss && rest.is_empty()) {
        // [MQTT-3.1.2-17], [MQTT-3.1.3-12]
        let (rest, user_name) = parse::string(Field::UserName, rest)?;
        (rest, Some(user_name))
    } else {
        (rest, None)
    };
    let (rest, password) = if flags.has(Flags::PASSWORD) && !(may_miss && rest.is_empty()) {
        // [MQTT-3.1.2-19]
        let (rest, password) = parse::binary(Field::Password, rest)?;
        (rest, Some(password))
    } else {
        (rest, None)
    };
    let clean_start = flags.has(Flags::CLEAN_START);
    Ok((
        rest,
        Connect { version, clean_start, keep_alive_secs, client_id, properties, will, user_name, password },
    ))
}

/// Section 3.1.2.11.10: authentication data without a method is a protocol error.
fn data_without_method(properties: Properties<'_>) -> bool {
    properties.contains(PropertyId::AuthenticationData)
        && !properties.contains(PropertyId::AuthenticationMethod)
}

impl Body for Connect<'_> {
    fn first_byte(&self) -> u8 {
        PacketType::Connect.as_u8() << 4
    }

    fn write<O: Output>(&self, version: Version, out: &mut O) -> Result<(), EncodeError> {
        write::string(out, Field::ProtocolName, version.protocol_name())?;
        out.put_u8(version.level());
        // [MQTT-3.1.2-22] of 3.1.1
        if version < Version::V5 && self.password.is_some() && self.user_name.is_none() {
            return Err(EncodeError::PasswordWithoutUserName);
        }
        let mut flags = 0;
        if self.clean_start {
            flags |= Flags::CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= Flags::WILL | will.qos.as_u8() << Flags::WILL_QOS_SHIFT;
            if will.retain {
                flags |= Flags::WILL_RETAIN;
            }
        }
        if self.user_name.is_some() {
            flags |= Flags::USER_NAME;
        }
        if self.password.is_some() {
            flags |= Flags::PASSWORD;
        }
        out.put_u8(flags);
        out.put(&self.keep_alive_secs.to_be_bytes());
        if data_without_method(self.properties) {
            return Err(EncodeError::AuthenticationDataAlone);
        }
        self.properties.write(version, PropertyPlace::Connect, out)?;
        write::string(out, Field::ClientId, self.client_id)?;
        if let Some(will) = &self.will {
            will.write(version, out)?;
        }
        if let Some(user_name) = self.user_name {
            write::string(out, Field::UserName, user_name)?;
        }
        if let Some(password) = self.password {
            write::binary(out, Field::Password, password)?;
        }
        Ok(())
    }
}

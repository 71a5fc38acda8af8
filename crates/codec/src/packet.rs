//! Any packet.

use headwater_topic::Limits as TopicLimits;

use crate::auth::{Auth, auth};
use crate::connack::{ConnAck, connack};
use crate::connect::{Connect, connect};
use crate::decode_error::{DecodeError, Rule};
use crate::disconnect::{Disconnect, disconnect};
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::frame::{Limits, header};
use crate::id::PacketId;
use crate::packet_type::PacketType;
use crate::parse::{Context, Fault, Parsed};
use crate::puback::{PubAck, puback};
use crate::pubcomp::{PubComp, pubcomp};
use crate::publish::{Publish, publish};
use crate::pubrec::{PubRec, pubrec};
use crate::pubrel::{PubRel, pubrel};
use crate::sink::Sink;
use crate::suback::{SubAck, suback};
use crate::subscribe::{Subscribe, subscribe};
use crate::unsuback::{UnsubAck, unsuback};
use crate::unsubscribe::{Unsubscribe, unsubscribe};
use crate::version::Version;
use crate::write::{self, Body, Output, Part};

/// Any packet of any revision.
///
/// Plain data that borrows: from the frame when decoded, from the caller when built. Every variant but the two pings
/// wraps the struct of its packet, which can be built, encoded and measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client asks for a connection.
    Connect(Connect<'a>),
    /// The server answers a CONNECT.
    ConnAck(ConnAck<'a>),
    /// A message.
    Publish(Publish<'a>),
    /// Answers a QoS 1 PUBLISH.
    PubAck(PubAck<'a>),
    /// Answers a QoS 2 PUBLISH, first of three steps.
    PubRec(PubRec<'a>),
    /// Answers a PUBREC.
    PubRel(PubRel<'a>),
    /// Answers a PUBREL.
    PubComp(PubComp<'a>),
    /// A client asks for messages.
    Subscribe(Subscribe<'a>),
    /// Answers a SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// A client wants messages no longer.
    Unsubscribe(Unsubscribe<'a>),
    /// Answers an UNSUBSCRIBE.
    UnsubAck(UnsubAck<'a>),
    /// A client shows that it lives (section 3.12).
    PingReq,
    /// Answers a PINGREQ (section 3.13).
    PingResp,
    /// The sender is about to close the connection.
    Disconnect(Disconnect<'a>),
    /// A step of enhanced authentication, 5.0 only.
    Auth(Auth<'a>),
}

/// How a packet is read where the specification leaves it to the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// The bounds on topic names and filters; by default 128 levels.
    ///
    /// A client that has to take any topic its server sends sets
    /// [`Limits::SPECIFICATION`](headwater_topic::Limits::SPECIFICATION).
    pub topic_limits: TopicLimits,
    /// True to take a remaining length of more bytes than it needs before 5.0; false by default. What it is for is said at
    /// [`Limits::with_overlong_lengths`], which decides it for frames.
    pub overlong_lengths: bool,
}

impl DecodeOptions {
    /// These options with other bounds on topic names and filters.
    #[must_use]
    pub const fn topic_limits(self, topic_limits: TopicLimits) -> Self {
        Self { topic_limits, ..self }
    }

    /// These options with a remaining length that may have more bytes than it needs.
    #[must_use]
    pub const fn overlong_lengths(self, overlong_lengths: bool) -> Self {
        Self { overlong_lengths, ..self }
    }
}

impl<'a> Packet<'a> {
    /// Decodes exactly one whole packet, fixed header included; allocates nothing.
    ///
    /// All of the packet is checked here, lazily read parts included, in O(bytes). A CONNECT names its revision
    /// itself and is read by that; every other packet is read by `version`.
    ///
    /// Which side may send a packet, and when, is the session's to know.
    ///
    /// # Errors
    ///
    /// The first rule the packet breaks, see [`Rule`]. A frame with too few bytes is malformed here; to wait for
    /// more is the business of [`frame`](crate::frame).
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{Packet, Version};
    ///
    /// let frame = b"\x30\x07\x00\x03a/b\xCA\xFE";
    /// let Packet::Publish(publish) = Packet::decode(frame, Version::V3_1_1)? else { unreachable!() };
    /// assert_eq!(publish.topic.map(|topic| topic.as_str()), Some("a/b"));
    /// assert_eq!(publish.payload, [0xCA, 0xFE]);
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    #[inline]
    pub fn decode(frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
        Self::decode_with(frame, version, DecodeOptions::default())
    }

    /// Decodes exactly one whole packet as [`Packet::decode`] does, with options.
    ///
    /// # Errors
    ///
    /// As [`Packet::decode`].
    pub fn decode_with(
        frame: &'a [u8],
        version: Version,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let limits = if options.overlong_lengths {
            const { &Limits::PROTOCOL.with_overlong_lengths() }
        } else {
            const { &Limits::PROTOCOL }
        };
        let (first, body) = header::split(frame, version, limits)?;
        Self::of_body(frame, first, body, version, options)
    }

    /// Decodes the body of a frame whose fixed header is right in this revision.
    #[inline]
    pub(crate) fn of_body(
        frame: &'a [u8],
        first: u8,
        body: &'a [u8],
        version: Version,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let context = Context { version, topic_limits: options.topic_limits };
        match PacketType::from_u8(first >> 4) {
            Some(PacketType::Publish) => whole(frame, publish(context, first & 0x0F, body), Self::Publish),
            Some(PacketType::PubAck) => whole(frame, puback(context, body), Self::PubAck),
            Some(PacketType::PubRec) => whole(frame, pubrec(context, body), Self::PubRec),
            Some(PacketType::PubRel) => whole(frame, pubrel(context, body), Self::PubRel),
            Some(PacketType::PubComp) => whole(frame, pubcomp(context, body), Self::PubComp),
            Some(PacketType::Connect) => whole(frame, connect(context, body), Self::Connect),
            Some(PacketType::ConnAck) => whole(frame, connack(context, body), Self::ConnAck),
            Some(PacketType::Subscribe) => whole(frame, subscribe(context, body), Self::Subscribe),
            Some(PacketType::SubAck) => whole(frame, suback(context, body), Self::SubAck),
            Some(PacketType::Unsubscribe) => whole(frame, unsubscribe(context, body), Self::Unsubscribe),
            Some(PacketType::UnsubAck) => whole(frame, unsuback(context, body), Self::UnsubAck),
            Some(PacketType::PingReq) => whole(frame, Ok((body, ())), |()| Self::PingReq),
            Some(PacketType::PingResp) => whole(frame, Ok((body, ())), |()| Self::PingResp),
            Some(PacketType::Disconnect) => whole(frame, disconnect(context, body), Self::Disconnect),
            Some(PacketType::Auth) => whole(frame, auth(context, body), Self::Auth),
            None => Err(DecodeError {
                rule: Rule::PacketTypeReserved { packet_type: first >> 4 },
                field: Field::PacketType,
                position: 0,
            }),
        }
    }

    /// The kind of packet.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// The packet identifier, of packets that have one.
    pub const fn packet_id(&self) -> Option<PacketId> {
        match self {
            Self::Publish(packet) => packet.packet_id(),
            Self::PubAck(packet) => Some(packet.packet_id),
            Self::PubRec(packet) => Some(packet.packet_id),
            Self::PubRel(packet) => Some(packet.packet_id),
            Self::PubComp(packet) => Some(packet.packet_id),
            Self::Subscribe(packet) => Some(packet.packet_id),
            Self::SubAck(packet) => Some(packet.packet_id),
            Self::Unsubscribe(packet) => Some(packet.packet_id),
            Self::UnsubAck(packet) => Some(packet.packet_id),
            Self::Connect(_)
            | Self::ConnAck(_)
            | Self::PingReq
            | Self::PingResp
            | Self::Disconnect(_)
            | Self::Auth(_) => None,
        }
    }

    /// The size of the packet in bytes: exactly what [`Packet::encode`] writes.
    ///
    /// # Errors
    ///
    /// Those of [`Packet::encode`] that do not depend on the sink.
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.encoded_len(),
            Self::ConnAck(packet) => packet.encoded_len(version),
            Self::Publish(packet) => packet.encoded_len(version),
            Self::PubAck(packet) => packet.encoded_len(version),
            Self::PubRec(packet) => packet.encoded_len(version),
            Self::PubRel(packet) => packet.encoded_len(version),
            Self::PubComp(packet) => packet.encoded_len(version),
            Self::Subscribe(packet) => packet.encoded_len(version),
            Self::SubAck(packet) => packet.encoded_len(version),
            Self::Unsubscribe(packet) => packet.encoded_len(version),
            Self::UnsubAck(packet) => packet.encoded_len(version),
            Self::PingReq => write::encoded_len(&Ping(PacketType::PingReq), version),
            Self::PingResp => write::encoded_len(&Ping(PacketType::PingResp), version),
            Self::Disconnect(packet) => packet.encoded_len(version),
            Self::Auth(packet) => packet.encoded_len(version),
        }
    }

    /// Writes the packet.
    ///
    /// A CONNECT is written in the revision it names, every other packet in `version`.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is written then.
    pub fn encode<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(sink),
            Self::ConnAck(packet) => packet.encode(version, sink),
            Self::Publish(packet) => packet.encode(version, sink),
            Self::PubAck(packet) => packet.encode(version, sink),
            Self::PubRec(packet) => packet.encode(version, sink),
            Self::PubRel(packet) => packet.encode(version, sink),
            Self::PubComp(packet) => packet.encode(version, sink),
            Self::Subscribe(packet) => packet.encode(version, sink),
            Self::SubAck(packet) => packet.encode(version, sink),
            Self::Unsubscribe(packet) => packet.encode(version, sink),
            Self::UnsubAck(packet) => packet.encode(version, sink),
            Self::PingReq => write::encode(&Ping(PacketType::PingReq), version, Part::Whole, sink),
            Self::PingResp => write::encode(&Ping(PacketType::PingResp), version, Part::Whole, sink),
            Self::Disconnect(packet) => packet.encode(version, sink),
            Self::Auth(packet) => packet.encode(version, sink),
        }
    }
}

/// The packet that was parsed, if its fields are all of the frame.
///
/// Wrapped here, so that the packet is built once and where it is returned.
#[inline(always)]
fn whole<'a, T>(
    frame: &'a [u8],
    parsed: Parsed<'a, T>,
    wrap: impl FnOnce(T) -> Packet<'a>,
) -> Result<Packet<'a>, DecodeError> {
    match parsed {
        Ok(([], packet)) => Ok(wrap(packet)),
        // Section 1.2: what the fields leave over has no meaning, so the packet is malformed.
        Ok((rest, _)) => {
            let rule = Rule::TrailingBytes { bytes: rest.len() };
            Err(Fault { at: rest, field: Field::Body, rule }.in_frame(frame))
        }
        Err(error) => Err(Fault::of(error, frame).in_frame(frame)),
    }
}

/// PINGREQ or PINGRESP: a fixed header and nothing else (sections 3.12 and 3.13).
struct Ping(PacketType);

impl Body for Ping {
    fn first_byte(&self) -> u8 {
        self.0.as_u8() << 4
    }

    fn write<O: Output>(&self, _version: Version, _out: &mut O) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Wraps the struct of a packet.
macro_rules! from {
    ($($packet:ident)+) => {
        $(impl<'a> From<$packet<'a>> for Packet<'a> {
            fn from(packet: $packet<'a>) -> Self {
                Self::$packet(packet)
            }
        })+
    };
}

from! {
    Connect ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth
}

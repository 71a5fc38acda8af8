//! Any packet.

use headwater_topic::Limits as TopicLimits;

use crate::ack;
use crate::auth::{Auth, auth};
use crate::connack::{ConnAck, connack};
use crate::connect::{Connect, connect};
use crate::decode_error::{DecodeError, Rule};
use crate::disconnect::{Disconnect, disconnect};
use crate::encode_error::EncodeError;
use crate::field::Field;
use crate::frame::{Header, Limits, header};
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
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, PacketId, PubAck, SliceSink, Version};
///
/// let mut buffer = [0; 16];
/// let mut sink = SliceSink::new(&mut buffer);
/// for packet in [Packet::PingResp, PubAck::new(PacketId::MIN).into()] {
///     packet.encode(Version::V5, &mut sink)?;
/// }
/// assert_eq!(sink.written(), [0xD0, 0, 0x40, 2, 0, 1]);
/// # Ok::<(), headwater_codec::EncodeError>(())
/// ```
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
///
/// # Examples
///
/// ```
/// use headwater_codec::{DecodeOptions, Packet, Rule, Version};
/// use headwater_topic::Limits;
///
/// let frame = b"\x30\x07\x00\x05a/b/c";
/// assert!(Packet::decode(frame, Version::V3_1_1).is_ok());
/// let options = DecodeOptions::default().topic_limits(Limits::default().levels_max(2));
/// let error = Packet::decode_with(frame, Version::V3_1_1, options).unwrap_err();
/// assert!(matches!(error.rule, Rule::TopicName(_)));
/// ```
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
        match header::len_if_right(frame, version) {
            Some(header_len) => Self::after_header(frame, header_len, version, options),
            None => Self::decode_in_full(frame, version, options),
        }
    }

    /// As [`Packet::decode_with`], where a look at the fixed header was not enough.
    #[cold]
    fn decode_in_full(
        frame: &'a [u8],
        version: Version,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let limits = match options.overlong_lengths {
            true => const { &Limits::PROTOCOL.with_overlong_lengths() },
            false => const { &Limits::PROTOCOL },
        };
        Self::after_checked(frame, header::whole(frame, version, limits)?, version, options)
    }

    /// Decodes what follows a fixed header that was read before and checked in this revision.
    #[inline]
    pub(crate) fn after_checked(
        frame: &'a [u8],
        header: Header,
        version: Version,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let packet = Self::after_header(frame, header.header_len(), version, options);
        if header.is_overlong()
            && let Ok(Self::Connect(connect)) = &packet
        {
            header.check_length_in(connect.version)?;
        }
        packet
    }

    /// Decodes what follows a fixed header that is right in this revision.
    ///
    /// What is most of the traffic, messages and the identifiers that acknowledge them, passes through short functions.
    #[inline(always)]
    pub(crate) fn after_header(
        frame: &'a [u8],
        header_len: usize,
        version: Version,
        options: DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let context = Context { version, topic_limits: options.topic_limits };
        let number = frame.first().map_or(0, |first| first >> 4);
        if number == PacketType::Publish.as_u8() {
            return message(frame, header_len, context);
        }
        if let [_, 2, id @ ..] = frame
            && let Some(packet_id) = ack::identifier(id)
        {
            match PacketType::from_u8(number) {
                Some(PacketType::PubAck) => return Ok(Self::PubAck(PubAck::new(packet_id))),
                Some(PacketType::PubRec) => return Ok(Self::PubRec(PubRec::new(packet_id))),
                Some(PacketType::PubRel) => return Ok(Self::PubRel(PubRel::new(packet_id))),
                Some(PacketType::PubComp) => return Ok(Self::PubComp(PubComp::new(packet_id))),
                _ => {}
            }
        }
        other(frame, header_len, context)
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
    #[inline]
    pub fn encode<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
        match self {
            // Most of the traffic passes by without a table of jumps.
            Self::Publish(packet) => packet.encode(version, sink),
            other => other.encode_other(version, sink),
        }
    }

    #[inline(never)]
    fn encode_other<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) -> Result<(), EncodeError> {
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

/// A PUBLISH.
#[inline(always)]
fn message<'a>(frame: &'a [u8], header_len: usize, context: Context) -> Result<Packet<'a>, DecodeError> {
    let first = frame.first().copied().unwrap_or_default();
    let body = frame.get(header_len..).unwrap_or_default();
    whole(frame, publish(context, first & 0x0F, body), Packet::Publish)
}

/// Any other packet.
#[inline(never)]
fn other<'a>(frame: &'a [u8], header_len: usize, context: Context) -> Result<Packet<'a>, DecodeError> {
    let number = frame.first().map_or(0, |first| first >> 4);
    let Some(packet_type) = PacketType::from_u8(number) else {
        let rule = Rule::PacketTypeReserved { packet_type: number };
        return Err(DecodeError { rule, field: Field::PacketType, position: 0 });
    };
    let at = (frame, header_len, context);
    match packet_type {
        PacketType::Connect => read(at, connect, Packet::Connect),
        PacketType::ConnAck => read(at, connack, Packet::ConnAck),
        PacketType::Publish => message(frame, header_len, context),
        PacketType::PubAck => read(at, puback, Packet::PubAck),
        PacketType::PubRec => read(at, pubrec, Packet::PubRec),
        PacketType::PubRel => read(at, pubrel, Packet::PubRel),
        PacketType::PubComp => read(at, pubcomp, Packet::PubComp),
        PacketType::Subscribe => read(at, subscribe, Packet::Subscribe),
        PacketType::SubAck => read(at, suback, Packet::SubAck),
        PacketType::Unsubscribe => read(at, unsubscribe, Packet::Unsubscribe),
        PacketType::UnsubAck => read(at, unsuback, Packet::UnsubAck),
        PacketType::PingReq => read(at, |_, body| Ok((body, ())), |()| Packet::PingReq),
        PacketType::PingResp => read(at, |_, body| Ok((body, ())), |()| Packet::PingResp),
        PacketType::Disconnect => read(at, disconnect, Packet::Disconnect),
        PacketType::Auth => read(at, auth, Packet::Auth),
    }
}

/// One kind of packet. A function for each, into which its parser is inlined: the packet is built where it is returned,
/// and not moved there through the stack.
#[inline(never)]
fn read<'a, T>(
    (frame, header_len, context): (&'a [u8], usize, Context),
    parser: impl FnOnce(Context, &'a [u8]) -> Parsed<'a, T>,
    wrap: impl FnOnce(T) -> Packet<'a>,
) -> Result<Packet<'a>, DecodeError> {
    let body = frame.get(header_len..).unwrap_or_default();
    whole(frame, parser(context, body), wrap)
}

/// The packet that was parsed, if its fields are all of the frame.
///
/// Wrapped here, so that the packet is built once and where it is returned.
#[inline(always)]
pub(crate) fn whole<'a, T, P>(
    frame: &'a [u8],
    parsed: Parsed<'a, T>,
    wrap: impl FnOnce(T) -> P,
) -> Result<P, DecodeError> {
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

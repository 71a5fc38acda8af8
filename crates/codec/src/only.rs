//! Packets of one kind, for programs that wait for no other.
//!
//! [`Packet::decode`](crate::Packet::decode) knows all kinds, and so whoever calls it has the code of all. A device that waits for
//! PUBACK need not.

use headwater_topic::Limits as TopicLimits;

use crate::auth::{Auth, auth};
use crate::connack::{ConnAck, connack};
use crate::connect::{Connect, connect};
use crate::decode_error::{DecodeError, Rule};
use crate::disconnect::{Disconnect, disconnect};
use crate::field::Field;
use crate::frame::{Limits, header};
use crate::packet::whole;
use crate::packet_type::PacketType;
use crate::parse::{Context, Parsed};
use crate::puback::{PubAck, puback};
use crate::pubcomp::{PubComp, pubcomp};
use crate::publish::{Publish, publish};
use crate::pubrec::{PubRec, pubrec};
use crate::pubrel::{PubRel, pubrel};
use crate::suback::{SubAck, suback};
use crate::subscribe::{Subscribe, subscribe};
use crate::unsuback::{UnsubAck, unsuback};
use crate::unsubscribe::{Unsubscribe, unsubscribe};
use crate::version::Version;

/// Decodes a frame that is to be a packet of this kind.
#[inline]
fn only<'a, T>(
    frame: &'a [u8],
    version: Version,
    packet_type: PacketType,
    parser: impl FnOnce(Context, &'a [u8]) -> Parsed<'a, T>,
) -> Result<T, DecodeError> {
    if let Some(other) = frame.first().and_then(|first| PacketType::from_u8(first >> 4))
        && other != packet_type
    {
        let rule = Rule::OtherPacketType { packet_type: other.as_u8() };
        return Err(DecodeError { rule, field: Field::PacketType, position: 0 });
    }
    let header_len = match header::len_if_right(frame, version) {
        Some(len) => len,
        None => header::whole(frame, version, &Limits::PROTOCOL)?.header_len(),
    };
    let context = Context { version, topic_limits: TopicLimits::default() };
    let body = frame.get(header_len..).unwrap_or_default();
    whole(frame, parser(context, body), |packet| packet)
}

/// Declares `decode` for a kind of packet, by its parser of the body.
macro_rules! only {
    ($($packet:ident by $parser:path;)+) => {
        $(impl<'a> $packet<'a> {
            /// Decodes exactly one whole packet of this kind, fixed header included, as
            /// [`Packet::decode`](crate::Packet::decode) does for all kinds; allocates nothing.
            ///
            /// For programs that wait for no other kind: the parsers of the others are not linked.
            ///
            /// # Errors
            ///
            /// The first rule the packet breaks, and [`Rule::OtherPacketType`] for a packet of another kind.
            pub fn decode(frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
                only(frame, version, PacketType::$packet, $parser)
            }
        })+
    };
}

only! {
    ConnAck by connack;
    PubAck by puback;
    PubRec by pubrec;
    PubRel by pubrel;
    PubComp by pubcomp;
    Subscribe by subscribe;
    SubAck by suback;
    Unsubscribe by unsubscribe;
    UnsubAck by unsuback;
    Disconnect by disconnect;
    Auth by auth;
}

impl<'a> Publish<'a> {
    /// Decodes exactly one whole PUBLISH, fixed header included, as [`Packet::decode`](crate::Packet::decode) does for all kinds;
    /// allocates nothing.
    ///
    /// # Errors
    ///
    /// The first rule the packet breaks, and [`Rule::OtherPacketType`] for a packet of another kind.
    pub fn decode(frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
        let flags = frame.first().map_or(0, |first| first & 0x0F);
        only(frame, version, PacketType::Publish, |context, body| publish(context, flags, body))
    }
}

impl<'a> Connect<'a> {
    /// Decodes exactly one whole CONNECT, fixed header included, in the revision it names; allocates nothing.
    ///
    /// For a server's first packet: any other is an error, as [MQTT-3.1.0-1] wants it.
    ///
    /// # Errors
    ///
    /// The first rule the packet breaks, and [`Rule::OtherPacketType`] for a packet of another kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{Connect, Rule, Version};
    ///
    /// let connect = Connect::decode(b"\x10\x0F\x00\x04MQTT\x04\x02\x00\x00\x00\x03cid")?;
    /// assert_eq!((connect.version, connect.client_id), (Version::V3_1_1, "cid"));
    /// let refused = Connect::decode(&[0xC0, 0x00]).map_err(|error| error.rule);
    /// assert_eq!(refused, Err(Rule::OtherPacketType { packet_type: 12 }));
    /// # Ok::<(), headwater_codec::DecodeError>(())
    /// ```
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        // Its fixed header is the same in all revisions.
        only(frame, Version::V3_1_1, PacketType::Connect, connect)
    }
}

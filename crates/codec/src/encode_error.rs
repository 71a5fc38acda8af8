//! What can be wrong with a packet that is to be encoded.

use thiserror::Error;

use crate::field::Field;
use crate::packet_type::PacketType;
use crate::property::{PropertyId, PropertyPlace};
use crate::reason::ReasonCode;
use crate::version::Version;

/// A packet cannot be encoded as it stands: the caller's fault, and nothing was written.
///
/// Nothing is ever cut to fit, wrapped around, or left out because a revision cannot say it; but before 5.0 a reason code of
/// CONNACK or SUBACK is written as the return code that there is for it.
///
/// # Examples
///
/// ```
/// use headwater_codec::{EncodeError, Publish};
/// use headwater_codec::{Sink, SliceSink, Version};
/// # use headwater_topic::TopicName;
///
/// let publish = Publish::new(TopicName::parse("a/b")?, b"too long for four bytes");
/// let mut room = [0; 4];
/// let mut sink = SliceSink::new(&mut room);
/// assert_eq!(publish.encode(Version::V5, &mut sink), Err(EncodeError::NoRoom { needed: 31, room: 4 }));
/// assert!(sink.written().is_empty());
/// # Ok::<(), headwater_topic::InvalidTopicName>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field is longer than its two-byte length can say. Sections 1.5.4, 1.5.6
    #[error("{field} has {bytes} bytes; shorten it to 65535 or fewer")]
    TooLong {
        /// The field.
        field: Field,
        /// Its length in bytes.
        bytes: usize,
    },
    /// A string contains U+0000. [MQTT-1.5.4-2]
    #[error("{field} contains U+0000; remove it")]
    NullCharacter {
        /// The field.
        field: Field,
    },
    /// The packet is larger than the protocol, or the receiver, allows. Section 2.1.4, [MQTT-3.1.2-24],
    /// [MQTT-3.2.2-15]
    #[error("packet of {size} bytes exceeds the limit of {limit}")]
    PacketTooLarge {
        /// The size of the whole packet in bytes.
        size: usize,
        /// The largest size that is allowed.
        limit: usize,
    },
    /// The sink has too little room.
    #[error("packet needs {needed} bytes of room, the sink has {room}")]
    NoRoom {
        /// The bytes that were to be written.
        needed: usize,
        /// The bytes the sink takes.
        room: usize,
    },
    /// The revision cannot say this; 5.0 can.
    #[error("{version} has no {field} here; leave it out or speak a later version")]
    NotInVersion {
        /// What cannot be said.
        field: Field,
        /// The revision that was asked for.
        version: Version,
    },
    /// The packet may not carry the property. Section 2.2.2.2
    #[error("{} is not allowed in {place}", property.name())]
    PropertyNotAllowed {
        /// The property.
        property: PropertyId,
        /// The place it was to stand in.
        place: PropertyPlace,
    },
    /// The property may stand once and stands twice. Sections 3.1.2.11 to 3.15.2.2
    #[error("{} stands twice", property.name())]
    PropertyTwice {
        /// The property.
        property: PropertyId,
    },
    /// The property's value is outside its range: maximum QoS 2 is said by leaving the property out. Section 3.2.2.3.4
    #[error("value of {} is out of range", property.name())]
    PropertyOutOfRange {
        /// The property.
        property: PropertyId,
    },
    /// PUBLISH has neither topic name nor topic alias. Section 3.3.2.1
    #[error("publish has neither topic name nor topic alias")]
    NoTopic,
    /// SUBSCRIBE or UNSUBSCRIBE has no filter. [MQTT-3.8.3-2], [MQTT-3.10.3-2]
    #[error("{packet} has no topic filter")]
    NoFilters {
        /// The packet.
        packet: PacketType,
    },
    /// No local is set on a shared subscription. [MQTT-3.8.3-4]
    #[error("no local is set on a shared subscription")]
    NoLocalShared,
    /// SUBACK or UNSUBACK acknowledges nothing. [MQTT-3.8.4-6], section 3.11.3
    #[error("{packet} has no reason code")]
    NoReasonCodes {
        /// The packet.
        packet: PacketType,
    },
    /// The packet does not list this reason code. [MQTT-3.2.2-7] to [MQTT-3.15.2-1]
    #[error("{reason} is not allowed in {packet}")]
    ReasonNotAllowed {
        /// The code.
        reason: ReasonCode,
        /// The packet.
        packet: PacketType,
    },
    /// A refusing CONNACK says that a session is present. [MQTT-3.2.2-6]
    #[error("session present is set in a refusal")]
    SessionPresentInRefusal,
    /// A password comes without a user name, before 5.0. 3.1.1: [MQTT-3.1.2-22]
    #[error("password comes without a user name")]
    PasswordWithoutUserName,
    /// Authentication data comes without an authentication method. Section 3.1.2.11.10
    #[error("authentication data comes without an authentication method")]
    AuthenticationDataAlone,
    /// AUTH names no authentication method. Section 3.15.2.2.2
    #[error("auth has no authentication method")]
    NoAuthenticationMethod,
}

//! What can be wrong with the bytes of a packet.

use headwater_topic::{InvalidFilter, InvalidTopicName};
use thiserror::Error;

use crate::field::Field;
use crate::reason::ReasonCode;

/// Bytes broke a rule of MQTT: which rule, in which field, at which byte.
///
/// The bytes are the peer's, so it is always the peer's fault. The answer to give is [`DecodeError::reason_code`];
/// in 3.1 and 3.1.1 the only answer is to close the connection, but for CONNACK return code 1 to a CONNECT of another
/// revision.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Field, Packet, ReasonCode, Rule, Version};
///
/// // PUBACK for packet identifier 0.
/// let error = Packet::decode(&[0x40, 2, 0, 0], Version::V5).unwrap_err();
/// assert_eq!(error.rule, Rule::PacketIdZero);
/// assert_eq!((error.field, error.position), (Field::PacketId, 2));
/// assert_eq!(error.reason_code(), ReasonCode::PROTOCOL_ERROR);
/// assert_eq!(error.to_string(), "packet identifier at byte 2: is 0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} at byte {position}: {rule}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The rule that is broken.
    pub rule: Rule,
    /// The part of the packet that breaks it.
    pub field: Field,
    /// Where the offending bytes begin, counted from 0 at the first byte of the packet; its length if what is missing should have
    /// come there.
    pub position: usize,
}

impl DecodeError {
    /// The reason code for the DISCONNECT or CONNACK that answers the packet (5.0, section 4.13).
    #[inline]
    pub const fn reason_code(&self) -> ReasonCode {
        self.rule.reason_code()
    }
}

/// A rule the bytes of a packet can break.
///
/// Clauses without a revision are those of 5.0.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, ReasonCode, Rule, Version};
///
/// // What a server may want to tell apart: a newer protocol, and anything else.
/// let frame = b"\x10\x0C\x00\x04MQTT\x06\x02\x00\x00\x00\x00";
/// let error = Packet::decode(frame, Version::V5).unwrap_err();
/// match error.rule {
///     Rule::ProtocolVersion { level } => assert_eq!(level, 6),
///     other => panic!("{other}"),
/// }
/// assert_eq!(error.rule.reason_code(), ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rule {
    /// The packet ends inside the field. A length that points past the end is this, too: inside a frame there is
    /// nothing to wait for. [MQTT-3.1.4-1], section 1.2 "malformed packet"
    #[error("ends before it is complete")]
    Truncated,
    /// Bytes are left over behind the last field. Section 1.2 "malformed packet"
    #[error("goes on for {bytes} bytes behind the last field")]
    TrailingBytes {
        /// How many bytes are left over.
        bytes: usize,
    },
    /// The packet type is 0, or 15 before 5.0. Table 2-1; 3.1.1, table 2.1
    #[error("packet type {packet_type} is reserved")]
    PacketTypeReserved {
        /// The type.
        packet_type: u8,
    },
    /// A packet of one kind was to be decoded, and this is another. A server's first packet has to be CONNECT: [MQTT-3.1.0-1]
    #[error("packet type {packet_type} is not the one that is wanted")]
    OtherPacketType {
        /// The type.
        packet_type: u8,
    },
    /// The flags are not the ones that are fixed for the packet type. [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-1],
    /// [MQTT-2.2.2-2]
    #[error("flags {flags:#06b} are reserved")]
    FlagsReserved {
        /// The four bits.
        flags: u8,
    },
    /// Both QoS bits are set, in PUBLISH or in a will. [MQTT-3.3.1-4], [MQTT-3.1.2-12]
    #[error("QoS 3 does not exist")]
    QosReserved,
    /// DUP is set in a PUBLISH of QoS 0. [MQTT-3.3.1-2]
    #[error("DUP is set with QoS 0")]
    DupWithQos0,
    /// A variable byte integer goes on after its fourth byte. [MQTT-1.5.5-1]; 3.1.1, section 2.2.3
    #[error("variable byte integer has more than four bytes")]
    VariableByteIntegerTooLong,
    /// A variable byte integer has more bytes than it needs. [MQTT-1.5.5-1]
    #[error("variable byte integer has more bytes than it needs")]
    VariableByteIntegerNotMinimal,
    /// The packet is larger than the receiver takes. Section 3.1.2.11.4, [MQTT-3.2.2-15]
    #[error("packet of {size} bytes exceeds the limit of {limit}")]
    PacketTooLarge {
        /// The size of the whole packet in bytes.
        size: u32,
        /// The largest size that is taken.
        limit: u32,
    },
    /// A packet identifier is 0. [MQTT-2.2.1-3], [MQTT-2.2.1-4]; 3.1.1: [MQTT-2.3.1-1]
    #[error("is 0")]
    PacketIdZero,
    /// A string is not UTF-8, or encodes a surrogate. [MQTT-1.5.4-1]; 3.1.1: [MQTT-1.5.3-1]
    #[error("is not UTF-8")]
    IllFormedUtf8,
    /// A string contains U+0000. [MQTT-1.5.4-2]; 3.1.1: [MQTT-1.5.3-2]
    #[error("contains U+0000")]
    NullCharacter,
    /// The protocol name is none of MQTT's. [MQTT-3.1.2-1]
    #[error("is neither MQTT nor MQIsdp")]
    ProtocolName,
    /// The protocol name is known, but this level does not go with it. [MQTT-3.1.2-2]
    #[error("level {level} is not supported under this name")]
    ProtocolVersion {
        /// The level.
        level: u8,
    },
    /// The reserved flag of CONNECT is set. [MQTT-3.1.2-3]
    #[error("reserved flag is set")]
    ConnectFlagReserved,
    /// Will QoS or will retain is set without a will. [MQTT-3.1.2-11], [MQTT-3.1.2-13]
    #[error("will QoS or will retain is set without a will")]
    WillFlagsWithoutWill,
    /// A password comes without a user name, before 5.0. 3.1.1: [MQTT-3.1.2-22]
    #[error("password comes without a user name")]
    PasswordWithoutUserName,
    /// A reserved flag of CONNACK is set. [MQTT-3.2.2-1]
    #[error("acknowledge flags {flags:#04x} are reserved")]
    AcknowledgeFlagsReserved {
        /// The byte.
        flags: u8,
    },
    /// A refusing CONNACK says that a session is present. [MQTT-3.2.2-6]; 3.1.1: [MQTT-3.2.2-4]
    #[error("session present is set in a refusal")]
    SessionPresentInRefusal,
    /// The packet does not list this reason code or return code. [MQTT-3.2.2-7] to [MQTT-3.15.2-1]; 3.1.1:
    /// [MQTT-3.9.3-2]
    #[error("{code:#04x} is not allowed in this packet")]
    ReasonCode {
        /// The byte.
        code: u8,
    },
    /// SUBACK or UNSUBACK acknowledges nothing. [MQTT-3.8.4-6], section 3.11.3
    #[error("has no reason code")]
    NoReasonCodes,
    /// A topic name breaks a rule of names. An empty one in PUBLISH is this, too, unless a topic alias stands in.
    /// [MQTT-4.7.3-1], [MQTT-3.3.2-2], [MQTT-3.3.2-14]
    #[error("{0}")]
    TopicName(InvalidTopicName),
    /// A topic filter breaks a rule of filters. [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[error("{0}")]
    TopicFilter(InvalidFilter),
    /// SUBSCRIBE or UNSUBSCRIBE has no filter. [MQTT-3.8.3-2], [MQTT-3.10.3-2]; 3.1.1: [MQTT-3.8.3-3]
    #[error("has no topic filter")]
    NoFilters,
    /// Reserved bits of the subscription options are set. [MQTT-3.8.3-5]
    #[error("reserved bits are set in {options:#010b}")]
    SubscriptionOptionsReserved {
        /// The byte.
        options: u8,
    },
    /// The subscription asks for QoS 3. Section 3.8.3.1
    #[error("maximum QoS is 3")]
    MaximumQosReserved,
    /// Retain handling is 3. Section 3.8.3.1
    #[error("retain handling is 3")]
    RetainHandlingReserved,
    /// No local is set on a shared subscription. [MQTT-3.8.3-4]
    #[error("no local is set on a shared subscription")]
    NoLocalShared,
    /// No property has this identifier. Section 2.2.2.2
    #[error("{id:#04x} is not a property")]
    PropertyUnknown {
        /// The identifier.
        id: u32,
    },
    /// The property belongs to other packets. Section 2.2.2.2
    #[error("is not allowed in this packet")]
    PropertyNotAllowed,
    /// The property may stand once and stands twice. Sections 3.1.2.11 to 3.15.2.2
    #[error("stands twice")]
    PropertyTwice,
    /// The property's value is outside its range. Sections 3.1.2.11 to 3.15.2.2
    #[error("value is out of range")]
    PropertyOutOfRange,
    /// A topic alias is 0. [MQTT-3.3.2-8]
    #[error("is 0")]
    TopicAliasZero,
    /// Authentication data comes without an authentication method. Section 3.1.2.11.10
    #[error("comes without an authentication method")]
    AuthenticationDataAlone,
    /// AUTH names no authentication method. Section 3.15.2.2.2
    #[error("has no authentication method")]
    NoAuthenticationMethod,
}

impl Rule {
    /// The reason code that answers a packet which breaks the rule.
    ///
    /// 0x81 for bytes that cannot be read, 0x82 for what can be read and is forbidden, and the special codes where
    /// there is one (section 4.13).
    pub const fn reason_code(self) -> ReasonCode {
        match self {
            Self::Truncated
            | Self::TrailingBytes { .. }
            | Self::PacketTypeReserved { .. }
            | Self::FlagsReserved { .. }
            | Self::QosReserved
            | Self::DupWithQos0
            | Self::VariableByteIntegerTooLong
            | Self::VariableByteIntegerNotMinimal
            | Self::IllFormedUtf8
            | Self::NullCharacter
            | Self::ConnectFlagReserved
            | Self::WillFlagsWithoutWill
            | Self::PasswordWithoutUserName
            | Self::AcknowledgeFlagsReserved { .. }
            | Self::SubscriptionOptionsReserved { .. }
            | Self::PropertyUnknown { .. }
            | Self::PropertyNotAllowed => ReasonCode::MALFORMED_PACKET,
            Self::PacketIdZero
            | Self::SessionPresentInRefusal
            | Self::ReasonCode { .. }
            | Self::NoReasonCodes
            | Self::NoFilters
            | Self::MaximumQosReserved
            | Self::RetainHandlingReserved
            | Self::NoLocalShared
            | Self::PropertyTwice
            | Self::PropertyOutOfRange
            | Self::AuthenticationDataAlone
            | Self::NoAuthenticationMethod
            | Self::OtherPacketType { .. } => ReasonCode::PROTOCOL_ERROR,
            Self::ProtocolName | Self::ProtocolVersion { .. } => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::PacketTooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Self::TopicAliasZero => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::TopicName(error) => ReasonCode(error.reason_code()),
            Self::TopicFilter(error) => ReasonCode(error.reason_code()),
        }
    }
}

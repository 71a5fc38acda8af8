//! The parts of a packet, named for errors.

use core::fmt;

use crate::property::PropertyId;

/// The part of a packet an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The high four bits of the first byte.
    PacketType,
    /// The low four bits of the first byte.
    Flags,
    /// The length that follows the first byte.
    RemainingLength,
    /// What the fixed header announces, as a whole.
    Body,
    /// The protocol name of CONNECT.
    ProtocolName,
    /// The protocol level, or version, of CONNECT.
    ProtocolVersion,
    /// The flags of CONNECT.
    ConnectFlags,
    /// The keep alive of CONNECT.
    KeepAlive,
    /// The client identifier.
    ClientId,
    /// The topic of the will.
    WillTopic,
    /// The payload of the will.
    WillPayload,
    /// The user name.
    UserName,
    /// The password.
    Password,
    /// The flags of CONNACK.
    AcknowledgeFlags,
    /// A reason code or return code.
    ReasonCode,
    /// The topic name of PUBLISH.
    TopicName,
    /// The packet identifier.
    PacketId,
    /// The payload of PUBLISH.
    Payload,
    /// A topic filter.
    TopicFilter,
    /// The options behind a topic filter.
    SubscriptionOptions,
    /// The length in front of the properties, or the properties as a whole.
    Properties,
    /// The identifier of a property.
    PropertyId,
    /// The value of one property.
    Property(PropertyId),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PacketType => "packet type",
            Self::Flags => "flags",
            Self::RemainingLength => "remaining length",
            Self::Body => "body",
            Self::ProtocolName => "protocol name",
            Self::ProtocolVersion => "protocol version",
            Self::ConnectFlags => "connect flags",
            Self::KeepAlive => "keep alive",
            Self::ClientId => "client identifier",
            Self::WillTopic => "will topic",
            Self::WillPayload => "will payload",
            Self::UserName => "user name",
            Self::Password => "password",
            Self::AcknowledgeFlags => "acknowledge flags",
            Self::ReasonCode => "reason code",
            Self::TopicName => "topic name",
            Self::PacketId => "packet identifier",
            Self::Payload => "payload",
            Self::TopicFilter => "topic filter",
            Self::SubscriptionOptions => "subscription options",
            Self::Properties => "properties",
            Self::PropertyId => "property identifier",
            Self::Property(property) => property.name(),
        })
    }
}

//! The kinds of packet.

use core::fmt;

/// The kind of a packet: the high four bits of its first byte (section 2.1.2; 2.2.1 in 3.1.1).
///
/// # Examples
///
/// ```
/// use headwater_codec::PacketType;
///
/// assert_eq!(PacketType::from_u8(0x32 >> 4), Some(PacketType::Publish));
/// assert_eq!(PacketType::Publish.to_string(), "PUBLISH");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// A client asks for a connection.
    Connect = 1,
    /// The server answers a CONNECT.
    ConnAck = 2,
    /// A message.
    Publish = 3,
    /// Answers a QoS 1 PUBLISH.
    PubAck = 4,
    /// Answers a QoS 2 PUBLISH, first of three steps.
    PubRec = 5,
    /// Answers a PUBREC.
    PubRel = 6,
    /// Answers a PUBREL.
    PubComp = 7,
    /// A client asks for messages.
    Subscribe = 8,
    /// Answers a SUBSCRIBE.
    SubAck = 9,
    /// A client wants messages no longer.
    Unsubscribe = 10,
    /// Answers an UNSUBSCRIBE.
    UnsubAck = 11,
    /// A client shows that it lives.
    PingReq = 12,
    /// Answers a PINGREQ.
    PingResp = 13,
    /// The sender is about to close the connection.
    Disconnect = 14,
    /// A step of enhanced authentication, 5.0 only.
    Auth = 15,
}

impl PacketType {
    /// Every kind, by number.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The kind with this number; `None` for 0, which is reserved, and above 15.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The number of the kind, 1 to 15.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The name the specification writes, such as `PUBLISH`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    /// The four flag bits that every packet of this kind carries; `None` for PUBLISH, whose flags say something.
    #[inline]
    pub(crate) const fn fixed_flags(self) -> Option<u8> {
        match self {
            Self::Publish => None,
            // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => Some(0b0010),
            _ => Some(0),
        }
    }

    /// One bit per kind, for tables of who may carry what; bit 0 is free.
    #[inline]
    pub(crate) const fn bit(self) -> u16 {
        1 << self.as_u8()
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_are_one_to_one() {
        assert_eq!(PacketType::from_u8(0), None);
        assert_eq!(PacketType::from_u8(16), None);
        for (kind, number) in PacketType::ALL.into_iter().zip(1..) {
            assert_eq!(PacketType::from_u8(number), Some(kind));
            assert_eq!(kind.as_u8(), number);
        }
    }
}

//! Where properties stand.

use core::fmt;

use crate::packet_type::PacketType;

/// A place that holds properties: a packet, or the will inside CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PropertyPlace {
    /// The will of a CONNECT.
    Will = 0,
    /// CONNECT itself.
    Connect = PacketType::Connect.as_u8(),
    /// CONNACK.
    ConnAck = PacketType::ConnAck.as_u8(),
    /// PUBLISH.
    Publish = PacketType::Publish.as_u8(),
    /// PUBACK.
    PubAck = PacketType::PubAck.as_u8(),
    /// PUBREC.
    PubRec = PacketType::PubRec.as_u8(),
    /// PUBREL.
    PubRel = PacketType::PubRel.as_u8(),
    /// PUBCOMP.
    PubComp = PacketType::PubComp.as_u8(),
    /// SUBSCRIBE.
    Subscribe = PacketType::Subscribe.as_u8(),
    /// SUBACK.
    SubAck = PacketType::SubAck.as_u8(),
    /// UNSUBSCRIBE.
    Unsubscribe = PacketType::Unsubscribe.as_u8(),
    /// UNSUBACK.
    UnsubAck = PacketType::UnsubAck.as_u8(),
    /// DISCONNECT.
    Disconnect = PacketType::Disconnect.as_u8(),
    /// AUTH.
    Auth = PacketType::Auth.as_u8(),
}

impl PropertyPlace {
    /// The set of all places.
    pub(crate) const EVERYWHERE: u16 = u16::MAX;

    /// One bit per place.
    #[inline]
    pub(crate) const fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

impl fmt::Display for PropertyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match PacketType::from_u8(*self as u8) {
            Some(packet) => packet.name(),
            None => "the will",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_prints_as_its_packet() {
        extern crate alloc;
        use alloc::string::ToString;
        assert_eq!(PropertyPlace::ConnAck.to_string(), "CONNACK");
        assert_eq!(PropertyPlace::Auth.to_string(), "AUTH");
        assert_eq!(PropertyPlace::Will.to_string(), "the will");
    }
}

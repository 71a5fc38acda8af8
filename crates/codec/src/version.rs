//! The revisions of MQTT this crate speaks.

use core::fmt;

/// The revision of MQTT a connection speaks.
///
/// CONNECT names it once, and every later packet of the connection is read and written by it: the same bytes mean
/// different things in different revisions. Ordered by age.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Packet, Version};
///
/// // The same bytes: one reason code of 5.0, and in 3.1.1 a byte too many.
/// let puback = [0x40, 3, 0, 1, 0x10];
/// assert!(Packet::decode(&puback, Version::V5).is_ok());
/// assert!(Packet::decode(&puback, Version::V3_1_1).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V3_1,
    /// MQTT 3.1.1, protocol name `MQTT`, level 4.
    V3_1_1,
    /// MQTT 5.0, protocol name `MQTT`, level 5.
    V5,
}

impl Version {
    /// Every revision, oldest first.
    pub const ALL: [Self; 3] = [Self::V3_1, Self::V3_1_1, Self::V5];

    /// The protocol level byte of CONNECT; 5.0 calls it protocol version (section 3.1.2.2).
    #[inline]
    pub const fn level(self) -> u8 {
        match self {
            Self::V3_1 => 3,
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }

    /// The protocol name of CONNECT (section 3.1.2.1).
    #[inline]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::V3_1 => "MQIsdp",
            Self::V3_1_1 | Self::V5 => "MQTT",
        }
    }

    /// True for 5.0, the only revision with properties and with reason codes in every acknowledgement.
    #[inline]
    pub const fn has_properties(self) -> bool {
        matches!(self, Self::V5)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_1 => "MQTT 3.1",
            Self::V3_1_1 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}

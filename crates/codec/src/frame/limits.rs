//! How large a packet may be.

use crate::frame::PACKET_SIZE_MAX;
use crate::packet_type::PacketType;

/// What fixed headers are taken: the largest packets by kind, in bytes of the whole packet.
///
/// The limit is applied to the fixed header alone, before any byte of the body is waited for, so a peer cannot make
/// a receiver buffer more than this. The answer to a larger packet is reason code 0x95.
///
/// # Examples
///
/// ```
/// use headwater_codec::{Limits, PacketType};
///
/// // A server that takes large messages, but no large packet before it knows the client.
/// let limits = Limits::new(16 * 1024 * 1024).with(PacketType::Connect, 4096);
/// assert_eq!(limits.of(PacketType::Connect), 4096);
/// assert_eq!(limits.of(PacketType::Publish), 16 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By the number of the packet type; the first is never asked for.
    sizes: [u32; 16],
    overlong_lengths: bool,
}

impl Limits {
    /// No limit but the protocol's own, 268,435,460 bytes.
    pub const PROTOCOL: Self = Self::new(PACKET_SIZE_MAX);

    /// The same limit for every kind of packet.
    #[inline]
    pub const fn new(packet_size_max: u32) -> Self {
        Self { sizes: [packet_size_max; 16], overlong_lengths: false }
    }

    /// These limits with another one for one kind of packet.
    #[must_use]
    pub fn with(mut self, packet_type: PacketType, packet_size_max: u32) -> Self {
        if let Some(size) = self.sizes.get_mut(usize::from(packet_type.as_u8())) {
            *size = packet_size_max;
        }
        self
    }

    /// These limits, and a remaining length may have more bytes than it needs, such as `85 00` for 5. Lenient; off by
    /// default.
    ///
    /// Some small devices write the length into a field of a fixed size, since they learn it last. 3.1 and 3.1.1 do not
    /// forbid that in so many words. 5.0 does [MQTT-1.5.5-1], and there such a packet is refused all the same, when it
    /// is decoded. Four bytes are the most in any case.
    ///
    /// # Examples
    ///
    /// ```
    /// use headwater_codec::{DecodeOptions, Packet, Version};
    ///
    /// let padded = [0x40, 0x82, 0x00, 0x00, 0x07];
    /// assert!(Packet::decode(&padded, Version::V3_1_1).is_err());
    /// let lenient = DecodeOptions::default().overlong_lengths(true);
    /// assert!(Packet::decode_with(&padded, Version::V3_1_1, lenient).is_ok());
    /// assert!(Packet::decode_with(&padded, Version::V5, lenient).is_err());
    /// ```
    #[must_use]
    pub const fn with_overlong_lengths(mut self) -> Self {
        self.overlong_lengths = true;
        self
    }

    /// True if a remaining length may have more bytes than it needs.
    #[inline]
    pub const fn takes_overlong_lengths(&self) -> bool {
        self.overlong_lengths
    }

    /// The limit for a kind of packet.
    #[inline]
    pub fn of(&self, packet_type: PacketType) -> u32 {
        // There are 16 slots for 15 kinds.
        self.sizes.get(usize::from(packet_type.as_u8())).copied().unwrap_or(0)
    }
}

/// 1 MiB for every kind of packet.
impl Default for Limits {
    fn default() -> Self {
        Self::new(1024 * 1024)
    }
}

//! How large a packet may be.

use crate::frame::PACKET_SIZE_MAX;
use crate::packet_type::PacketType;

/// The largest packets that are taken, by kind, in bytes of the whole packet.
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
}

impl Limits {
    /// No limit but the protocol's own, 268,435,460 bytes.
    pub const PROTOCOL: Self = Self::new(PACKET_SIZE_MAX);

    /// The same limit for every kind of packet.
    #[inline]
    pub const fn new(packet_size_max: u32) -> Self {
        Self { sizes: [packet_size_max; 16] }
    }

    /// These limits with another one for one kind of packet.
    #[must_use]
    pub fn with(mut self, packet_type: PacketType, packet_size_max: u32) -> Self {
        if let Some(size) = self.sizes.get_mut(usize::from(packet_type.as_u8())) {
            *size = packet_size_max;
        }
        self
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

//! The two identifiers that travel in packets, both without a zero.

use core::fmt;
use core::num::{NonZeroU16, NonZeroU32, TryFromIntError};

/// The number that ties an acknowledgement to what it acknowledges, 1 to 65,535 (section 2.2.1; 2.3.1 in 3.1.1).
///
/// `Option<PacketId>` is as small as a `u16`.
///
/// # Examples
///
/// ```
/// use headwater_codec::PacketId;
///
/// /// The identifier after this one; 0 is left out.
/// fn next(id: PacketId) -> PacketId {
///     PacketId::new(id.get().wrapping_add(1)).unwrap_or(PacketId::MIN)
/// }
/// assert_eq!(next(PacketId::MAX), PacketId::MIN);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The smallest identifier, 1.
    pub const MIN: Self = Self(NonZeroU16::MIN);
    /// The largest identifier, 65,535.
    pub const MAX: Self = Self(NonZeroU16::MAX);

    /// A packet identifier; `None` for 0, which no packet may carry. [MQTT-2.3.1-1], [MQTT-2.2.1-3]
    #[inline]
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number, never 0.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl From<NonZeroU16> for PacketId {
    fn from(id: NonZeroU16) -> Self {
        Self(id)
    }
}

impl From<PacketId> for u16 {
    fn from(id: PacketId) -> Self {
        id.get()
    }
}

/// Fails for 0.
impl TryFrom<u16> for PacketId {
    type Error = TryFromIntError;

    fn try_from(id: u16) -> Result<Self, TryFromIntError> {
        NonZeroU16::try_from(id).map(Self)
    }
}

impl From<PacketId> for NonZeroU16 {
    fn from(id: PacketId) -> Self {
        id.0
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The number a client gives a subscription to find it again in the messages it causes, 1 to 268,435,455 (5.0,
/// section 3.8.2.1.2).
///
/// # Examples
///
/// ```
/// use headwater_codec::{Properties, Property, SubscriptionId};
///
/// let id = SubscriptionId::new(7).ok_or("0 is no subscription identifier")?;
/// let list = [Property::SubscriptionIdentifier(id)];
/// assert!(Properties::new(&list).subscription_identifiers().eq([id]));
/// assert_eq!(SubscriptionId::new(SubscriptionId::MAX + 1), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The largest identifier, the largest variable byte integer there is.
    pub const MAX: u32 = 268_435_455;

    /// A subscription identifier; `None` for 0 and above [`SubscriptionId::MAX`].
    #[inline]
    pub const fn new(id: u32) -> Option<Self> {
        match NonZeroU32::new(id) {
            Some(id) if id.get() <= Self::MAX => Some(Self(id)),
            _ => None,
        }
    }

    /// The number, never 0.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_packet_identifier_zero() {
        assert_eq!(PacketId::new(0), None);
        assert_eq!(PacketId::new(1), Some(PacketId::MIN));
        assert_eq!(PacketId::new(65_535).map(PacketId::get), Some(65_535));
    }

    #[test]
    fn a_subscription_identifier_fits_the_variable_byte_integer() {
        assert_eq!(SubscriptionId::new(0), None);
        assert_eq!(SubscriptionId::new(268_435_456), None);
        assert_eq!(SubscriptionId::new(268_435_455).map(SubscriptionId::get), Some(268_435_455));
    }
}

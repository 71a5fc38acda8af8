//! Quality of service.

use core::fmt;

/// How hard both sides work so that a message arrives (section 4.3).
///
/// Ordered from the weakest to the strongest promise, so the quality a subscriber gets is the `min` of what was
/// published and what was granted.
///
/// # Examples
///
/// ```
/// use headwater_codec::QoS;
///
/// let (published, granted) = (QoS::ExactlyOnce, QoS::AtLeastOnce);
/// assert_eq!(published.min(granted), QoS::AtLeastOnce);
/// assert_eq!(QoS::from_u8(3), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// QoS 0: sent once, never acknowledged.
    #[default]
    AtMostOnce,
    /// QoS 1: acknowledged by PUBACK, may arrive more than once.
    AtLeastOnce,
    /// QoS 2: acknowledged in two steps, arrives once.
    ExactlyOnce,
}

impl QoS {
    /// The two bits of the wire as a quality of service; `None` for 3 and above.
    #[inline]
    pub const fn from_u8(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The number of the quality of service, 0 to 2.
    #[inline]
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

impl From<QoS> for u8 {
    #[inline]
    fn from(qos: QoS) -> Self {
        qos.as_u8()
    }
}

/// Fails with the number itself when it is above 2.
impl TryFrom<u8> for QoS {
    type Error = u8;

    #[inline]
    fn try_from(bits: u8) -> Result<Self, u8> {
        Self::from_u8(bits).ok_or(bits)
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QoS {}", self.as_u8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_one_of_three_or_refused() {
        for bits in 0..=u8::MAX {
            match QoS::from_u8(bits) {
                Some(qos) => assert_eq!(qos.as_u8(), bits),
                None => assert_eq!(QoS::try_from(bits), Err(bits)),
            }
            assert_eq!(QoS::from_u8(bits).is_some(), bits <= 2);
        }
    }

    #[test]
    fn the_stronger_promise_is_the_greater() {
        assert!(QoS::AtMostOnce < QoS::AtLeastOnce && QoS::AtLeastOnce < QoS::ExactlyOnce);
    }
}

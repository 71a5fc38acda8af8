//! How much a text may cost whoever matches it.

/// The caller's own bounds on a topic name or filter, tighter than the specification's.
///
/// MQTT bounds a text only by its 65,535 bytes (section 4.7.3), so a legal text may have 65,536 levels. Nobody
/// designs such topics, but anybody may send one, and every structure pays by level for what it keeps. The default
/// is 128 levels.
///
/// # Examples
///
/// ```
/// use headwater_topic::{InvalidTopicName, Limits, TopicName};
///
/// let flat = Limits::default().levels_max(2);
/// assert!(TopicName::parse_with("plant/7", flat).is_ok());
/// assert_eq!(
///     TopicName::parse_with("plant/7/line", flat),
///     Err(InvalidTopicName::TooManyLevels { position: 7, levels_max: 2 })
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest number of levels that is accepted; 0 refuses every text.
    pub levels_max: u32,
}

impl Limits {
    /// The default of [`Limits::levels_max`].
    pub const LEVELS_MAX: u32 = 128;

    /// No bound but the specification's own: 65,535 bytes, and so at most 65,536 levels.
    pub const SPECIFICATION: Self = Self { levels_max: 65_536 };

    /// These limits with another largest number of levels.
    #[must_use]
    pub const fn levels_max(mut self, levels_max: u32) -> Self {
        self.levels_max = levels_max;
        self
    }
}

impl Default for Limits {
    /// 128 levels.
    fn default() -> Self {
        Self { levels_max: Self::LEVELS_MAX }
    }
}

/// The largest size of a name or filter in bytes; the wire has two bytes for it. [MQTT-4.7.3-3]
pub(crate) const TEXT_BYTES_MAX: usize = 65_535;

/// What separates levels, section 4.7.1.1.
pub(crate) const SEPARATOR: u8 = b'/';

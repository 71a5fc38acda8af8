//! What can be wrong with a text that wants to be a topic name or filter.
//!
//! Both are the caller's or the peer's fault, never a state of this crate. A variant is one rule of the
//! specification. Positions count bytes from 0 in the text that was given.

use thiserror::Error;

/// The rule a text breaks that was to be a topic name.
///
/// Clauses are those of MQTT 5.0; 3.1.1 has the same rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTopicName {
    /// The text is empty. [MQTT-4.7.3-1]
    #[error("topic name is empty; give at least one character")]
    Empty,
    /// The text is longer than the wire can say. [MQTT-4.7.3-3]
    #[error("topic name has {bytes} bytes; shorten it to 65535 or fewer")]
    TooLong {
        /// The size of the text in bytes.
        bytes: usize,
    },
    /// The text contains U+0000. [MQTT-4.7.3-2]
    #[error("topic name has U+0000 at byte {position}; remove it")]
    Nul {
        /// Where the character stands.
        position: usize,
    },
    /// The text contains `+` or `#`, which only filters may. [MQTT-3.3.2-2], [MQTT-4.7.0-1]
    #[error("topic name has a wildcard at byte {position}; '+' and '#' belong in filters only")]
    Wildcard {
        /// Where the wildcard stands.
        position: usize,
    },
    /// The text has more levels than [`Limits`](crate::Limits) allow.
    #[error(
        "topic name goes beyond {levels_max} levels at byte {position}; use fewer '/' or raise `levels_max`"
    )]
    TooManyLevels {
        /// Where the separator stands that opens the first level too many; 0 if no level is allowed.
        position: usize,
        /// The limit that was in force.
        levels_max: u32,
    },
}

impl InvalidTopicName {
    /// The reason code of MQTT 5.0, section 2.4, that answers a PUBLISH with this name.
    ///
    /// 0x82 (protocol error) for an empty name without a topic alias, section 3.3.2.3.4; 0x81 (malformed packet) for
    /// what no string of MQTT may be; 0x90 (topic name invalid) for the rest.
    pub const fn reason_code(self) -> u8 {
        match self {
            Self::Empty => 0x82,
            Self::Nul { .. } | Self::TooLong { .. } => 0x81,
            Self::Wildcard { .. } | Self::TooManyLevels { .. } => 0x90,
        }
    }
}

/// The rule a text breaks that was to be a topic filter.
///
/// Clauses are those of MQTT 5.0; 3.1.1 has the same rules but those of shared subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidFilter {
    /// The text is empty. [MQTT-4.7.3-1]
    #[error("topic filter is empty; give at least one character, '#' for every topic")]
    Empty,
    /// The text is longer than the wire can say. [MQTT-4.7.3-3]
    #[error("topic filter has {bytes} bytes; shorten it to 65535 or fewer")]
    TooLong {
        /// The size of the text in bytes.
        bytes: usize,
    },
    /// The text contains U+0000. [MQTT-4.7.3-2]
    #[error("topic filter has U+0000 at byte {position}; remove it")]
    Nul {
        /// Where the character stands.
        position: usize,
    },
    /// A `#` shares its level with other characters. [MQTT-4.7.1-1]
    #[error("topic filter has '#' at byte {position} beside other characters; put it alone after a '/'")]
    HashNotAlone {
        /// Where the `#` stands.
        position: usize,
    },
    /// A `#` is followed by another level. [MQTT-4.7.1-1]
    #[error("topic filter goes on after the '#' at byte {position}; end it there, or use '+' for one level")]
    HashNotLast {
        /// Where the `#` stands.
        position: usize,
    },
    /// A `+` shares its level with other characters. [MQTT-4.7.1-2]
    #[error("topic filter has '+' at byte {position} beside other characters; put it alone between '/'")]
    PlusNotAlone {
        /// Where the `+` stands.
        position: usize,
    },
    /// The text has more levels than [`Limits`](crate::Limits) allow.
    #[error(
        "topic filter goes beyond {levels_max} levels at byte {position}; use fewer '/' or raise `levels_max`"
    )]
    TooManyLevels {
        /// Where the separator stands that opens the first level too many; 0 if no level is allowed.
        position: usize,
        /// The limit that was in force.
        levels_max: u32,
    },
    /// A shared filter names no group. [MQTT-4.8.2-1]
    #[error("shared filter has no group at byte {position}; write '$share/<group>/<filter>'")]
    ShareGroupEmpty {
        /// Where the group should begin.
        position: usize,
    },
    /// The group of a shared filter contains `+` or `#`. [MQTT-4.8.2-2]
    #[error("group of the shared filter has a wildcard at byte {position}; name it without '+' and '#'")]
    ShareGroupWildcard {
        /// Where the wildcard stands.
        position: usize,
    },
    /// A shared filter ends with its group. [MQTT-4.8.2-2]
    #[error("shared filter ends at byte {position} without a filter; write '$share/<group>/<filter>'")]
    ShareFilterMissing {
        /// Where the filter, or the `/` before it, should be: the end of the text.
        position: usize,
    },
    /// The filter inside a shared filter begins with `$share/` itself; section 4.8.2 wants one for a subscription
    /// that is not shared.
    #[error("shared filter holds another shared filter at byte {position}; write '$share/' once")]
    ShareNested {
        /// Where the inner `$share/` begins.
        position: usize,
    },
    /// A text that was to be a shared filter does not begin with `$share/`. [MQTT-4.8.2-1]
    #[error("filter is not shared; write '$share/<group>/<filter>'")]
    NotShared,
}

impl InvalidFilter {
    /// The reason code of MQTT 5.0, section 2.4, that answers a SUBSCRIBE with this filter: 0x8F (topic filter invalid).
    ///
    /// A filter with U+0000 is answered by 0x8F as well; whoever reads strings from the wire refuses it before, as
    /// malformed.
    pub const fn reason_code(self) -> u8 {
        match self {
            Self::Empty
            | Self::TooLong { .. }
            | Self::Nul { .. }
            | Self::HashNotAlone { .. }
            | Self::HashNotLast { .. }
            | Self::PlusNotAlone { .. }
            | Self::TooManyLevels { .. }
            | Self::ShareGroupEmpty { .. }
            | Self::ShareGroupWildcard { .. }
            | Self::ShareFilterMissing { .. }
            | Self::ShareNested { .. }
            | Self::NotShared => 0x8F,
        }
    }
}

/// What is wrong with a filter and a name that were to be matched as texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPair {
    /// The filter is none; then the name was not looked at.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidTopicName),
}

impl InvalidPair {
    /// The reason code of MQTT 5.0, section 2.4, for the one that is wrong.
    pub const fn reason_code(self) -> u8 {
        match self {
            Self::Filter(filter) => filter.reason_code(),
            Self::Name(name) => name.reason_code(),
        }
    }
}

//! Where something was put, and so what must be durable before it may be acknowledged.

/// The places of a message or a session in the log. It is safe once each of them is durable.
///
/// See [`Store::durable`](crate::Store::durable), [`Store::wait_durable`](crate::Store::wait_durable) and
/// [`Store::is_durable`](crate::Store::is_durable).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "it is not durable yet"]
pub struct Placement {
    /// Lane and offset of the message. The partitions of the log topic `mqtt` are the lanes from 0 on, those of other log topics follow:
    /// [`Store::partition`](crate::Store::partition) tells which one it is.
    pub message: Option<(u32, u64)>,
    /// Offset in the log topic of retained messages.
    pub retained: Option<u64>,
    /// Offset in the log topic of sessions.
    pub session: Option<u64>,
}

impl Placement {
    /// Whether nothing was put anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

//! Time as the caller tells it.

/// A moment in milliseconds, on a clock that the caller chooses and that never goes back.
///
/// Only differences matter: the origin may be the start of the program. A session never reads a clock; each call that needs the
/// time takes it as an argument, so that a test runs a day in a millisecond.
///
/// # Examples
///
/// ```
/// use headwater_session::Millis;
///
/// let start = Millis(1_000);
/// assert_eq!(start.after_secs(2), Millis(3_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `millis` milliseconds later; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The moment `secs` seconds later; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn after_secs(self, secs: u64) -> Self {
        self.after(secs.saturating_mul(1_000))
    }
}

//! A wall clock that stands still until it is told otherwise.

use std::sync::atomic::{AtomicI64, Ordering};

use headwater_log::Clock;

/// A clock for the log that a test sets. It may go back and jump.
///
/// # Examples
///
/// ```
/// use headwater_log::Clock;
/// use headwater_testkit::manual_clock::ManualClock;
///
/// let clock = ManualClock::new(1_700_000_000_000);
/// clock.advance_ms(5);
/// assert_eq!(clock.now_ms(), 1_700_000_000_005);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that shows this time, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms) }
    }

    /// Sets the time.
    pub fn set_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Moves the time, also back.
    pub fn advance_ms(&self, by_ms: i64) {
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

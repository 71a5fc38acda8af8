//! A wall clock that stands still until it is told otherwise.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

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
    ran_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows this time, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms), ran_ms: AtomicU64::new(0) }
    }

    /// Sets the time, as somebody sets a clock: no time passes.
    pub fn set_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Lets time pass; or, when it is negative, sets the clock back.
    pub fn advance_ms(&self, by_ms: i64) {
        self.ran_ms.fetch_add(u64::try_from(by_ms).unwrap_or(0), Ordering::SeqCst);
        self.now_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.ran_ms.load(Ordering::SeqCst)
    }
}

use std::fmt;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the log takes the time from.
///
/// The log asks it for the timestamp of records that bring none, and for the append times by which
/// retention goes. Offsets never depend on it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock, in milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;

    /// A clock that nobody sets, in milliseconds since some time before. By it a jump of the wall clock is told from time
    /// that has passed. It need not run while the machine sleeps.
    ///
    /// Provided: that of the operating system, since this method was called first.
    fn monotonic_ms(&self) -> u64 {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

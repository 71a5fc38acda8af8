use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the log takes the time from.
///
/// The log asks it for the timestamp of records that bring none, and for the append times by which
/// retention goes. Offsets never depend on it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock, in milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;
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

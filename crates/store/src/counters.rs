//! What happened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Things that happen out of sight.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dropped: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) not_messages: AtomicU64,
    pub(crate) fell_behind: AtomicU64,
    pub(crate) retained_refused: AtomicU64,
    pub(crate) sessions_refused: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) scanned: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) summaries_lost: AtomicU64,
    pub(crate) hook_dropped: AtomicU64,
}

/// What [`Store::statistics`](crate::Store::statistics) tells. Counts begin when the store is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// QoS 0 messages that were dropped because a session, or every member of a group, had no room.
    pub dropped: u64,
    /// Messages that were not sent because their time was over.
    pub expired: u64,
    /// Records that cannot be sent as a PUBLISH.
    pub not_messages: u64,
    /// Records that retention deleted before a session had read them.
    pub fell_behind: u64,
    /// Messages that were refused because there were as many retained messages as may be.
    pub retained_refused: u64,
    /// Clients that were refused because there were as many sessions as may be.
    pub sessions_refused: u64,
    /// Messages of shared subscriptions that a session had and did not finish, and that went to another one.
    pub returned: u64,
    /// Records that were read from the log for sessions and groups that catch up. One that is read for several at a time counts once.
    pub scanned: u64,
    /// Records that they have passed without a look, because no topic that matches is among them.
    pub skipped: u64,
    /// Records of `__headwater_summaries` that could not be written, or not be used when they were read back: damaged, of another version, or of a
    /// log topic that is gone. What they were about is read again.
    pub summaries_lost: u64,
    /// Messages that the hook dropped or refused.
    pub hook_dropped: u64,
    /// Retained messages.
    pub retained: usize,
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Subscriptions of connected sessions, those to shared subscriptions included.
    pub subscriptions: usize,
    /// Shared subscriptions, each counted once.
    pub groups: usize,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            dropped: self.dropped.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            not_messages: self.not_messages.load(Ordering::Relaxed),
            fell_behind: self.fell_behind.load(Ordering::Relaxed),
            retained_refused: self.retained_refused.load(Ordering::Relaxed),
            sessions_refused: self.sessions_refused.load(Ordering::Relaxed),
            returned: self.returned.load(Ordering::Relaxed),
            scanned: self.scanned.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            summaries_lost: self.summaries_lost.load(Ordering::Relaxed),
            hook_dropped: self.hook_dropped.load(Ordering::Relaxed),
            ..Statistics::default()
        }
    }
}

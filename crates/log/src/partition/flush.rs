//! What was only appended becomes durable in time, or after so many bytes, where nobody asks for it.
//!
//! ```text
//!   upkeep   sees the end 7, 5 durable     sees 9, 5 durable; 7 was seen `flush_ms` ago: syncs
//!            |                             |
//!   -----+---+------+----------------------+---> time
//!        append 5, 6   append 7, 8
//! ```
//!
//! No append asks a clock for this: upkeep notes when it first saw an end that is not durable.

use std::sync::atomic::Ordering;

use super::Core;
use crate::error::SyncError;

/// An end that upkeep saw before it was durable, and when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overdue {
    end: u64,
    since_ms: i64,
}

impl Core {
    /// Makes everything durable if that is due, and what a sync left to be saved is.
    pub(crate) fn flush_if_due(&self, now_ms: i64) -> Result<(), SyncError> {
        if self.is_flush_due(now_ms) { self.settle() } else { Ok(()) }
    }

    fn is_flush_due(&self, now_ms: i64) -> bool {
        if self.appended_end() <= self.durable_end() {
            // Costs no sync of records, but the mark may have to be saved, or segments sealed.
            return true;
        }
        let Some(flush_ms) = self.options().flush_ms else { return false };
        let mut seen = self.overdue.lock();
        // What was seen is durable by now, or the clock went back: begin anew.
        if seen.end <= self.durable_end() || seen.since_ms > now_ms {
            *seen = Overdue { end: self.appended_end(), since_ms: now_ms };
        }
        u64::try_from(now_ms.saturating_sub(seen.since_ms)).unwrap_or(0) >= flush_ms
    }

    /// Makes everything durable if an append left too many bytes that are not. What goes wrong is for the next sync, or
    /// the next append, to say: this one asked for less.
    pub(super) fn flush_if_too_much(&self, unsynced_bytes: u64) {
        if unsynced_bytes >= self.flush_bytes.load(Ordering::Acquire) {
            let _ = self.sync();
        }
    }
}

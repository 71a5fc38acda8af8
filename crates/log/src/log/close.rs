//! Closing a log.
//!
//! ```text
//!   every partition: durable, trimmed, sealed -> recovery points -> note of a clean shutdown -> lock released
//! ```

use std::sync::atomic::Ordering;

use super::root::Root;
use crate::error::{CloseError, IoError};
use crate::format::names;
use crate::storage;

/// What Kafka writes: only the existence of the file counts.
const CLEAN_SHUTDOWN_NOTE: &[u8] = b"{\"version\":0,\"brokerEpoch\":-1}";

impl Root {
    pub(super) fn close(&self) -> Result<(), CloseError> {
        let mut guard = self.guard.lock();
        let Some(held) = guard.take() else { return Ok(()) };
        let outcome = self.close_all();
        self.shared.closed.store(true, Ordering::Release);
        self.shared.unsynced.notify();
        self.topics_changed.notify();
        drop(held);
        outcome
    }

    fn close_all(&self) -> Result<(), CloseError> {
        let mut outcome = Ok(());
        let cores = self.cores();
        for core in &cores {
            outcome = outcome.and(core.close());
        }
        outcome?;
        let ends: Vec<_> =
            cores.iter().map(|core| (core.topic(), core.number(), core.durable_end())).collect();
        self.shared.recovery_points.raise(&ends)?;
        Ok(self.leave_note()?)
    }

    /// What a Kafka broker looks for. Our own open goes by the marks.
    fn leave_note(&self) -> Result<(), IoError> {
        storage::replace_file(&*self.shared.storage, self.path(), names::CLEAN_SHUTDOWN, CLEAN_SHUTDOWN_NOTE)
    }
}

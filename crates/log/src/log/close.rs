//! Closing a log.
//!
//! ```text
//!   every partition: durable, trimmed, sealed -> recovery points -> note of a clean shutdown -> lock released
//! ```

use std::sync::atomic::Ordering;

use super::root::Root;
use super::shared::write_offsets;
use crate::error::{CloseError, IoError};
use crate::format::checkpoint::Offsets;
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
        drop(held);
        outcome
    }

    fn close_all(&self) -> Result<(), CloseError> {
        let mut outcome = Ok(());
        let mut recovery_points = Offsets::new();
        for core in self.cores() {
            match core.close() {
                Ok(()) => {
                    recovery_points.insert((core.topic().to_owned(), core.number()), core.durable_end());
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome?;
        self.leave_note(&recovery_points)?;
        Ok(())
    }

    /// What a Kafka broker looks for. Our own open goes by the marks.
    fn leave_note(&self, recovery_points: &Offsets) -> Result<(), IoError> {
        let (storage, path) = (&*self.shared.storage, self.path());
        write_offsets(storage, path, names::RECOVERY_POINTS, recovery_points)?;
        storage::replace_file(storage, path, names::CLEAN_SHUTDOWN, CLEAN_SHUTDOWN_NOTE)
    }
}

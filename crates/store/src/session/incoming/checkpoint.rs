//! How far the records of all clients are in their saved sessions, so that opening the store does not read more than it has to.
//!
//! ```text
//!   key     fe                                       no client identifier has the byte fe, and no group
//!   value   01 | count u32, then for each partition that is not at 0: partition u32 | offset u64
//! ```
//!
//! A session that does nothing is not saved for a long time, and then does not know how little has happened to it; this record says so for all.

use std::sync::Mutex;

use headwater_log::{Ack, AppendError, Record};

use super::super::snapshot::SnapshotError;
use crate::lock::lock;
use crate::offsets::Offsets;
use crate::session::Session;
use crate::session::fields::{put_offsets, take_offsets, take_version};
use crate::store::Store;

/// The key of the record.
pub(crate) const KEY: &[u8] = &[0xfe];
const VERSION: u8 = 1;

/// The last one that was written.
#[derive(Debug, Default)]
pub(crate) struct Checkpoint {
    written: Mutex<Offsets>,
}

impl Checkpoint {
    pub(crate) fn new(written: Offsets) -> Self {
        Self { written: Mutex::new(written) }
    }

    pub(crate) fn encode(offsets: &Offsets) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.reserve(4 + 12 * offsets.named().len());
        put_offsets(&mut out, offsets);
        out
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Offsets, SnapshotError> {
        let input = &mut bytes;
        take_version(input, VERSION..=VERSION)?;
        take_offsets(input, "checkpoint")
    }
}

impl Store {
    /// Writes how far the QoS 2 messages of all clients are in their saved sessions: after a crash, the log topic `mqtt` is read from there
    /// on when the store is opened, to know what clients may send again. Call it now and then, as often as that reading may be long.
    ///
    /// Costs a look at each session, and one small record if anything was published since the last time.
    ///
    /// # Errors
    ///
    /// [`AppendError`] when the log does not take it; what was written before holds.
    pub fn checkpoint(&self) -> Result<(), AppendError> {
        let shared = &self.shared;
        let mut written = lock(&shared.checkpoint.written);
        // First, and what is durable only: no power failure takes it back, and a message that is appended later is not before it.
        let mut offsets: Vec<u64> = shared.lanes.iter().map(|lane| lane.partition.durable_end()).collect();
        for session in lock(&shared.sessions).values() {
            match session {
                Session::Here(core) => lock(&core.state).held.bound(&mut offsets),
                Session::Away(away) => away.bound(&mut offsets),
            }
        }
        let offsets = Offsets::new(offsets);
        if offsets != *written {
            let value = Checkpoint::encode(&offsets);
            shared.session_log.append(&Record::new(&value).key(KEY), Ack::Appended)?;
            *written = offsets;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_refuses_what_it_does_not_know() {
        let offsets = Offsets::new([7, 0, 9]);
        let bytes = Checkpoint::encode(&offsets);
        assert_eq!(Checkpoint::decode(&bytes), Ok(offsets));
        assert!((0..bytes.len()).all(|length| Checkpoint::decode(&bytes[..length]).is_err()));
        assert_eq!(Checkpoint::decode(&[2, 0, 0, 0, 0]), Err(SnapshotError::Version { version: 2 }));
    }
}

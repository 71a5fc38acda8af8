//! One partition at work: what was appended becomes durable, then it is dispatched.
//!
//! ```text
//!   publish() --append--> [ appended ) --sync--> [ durable ) --dispatch--> inboxes of the sessions that are up to date
//!                                                            ^ position
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_log::{Partition, ReadUpTo};

use crate::dispatch;
use crate::error::LaneError;
use crate::store::Shared;

/// The work on one partition of the store: sync, then dispatch.
///
/// Without a thread that calls [`run`](Self::run) nothing becomes durable, so nothing is acknowledged and nothing of QoS 1 and 2 is
/// forwarded.
#[derive(Debug)]
pub struct Lane {
    shared: Arc<Shared>,
    work: Work,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Messages(u32),
    Retained,
    Sessions,
}

impl Lane {
    pub(crate) fn all(shared: &Arc<Shared>) -> Vec<Self> {
        let messages = (0..).zip(&shared.lanes).map(|(partition, _)| Work::Messages(partition));
        let all = messages.chain([Work::Retained, Work::Sessions]);
        all.map(|work| Self { shared: Arc::clone(shared), work }).collect()
    }

    /// Waits until something was appended, at most so long; makes it durable with one sync, and dispatches it. Returns how many records
    /// were dispatched.
    ///
    /// # Errors
    ///
    /// [`LaneError`]: the partition cannot be synced or read. It takes nothing more until the log is opened again, and every publisher
    /// whose message goes there is told; the other lanes go on.
    pub fn run(&self, timeout: Duration) -> Result<u64, LaneError> {
        match self.work {
            Work::Messages(partition) => {
                let Some(lane) = self.shared.lane(partition) else { return Ok(0) };
                sync(&lane.partition, timeout)?;
                Ok(dispatch::dispatch(&self.shared, partition, lane)?)
            }
            Work::Retained => sync(&self.shared.retained.partition, timeout).map(|()| 0),
            Work::Sessions => sync(&self.shared.session_log, timeout).map(|()| 0),
        }
    }

    /// What the lane works on, for the name of a thread.
    #[must_use]
    pub fn name(&self) -> String {
        match self.work {
            Work::Messages(partition) => format!("mqtt-{partition}"),
            Work::Retained => "retained".to_owned(),
            Work::Sessions => "sessions".to_owned(),
        }
    }
}

fn sync(partition: &Partition, timeout: Duration) -> Result<(), LaneError> {
    if partition.wait_readable(ReadUpTo::Appended, partition.durable_end(), timeout)? {
        partition.sync()?;
    }
    Ok(())
}

/// What a partition of the log topic `mqtt` needs beside its records.
#[derive(Debug)]
pub(crate) struct MessageLane {
    pub(crate) partition: Partition,
    /// Held while records are dispatched, and by a session that goes from catching up to live: then nothing moves.
    pub(crate) dispatching: Mutex<()>,
    /// The first offset that was not dispatched. Written under `dispatching` only.
    position: AtomicU64,
    /// Held while a retained message is appended and put into the tree, so that both have the same order, and while a subscription
    /// takes its start, so that every retained message before it is in the tree.
    pub(crate) retaining: Mutex<()>,
}

impl MessageLane {
    pub(crate) fn new(partition: Partition) -> Self {
        let position = AtomicU64::new(partition.durable_end());
        Self { partition, dispatching: Mutex::new(()), position, retaining: Mutex::new(()) }
    }

    /// The first offset that was not dispatched.
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// Everything before this was dispatched. Only for who holds `dispatching`.
    pub(crate) fn advance(&self, position: u64) {
        self.position.store(position, Ordering::Release);
    }
}

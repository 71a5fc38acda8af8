//! One partition at work: what was appended becomes durable, then it is dispatched.
//!
//! ```text
//!   publish() --append--> [ appended ) --sync--> [ durable ) --dispatch--> inboxes of the sessions that are up to date
//!                                                            ^ position
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headwater_log::{Partition, ReadUpTo};

use crate::dispatch;
use crate::error::LaneError;
use crate::lock::lock;
use crate::scan::Scans;
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
    /// [`LaneError`]: the partition cannot be synced or read; its variants say what is to be done. Every publisher whose message goes there
    /// is told; the other lanes go on. A panic stops the lane as an error of reading does.
    pub fn run(&self, timeout: Duration) -> Result<u64, LaneError> {
        match self.work {
            Work::Messages(partition) => {
                let Some(lane) = self.shared.lane(partition) else { return Ok(0) };
                lane.sync(timeout)?;
                if lane.is_stopped() {
                    return Ok(0);
                }
                // Whatever ends the dispatch before its time, nobody is to count on this lane any more.
                let stop = StopOnDrop(lane);
                let dispatched = dispatch::dispatch(&self.shared, partition, lane)?;
                lane.scans.forget_before(lane.partition.start_offset());
                std::mem::forget(stop);
                Ok(dispatched)
            }
            Work::Retained => sync(&self.shared.retained.partition, timeout).map(|()| 0),
            Work::Sessions => sync(&self.shared.session_log, timeout).map(|()| 0),
        }
    }

    /// What the lane works on, for the name of a thread: `mqtt-0` is partition 0 of the log topic `mqtt`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.work {
            Work::Messages(number) => {
                let lane = self.shared.lane(number).map(|lane| &lane.partition);
                lane.map_or_else(String::new, |one| format!("{}-{}", one.topic(), one.number()))
            }
            Work::Retained => "retained".to_owned(),
            Work::Sessions => "sessions".to_owned(),
        }
    }
}

struct StopOnDrop<'a>(&'a MessageLane);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
    }
}

fn sync(partition: &Partition, timeout: Duration) -> Result<(), LaneError> {
    if partition.wait_readable(ReadUpTo::Appended, partition.durable_end(), timeout)? {
        partition.sync()?;
    }
    Ok(())
}

/// What a partition of a log topic of messages needs beside its records.
#[derive(Debug)]
pub(crate) struct MessageLane {
    pub(crate) partition: Partition,
    /// Held while records are dispatched, and by a session that goes from catching up to live: then nothing moves.
    pub(crate) dispatching: Mutex<()>,
    /// The first offset that was not dispatched. Written under `dispatching` only.
    position: AtomicU64,
    /// The first offset behind all that somebody wants to be durable: messages of QoS 1 and 2.
    wanted_end: AtomicU64,
    pace: Mutex<Pace>,
    /// Whether the lane has given up dispatching: then nothing more is to be appended.
    stopped: AtomicBool,
    /// Held while a retained message is appended and put into the tree, so that both have the same order, and while a subscription
    /// takes its start, so that every retained message before it is in the tree.
    pub(crate) retaining: Mutex<()>,
    /// What those who are behind read.
    pub(crate) scans: Scans,
}

/// What the last sync was like.
#[derive(Debug, Default)]
struct Pace {
    took: Duration,
    records: u64,
}

/// With so many records in a sync, more are on their way: they come from publishers that had to wait for the last one. It is that few, as
/// those whose messages were not gathered once would not be together the next time either.
const MANY_RECORDS: u64 = 2;
/// What part of a sync is waited for them.
const GATHER_PART: u32 = 4;
/// Nothing is waited for longer than this, however long a sync takes.
const GATHER_MAX: Duration = Duration::from_millis(10);

impl MessageLane {
    /// Waits until something was appended, at most so long, gathers what comes with it, and makes it durable.
    fn sync(&self, timeout: Duration) -> Result<(), LaneError> {
        let begin = self.partition.durable_end();
        if !self.partition.wait_readable(ReadUpTo::Appended, begin, timeout)? {
            return Ok(());
        }
        std::thread::sleep(self.gathers_for(begin));
        let start = Instant::now();
        self.partition.sync()?;
        *lock(&self.pace) =
            Pace { took: start.elapsed(), records: self.partition.durable_end().saturating_sub(begin) };
        Ok(())
    }

    /// For how long messages are gathered before they are made durable together. A sync costs about as much for a hundred as for one, and
    /// publishers that were acknowledged together send together.
    fn gathers_for(&self, begin: u64) -> Duration {
        let pace = lock(&self.pace);
        let gathers = if self.wanted_end.load(Ordering::Relaxed) <= begin {
            // Nobody waits. Who comes meanwhile waits no longer than for a sync that has begun.
            pace.took
        } else if pace.records >= MANY_RECORDS {
            pace.took / GATHER_PART
        } else {
            Duration::ZERO
        };
        gathers.min(GATHER_MAX)
    }

    /// Somebody will wait until what is appended next is durable.
    pub(crate) fn want_next(&self) {
        self.wanted_end.fetch_max(self.partition.appended_end() + 1, Ordering::Relaxed);
    }

    /// Dispatches what comes from where its scans begin.
    pub(crate) fn new(partition: Partition, scans: Scans) -> Self {
        Self {
            partition,
            dispatching: Mutex::new(()),
            position: AtomicU64::new(scans.opened_at()),
            wanted_end: AtomicU64::new(0),
            pace: Mutex::default(),
            stopped: AtomicBool::new(false),
            retaining: Mutex::new(()),
            scans,
        }
    }

    /// Whether nothing more is to be appended. What is appended all the same becomes durable as long as the lane is run.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
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

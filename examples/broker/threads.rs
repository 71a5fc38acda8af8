//! What goes on beside the connections.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use headwater::log::{Log, SyncError};
use headwater::store::{Lane, LaneError};
use headwater_examples::show::{self, now_ms};

use crate::hub::Hub;

/// How long a lane sleeps at most: how long stopping may take.
const NAP: Duration = Duration::from_millis(100);
/// How often retention and expired sessions are looked after.
const UPKEEP: Duration = Duration::from_secs(10);

/// The threads of the broker.
pub(crate) struct Threads {
    stop: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

/// Starts a thread for each lane, and one for upkeep.
pub(crate) fn start(hub: &Arc<Hub>, log: &Arc<Log>) -> Result<Threads> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut handles = Vec::new();
    for lane in hub.store.lanes() {
        let stop = Arc::clone(&stop);
        let work = move || run_lane(&lane, &stop);
        let name = format!("lane-{}", handles.len());
        handles.push(Builder::new().name(name).spawn(work).context("a thread cannot be started")?);
    }
    let work = {
        let (hub, log, stop) = (Arc::clone(hub), Arc::clone(log), Arc::clone(&stop));
        move || upkeep(&hub, &log, &stop)
    };
    handles.push(Builder::new().name("upkeep".to_owned()).spawn(work).context("a thread cannot be started")?);
    Ok(Threads { stop, handles })
}

impl Threads {
    /// Waits until each has finished what it is at.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for handle in self.handles {
            if handle.join().is_err() {
                tracing::error!("a thread has panicked");
            }
        }
    }
}

fn run_lane(lane: &Lane, stop: &AtomicBool) {
    const STOPPED: &str = "takes nothing more until the broker is started again";
    let lane_name = lane.name();
    let mut panicked = false;
    while !stop.load(Ordering::Relaxed) {
        // The lane knows whether it was left in the middle of its work.
        match catch_unwind(AssertUnwindSafe(|| lane.run(NAP))) {
            Ok(Ok(_)) => {}
            // Out of file descriptors, most likely. Nothing is lost, and publishers wait.
            Ok(Err(LaneError::Sync(SyncError::Io(error)))) => {
                tracing::warn!(lane = lane_name, %error, "will be tried again");
                std::thread::sleep(NAP);
            }
            // What came before still becomes durable.
            Ok(Err(LaneError::Read(error))) => tracing::error!(lane = lane_name, %error, STOPPED),
            // Whoever waits was told.
            Ok(Err(error)) => {
                tracing::error!(lane = lane_name, %error, STOPPED);
                return;
            }
            Err(_) if panicked => return,
            Err(_) => {
                tracing::error!(lane = lane_name, error = "a panic", STOPPED);
                panicked = true;
            }
        }
    }
}

fn upkeep(hub: &Hub, log: &Log, stop: &AtomicBool) {
    let mut slept = Duration::ZERO;
    let mut clock_ahead_ms = None;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(NAP);
        slept += NAP;
        if slept < UPKEEP {
            continue;
        }
        slept = Duration::ZERO;
        match log.maintain(now_ms()) {
            Ok(report) => {
                if report.segments_deleted > 0 {
                    tracing::info!(
                        segments = report.segments_deleted,
                        bytes = show::bytes(report.bytes_deleted),
                        "retention deleted"
                    );
                }
                if let (Some(ahead_ms), None) = (report.clock_ahead_ms, clock_ahead_ms) {
                    tracing::warn!(
                        ahead = %humantime::format_duration(Duration::from_secs(ahead_ms / 1000)),
                        "the clock is ahead of the last message, or has jumped: retention by time believes it when it \
                         stays so for a day"
                    );
                }
                clock_ahead_ms = report.clock_ahead_ms;
            }
            Err(error) => tracing::warn!(%error, "retention"),
        }
        if let Err(error) = hub.store.checkpoint() {
            tracing::warn!(%error, "a start after a crash reads more of the log");
        }
        match hub.store.expire_sessions(now_ms()) {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "sessions expired"),
            Err(error) => tracing::warn!(%error, "sessions cannot be expired"),
        }
    }
}

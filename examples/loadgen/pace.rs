//! When messages are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::Notify;

use crate::client::Clock;

const SEC_NS: u128 = 1_000_000_000;
/// How soon it is seen that nothing more is to be sent.
const NAP: Duration = Duration::from_millis(100);

/// So many messages a second by all publishers in turn, from a moment on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) start_ns: u64,
    pub(crate) rate: u64,
    pub(crate) publishers: u32,
}

impl Pace {
    /// When a publisher's message is due.
    pub(crate) fn due_ns(self, publisher: u32, sequence: u32) -> u64 {
        self.nth_ns(u64::from(sequence) * u64::from(self.publishers) + u64::from(publisher))
    }

    /// When the message that has so many before it, of all publishers, is due.
    fn nth_ns(self, nth: u64) -> u64 {
        let since = (u128::from(nth) * SEC_NS).div_ceil(self.rate.into());
        self.start_ns.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }

    /// How many messages are due until then.
    fn due_until(self, now_ns: u64) -> u64 {
        let Some(since) = now_ns.checked_sub(self.start_ns) else { return 0 };
        u64::try_from(u128::from(since) * u128::from(self.rate) / SEC_NS)
            .map_or(u64::MAX, |before| before + 1)
    }
}

/// A thread that rings publishers when their messages are due. The runtime's own clock has milliseconds: a message would be late by one
/// before it leaves.
pub(crate) struct Bell {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Bell {
    /// Rings `publishers`, by their numbers.
    pub(crate) fn start(pace: Pace, clock: Clock, publishers: Vec<Arc<Notify>>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || ring(pace, clock, &publishers, &stopped);
        let thread =
            Builder::new().name("bell".to_owned()).spawn(run).context("a thread cannot be started")?;
        Ok(Self { stop, thread })
    }

    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        // It cannot panic; and if it did, the figures are there.
        let _ = self.thread.join();
    }
}

fn ring(pace: Pace, clock: Clock, publishers: &[Arc<Notify>], stop: &AtomicBool) {
    wake_in_time();
    let mut rung = 0;
    while !stop.load(Ordering::Relaxed) {
        let due = pace.due_until(clock.now_ns());
        let first = usize::try_from(rung % u64::from(pace.publishers)).unwrap_or(0);
        // Nobody needs to be rung twice.
        let count = usize::try_from(due - rung).unwrap_or(usize::MAX).min(publishers.len());
        publishers.iter().cycle().skip(first).take(count).for_each(|publisher| publisher.notify_one());
        rung = due;
        let next = clock.moment(pace.nth_ns(due));
        std::thread::sleep(next.saturating_duration_since(Instant::now()).min(NAP));
    }
}

/// Linux lets a thread sleep 50 us longer than it asked for unless it is told otherwise: as long as a message takes.
fn wake_in_time() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_timerslack(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_in_turn_and_as_many_as_the_rate_says() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..1_000 {
            let pace = Pace {
                start_ns: rng.u64(..1 << 40),
                rate: rng.u64(1..=10_000_000),
                publishers: rng.u32(1..100),
            };
            let nth = rng.u64(..1_000_000);
            let due_ns = pace.nth_ns(nth);
            assert_eq!(pace.due_until(due_ns), nth + 1);
            assert!(nth == 0 || pace.due_until(due_ns - 1) == nth);
            let (publisher, turn) = (rng.u32(..pace.publishers), rng.u32(..1_000));
            let nth = u64::from(turn) * u64::from(pace.publishers) + u64::from(publisher);
            assert_eq!(pace.due_ns(publisher, turn), pace.nth_ns(nth));
        }
        let pace = Pace { start_ns: 50, rate: 1_000, publishers: 2 };
        assert_eq!([pace.due_ns(0, 0), pace.due_ns(1, 0), pace.due_ns(0, 1)], [50, 1_000_050, 2_000_050]);
        assert_eq!([49, 50, 1_000_049, 1_000_050].map(|ns| pace.due_until(ns)), [0, 1, 1, 2]);
    }
}

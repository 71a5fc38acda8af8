//! What is done when, and how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::Clock;
use crate::options::Options;
use crate::pace::Pace;

const SEC_NS: u64 = 1_000_000_000;

/// What all clients share.
///
/// ```text
///   start ---- warm-up ----> begin ---- measured ----> end, or the last message
/// ```
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) options: Arc<Options>,
    pub(crate) clock: Clock,
    start_ns: u64,
    /// Messages that are due from here on are measured.
    pub(crate) begin_ns: u64,
    /// None is due from here on; `None` where they are counted.
    pub(crate) end_ns: Option<u64>,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) received: AtomicU64,
}

impl Plan {
    /// Starts now.
    pub(crate) fn new(options: &Arc<Options>, clock: Clock) -> Self {
        let start_ns = clock.now_ns();
        let begin_ns = start_ns + options.warmup * SEC_NS;
        let end_ns = options.messages.is_none().then_some(begin_ns + options.seconds * SEC_NS);
        Self {
            options: Arc::clone(options),
            clock,
            start_ns,
            begin_ns,
            end_ns,
            sent: AtomicU64::default(),
            acknowledged: AtomicU64::default(),
            received: AtomicU64::default(),
        }
    }

    /// The pace, if there is a rate.
    pub(crate) fn pace(&self) -> Option<Pace> {
        let Options { rate, publishers, .. } = *self.options;
        rate.map(|rate| Pace { start_ns: self.start_ns, rate, publishers })
    }

    /// Whether what comes now counts in the rate of what comes.
    pub(crate) fn is_measured(&self, now_ns: u64) -> bool {
        now_ns >= self.begin_ns && self.end_ns.is_none_or(|end_ns| now_ns < end_ns)
    }

    /// How much has happened: it stands still when nothing does.
    pub(crate) fn progress(&self) -> u64 {
        [&self.sent, &self.acknowledged, &self.received]
            .map(|count| count.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// How far it has come, and how far it goes.
    pub(crate) fn way(&self) -> (u64, u64) {
        match (self.end_ns, self.options.messages) {
            (Some(end_ns), _) => (self.clock.now_ns().saturating_sub(self.start_ns), end_ns - self.start_ns),
            (None, messages) => (self.sent.load(Ordering::Relaxed), messages.unwrap_or_default()),
        }
    }
}

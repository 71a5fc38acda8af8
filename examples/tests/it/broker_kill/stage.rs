//! What all threads of the test know: whether the broker is there, and how far it has come.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Load,
    Drain,
    Last,
}

pub(super) struct Stages {
    pub(super) address: SocketAddr,
    pub(super) start: Instant,
    deadline: Instant,
    /// Nobody connects while there is no broker: on its port, which may be given to any socket, a client could meet itself.
    up: AtomicBool,
    stage: AtomicU8,
    ready: AtomicUsize,
    idle: AtomicUsize,
}

impl Stages {
    pub(super) fn new(address: SocketAddr, limit: Duration) -> Self {
        let start = Instant::now();
        Self {
            address,
            start,
            deadline: start + limit,
            up: AtomicBool::new(true),
            stage: AtomicU8::new(Stage::Load as u8),
            ready: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
        }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::SeqCst);
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::Load,
            1 => Stage::Drain,
            _ => Stage::Last,
        }
    }

    pub(super) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    /// A client is connected, and subscribed if it wants to be.
    pub(super) fn count_ready(&self) {
        self.ready.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.load(Ordering::SeqCst)
    }

    /// A publisher has nothing in flight any more.
    pub(super) fn count_idle(&self) {
        self.idle.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.load(Ordering::SeqCst)
    }

    /// Waits, but not for ever.
    pub(super) fn wait(&self, what: &str, mut there: impl FnMut() -> bool) {
        while !there() {
            self.check(what);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A test that hangs fails.
    pub(super) fn check(&self, who: &str) {
        assert!(Instant::now() < self.deadline, "{who}: waited for too long");
    }
}

//! All interleavings of publishing an end, reading up to it, and waiting for it.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p headwater-log --release --test loom
//! ```
//!
//! The library's `partition/signal.rs` is compiled once more here, over loom's locks and atomics; without that flag this
//! file is empty. A record is a relaxed atomic: were it not published by the end,
//! loom would let a reader see what was there before. Loom has no clock: a timed wait never times out in it.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "tests assert")]

use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Notify};
use loom::thread;

use signal::Signal;

/// What the library has in `sync.rs`, over loom.
mod sync {
    use std::sync::PoisonError;
    use std::time::Duration;

    pub(crate) use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: Duration,
        ) -> MutexGuard<'a, T> {
            self.wait(guard)
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

#[path = "../src/partition/signal.rs"]
mod signal;

/// A partition of two records: an end that is published, and a flag that says that no more will come.
struct Log {
    records: [AtomicU64; 2],
    end: AtomicU64,
    failed: AtomicBool,
    moved: Signal,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            records: [AtomicU64::new(0), AtomicU64::new(0)],
            end: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            moved: Signal::default(),
        })
    }

    fn record(&self, offset: u64) -> &AtomicU64 {
        self.records.get(usize::try_from(offset).unwrap()).unwrap()
    }

    /// As `Core::append`: the bytes, then the end, then the word to those who wait.
    fn append(&self, offset: u64) {
        self.record(offset).store(offset + 100, Ordering::Relaxed);
        self.end.store(offset + 1, Ordering::Release);
        self.moved.notify();
    }

    /// As a poisoned writer: no end will move any more.
    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.moved.notify();
    }

    /// As `Core::reached`: the record, or that there will be none; `None` while it has to wait.
    fn reached(&self, offset: u64) -> Option<Result<u64, ()>> {
        // In this order: a record that came just before the failure is there.
        let failed = self.failed.load(Ordering::Acquire);
        if self.end.load(Ordering::Acquire) > offset {
            return Some(Ok(self.record(offset).load(Ordering::Relaxed)));
        }
        failed.then_some(Err(()))
    }

    fn wait(&self, offset: u64) -> Result<u64, ()> {
        self.moved.wait(Duration::MAX, || self.reached(offset)).unwrap()
    }

    /// An executor of one future: polls, and sleeps until it is woken.
    fn block_on(&self, offset: u64) -> Result<u64, ()> {
        let bell = Arc::new(Notify::new());
        let waker = waker(&bell);
        let mut ticket = None;
        loop {
            match self.moved.poll(&mut ticket, &waker, || self.reached(offset)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => bell.wait(),
            }
        }
    }
}

struct Bell(Arc<Notify>);

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.notify();
    }
}

fn waker(bell: &Arc<Notify>) -> Waker {
    Waker::from(std::sync::Arc::new(Bell(Arc::clone(bell))))
}

/// All interleavings of two threads; of three, those in which a thread that could go on is stopped at most twice: all
/// of them are too many.
fn model(threads: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (threads > 2).then_some(2);
    builder.check(body);
}

#[test]
fn a_thread_that_waits_is_woken_and_reads_what_was_published() {
    model(2, || {
        let log = Log::new();
        let writer = Arc::clone(&log);
        let writer = thread::spawn(move || writer.append(0));
        assert_eq!(log.wait(0), Ok(100));
        writer.join().unwrap();
    });
}

#[test]
fn a_future_that_waits_is_woken_and_reads_what_was_published() {
    model(2, || {
        let log = Log::new();
        let writer = Arc::clone(&log);
        let writer = thread::spawn(move || {
            writer.append(0);
            writer.append(1);
        });
        assert_eq!(log.block_on(1), Ok(101));
        assert_eq!(log.block_on(0), Ok(100));
        writer.join().unwrap();
    });
}

#[test]
fn a_thread_and_a_future_are_both_woken() {
    model(3, || {
        let log = Log::new();
        let waiter = Arc::clone(&log);
        let waiter = thread::spawn(move || waiter.wait(0));
        let writer = Arc::clone(&log);
        let writer = thread::spawn(move || writer.append(0));
        assert_eq!(log.block_on(0), Ok(100));
        assert_eq!(waiter.join().unwrap(), Ok(100));
        writer.join().unwrap();
    });
}

/// A writer that fails tells all who wait, and one that appended before it failed still has its record read.
#[test]
fn a_writer_that_fails_wakes_all_who_wait() {
    model(3, || {
        let log = Log::new();
        let waiter = Arc::clone(&log);
        let waiter = thread::spawn(move || waiter.block_on(1));
        let writer = Arc::clone(&log);
        let writer = thread::spawn(move || {
            writer.append(0);
            writer.fail();
        });
        assert_eq!(log.wait(0), Ok(100));
        assert_eq!(waiter.join().unwrap(), Err(()));
        writer.join().unwrap();
    });
}

/// A future that is dropped while it waits takes nobody's wake-up with it.
#[test]
fn a_future_that_is_dropped_leaves_the_others_theirs() {
    model(3, || {
        let log = Log::new();
        let dropper = Arc::clone(&log);
        let dropper = thread::spawn(move || {
            let bell = Arc::new(Notify::new());
            let mut ticket = None;
            let _ = dropper.moved.poll(&mut ticket, &waker(&bell), || dropper.reached(0));
            dropper.moved.deregister(&mut ticket);
        });
        let writer = Arc::clone(&log);
        let writer = thread::spawn(move || writer.append(0));
        assert_eq!(log.block_on(0), Ok(100));
        dropper.join().unwrap();
        writer.join().unwrap();
    });
}

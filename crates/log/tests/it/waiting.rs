//! Futures that wait for records: many of them, on executors of our own, dropped in the middle, and told when the writer fails.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use headwater_log::{Ack, Partition, Reached, ReadUpTo, SyncError};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, append, check_all};

const LONG: Duration = Duration::from_secs(60);

/// Wakes a thread, and says which of its futures is to be polled.
struct Bell {
    rung: AtomicBool,
    wakes: AtomicUsize,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.rung.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// An executor of many futures on this thread: polls those that were woken, and sleeps when none was. The timeout is the
/// caller's, as it is in a program: the futures know none.
struct Executor<F> {
    futures: Vec<Option<Pin<Box<F>>>>,
    bells: Vec<Arc<Bell>>,
}

impl<F: Future> Executor<F> {
    fn new(futures: impl IntoIterator<Item = F>) -> Self {
        let futures: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
        let bell = |_: &_| {
            let thread = thread::current();
            Arc::new(Bell { rung: AtomicBool::new(true), wakes: AtomicUsize::new(0), thread })
        };
        let bells = futures.iter().map(bell).collect();
        Self { futures, bells }
    }

    /// Polls what was woken; gives what is ready, by its place.
    fn turn(&mut self) -> Vec<(usize, F::Output)> {
        let mut ready = Vec::new();
        for (at, (slot, bell)) in self.futures.iter_mut().zip(&self.bells).enumerate() {
            if !bell.rung.swap(false, Ordering::SeqCst) {
                continue;
            }
            let waker = Waker::from(Arc::clone(bell));
            let Some(future) = slot else { continue };
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                *slot = None;
                ready.push((at, outcome));
            }
        }
        ready
    }

    fn is_idle(&self) -> bool {
        self.bells.iter().all(|bell| !bell.rung.load(Ordering::SeqCst))
    }

    /// Runs until all are ready.
    fn run(mut self) -> Vec<F::Output> {
        let begun = Instant::now();
        let mut outcomes: Vec<_> = self.futures.iter().map(|_| None).collect();
        while self.futures.iter().any(Option::is_some) {
            for (at, outcome) in self.turn() {
                outcomes[at] = Some(outcome);
            }
            if self.is_idle() && self.futures.iter().any(Option::is_some) {
                thread::park_timeout(LONG);
            }
            assert!(begun.elapsed() < LONG, "a wake-up was lost");
        }
        outcomes.into_iter().map(Option::unwrap).collect()
    }
}

fn all_of(partition: &Partition, up_to: ReadUpTo, offsets: std::ops::Range<u64>) -> Vec<Reached> {
    offsets.map(|offset| partition.readable(up_to, offset)).collect()
}

/// Four executors of 200 futures each, one for every offset that a writer is about to make durable.
#[test]
fn every_one_of_many_waiters_is_woken() {
    const RECORDS: u64 = 200;
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    thread::scope(|scope| {
        for number in 0..4 {
            let partition = partition.clone();
            let up_to = if number % 2 == 0 { ReadUpTo::Durable } else { ReadUpTo::Appended };
            scope.spawn(move || {
                let executor = Executor::new(all_of(&partition, up_to, 0..RECORDS));
                assert!(executor.run().iter().all(Result::is_ok));
            });
        }
        for number in 0..RECORDS {
            append(&partition, if number % 3 == 0 { Ack::Durable } else { Ack::Appended });
        }
        partition.sync().unwrap();
    });
    assert_eq!(check_all(&partition), RECORDS);
}

/// A tail that follows the end: it waits for each record, and reads it, while they are appended.
#[test]
fn a_reader_that_waits_follows_the_writer_to_the_end() {
    const RECORDS: u64 = 500;
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    thread::scope(|scope| {
        let reader = partition.clone();
        let reader = scope.spawn(move || {
            let mut next = 0;
            while next < RECORDS {
                assert!(Executor::new([reader.readable(ReadUpTo::Durable, next)]).run()[0].is_ok());
                next = reader.read(next, 1 << 16).unwrap().next_offset();
            }
            next
        });
        for _ in 0..RECORDS {
            append(&partition, Ack::Durable);
        }
        assert_eq!(reader.join().unwrap(), RECORDS);
    });
}

#[test]
fn futures_that_are_dropped_in_the_middle_take_nobody_elses_wake_up() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let mut executor = Executor::new(all_of(&partition, ReadUpTo::Appended, 0..100));
    assert!(executor.turn().is_empty());
    // Every second one goes while its waker is with the log, and others take the places.
    for future in executor.futures.iter_mut().step_by(2) {
        *future = None;
    }
    let mut late = Executor::new(all_of(&partition, ReadUpTo::Appended, 0..10));
    assert!(late.turn().is_empty());
    let dropped: Vec<_> = executor.bells.iter().step_by(2).cloned().collect();
    for _ in 0..100 {
        append(&partition, Ack::Appended);
    }
    assert!(dropped.iter().all(|bell| bell.wakes.load(Ordering::SeqCst) == 0));
    assert_eq!((executor.turn().len(), late.turn().len()), (50, 10));
}

/// A wake-up may be for nothing: the future looks, and waits on. Its newest waker is the one that counts.
#[test]
fn a_wake_up_for_nothing_is_no_harm_and_the_last_waker_counts() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let mut executor = Executor::new([partition.readable(ReadUpTo::Appended, 2)]);
    for round in 0..2 {
        assert!(executor.turn().is_empty());
        append(&partition, Ack::Appended);
        assert_eq!(executor.bells[0].wakes.load(Ordering::SeqCst), round + 1);
    }
    // The future moves to another task, which polls it with a waker of its own.
    let moved = executor.futures.pop().unwrap().unwrap();
    let mut other = Executor::new([moved]);
    assert!(other.turn().is_empty());
    append(&partition, Ack::Appended);
    assert_eq!(executor.bells[0].wakes.load(Ordering::SeqCst), 2);
    assert_eq!(other.turn().len(), 1);
}

/// The writer is poisoned: every future is told, those of durable and of appended records, and late ones too.
#[test]
fn every_waiter_is_told_of_a_writer_that_fails() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Appended);
    thread::scope(|scope| {
        let waiters: Vec<_> = [ReadUpTo::Durable, ReadUpTo::Appended]
            .into_iter()
            .map(|up_to| {
                let partition = partition.clone();
                let from = if up_to == ReadUpTo::Durable { 1 } else { 2 };
                scope.spawn(move || Executor::new(all_of(&partition, up_to, from..from + 50)).run())
            })
            .collect();
        thread::yield_now();
        bed.disk.inject(Fault::on(Op::SyncData));
        assert!(partition.sync().is_err());
        for waiter in waiters {
            let outcomes = waiter.join().unwrap();
            assert_eq!(outcomes.len(), 50);
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(SyncError::Failed(_)))));
        }
    });
    // What was durable before is read all the same; what was not never will be.
    let late = Executor::new(all_of(&partition, ReadUpTo::Durable, 0..2)).run();
    assert!(late[0].is_ok() && matches!(late[1], Err(SyncError::Failed(_))));
    assert_eq!(check_all(&partition), 1);
}

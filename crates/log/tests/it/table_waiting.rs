//! A table follows its writers: threads that block, a task that is woken, and each reads what it has written.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use headwater_log::{Ack, Position, Record, Table};

use crate::bed::{Bed, append, small};
use crate::table::Counted;

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn every_writer_reads_what_it_has_written() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = &log.create_topic("t", small().partitions(3)).unwrap();
    let table = &Mutex::new(Table::latest(topic));
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                for round in 0..100 {
                    let key = format!("{writer}-{}", round % 7);
                    let value = round.to_string();
                    let at = topic.append(&Record::new(&value).key(&key), Ack::Durable).unwrap();
                    let mut table = table.lock().unwrap();
                    assert!(table.wait_for(at, Duration::ZERO).unwrap(), "it is durable");
                    assert_eq!(table.state()[key.as_bytes()], value);
                }
            });
        }
    });
    table.lock().unwrap().catch_up().unwrap();
    assert_eq!(table.lock().unwrap().state().len(), 28);
}

#[test]
fn what_is_only_appended_is_waited_for() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(2)).unwrap();
    let mut table = Table::new(&topic, Counted::default());
    let partition = topic.partition(1).unwrap();
    let at = Position { partition: 1, offset: append(&partition, Ack::Appended) };
    assert!(!table.wait_for(at, Duration::ZERO).unwrap());
    assert_eq!((table.follow(Duration::ZERO).unwrap(), table.total_lag()), (0, 0));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| table.wait_for(at, LONG).unwrap());
        partition.sync().unwrap();
        assert!(waiter.join().unwrap());
    });
    // Only that partition was folded.
    append(&topic.partition(0).unwrap(), Ack::Durable);
    let next = Position { partition: 1, offset: append(&partition, Ack::Durable) };
    assert!(table.wait_for(next, Duration::ZERO).unwrap());
    assert_eq!(table.state().folded, [(1, 2)].into());
    assert_eq!((table.lag(0), table.lag(1)), (Some(1), Some(0)));
}

/// No record of any partition is missed, those of partitions that are added meanwhile included.
#[test]
fn a_follower_sees_every_record_of_every_partition() {
    let bed = Bed::new(0);
    let log = &bed.open();
    let topic = &log.create_topic("t", small().partitions(1)).unwrap();
    thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut table = Table::new(topic, Counted::default());
            while table.state().folded.values().sum::<u64>() < 800 {
                table.follow(LONG).unwrap();
            }
            (table.total_lag(), table.into_state().folded)
        });
        for round in 0..800_u32 {
            if round > 0 && round % 200 == 0 {
                log.alter_topic("t", topic.options().partitions(round / 200 + 1)).unwrap();
            }
            let partition = topic.partition(round % topic.partition_count()).unwrap();
            append(&partition, Ack::Durable);
        }
        let (lag, folded) = follower.join().unwrap();
        assert_eq!(lag, 0);
        let ends = topic.partitions().map(|partition| (partition.number(), partition.durable_end()));
        assert_eq!(folded, ends.collect());
    });
}

#[test]
fn a_partition_that_is_added_wakes_who_waits() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small()).unwrap();
    let mut table = Table::new(&topic, Counted::default());
    table.catch_up().unwrap();
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut changed = pin!(table.changed());
    assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    log.alter_topic("t", topic.options().partitions(2)).unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    append(&topic.partition(1).unwrap(), Ack::Durable);
    assert_eq!((table.lag(1), table.total_lag(), table.position(1)), (Some(1), 1, None));
    assert_eq!((table.catch_up().unwrap(), table.position(1)), (1, Some(1)));
}

/// A task: no thread, no runtime, woken by the partition that moves, and by nothing when it does not wait any more.
#[test]
fn a_task_is_woken_by_any_partition_and_leaves_no_waker_behind() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(3)).unwrap();
    let mut table = Table::new(&topic, Counted::default());
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut context = Context::from_waker(&waker);
    for round in 0..30_u32 {
        table.catch_up().unwrap();
        let before = counter.0.load(Ordering::SeqCst);
        {
            let mut changed = pin!(table.changed());
            assert!(changed.as_mut().poll(&mut context).is_pending());
            let partition = topic.partition(round % 3).unwrap();
            append(&partition, Ack::Appended);
            assert!(changed.as_mut().poll(&mut context).is_pending(), "not durable");
            partition.sync().unwrap();
            assert_eq!(counter.0.load(Ordering::SeqCst), before + 1);
            assert!(matches!(changed.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
        }
        assert_eq!(table.total_lag(), 1);
        // Nobody waits: nobody is woken.
        for partition in topic.partitions() {
            append(&partition, Ack::Durable);
        }
        assert_eq!(counter.0.load(Ordering::SeqCst), before + 1);
        drop(table.changed());
    }
    assert_eq!(Arc::strong_count(&counter), 2, "the waker of this test, and this one");
}

/// The state is looked at while another thread waits: the waiting needs no lock.
#[test]
fn a_table_that_is_shared_is_read_while_it_is_waited_for() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = &log.create_topic("t", small().partitions(2)).unwrap();
    let table = &RwLock::new(Table::latest(topic));
    thread::scope(|scope| {
        scope.spawn(|| {
            while table.read().unwrap().state().len() < 50 {
                let changed = table.read().unwrap().changed();
                assert!(changed.wait(LONG).unwrap());
                table.write().unwrap().catch_up().unwrap();
            }
        });
        for key in 0..50_u8 {
            // A write in between would wait for ever if the follower held the lock.
            assert!(table.read().unwrap().state().len() <= usize::from(key));
            topic.append(&Record::new("x").key(&[key]), Ack::Durable).unwrap();
        }
    });
    assert_eq!(table.read().unwrap().total_lag(), 0);
}

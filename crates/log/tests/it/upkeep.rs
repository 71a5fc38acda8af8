//! Upkeep by a thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use headwater_log::{Ack, MaintainError, SyncError};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, append};

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_thread_does_what_maintain_does_until_it_is_stopped() {
    let bed = Bed { topic: crate::bed::small().retention_ms(Some(1000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Appended);
    }
    let (send, reports) = mpsc::channel();
    let upkeep = log.start_maintenance(SHORT, move |outcome| drop(send.send(outcome))).unwrap();
    let report = reports.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!((report.segments_deleted, partition.durable_end()), (0, partition.appended_end()));
    bed.clock.advance_ms(1001);
    let deleted = reports.iter().map(Result::unwrap).find(|report| report.segments_deleted > 0).unwrap();
    assert!(deleted.segments_rolled == 1 && deleted.segments_deleted == 3, "{deleted:?}");
    assert!(!upkeep.is_finished());
    upkeep.stop();
    // The thread is gone: it had the other end of the channel.
    reports.try_iter().for_each(drop);
    assert!(matches!(reports.try_recv(), Err(mpsc::TryRecvError::Disconnected)));
    log.close().unwrap();
}

#[test]
fn it_begins_after_an_interval_and_stops_at_once_in_the_middle_of_one() {
    let bed = Bed::new(0);
    let (log, _partition) = bed.open_partition();
    let begun = Instant::now();
    for interval in [LONG, Duration::MAX] {
        let upkeep = log.start_maintenance(interval, |_| unreachable!()).unwrap();
        drop(upkeep);
    }
    assert!(begun.elapsed() < LONG);
}

#[test]
fn errors_are_told_each_time_and_the_thread_goes_on() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Appended);
    bed.disk.inject(Fault::on(Op::SyncData));
    let (send, reports) = mpsc::channel();
    let _upkeep = log.start_maintenance(SHORT, move |outcome| drop(send.send(outcome))).unwrap();
    for _ in 0..3 {
        let error = reports.recv_timeout(LONG).unwrap().unwrap_err();
        assert!(matches!(error, MaintainError::Sync(SyncError::Failed(_))), "{error}");
    }
}

/// The log is closed, or dropped, while the thread lives: it ends by itself, and holds no lock on the directory.
#[test]
fn it_ends_by_itself_when_the_log_is_closed() {
    let bed = Bed::new(0);
    let (log, _partition) = bed.open_partition();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upkeep = log
        .start_maintenance(SHORT, move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
    while count.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    log.close().unwrap();
    let log = bed.open();
    let begun = Instant::now();
    while !upkeep.is_finished() {
        assert!(begun.elapsed() < LONG);
        std::thread::yield_now();
    }
    drop(log);
}

/// A callback that owns the guard does not wait for itself.
#[test]
fn the_guard_may_be_dropped_by_its_own_callback() {
    let bed = Bed::new(0);
    let (log, _partition) = bed.open_partition();
    let (send, guards) = mpsc::channel::<headwater_log::Maintenance>();
    let (done, ended) = mpsc::channel();
    let upkeep = log
        .start_maintenance(SHORT, move |_| {
            if let Ok(guard) = guards.recv() {
                drop(guard);
                done.send(()).unwrap();
            }
        })
        .unwrap();
    send.send(upkeep).unwrap();
    ended.recv_timeout(LONG).unwrap();
}

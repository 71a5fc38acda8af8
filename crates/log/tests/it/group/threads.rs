//! Members on threads that come, go and hang while records are appended: none is lost, and none comes again behind a commit.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headwater_log::{Ack, CommitError, Log, LogOptions, Record, TopicOptions};

use super::bed::*;

const PARTITIONS: u32 = 6;
const RECORDS: u64 = 3000;

#[test]
fn groups_under_kill_lose_nothing_and_repeat_nothing_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions::default()).unwrap();
    let topic = log.create_topic("t", TopicOptions::default().partitions(PARTITIONS)).unwrap();
    let done: Vec<AtomicU64> = (0..PARTITIONS).map(|_| AtomicU64::new(0)).collect();
    let seen: Vec<Mutex<BTreeSet<u64>>> = (0..PARTITIONS).map(|_| Mutex::default()).collect();
    let (stop, fenced, lives) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let deadline = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (log, done, seen, stop, fenced, lives) = (&log, &done, &seen, &stop, &fenced, &lives);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(worker);
                while !stop.load(Ordering::SeqCst) {
                    lives.fetch_add(1, Ordering::SeqCst);
                    let options = earliest().max_poll_interval_ms(20).max_partition_fetch_bytes(2000);
                    let mut member = log.consumer_with(GROUP, ["t"], options).unwrap();
                    for _ in 0..random.u32(1..60) {
                        assert!(Instant::now() < deadline);
                        let before: Vec<u64> = done.iter().map(|done| done.load(Ordering::SeqCst)).collect();
                        let Some(records) = member.poll(Duration::from_millis(2)).unwrap() else { continue };
                        let number = records.partition().partition as usize;
                        let first = records.views().next().unwrap().unwrap().offset;
                        assert!(
                            first >= before[number],
                            "{first} again behind a commit of {}",
                            before[number]
                        );
                        seen[number]
                            .lock()
                            .unwrap()
                            .extend(records.views().map(|record| record.unwrap().offset));
                        match random.u8(..20) {
                            // It goes without a commit, or hangs until it is late.
                            0 => break,
                            1 => std::thread::sleep(Duration::from_millis(30)),
                            _ => {}
                        }
                        match member.commit(&records) {
                            Ok(()) => _ = done[number].fetch_max(records.next_offset(), Ordering::SeqCst),
                            Err(CommitError::Fenced { .. }) => _ = fenced.fetch_add(1, Ordering::SeqCst),
                            Err(error) => unreachable!("{error}"),
                        }
                    }
                }
            });
        }
        for round in 0..RECORDS {
            topic.append(&Record::new("x").key(&round.to_be_bytes()), Ack::Appended).unwrap();
            if round % 50 == 0 {
                log.sync().unwrap();
            }
        }
        log.sync().unwrap();
        let all = || {
            topic.partitions().zip(&done).all(|(one, done)| one.durable_end() == done.load(Ordering::SeqCst))
        };
        while !all() {
            assert!(Instant::now() < deadline, "{done:?}");
            std::thread::yield_now();
        }
        stop.store(true, Ordering::SeqCst);
    });
    let count: u64 = seen.iter().map(|seen| seen.lock().unwrap().len() as u64).sum();
    assert_eq!(count, RECORDS);
    assert_eq!(log.describe_group(GROUP).unwrap().lag(), 0);
    let (lives, fenced) = (lives.into_inner(), fenced.into_inner());
    eprintln!("{count} records shared by {lives} members, {fenced} commits fenced");
}

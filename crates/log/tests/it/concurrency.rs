//! Threads, wakers, and the one sync that serves many.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use headwater_log::{Ack, LogOptions, ReadUpTo, Record, SyncError, TopicOptions};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, append, check_all, small};

const LONG: Duration = Duration::from_secs(60);

/// Durable appends of eight threads need fewer syncs than there are appends, and none is lost.
#[test]
fn eight_threads_share_their_syncs() {
    const EACH: usize = 200;
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(counting::Counting::default());
    let options = LogOptions::default().storage(Arc::clone(&storage) as Arc<_>);
    let log = headwater_log::Log::open(dir.path(), options).unwrap();
    let partition = log.create_topic("t", TopicOptions::default()).unwrap().partition(0).unwrap();
    partition.append(&Record::new("first"), Ack::Durable).unwrap();
    let before = storage.syncs();
    thread::scope(|scope| {
        for number in 0..8_u64 {
            let partition = partition.clone();
            scope.spawn(move || {
                for round in 0..EACH as u64 {
                    let value = (number * 1000 + round).to_be_bytes();
                    let offset = partition.append(&Record::new(&value), Ack::Durable).unwrap();
                    assert!(partition.durable_end() > offset);
                }
            });
        }
    });
    let syncs = storage.syncs() - before;
    eprintln!("{syncs} syncs for {} durable appends of 8 threads", 8 * EACH);
    assert!(syncs < 8 * EACH, "{syncs}");
    let mut next = [0; 8];
    let mut from = 1;
    while from < partition.durable_end() {
        let fetched = partition.read(from, 1 << 20).unwrap();
        for view in fetched.views() {
            let value = u64::from_be_bytes(view.unwrap().value.unwrap().try_into().unwrap());
            // Each thread's records are in its order.
            assert_eq!(value % 1000, next[(value / 1000) as usize]);
            next[(value / 1000) as usize] += 1;
        }
        from = fetched.next_offset();
    }
    assert_eq!(next, [EACH as u64; 8]);
}

/// Records of all sizes from many threads: none lands in a segment that another thread is rolling.
#[test]
fn appenders_of_all_sizes_share_small_segments() {
    const EACH: u64 = 1500;
    let dir = tempfile::tempdir().unwrap();
    let log = headwater_log::Log::open(dir.path(), LogOptions::default()).unwrap();
    let partition = log.create_topic("t", small()).unwrap().partition(0).unwrap();
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let partition = partition.clone();
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(number);
                for round in 0..EACH {
                    let mut value = vec![0; if random.bool() { 8 } else { random.usize(8..2000) }];
                    value[..8].copy_from_slice(&(number * EACH + round).to_be_bytes());
                    partition.append(&Record::new(&value), Ack::Appended).unwrap();
                }
            });
        }
    });
    let check = |partition: &headwater_log::Partition| {
        let (mut from, mut seen) = (0, vec![false; 4 * EACH as usize]);
        while from < 4 * EACH {
            for view in partition.read_up_to(ReadUpTo::Appended, from, 1 << 16).unwrap().views() {
                let view = view.unwrap();
                assert_eq!(view.offset, from);
                let id = u64::from_be_bytes(view.value.unwrap()[..8].try_into().unwrap());
                assert!(!std::mem::replace(&mut seen[id as usize], true));
                from += 1;
            }
        }
    };
    check(&partition);
    assert!(partition.segments().len() > 200);
    log.close().unwrap();
    let log = headwater_log::Log::open(dir.path(), LogOptions::default()).unwrap();
    assert!(log.recovery().is_clean());
    check(&log.topic("t").unwrap().partition(0).unwrap());
}

/// Appenders, tailing readers, a syncing thread and retention at the same time, on segments that roll.
#[test]
fn readers_follow_appenders_through_rolls_and_retention() {
    const RECORDS: u64 = 6000;
    let bed = Bed { topic: small().retention_bytes(Some(20_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                if log.wait_unsynced(Duration::from_millis(20)) {
                    log.sync().unwrap();
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                log.maintain(0).unwrap();
                thread::yield_now();
            }
        });
        let readers: Vec<_> = [ReadUpTo::Durable, ReadUpTo::Appended]
            .into_iter()
            .map(|up_to| {
                let partition = partition.clone();
                scope.spawn(move || {
                    let (mut from, mut seen) = (0, 0_u64);
                    while from < RECORDS {
                        assert!(partition.wait_readable(up_to, from, LONG).unwrap());
                        match partition.read_up_to(up_to, from, 3000) {
                            Ok(fetched) => {
                                for view in fetched.views() {
                                    let view = view.unwrap();
                                    assert_eq!(view.offset, from);
                                    assert_eq!(view.value, Some(crate::bed::payload(from).as_slice()));
                                    (from, seen) = (from + 1, seen + 1);
                                }
                            }
                            // Retention was faster.
                            Err(headwater_log::ReadError::OffsetOutOfRange { start, .. }) => from = start,
                            Err(error) => unreachable!("{error}"),
                        }
                    }
                    seen
                })
            })
            .collect();
        for _ in 0..RECORDS {
            append(&partition, Ack::Appended);
        }
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(check_all(&partition), RECORDS);
    assert!(partition.start_offset() > 0);
    log.close().unwrap();
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An acknowledgement without a thread of its own: the future is woken by whoever syncs.
#[test]
fn a_future_is_ready_when_its_record_is_durable() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let offset = append(&partition, Ack::Appended);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut context = Context::from_waker(&waker);
    let mut durable = pin!(partition.readable(ReadUpTo::Durable, offset));
    let mut next = pin!(partition.readable(ReadUpTo::Appended, offset + 1));
    assert!(durable.as_mut().poll(&mut context).is_pending());
    assert!(next.as_mut().poll(&mut context).is_pending());
    append(&partition, Ack::Appended);
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert!(matches!(next.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    assert!(durable.as_mut().poll(&mut context).is_pending());
    partition.sync().unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 2);
    assert!(matches!(durable.as_mut().poll(&mut context), Poll::Ready(Ok(()))));

    // One that is dropped is not woken.
    let mut dropped = Box::pin(partition.readable(ReadUpTo::Durable, offset + 2));
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    append(&partition, Ack::Durable);
    assert_eq!(counter.0.load(Ordering::SeqCst), 2);
}

#[test]
fn waiters_learn_of_a_failed_sync_and_of_the_end() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Appended);
    thread::scope(|scope| {
        let waiters: Vec<_> =
            (0..4).map(|_| scope.spawn(|| partition.wait_readable(ReadUpTo::Durable, 0, LONG))).collect();
        bed.disk.inject(Fault::on(Op::SyncData));
        assert!(partition.sync().is_err());
        for waiter in waiters {
            assert!(matches!(waiter.join().unwrap(), Err(SyncError::Failed(_))));
        }
    });
    drop(log);

    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| partition.wait_readable(ReadUpTo::Durable, 0, LONG));
        let mut future = pin!(partition.readable(ReadUpTo::Appended, 0));
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        log.close().unwrap();
        assert!(matches!(waiter.join().unwrap(), Err(SyncError::Closed)));
        assert!(matches!(future.as_mut().poll(&mut context), Poll::Ready(Err(SyncError::Closed))));
    });
}

#[test]
fn waiting_for_what_is_not_appended_is_refused() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Appended);
    match partition.wait_durable(1) {
        Err(SyncError::NotAppended { offset: 1, end: 1 }) => {}
        other => unreachable!("{other:?}"),
    }
    partition.wait_durable(0).unwrap();
    assert_eq!(partition.durable_end(), 1);
    let short = Duration::from_millis(1);
    assert!(!partition.wait_readable(ReadUpTo::Durable, 1, short).unwrap());
    assert!(!log.wait_unsynced(short));
    append(&partition, Ack::Appended);
    assert!(log.wait_unsynced(LONG));
    log.sync().unwrap();
    assert_eq!(partition.durable_end(), 2);
}

/// A sync with nothing to do makes no system call.
#[test]
fn an_idle_sync_costs_nothing() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let before = bed.disk.count_all();
    for _ in 0..10 {
        assert_eq!(partition.sync().unwrap(), 1);
        log.sync().unwrap();
        log.maintain(0).unwrap();
    }
    assert_eq!(bed.disk.count_all(), before);
    // But the mark of the last records is made durable, once, when a second has passed.
    bed.clock.advance_ms(1000);
    for _ in 0..10 {
        log.maintain(0).unwrap();
    }
    assert_eq!(bed.disk.count_all(), before + 2, "one open, one sync");
    for seed in 0..20 {
        let crashed = bed.on(bed.disk.crash(seed));
        crashed.disk.damage(&crashed.file(0, "log"), |bytes| bytes[70] ^= 1);
        assert!(crashed.try_open().is_err(), "the mark proves it");
    }
}

/// The append path makes no system call: none but those that allocate space, off the lock, when it runs low.
#[test]
fn appends_make_no_system_call_of_their_own() {
    let bed = Bed { topic: small().segment_bytes(1 << 20).allocate_ahead_bytes_max(1 << 20), ..Bed::new(0) };
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Appended);
    let before = bed.disk.count_all();
    for _ in 0..100 {
        append(&partition, Ack::Appended);
    }
    assert_eq!(bed.disk.count_all(), before);
}

/// A disk that counts its syncs.
mod counting {
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use headwater_log::storage::{Access, DirEntry, Disk, File, LockGuard, Storage, Window};

    #[derive(Debug, Default)]
    pub(super) struct Counting {
        syncs: Arc<AtomicUsize>,
    }

    impl Counting {
        pub(super) fn syncs(&self) -> usize {
            self.syncs.load(Ordering::SeqCst)
        }

        fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
            Arc::new(CountingFile { file, syncs: Arc::clone(&self.syncs) })
        }
    }

    impl Storage for Counting {
        fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
            Disk.list(dir)
        }

        fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
            Disk.create_dir_all(dir)
        }

        fn create_dir(&self, dir: &Path) -> io::Result<()> {
            Disk.create_dir(dir)
        }

        fn remove_dir(&self, dir: &Path) -> io::Result<()> {
            Disk.remove_dir(dir)
        }

        fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
            Ok(self.wrap(Disk.open(path, access)?))
        }

        fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
            Ok(self.wrap(Disk.create(path)?))
        }

        fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
            Ok(self.wrap(Disk.create_new(path)?))
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            Disk.rename(from, to)
        }

        fn remove(&self, path: &Path) -> io::Result<()> {
            Disk.remove(path)
        }

        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            Disk.sync_dir(dir)
        }

        fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
            Disk.lock(path)
        }
    }

    #[derive(Debug)]
    struct CountingFile {
        file: Arc<dyn File>,
        syncs: Arc<AtomicUsize>,
    }

    impl File for CountingFile {
        fn size(&self) -> io::Result<u64> {
            self.file.size()
        }

        fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
            self.file.read_at(into, position)
        }

        fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
            self.file.write_at(bytes, position)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.file.set_len(len)
        }

        fn allocate(&self, from: u64, to: u64) -> io::Result<()> {
            self.file.allocate(from, to)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.syncs.fetch_add(1, Ordering::SeqCst);
            self.file.sync_data()
        }

        fn map(&self, capacity: usize, access: Access) -> io::Result<Window> {
            self.file.map(capacity, access)
        }
    }
}

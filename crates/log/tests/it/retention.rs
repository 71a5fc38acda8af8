//! Retention when something is in its way: a full disk, readers, appends that nobody has synced.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use headwater_log::storage::{Access, DirEntry, File, LockGuard, Storage};
use headwater_log::{Ack, AppendError, Clock, Log, MaintainError, Partition, ReadUpTo, Record};
use headwater_testkit::sim_disk::{Fault, SimDisk};

use crate::bed::{Bed, ROOT, TOPIC, append, check_all, payload, read_all, small};

fn used(bed: &Bed) -> u64 {
    bed.disk.files().iter().map(|path| bed.disk.content(path).unwrap().len() as u64).sum()
}

/// A log of several segments that keeps 12,000 bytes, on a disk that somebody else has filled up.
fn full(seed: u64) -> (Bed, Log, Partition) {
    let bed = Bed { topic: small().retention_bytes(Some(12_000)), ..Bed::new(seed) };
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 8 {
        append(&partition, Ack::Durable);
    }
    bed.disk.set_space_bytes(Some(used(&bed)));
    (bed, log, partition)
}

/// P9: it is what gives the space back.
#[test]
fn a_full_disk_does_not_stop_retention() {
    for seed in 0..20 {
        let (bed, log, partition) = full(seed);
        let end = partition.durable_end();
        let report = log.maintain(bed.clock.now_ms()).unwrap();
        assert!(report.segments_deleted >= 4, "{report:?}");
        assert!(partition.size_bytes() < 17_000);
        let start = partition.start_offset();
        assert!(start > 0);
        // What was deleted never comes back.
        let (_log, crashed) = bed.on(bed.disk.crash(seed)).open_partition();
        assert_eq!((crashed.start_offset(), check_all(&crashed)), (start, end));
        // And there is room again.
        for _ in 0..30 {
            append(&partition, Ack::Durable);
        }
        log.close().unwrap();
        assert_eq!(check_all(&bed.open_partition().1), end + 30);
    }
}

#[test]
fn a_full_disk_does_not_stop_deletion_up_to_an_offset() {
    let (bed, log, partition) = full(0);
    let end = partition.durable_end();
    assert_eq!(partition.delete_records_before(end - 3).unwrap(), end - 3);
    assert!(partition.segments().len() <= 2);
    drop(log);
    bed.disk.set_space_bytes(None);
    let (_log, partition) = bed.open_partition();
    assert_eq!((partition.start_offset(), check_all(&partition)), (end - 3, end));
}

/// A segment that is too old cannot be rolled: the older ones go all the same, and the error is told.
#[test]
fn a_roll_that_fails_for_space_does_not_stop_retention() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 6 {
        append(&partition, Ack::Durable);
    }
    let end = partition.durable_end();
    bed.clock.advance_ms(61_000);
    // Not even the space ahead of the active segment is enough for a new one.
    log.sync().unwrap();
    let ahead = used(&bed) - partition.size_bytes();
    bed.disk.set_space_bytes(Some(used(&bed) - ahead.min(used(&bed))));
    match log.maintain(bed.clock.now_ms()) {
        Err(MaintainError::Append(AppendError::NoSpace(_))) => {}
        other => unreachable!("{other:?}"),
    }
    assert_eq!(partition.segments().len(), 1);
    bed.disk.set_space_bytes(None);
    log.maintain(bed.clock.now_ms()).unwrap();
    assert_eq!((partition.start_offset(), partition.durable_end()), (end, end));
}

/// At whatever moment of a retention on a full disk the power goes: a run of records without holes, up to the end.
#[test]
fn a_crash_in_a_retention_on_a_full_disk_leaves_the_end_of_the_log() {
    let mut starts = BTreeSet::new();
    for nth in 0..200 {
        let (bed, log, partition) = full(nth);
        let end = partition.durable_end();
        bed.disk.inject(Fault::on_any().skip(nth).for_good());
        let done = log.maintain(bed.clock.now_ms()).is_ok();
        for seed in 0..4 {
            let crashed = bed.on(bed.disk.crash(seed));
            crashed.disk.set_space_bytes(None);
            let (_log, recovered) = crashed.open_partition();
            assert_eq!(check_all(&recovered), end, "operation {nth}");
            starts.insert(recovered.start_offset());
        }
        if done {
            break;
        }
    }
    assert!(starts.len() > 2, "{starts:?}");
}

/// Appends that nobody has synced have no append time yet: that is not old.
#[test]
fn retention_by_time_keeps_what_was_appended_just_now() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    std::thread::scope(|scope| {
        let appender = partition.clone();
        scope.spawn(move || {
            for round in 0..3000 {
                let offset = appender.appended_end();
                let ack = if round % 17 == 0 { Ack::Durable } else { Ack::Appended };
                appender.append(&Record::new(&payload(offset)), ack).unwrap();
            }
        });
        while partition.appended_end() < 3000 {
            log.maintain(bed.clock.now_ms()).unwrap();
            assert_eq!(partition.start_offset(), 0);
        }
    });
    assert_eq!(read_all(&partition, ReadUpTo::Appended).len(), 3000);
}

/// A lookup by timestamp that a deletion overtakes gives an answer of what is left.
#[test]
fn a_lookup_by_timestamp_survives_retention() {
    for end in [".index", ".timeindex", ".log"] {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        while partition.segments().len() < 12 {
            append(&partition, Ack::Durable);
        }
        log.close().unwrap();
        // Nothing is mapped yet after an opening.
        let storage = Arc::new(Overtaken::new(bed.disk.clone(), &format!("{:020}{end}", 0)));
        let log = Log::open(ROOT, bed.options().storage(Arc::clone(&storage) as Arc<_>)).unwrap();
        let partition = log.topic(TOPIC).unwrap().partition(0).unwrap();
        let (deleter, start) = (partition.clone(), partition.segments()[3].base_offset + 1);
        storage.overtake_by(move || assert_eq!(deleter.delete_records_before(start).unwrap(), start));
        assert_eq!(partition.offset_for_timestamp(0).unwrap(), Some(start), "{end}");
        assert_eq!(partition.start_offset(), start);
    }
}

type Hook = Box<dyn FnOnce() + Send>;

/// A disk on which something else happens just before a file is opened.
struct Overtaken {
    disk: SimDisk,
    end: String,
    hook: Mutex<Option<Hook>>,
}

impl Overtaken {
    fn new(disk: SimDisk, end: &str) -> Self {
        Self { disk, end: end.to_owned(), hook: Mutex::new(None) }
    }

    fn overtake_by(&self, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overtaken").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Storage for Overtaken {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        if path.to_string_lossy().ends_with(&self.end) {
            let hook = self.hook.lock().unwrap().take();
            hook.into_iter().for_each(|hook| hook());
        }
        self.disk.open(path, access)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.remove_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.create(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.create_new(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        self.disk.lock(path)
    }
}

/// The segment that is left may be so new that nothing made its name durable. When it is the first, its loss would be a
/// hole at the beginning of what later segments have.
#[test]
fn what_becomes_the_first_segment_has_a_durable_name() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)).segment_age_ms(30_000), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    // The old segment is rolled, then it goes.
    for _ in 0..2 {
        bed.clock.advance_ms(61_000);
        log.maintain(bed.clock.now_ms()).unwrap();
    }
    assert_eq!((partition.start_offset(), partition.segments().len()), (1, 1));
    while partition.segments().len() < 2 {
        append(&partition, Ack::Appended);
    }
    for seed in 0..200 {
        let (_log, crashed) = bed.on(bed.disk.crash(seed)).open_partition();
        assert_eq!(crashed.start_offset(), 1);
        check_all(&crashed);
    }
}

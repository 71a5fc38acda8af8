//! The same log on the file system of the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use headwater_log::{
    Ack, Log, LogOptions, OpenError, Partition, ReadError, ReadOnlyOptions, ReadUpTo, Record, TopicOptions,
};

use crate::bed::{append, append_batch, check_all, payload};

fn options() -> LogOptions {
    LogOptions::default().topic_defaults(TopicOptions::default().segment_bytes(64 * 1024))
}

fn open(path: &Path) -> (Log, Partition) {
    let log = Log::open(path, options()).unwrap();
    let topic = log.open_or_create_topic("t", options().topic_defaults).unwrap();
    (log, topic.partition(0).unwrap())
}

/// What a killed process leaves is what its files show: a copy of them, made while it runs.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn segment_file(dir: &Path, base_offset: u64, suffix: &str) -> PathBuf {
    dir.join(format!("t-0/{base_offset:020}.{suffix}"))
}

#[test]
fn records_survive_a_close_and_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    for round in 0..3 {
        let (log, partition) = open(&path);
        assert!(log.recovery().is_clean());
        for _ in 0..500 {
            append_batch(&partition, 2, Ack::Appended);
        }
        partition.sync().unwrap();
        assert_eq!(check_all(&partition), 1000 * (round + 1));
        log.close().unwrap();
    }
}

/// Large batches are written by a call, small ones through the map: either way the map, the file, and who reads beside the writer show
/// the same.
#[test]
fn large_batches_are_in_the_file_and_in_the_map() {
    let dir = tempfile::tempdir().unwrap();
    let topic = TopicOptions::default().segment_bytes(1 << 20);
    let log = Log::open(dir.path(), LogOptions::default().topic_defaults(topic)).unwrap();
    let partition = log.open_or_create_topic("t", topic).unwrap().partition(0).unwrap();
    // From 1 record to 4,000, which are some 380 KB; segments end within the one kind and the other.
    for count in [1, 2_000, 3, 1, 4_000, 4_000, 500, 1, 3_000, 2_500, 1, 1] {
        let begin = append_batch(&partition, count, Ack::Appended);
        let fetched = partition.read_up_to(ReadUpTo::Appended, begin, 1).unwrap();
        assert_eq!(fetched.views().count() as u64, count);
    }
    partition.sync().unwrap();
    let end = check_all(&partition);
    assert!(partition.segments().len() > 1);
    let reader = Log::open_read_only(dir.path(), ReadOnlyOptions::default()).unwrap();
    let beside = reader.partition("t", 0).unwrap().unwrap();
    let mut from = 0;
    while from < end {
        let written = partition.read(from, 1 << 20).unwrap();
        assert_eq!(
            beside.read(ReadUpTo::Durable, from, written.bytes().len()).unwrap().bytes(),
            written.bytes()
        );
        from = written.next_offset();
    }
    let other = dir.path().join("copy");
    copy(&dir.path().join("t-0"), &other.join("t-0"));
    let copied = Log::open(&other, LogOptions::default().topic_defaults(topic)).unwrap();
    assert_eq!(check_all(&copied.topic("t").unwrap().partition(0).unwrap()), end);
}

/// P1 for a kill: everything that an append returned for is there, synced or not.
#[test]
fn appended_records_survive_the_end_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (log, partition) = open(&dir.path().join("live"));
    for round in 0..20 {
        for _ in 0..100 {
            append(&partition, Ack::Appended);
        }
        if round % 5 == 0 {
            partition.sync().unwrap();
        }
        let killed = dir.path().join(format!("killed-{round}"));
        copy(log.path(), &killed);
        let (log, recovered) = open(&killed);
        assert_eq!(check_all(&recovered), partition.appended_end());
        assert_eq!(log.recovery().bytes_cut(), 0);
        fs::remove_dir_all(killed).unwrap();
    }
}

/// Dropping a log closes it.
#[test]
fn a_dropped_log_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (log, partition) = open(dir.path());
    append(&partition, Ack::Appended);
    drop(log);
    let (log, again) = open(dir.path());
    assert!(log.recovery().is_clean());
    assert_eq!(check_all(&again), 1);
}

/// P10, between processes: another process cannot take the lock, and a log that was forgotten keeps it.
#[test]
fn another_process_is_locked_out() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _partition) = open(dir.path());
    match Log::open(dir.path(), options()) {
        Err(OpenError::Locked { path }) => assert_eq!(path, dir.path().join(".lock")),
        other => unreachable!("{other:?}"),
    }
    // A record lock of another process, as Java takes one, conflicts with ours.
    let script = "import fcntl,sys\nf=open(sys.argv[1],'r+')\n\
                  try:\n fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\nexcept OSError:\n sys.exit(7)\n";
    let python = || Command::new("python3").arg("-c").arg(script).arg(dir.path().join(".lock")).status();
    if let Ok(status) = python() {
        assert_eq!(status.code(), Some(7));
        log.close().unwrap();
        assert_eq!(python().unwrap().code(), Some(0));
    }
}

/// The space that is allocated ahead is zeros behind the batches, and is given back on close.
#[test]
fn space_is_allocated_ahead_and_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, partition) = open(dir.path());
    append(&partition, Ack::Durable);
    let file = segment_file(dir.path(), 0, "log");
    let used = partition.size_bytes();
    let live = fs::read(&file).unwrap();
    assert!(live.len() as u64 > used && live[used as usize..].iter().all(|byte| *byte == 0));
    log.close().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), used);
}

/// What the page cache has is what a reader in another process sees, without a sync.
#[test]
fn a_reader_beside_the_writer_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, partition) = open(dir.path());
    let reader = Log::open_read_only(dir.path(), ReadOnlyOptions::default()).unwrap();
    let reader = reader.partition("t", 0).unwrap().unwrap();
    let (mut durable, mut appended) = (0, 0);
    for round in 0..300 {
        append_batch(&partition, 5, if round % 10 == 0 { Ack::Durable } else { Ack::Appended });
        for (up_to, from, end) in [
            (ReadUpTo::Durable, &mut durable, partition.durable_end()),
            (ReadUpTo::Appended, &mut appended, partition.appended_end()),
        ] {
            while *from < end {
                for view in reader.read(up_to, *from, 10_000).unwrap().views() {
                    let view = view.unwrap();
                    assert_eq!((view.offset, view.value), (*from, Some(payload(*from).as_slice())));
                    *from += 1;
                }
            }
            assert!(reader.read(up_to, end, 1).unwrap().is_empty());
        }
    }
    assert!(partition.segments().len() > 1);
    log.close().unwrap();
}

/// P5: with `verify_every_read` damage is found also after the first read of a mapping.
#[test]
fn damage_behind_a_mapping_is_found_when_every_read_is_verified() {
    for (verify, found) in [(true, true), (false, false)] {
        let dir = tempfile::tempdir().unwrap();
        let (log, partition) = open(dir.path());
        append(&partition, Ack::Durable);
        log.close().unwrap();
        let log = Log::open(dir.path(), options().verify_every_read(verify)).unwrap();
        let partition = log.topic("t").unwrap().partition(0).unwrap();
        partition.read(0, 1).unwrap();
        // Another program writes into the file. Nothing of this test holds a reference to the bytes.
        let file = fs::OpenOptions::new().write(true).open(segment_file(dir.path(), 0, "log")).unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"\xff", 75).unwrap();
        let outcome = partition.read(0, 1);
        assert_eq!(matches!(outcome, Err(ReadError::Corrupt(_))), found, "{outcome:?}");
    }
}

/// Idle partitions cost no descriptor, written ones one.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_are_bounded() {
    let held = |dir: &Path| {
        let links = fs::read_dir("/proc/self/fd").unwrap();
        links
            .filter(|link| fs::read_link(link.as_ref().unwrap().path()).is_ok_and(|at| at.starts_with(dir)))
            .count()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    let log = Log::open(&path, options()).unwrap();
    let topic = log.create_topic("t", options().topic_defaults.partitions(20)).unwrap();
    assert_eq!(held(&path), 1, "the lock");
    for partition in topic.partitions().take(5) {
        for _ in 0..2000 {
            append(&partition, Ack::Appended);
        }
        partition.sync().unwrap();
        assert!(partition.segments().len() > 2);
        assert_eq!(check_all(&partition), 2000);
    }
    assert_eq!(held(&path), 1 + 5);
    log.close().unwrap();
    let log = Log::open(&path, options()).unwrap();
    for partition in log.topic("t").unwrap().partitions() {
        check_all(&partition);
    }
    assert_eq!(held(&path), 1);
}

/// P14: a long log costs no more mappings than the options allow, whether it was just written or is read.
#[cfg(target_os = "linux")]
#[test]
fn mappings_are_bounded() {
    let mapped = |dir: &Path| {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().filter(|line| line.contains(dir.to_str().unwrap())).count()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    let options = || options().mapped_segments_max(5);
    let small = options().topic_defaults.segment_bytes(4096);
    let log = Log::open(&path, options()).unwrap();
    let partition = log.create_topic("t", small).unwrap().partition(0).unwrap();
    while partition.segments().len() < 200 {
        append(&partition, Ack::Appended);
    }
    partition.sync().unwrap();
    // The one that takes appends: batches, two indexes, mark.
    assert!(mapped(&path) <= 4, "{}", mapped(&path));
    let end = check_all(&partition);
    assert!((5..=5 * 3 + 4).contains(&mapped(&path)), "{}", mapped(&path));
    log.close().unwrap();
    drop(partition);

    let log = Log::open(&path, options()).unwrap();
    let partition = log.topic("t").unwrap().partition(0).unwrap();
    assert_eq!(mapped(&path), 0);
    assert_eq!(check_all(&partition), end);
    // Threads take segments away from each other, and what one holds stays.
    thread::scope(|scope| {
        for seed in 0..4 {
            let (partition, mapped, path) = (&partition, &mapped, &path);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..500 {
                    let offset = random.u64(..end);
                    let held = partition.read(offset, 1).unwrap();
                    let other = partition.read(random.u64(..end), 1).unwrap();
                    assert!(!other.is_empty());
                    let record = held.records().next().unwrap().unwrap();
                    assert_eq!(record.value.as_deref(), Some(payload(offset).as_slice()));
                }
                assert!(mapped(path) <= (5 + 4 * 2) * 3 + 4);
            });
        }
    });
    let refused = Log::open(&path, options().mapped_segments_max(0)).unwrap_err();
    assert!(matches!(refused, OpenError::Options(_)), "{refused}");
}

/// Threads append, one syncs, one reads, all on the real thing.
#[test]
fn threads_append_and_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (log, partition) = open(dir.path());
    thread::scope(|scope| {
        for _ in 0..3 {
            let partition = partition.clone();
            scope.spawn(move || {
                for round in 0..2000 {
                    let ack = if round % 100 == 0 { Ack::Durable } else { Ack::Appended };
                    partition.append(&Record::new("some value of some length"), ack).unwrap();
                }
            });
        }
        let reader = partition.clone();
        scope.spawn(move || {
            let mut from = 0;
            while from < 6000 {
                let fetched = reader.read_up_to(ReadUpTo::Appended, from, 20_000).unwrap();
                for record in &fetched {
                    assert_eq!(record.unwrap().offset, from);
                    from += 1;
                }
            }
        });
    });
    log.close().unwrap();
    assert_eq!(open(dir.path()).1.durable_end(), 6000);
}

/// A file full of holes is of no use as an index, and too large for memory.
#[test]
#[cfg(target_os = "linux")]
fn a_side_file_of_a_tebibyte_is_not_read() {
    for suffix in ["index", "timeindex", "durable"] {
        let dir = tempfile::tempdir().unwrap();
        let killed = dir.path().join("killed");
        let (log, partition) = open(&dir.path().join("log"));
        for _ in 0..100 {
            append(&partition, Ack::Durable);
        }
        copy(&dir.path().join("log"), &killed);
        drop(log);
        let file = fs::OpenOptions::new().write(true).open(segment_file(&killed, 0, suffix)).unwrap();
        file.set_len(1 << 40).unwrap();
        if suffix == "durable" {
            let error = Log::open(&killed, options()).unwrap_err();
            assert!(matches!(error, OpenError::Io(_)), "{error}");
            continue;
        }
        let (log, partition) = open(&killed);
        assert_eq!(check_all(&partition), 100, "{suffix}");
        append(&partition, Ack::Durable);
        log.close().unwrap();
        // And of a log that was closed.
        let file = fs::OpenOptions::new().write(true).open(segment_file(&killed, 0, suffix)).unwrap();
        file.set_len(1 << 40).unwrap();
        let (_log, partition) = open(&killed);
        append(&partition, Ack::Durable);
        assert_eq!(check_all(&partition), 102, "{suffix}");
    }
}

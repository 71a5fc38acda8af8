//! Files and directories of others in the log's directory: they are left alone, or named in an error.

use std::fs;
use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, Log, LogOptions, OpenError, Record, TopicError};

use crate::bed::{Bed, append, check_all, small};

/// Puts a file there as another program would.
fn put(bed: &Bed, path: &str, bytes: &[u8]) {
    let path = Path::new(path);
    bed.disk.create_dir_all(path.parent().unwrap()).unwrap();
    bed.disk.create(path).unwrap().write_at(bytes, 0).unwrap();
}

fn holds(bed: &Bed, path: &str, bytes: &[u8]) -> bool {
    bed.disk.content(Path::new(path)).as_deref() == Some(bytes)
}

#[test]
fn a_directory_of_others_that_is_named_like_a_partition_is_left_alone() {
    let bed = Bed::new(0);
    let files = ["/data/photos-2024/holiday.jpg", "/data/release-0/app.tar", "/data/t-7/notes/deep"];
    for path in files {
        put(&bed, path, b"precious");
    }
    bed.disk.create_dir_all(Path::new("/data/empty-0")).unwrap();
    for _ in 0..2 {
        let (log, partition) = bed.open_partition();
        append(&partition, Ack::Durable);
        assert_eq!(log.topics(), ["t"]);
        log.create_topic("photos", small()).unwrap();
        log.delete_topic("photos").unwrap();
        log.close().unwrap();
        assert!(files.iter().all(|path| holds(&bed, path, b"precious")));
        assert!(bed.disk.list(Path::new("/data/empty-0")).is_ok());
    }
}

/// A broker of a cluster may have some of a topic's partitions and not the first.
#[test]
fn a_partition_of_kafka_without_partition_0_is_an_error_and_is_left_alone() {
    let bed = Bed::new(0);
    put(&bed, "/data/orders-1/00000000000000000000.log", b"");
    put(&bed, "/data/orders-1/partition.metadata", b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg");
    match bed.try_open() {
        Err(OpenError::MissingPartition { topic, partition }) => {
            assert_eq!((&*topic, partition), ("orders", 0))
        }
        other => unreachable!("{other:?}"),
    }
    assert!(holds(&bed, "/data/orders-1/00000000000000000000.log", b""));
}

#[test]
fn a_topic_is_not_created_over_a_directory_that_is_there() {
    let bed = Bed::new(0);
    let log = bed.open();
    put(&bed, "/data/t-1/00000000000000000000.log", b"precious");
    put(&bed, "/data/u-0/app.tar", b"precious");
    for (topic, partitions, path) in [("t", 2, "/data/t-1"), ("u", 1, "/data/u-0")] {
        match log.create_topic(topic, small().partitions(partitions)) {
            Err(TopicError::InTheWay { path: found }) => assert_eq!(found, Path::new(path)),
            other => unreachable!("{other:?}"),
        }
    }
    assert!(holds(&bed, "/data/t-1/00000000000000000000.log", b"precious"));
    assert!(holds(&bed, "/data/u-0/app.tar", b"precious"));
    // An empty one is nobody's.
    bed.disk.create_dir_all(Path::new("/data/v-0")).unwrap();
    log.create_topic("v", small()).unwrap();
}

/// Neither at once nor at the next open, and the rest of the log is not the worse for it.
#[test]
fn deleting_a_topic_removes_what_the_log_wrote_and_nothing_else() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let topic = log.create_topic("u", small()).unwrap();
    put(&bed, "/data/u-0/notes.txt", b"precious");
    put(&bed, "/data/u-0/sub/deep.txt", b"precious");
    topic.append(&Record::new("x"), Ack::Durable).unwrap();
    log.delete_topic("u").unwrap();
    for _ in 0..2 {
        let left = bed.disk.list(Path::new("/data/u-0")).unwrap();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(holds(&bed, "/data/u-0/sub/deep.txt", b"precious"));
    }
    assert!(matches!(log.create_topic("u", small()), Err(TopicError::InTheWay { .. })));
    log.close().unwrap();
    let (log, partition) = bed.open_partition();
    assert_eq!((log.topics(), check_all(&partition)), (vec!["t".to_owned()], 1));
}

#[test]
fn temporary_files_of_others_stay_and_the_logs_own_go() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    log.close().unwrap();
    let ours =
        ["leader-epoch-checkpoint.tmp", "00000000000000000000.index.tmp", "00000000000000000000.log.deleted"];
    let strangers = ["notes.tmp", "notes.txt", "00000000000000000000.backup.tmp"];
    for name in ours.iter().chain(&strangers) {
        put(&bed, &format!("/data/t-0/{name}"), b"x");
    }
    bed.open();
    assert!(ours.iter().all(|name| !holds(&bed, &format!("/data/t-0/{name}"), b"x")));
    assert!(strangers.iter().all(|name| holds(&bed, &format!("/data/t-0/{name}"), b"x")));
}

/// A partition may lie on another disk.
#[cfg(unix)]
#[test]
fn a_partition_behind_a_symbolic_link_is_a_partition() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = || Log::open(dir.path(), LogOptions::default()).unwrap();
    let log = open();
    let partition = log.create_topic("t", small()).unwrap().partition(0).unwrap();
    append(&partition, Ack::Durable);
    log.close().unwrap();
    let (here, there) = (dir.path().join("t-0"), other.path().join("elsewhere"));
    fs::rename(&here, &there).unwrap();
    std::os::unix::fs::symlink(&there, &here).unwrap();
    let log = open();
    assert_eq!(log.topics(), ["t"]);
    let partition = log.open_or_create_topic("t", small()).unwrap().partition(0).unwrap();
    append(&partition, Ack::Durable);
    assert_eq!(check_all(&partition), 2);
    log.close().unwrap();
    // A link that leads nowhere is no reason to begin anew.
    fs::rename(&there, other.path().join("gone")).unwrap();
    match Log::open(dir.path(), LogOptions::default()) {
        Err(OpenError::Io(error)) => assert_eq!(error.path(), here),
        other => unreachable!("{other:?}"),
    }
    fs::rename(other.path().join("gone"), &there).unwrap();
    let log = open();
    log.delete_topic("t").unwrap();
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0);
    assert!(open_after(log, dir.path()).topics().is_empty());
}

#[cfg(unix)]
fn open_after(log: Log, path: &Path) -> Log {
    log.close().unwrap();
    Log::open(path, LogOptions::default()).unwrap()
}

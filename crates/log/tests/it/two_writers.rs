//! A `Storage` of somebody's own whose lock lets everybody in: an error, and no byte changes that somebody holds.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::{Access, DirEntry, Disk, File, LockGuard, Storage};
use headwater_log::{Ack, AppendError, Log, LogOptions, Partition, Record, TopicOptions};

#[derive(Debug)]
struct Unlocked;

#[derive(Debug)]
struct NoLock;

impl LockGuard for NoLock {}

impl Storage for Unlocked {
    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn LockGuard>>> {
        Ok(Some(Box::new(NoLock)))
    }

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
        Disk.open(path, access)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Disk.create(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Disk.create_new(path)
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
}

fn open(path: &Path) -> (Log, Partition) {
    let log = Log::open(path, LogOptions::default().storage(Arc::new(Unlocked))).unwrap();
    let topic = log.open_or_create_topic("t", TopicOptions::default()).unwrap();
    (log, topic.partition(0).unwrap())
}

fn busy(outcome: Result<u64, AppendError>) {
    match outcome {
        Err(AppendError::Io(error)) => assert_eq!(error.kind(), ErrorKind::ResourceBusy),
        other => unreachable!("{other:?}"),
    }
}

#[cfg(unix)]
#[test]
fn a_second_writer_changes_no_byte_that_somebody_holds() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).0.close().unwrap();
    let (first, writer) = open(dir.path());
    let (second, intruder) = open(dir.path());
    writer.append(&Record::new("aaaa").timestamp(1), Ack::Durable).unwrap();
    let held = writer.read(0, 1000).unwrap();
    let value = held.records().next().unwrap().unwrap().value.unwrap();
    let theirs = Record::new("bbbb").timestamp(1);
    busy(intruder.append(&theirs, Ack::Durable));
    // Neither when the first is gone, as long as its bytes are held.
    first.close().unwrap();
    busy(intruder.append(&theirs, Ack::Durable));
    assert_eq!(&value[..], b"aaaa");
    drop((second, writer));
    let (_log, partition) = open(dir.path());
    assert_eq!(partition.append(&theirs, Ack::Durable).unwrap(), 1);
    assert_eq!(&value[..], b"aaaa");
}

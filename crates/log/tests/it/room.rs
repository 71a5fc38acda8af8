//! Space on the disk: the log and its two indexes need it at different times.

use std::sync::Arc;

use headwater_log::storage::{Disk, Storage};
use headwater_log::{Ack, Log, LogOptions, TopicOptions};
use headwater_testkit::sim_disk::SimDisk;

use crate::bed::{append, check_all, partition};

/// Once a segment's log has all the space that it can get, its indexes still get theirs.
#[test]
fn an_index_gets_space_when_the_log_has_all_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let disks: [(_, Arc<dyn Storage>); 2] =
        [(folder.path(), Arc::new(Disk)), (std::path::Path::new("/data"), Arc::new(SimDisk::new(0)))];
    for (path, storage) in disks {
        let log = Log::open(path, LogOptions::default().storage(storage)).unwrap();
        // The log of a segment is allocated in one step, its indexes in steps of 4 KiB; every batch has an entry in each.
        let topic = TopicOptions::default().segment_bytes(128 * 1024).index_interval_bytes(0);
        let partition = partition(&log, topic);
        while partition.segments().len() < 3 {
            append(&partition, Ack::Appended);
        }
        partition.sync().unwrap();
        assert!(check_all(&partition) > 1_000);
        log.close().unwrap();
    }
}

//! Producer ids are given out once.

use std::collections::HashSet;
use std::path::Path;

use headwater_log::ProducerIdError;
use headwater_log::storage::{Access, Storage};
use headwater_testkit::sim_disk::{Fault, Op as DiskOp};

use crate::bed::{Bed, partition};
use crate::idempotence::{numbers, sent};

#[test]
fn producer_ids_are_given_once_over_all_crashes() {
    let bed = Bed::new(0);
    let mut disk = bed.disk.clone();
    let mut given = HashSet::new();
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..60 {
        let bed = bed.on(disk.clone());
        let log = bed.open();
        let here = partition(&log, bed.topic);
        // Somebody chose an id of his own that comes next.
        if round % 10 == 3 {
            let id = given.iter().max().copied().unwrap_or(0) / 1000 * 1000 + 1000 + round;
            sent(&here, numbers(id, 0, 0), 1);
            assert!(given.insert(id));
        }
        for _ in 0..random.usize(1..1500) {
            let id = log.new_producer_id().unwrap();
            assert!(id >= 0 && given.insert(id), "{id} was given twice");
        }
        disk = bed.disk.crash(random.u64(..));
        bed.disk.halt();
    }
    assert!(given.iter().all(|id| *id < 200_000), "no more than the rest of a block is lost each time");
}

#[test]
fn producer_ids_that_cannot_be_known_are_not_given() {
    let bed = Bed::new(0);
    let log = bed.open();
    assert_eq!(log.new_producer_id().unwrap(), 0);
    let path = Path::new("/data/.headwater_producer_ids");
    let content = bed.disk.content(path).unwrap();
    assert_eq!(content[..16], *b"HWPI\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x03\xe8");
    log.close().unwrap();
    for len in 0..content.len() {
        bed.disk.damage(path, |bytes| *bytes = content[..len].to_vec());
        let error = bed.open().new_producer_id().unwrap_err();
        assert!(matches!(&error, ProducerIdError::Damaged { path: found } if found == path), "{error}");
    }
    bed.disk.damage(path, |bytes| {
        *bytes = b"HWPI\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x03\xe8".to_vec();
        let crc = crc_fast::crc32_iscsi(bytes);
        bytes.extend(crc.to_be_bytes());
    });
    let error = bed.open().new_producer_id().unwrap_err();
    assert!(matches!(error, ProducerIdError::UnsupportedVersion { found: 2, known: 1, .. }), "{error}");
    bed.disk.remove(path).unwrap();
    let log = bed.open();
    bed.disk.inject(Fault::on(DiskOp::SyncDir).path_end("/data"));
    assert!(matches!(log.new_producer_id(), Err(ProducerIdError::Io(_))));
    assert_eq!(log.new_producer_id().unwrap() % 1000, 0);
    assert!(bed.disk.open(path, Access::Read).is_ok());
    log.close().unwrap();
}

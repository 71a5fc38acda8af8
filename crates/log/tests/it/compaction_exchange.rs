//! P11: an exchange of segments that something came between: what a failure has left, a deletion, a reader who was in the middle.

use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{Ack, CompactError, ReadOnlyLog, ReadOnlyOptions, ReadUpTo, Record, SyncError};
use headwater_testkit::sim_disk::{Bounds, Fault, Op};

use crate::bed::{ROOT, START_MS, TOPIC, read_all};
use crate::compaction::{bed, compact, fill, put, roll};

/// A file that an attempt has left, since it could not even remove it, would make every exchange behind it void, after the
/// segments that it replaces have gone. So it goes first.
#[test]
fn what_an_attempt_that_failed_has_left_does_not_void_the_next_one() {
    let bed = bed();
    let (_log, partition) = bed.open_partition();
    fill(&partition, 300, 10);
    compact(&partition);
    let before = read_all(&partition, ReadUpTo::Durable);
    // Of the first segment, so that it stands in the way of each; and of a kind that no exchange takes along.
    let left = bed.file(0, "txnindex.cleaned");
    bed.disk.create(&left).unwrap();
    bed.disk.sync_dir(Path::new("/data/t-0")).unwrap();
    bed.disk.keep_moments();
    // What is small now becomes one segment in the place of several.
    let report = compact(&partition);
    assert!(report.segments_after < report.segments_before, "{report:?}");
    let compacted = read_all(&partition, ReadUpTo::Durable);
    let mut images = 0;
    for (number, moment) in (0..).zip(bed.disk.take_moments()) {
        moment.crash_images(Bounds { images: 32, torn: 2, seed: number }, |image| {
            images += 1;
            let (_log, partition) = bed.on(image.clone()).open_partition();
            let after = read_all(&partition, ReadUpTo::Durable);
            assert!(after == before || after == compacted, "moment {number}");
            image.halt();
        });
    }
    assert!(images > 100, "{images}");
    eprintln!("{images} crash images of an exchange beside what an attempt has left");
}

/// Segments are deleted while an exchange of them could not be finished: it is finished first, and nothing else goes with them.
#[test]
fn a_deletion_finishes_an_exchange_that_waits() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 300, 40);
    compact(&partition);
    let before = read_all(&partition, ReadUpTo::Durable);
    bed.disk.inject(Fault::on(Op::Remove).for_good());
    let outcome = partition.compact(START_MS, &mut |_| {});
    assert!(matches!(outcome, Err(CompactError::Sync(SyncError::Io(_)))), "{outcome:?}");
    assert_eq!(read_all(&partition, ReadUpTo::Durable), before, "readers have the old segments");
    // As long as it cannot be finished nothing is deleted either.
    let bases: Vec<u64> = partition.segments().iter().map(|segment| segment.base_offset).collect();
    assert!(partition.delete_records_before(bases[2]).is_err());
    bed.disk.clear_faults();
    let start = partition.delete_records_before(bases[2] + 1).unwrap();
    assert!(partition.segments().len() < bases.len());
    let expected: Vec<_> = before.into_iter().filter(|record| record.offset >= start).collect();
    assert_eq!(read_all(&partition, ReadUpTo::Durable), expected);
    put(&partition, "new", "value");
    partition.sync().unwrap();
    log.close().unwrap();
    let (_log, partition) = bed.on(bed.disk.crash(0)).open_partition();
    let mut after = read_all(&partition, ReadUpTo::Durable);
    assert_eq!(after.pop().unwrap().value.as_deref(), Some(b"value".as_slice()));
    assert_eq!(after, expected);
}

/// Who reads beside the writer goes on where the last read ended. In the file that has taken the place of that one, another
/// batch may begin just there: one behind those that come next.
#[test]
fn a_place_in_a_file_that_was_replaced_is_none_in_the_new_one() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    // Batches of the same length, of which the first three go.
    for key in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "a", "b", "c"] {
        let record = Record::new("12345678").key(key).timestamp(1);
        partition.append(&record, Ack::Durable).unwrap();
    }
    roll(&bed, &log);
    let storage = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
    let beside = ReadOnlyLog::open(ROOT, storage).unwrap().partition(TOPIC, 0).unwrap().unwrap();
    let batch_bytes = partition.read(0, 1).unwrap().bytes().len();
    let first = beside.read(ReadUpTo::Durable, 0, 5 * batch_bytes).unwrap();
    assert_eq!(first.next_offset(), 5);
    assert_eq!(compact(&partition).records_superseded, 3);
    let next = beside.read(ReadUpTo::Durable, 5, 1).unwrap();
    assert_eq!(next.views().next().unwrap().unwrap().offset, 5);
    // A place in the new file is one.
    assert_eq!(beside.read(ReadUpTo::Durable, 6, 1).unwrap().views().next().unwrap().unwrap().offset, 6);
}

//! What compaction leaves can be read, goes when nobody needs it any more, and brings nothing back.

use std::path::Path;

use headwater_log::{
    Ack, AppendError, Clock, Compression, InvalidBatch, Log, Partition, ProducerNumbers, ReadUpTo, Record,
};

use crate::bed::{Bed, ROOT, START_MS, TOPIC, partition, read_all};
use crate::compaction::{bed, compact, compacted, put, roll};

#[cfg(feature = "lz4")]
/// Appends the batch with the most records of these that may be decompressed; tells how many they are.
fn append_largest(partition: &Partition, records: &[Record<'_>]) -> usize {
    let mut count = records.len();
    loop {
        match partition.append_batch(&records[..count], Ack::Durable) {
            Ok(_) => return count,
            Err(AppendError::InvalidBatch(InvalidBatch::DecompressedTooLarge { .. })) => count -= 1,
            Err(other) => unreachable!("{other}"),
        }
    }
}

#[cfg(feature = "lz4")]
/// A batch that is as large as it may be when it is decompressed can be read when it was compacted.
fn stays_readable(first: Record<'_>, second_ms: i64) {
    let topic = compacted().segment_bytes(1 << 20).compression(Some(Compression::Lz4));
    let bed = Bed { topic, ..bed() };
    let log = Log::open(ROOT, bed.options().decompressed_bytes_max(4096)).unwrap();
    let here = partition(&log, bed.topic);
    let keys: Vec<String> = (0..1000).map(|n| format!("{n}")).collect();
    let mut records = vec![first, Record::new("v").key("second").timestamp(second_ms)];
    records.extend(keys.iter().map(|key| Record::new("v").key(key).timestamp(START_MS)));
    let count = append_largest(&here, &records);
    assert!(count < records.len());
    put(&here, "first", "anew");
    roll(&bed, &log);
    for round in 0..2 {
        compact(&here);
        let records = read_all(&here, ReadUpTo::Durable);
        assert!(records.len() >= count, "{round}");
        assert_eq!(records.iter().filter(|record| record.timestamp == second_ms).count(), 1);
    }
    assert_eq!(compact(&here).bytes_written, 0);
}

#[cfg(feature = "lz4")]
#[test]
fn a_delete_horizon_makes_no_batch_longer_than_may_be_decompressed() {
    stays_readable(Record::tombstone("gone").timestamp(START_MS), START_MS + 1);
}

#[cfg(feature = "lz4")]
#[test]
fn another_first_record_makes_no_batch_longer_than_may_be_decompressed() {
    stays_readable(Record::new("v").key("first").timestamp(START_MS), 0);
}

#[test]
fn a_checkpoint_of_another_log_brings_no_deleted_key_back() {
    let bed = Bed { topic: compacted().delete_retention_ms(1000), ..bed() };
    let (log, here) = bed.open_partition();
    put(&here, "a", "1");
    roll(&bed, &log);
    compact(&here);
    log.close().unwrap();
    // The checkpoint is newer than the partition, as when that comes from a backup.
    let ahead = |content: &mut Vec<u8>| *content = format!("0\n1\n{TOPIC} 0 300\n").into_bytes();
    assert!(bed.disk.damage(&Path::new(ROOT).join("cleaner-offset-checkpoint"), ahead));
    let (log, here) = bed.open_partition();
    put(&here, "b", "1");
    here.append(&Record::tombstone("a"), Ack::Durable).unwrap();
    for n in 0..400 {
        put(&here, &format!("key {n}"), "v");
    }
    roll(&bed, &log);
    for after_ms in [0, 2000] {
        here.compact(START_MS + after_ms, &mut |_| {}).unwrap();
    }
    let records = read_all(&here, ReadUpTo::Durable);
    let last = records.iter().rfind(|record| record.key.as_deref() == Some(b"a"));
    assert!(last.is_none_or(|record| record.value.is_none()), "{last:?}");
}

#[test]
fn what_is_left_of_a_producer_goes_when_it_is_forgotten() {
    let bed = bed();
    let log = Log::open(ROOT, bed.options().producer_id_expiration_ms(5000)).unwrap();
    let here = partition(&log, bed.topic);
    let of_producers = || {
        let fetched = here.read(0, 1 << 20).unwrap();
        fetched.batches().filter(|batch| batch.as_ref().unwrap().producer().is_some()).count()
    };
    for id in 0..10 {
        let record = Record::new("v").key("a");
        here.append_idempotent(&[record], ProducerNumbers::new(id, 0, 0), Ack::Durable).unwrap();
    }
    put(&here, "a", "last");
    here.sync().unwrap();
    // Rolled for its size: nobody is forgotten yet.
    while here.segments().len() < 2 {
        put(&here, "b", &"x".repeat(500));
    }
    here.sync().unwrap();
    compact(&here);
    assert_eq!(of_producers(), 10);
    bed.clock.advance_ms(5000);
    log.maintain(bed.clock.now_ms()).unwrap();
    compact(&here);
    assert_eq!(of_producers(), 0);
}

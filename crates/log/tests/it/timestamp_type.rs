//! Create time and log append time, as Kafka means them.

use headwater_log::{Ack, LogOptions, Partition, ReadOnlyOptions, ReadUpTo, Record, TimestampType};

use crate::bed::{Bed, ROOT, START_MS, TOPIC, read_all, small};
use crate::record_batch::unhex;

fn two() -> [Record<'static>; 2] {
    [Record::new("a").timestamp(5), Record::new("b").timestamp(9)]
}

fn times(partition: &Partition) -> Vec<i64> {
    read_all(partition, ReadUpTo::Durable).iter().map(|record| record.timestamp).collect()
}

fn stamped() -> (Bed, headwater_log::Log, Partition) {
    let bed = Bed::new(0);
    let log = bed.open();
    let options = small().timestamp_type(TimestampType::LogAppendTime);
    let partition = log.create_topic(TOPIC, options).unwrap().partition(0).unwrap();
    (bed, log, partition)
}

#[test]
fn log_append_time_is_what_readers_see_of_every_kind_of_append() {
    let (bed, log, partition) = stamped();
    partition.append(&Record::new("x").timestamp(1), Ack::Durable).unwrap();
    bed.clock.advance_ms(10);
    partition.append_batch(&two(), Ack::Durable).unwrap();
    bed.clock.advance_ms(10);
    let ready = {
        let bed = Bed::new(0);
        let (_log, partition) = bed.open_partition();
        partition.append_batch(&two(), Ack::Durable).unwrap();
        partition.read(0, 1).unwrap().bytes().to_vec()
    };
    partition.append_record_batch(&ready, Ack::Durable).unwrap();
    let expected = [0, 10, 10, 20, 20].map(|after| START_MS + after);
    assert_eq!(times(&partition), expected);
    // The bit in the attributes, the time in maxTimestamp, the producer's in baseTimestamp.
    let batch = partition.read(1, 1).unwrap().bytes().to_vec();
    assert_eq!(batch[21..23], [0, 0x08]);
    assert_eq!(batch[27..35], 5_u64.to_be_bytes());
    assert_eq!(batch[35..43], (START_MS + 10).to_be_bytes());
    // Both ways to append give the same bytes, but for place, time and checksum.
    let other = partition.read(3, 1).unwrap().bytes().to_vec();
    assert_eq!((&batch[21..35], &batch[43..]), (&other[21..35], &other[43..]));
    assert_eq!(partition.offset_for_timestamp(START_MS + 1).unwrap(), Some(1));
    assert_eq!(partition.offset_for_timestamp(START_MS + 11).unwrap(), Some(3));
    assert_eq!(partition.offset_for_timestamp(START_MS + 21).unwrap(), None);
    assert_eq!(partition.segments()[0].max_timestamp, Some(START_MS + 20));

    let beside = headwater_log::Log::open_read_only(
        ROOT,
        ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone())),
    )
    .unwrap();
    let read_only = beside.partition(TOPIC, 0).unwrap().unwrap();
    let fetched = read_only.read(ReadUpTo::Durable, 0, 1 << 20).unwrap();
    assert!(fetched.views().map(|view| view.unwrap().timestamp).eq(expected));
    log.close().unwrap();

    // What was stamped stays stamped, whatever the options are at the next start.
    let (_log, partition) = bed.open_partition();
    partition.append(&Record::new("x").timestamp(3), Ack::Durable).unwrap();
    assert_eq!(times(&partition)[..5], expected);
    assert_eq!(times(&partition)[5..], [3]);
}

#[test]
fn create_time_is_the_default() {
    assert_eq!(LogOptions::default().topic_defaults.timestamp_type, TimestampType::CreateTime);
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    partition.append_batch(&two(), Ack::Durable).unwrap();
    partition.append(&Record::new("x"), Ack::Durable).unwrap();
    assert_eq!(times(&partition), [5, 9, START_MS]);
    assert_eq!(partition.read(0, 1).unwrap().bytes()[21..23], [0, 0]);
}

/// librdkafka's compressed batch gets the time in its header; its records are as they were.
#[test]
fn a_compressed_batch_is_stamped_in_its_header() {
    if !headwater_log::Codec::LZ4.is_supported() {
        return;
    }
    let (_bed, _log, partition) = stamped();
    let batch = unhex(crate::record_batch::OF_IDEMPOTENT_LIBRDKAFKA);
    partition.append_record_batch(&batch, Ack::Durable).unwrap();
    let fetched = partition.read(0, 1).unwrap();
    let stored = fetched.bytes();
    assert_eq!((stored[22], &stored[35..43]), (0x0b, &START_MS.to_be_bytes()[..]));
    assert_eq!((&stored[23..35], &stored[43..]), (&batch[23..35], &batch[43..]));
    assert_eq!(stored[17..21], crc_fast::crc32_iscsi(&stored[21..]).to_be_bytes());
}

/// A clock that goes back makes no record without a place in the time index: the largest time counts.
#[test]
fn log_append_time_may_go_back_with_the_clock() {
    let (bed, log, partition) = stamped();
    partition.append(&Record::new("x").timestamp(1), Ack::Durable).unwrap();
    bed.clock.set_ms(START_MS - 1000);
    partition.append(&Record::new("y"), Ack::Durable).unwrap();
    bed.clock.set_ms(-5);
    partition.append(&Record::new("z"), Ack::Durable).unwrap();
    assert_eq!(times(&partition), [START_MS, START_MS - 1000, 0]);
    assert_eq!(partition.offset_for_timestamp(START_MS - 999).unwrap(), Some(0));
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    assert_eq!(times(&partition).len(), 3);
}

//! What stops a table, each with its place, and how it goes on.

use std::time::Duration;

use headwater_log::{
    Ack, Damage, Fold, Log, Partition, Position, ReadError, Record, RecordView, SyncError, Table, TableError,
    Topic,
};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, append, append_batch, small};
use crate::table::Counted;

const LONG: Duration = Duration::from_secs(60);

/// A sum that refuses what is no number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum(u64);

impl Fold for Sum {
    type Error = std::num::ParseIntError;

    fn fold(&mut self, _partition: u32, record: &RecordView<'_>) -> Result<(), Self::Error> {
        self.0 += String::from_utf8_lossy(record.value.unwrap_or_default()).parse::<u64>()?;
        Ok(())
    }
}

fn opened(bed: &Bed) -> (Log, Topic, Partition) {
    let (log, partition) = bed.open_partition();
    let topic = log.topic("t").unwrap();
    (log, topic, partition)
}

#[test]
fn a_record_that_the_state_refuses_stops_it_until_it_is_skipped() {
    let bed = Bed::new(0);
    let (_log, topic, partition) = opened(&bed);
    let records = ["1", "2", "three", "4", ""].map(Record::new);
    partition.append_batch(&records, Ack::Durable).unwrap();
    let mut table = Table::new(&topic, Sum::default());
    for _ in 0..3 {
        let error = table.catch_up().unwrap_err();
        assert!(matches!(error, TableError::Fold { partition: 0, offset: 2, .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "t-0: the record at offset 2 was refused: invalid digit found in string"
        );
        assert_eq!((table.state(), table.position(0), table.lag(0)), (&Sum(3), Some(2), Some(3)));
    }
    // Others see the same.
    assert!(matches!(table.catch_up_some(1), Err(TableError::Fold { offset: 2, .. })));
    assert!(matches!(table.follow(LONG), Err(TableError::Fold { offset: 2, .. })));
    let last = Position { partition: 0, offset: 4 };
    assert!(matches!(table.wait_for(last, LONG), Err(TableError::Fold { offset: 2, .. })));

    assert_eq!(table.skip(), Some(Position { partition: 0, offset: 3 }));
    assert_eq!(table.skip(), None, "once");
    assert!(matches!(table.catch_up(), Err(TableError::Fold { offset: 4, .. })));
    assert_eq!(table.state(), &Sum(7));
    table.skip().unwrap();
    assert_eq!((table.catch_up().unwrap(), table.total_lag()), (0, 0));
    assert_eq!(table.skip(), None, "nothing has failed");
}

#[test]
fn records_that_were_deleted_before_they_were_folded_are_told() {
    let bed = Bed::new(0);
    let (_log, topic, partition) = opened(&bed);
    append_batch(&partition, 10, Ack::Durable);
    partition.delete_records_before(2).unwrap();
    // What was deleted before a table has begun is not missed.
    let mut table = Table::new(&topic, Counted::default());
    partition.delete_records_before(3).unwrap();
    assert_eq!(table.position(0), Some(3));
    assert_eq!(table.catch_up().unwrap(), 7);
    append_batch(&partition, 5, Ack::Durable);
    partition.delete_records_before(12).unwrap();
    let error = table.catch_up().unwrap_err();
    let TableError::Truncated { partition: 0, offset: 10, start: 12, .. } = error else {
        unreachable!("{error}")
    };
    assert!(error.to_string().starts_with("t-0 was deleted up to offset 12, and the table had come to 10;"));
    assert_eq!(table.skip(), Some(Position { partition: 0, offset: 12 }));
    assert_eq!((table.catch_up().unwrap(), table.position(0)), (3, Some(15)));

    // One that has begun with nothing has begun.
    let mut table = Table::of_partitions(&topic, [0], Counted::default()).unwrap();
    partition.delete_records_before(15).unwrap();
    assert_eq!(table.catch_up().unwrap(), 0);
    append(&partition, Ack::Durable);
    partition.delete_records_before(16).unwrap();
    assert!(matches!(table.catch_up(), Err(TableError::Truncated { offset: 15, start: 16, .. })));
}

#[test]
fn a_position_behind_the_end_is_told() {
    let bed = Bed::new(0);
    let (_log, topic, partition) = opened(&bed);
    append_batch(&partition, 3, Ack::Durable);
    let mut table = Table::new(&topic, Counted::default());
    table.seek(Position { partition: 0, offset: 4 }).unwrap();
    assert!(matches!(table.catch_up(), Err(TableError::Ahead { offset: 4, end: 3, .. })));
    assert!(matches!(table.follow(LONG), Err(TableError::Ahead { .. })));
    assert_eq!(table.skip(), None);
    // Appended is not durable.
    append_batch(&partition, 3, Ack::Appended);
    assert!(matches!(table.catch_up(), Err(TableError::Ahead { offset: 4, end: 3, .. })));
    partition.sync().unwrap();
    assert_eq!(table.catch_up().unwrap(), 2);
}

#[test]
fn a_partition_that_is_not_followed_is_told() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(4)).unwrap();
    let error = Table::of_partitions(&topic, [3, 4], Counted::default()).unwrap_err();
    assert_eq!(error.to_string(), "the table of t does not follow partition 4");
    let mut table = Table::of_partitions(&topic, [3, 1, 3], Counted::default()).unwrap();
    for partition in topic.partitions() {
        append(&partition, Ack::Durable);
    }
    assert_eq!(table.total_lag(), 2);
    assert_eq!(table.catch_up().unwrap(), 2);
    assert_eq!(table.state().folded, [(1, 1), (3, 1)].into());
    assert_eq!((table.position(1), table.position(0), table.lag(2)), (Some(1), None, None));
    let other = Position { partition: 2, offset: 0 };
    assert!(matches!(table.wait_for(other, LONG), Err(TableError::NoPartition { partition: 2, .. })));
    assert!(matches!(table.seek(other), Err(TableError::NoPartition { partition: 2, .. })));
    // None of those that are added is followed.
    let altered = log.alter_topic("t", topic.options().partitions(5)).unwrap();
    append(&altered.partition(4).unwrap(), Ack::Durable);
    assert_eq!((table.total_lag(), table.catch_up().unwrap()), (0, 0));
}

#[test]
fn a_log_that_is_closed_and_a_topic_that_is_deleted_are_told_and_the_state_stays() {
    for delete in [false, true] {
        let bed = Bed::new(0);
        let (log, topic, partition) = opened(&bed);
        append_batch(&partition, 3, Ack::Durable);
        let mut table = Table::new(&topic, Counted::default());
        table.catch_up().unwrap();
        let changed = table.changed();
        let log = if delete {
            log.delete_topic("t").unwrap();
            Some(log)
        } else {
            log.close().unwrap();
            None
        };
        assert!(matches!(changed.wait(LONG), Err(SyncError::Closed)));
        assert!(matches!(table.catch_up(), Err(TableError::Closed { partition: 0, .. })));
        assert!(matches!(table.follow(LONG), Err(TableError::Closed { .. })));
        let next = |offset| Position { partition: 0, offset };
        assert!(matches!(table.wait_for(next(3), LONG), Err(TableError::Closed { .. })));
        assert!(table.wait_for(next(2), LONG).unwrap(), "it is in the state");
        assert_eq!(table.state().folded, [(0, 3)].into());
        if let Some(log) = log {
            // Another topic of the name is another topic.
            let again = log.create_topic("t", small()).unwrap();
            append(&again.partition(0).unwrap(), Ack::Durable);
            assert!(matches!(table.catch_up(), Err(TableError::Closed { .. })));
        }
    }
}

#[test]
fn who_waits_for_what_cannot_become_durable_is_told() {
    let bed = Bed::new(0);
    let (_log, topic, partition) = opened(&bed);
    append_batch(&partition, 3, Ack::Durable);
    let mut table = Table::new(&topic, Counted::default());
    append(&partition, Ack::Appended);
    bed.disk.inject(Fault::on(Op::SyncData).for_good());
    partition.sync().unwrap_err();
    // What was durable before is there.
    assert_eq!(table.follow(LONG).unwrap(), 3);
    let error = table.follow(LONG).unwrap_err();
    assert!(matches!(error, TableError::Sync { partition: 0, error: SyncError::Failed(_), .. }), "{error}");
    let lost = Position { partition: 0, offset: 3 };
    assert!(matches!(table.wait_for(lost, LONG), Err(TableError::Sync { .. })));
    assert_eq!(table.catch_up().unwrap(), 0);
}

/// The log closed, one of its files changed, opened.
fn damaged(change: impl FnOnce(&mut Vec<u8>)) -> (Bed, Log, Topic) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for count in [2, 3, 2] {
        append_batch(&partition, count, Ack::Durable);
    }
    log.close().unwrap();
    assert!(bed.disk.damage(&bed.file(0, "log"), change));
    let log = bed.open();
    let topic = log.topic("t").unwrap();
    (bed, log, topic)
}

/// Where the second batch is.
fn second(bytes: &[u8]) -> std::ops::Range<usize> {
    let behind =
        |at: usize| at + 12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    behind(0)..behind(behind(0))
}

#[test]
fn damage_stops_it_at_the_batch_and_is_not_skipped_blindly() {
    let (_bed, _log, topic) = damaged(|bytes| {
        let at = second(bytes).end - 1;
        bytes[at] ^= 0x40;
    });
    let mut table = Table::new(&topic, Counted::default());
    // The first batch of a read that is whole is given; the damage is the error of the next.
    let error = table.catch_up().unwrap_err();
    let TableError::Read { partition: 0, offset: 2, error: ReadError::Corrupt(corruption), .. } = &error
    else {
        unreachable!("{error}")
    };
    assert!(matches!(corruption.what, Damage::Checksum { .. }), "{corruption}");
    assert!(error.to_string().starts_with("t-0 cannot be read at offset 2: "), "{error}");
    assert_eq!((table.position(0), table.skip()), (Some(2), None));
    table.seek(Position { partition: 0, offset: 5 }).unwrap();
    assert_eq!((table.catch_up().unwrap(), table.position(0)), (2, Some(7)));
}

/// A batch whose checksum is right and whose records are not: who wrote it was wrong.
#[test]
fn a_batch_that_cannot_be_decoded_is_skipped_whole() {
    let (_bed, _log, topic) = damaged(|bytes| {
        let batch = second(bytes);
        let batch = &mut bytes[batch];
        // The second record's offset is that of the first.
        let first = batch[61] as usize / 2 + 1 + usize::from(batch[61] >= 0x80);
        batch[61 + first + 3 + usize::from(batch[61 + first] >= 0x80)] = 0;
        let crc = crc_fast::crc32_iscsi(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    });
    let mut table = Table::new(&topic, Counted::default());
    for _ in 0..2 {
        let error = table.catch_up().unwrap_err();
        let TableError::Read { offset: 3, error: ReadError::Corrupt(corruption), .. } = &error else {
            unreachable!("{error}")
        };
        assert!(
            matches!(corruption.what, Damage::Record { record: 1, field: "offsetDelta" }),
            "{corruption}"
        );
        assert_eq!(table.state().folded, [(0, 3)].into(), "each of those before it once");
    }
    assert_eq!(table.skip(), Some(Position { partition: 0, offset: 5 }));
    assert_eq!((table.catch_up().unwrap(), table.position(0)), (2, Some(7)));
}

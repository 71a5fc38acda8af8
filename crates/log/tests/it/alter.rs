//! Topics are changed while they are in use, and say what they have.

use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{Ack, Clock, Log, ReadOnlyOptions, Record, TimestampType, TopicError, TopicOptions};
use headwater_testkit::sim_disk::Fault;

use crate::bed::{Bed, ROOT, START_MS, append, append_batch, check_all, small};

#[test]
fn partitions_are_added_and_seen_by_every_handle() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(2)).unwrap();
    topic.append(&Record::new("x"), Ack::Durable).unwrap();
    let altered = log.alter_topic("t", topic.options().partitions(5)).unwrap();
    assert_eq!((topic.partition_count(), altered.partition_count(), topic.partitions().len()), (5, 5, 5));
    assert_eq!(topic.options().partitions, Some(5));
    for _ in 0..10 {
        topic.append(&Record::new("x"), Ack::Appended).unwrap();
    }
    assert!(topic.partitions().all(|partition| partition.appended_end() >= 1));
    assert!(log.wait_unsynced(std::time::Duration::ZERO), "the log looks after them");
    // Kafka: toPositive(murmur2("foobar")) % 5, with murmur2("foobar") = -790332482.
    assert_eq!(topic.partition_for_key(b"foobar"), ((-790_332_482_i32) & i32::MAX) as u32 % 5);
    let sum = |topic: &headwater_log::Topic| {
        topic.partitions().map(|partition| partition.appended_end()).sum::<u64>()
    };
    assert_eq!(sum(&topic), 11);
    log.close().unwrap();

    let log = bed.open();
    let topic = log.topic("t").unwrap();
    assert_eq!((topic.partition_count(), sum(&topic)), (5, 11));
    // All partitions of a topic have one identity.
    let id = |number: u32| {
        let path = format!("{ROOT}/t-{number}/partition.metadata");
        bed.disk.content(Path::new(&path)).unwrap()
    };
    assert!((1..5).all(|number| id(number) == id(0)));
    log.delete_topic("t").unwrap();
    assert!(bed.disk.files().iter().all(|path| !path.to_string_lossy().contains("/t-")));
}

#[test]
fn partitions_are_never_removed() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(3)).unwrap();
    let error = log.alter_topic("t", topic.options().partitions(2)).unwrap_err();
    assert!(matches!(error, TopicError::FewerPartitions { found: 3, wanted: 2, .. }));
    assert_eq!(topic.partition_count(), 3);
    let same = log.alter_topic("t", small()).unwrap();
    assert_eq!((same.partition_count(), same.options().partitions), (3, Some(3)));
    assert!(matches!(log.alter_topic("x", small()), Err(TopicError::NotFound { .. })));
    assert!(matches!(log.alter_topic("t", small().segment_bytes(1)), Err(TopicError::Options(_))));
}

/// After a crash in the middle, the partitions that were being added are all there or none is, and the others have their
/// records.
#[test]
fn partitions_are_added_all_or_none() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(2)).unwrap();
    for _ in 0..40 {
        topic.append(&Record::new("some value or other"), Ack::Durable).unwrap();
    }
    log.close().unwrap();
    let mut seen = [0, 0];
    for nth in 0..200 {
        let bed = bed.on(bed.disk.snapshot());
        let log = bed.open();
        bed.disk.inject(Fault::on_any().skip(nth).for_good());
        let added = log.alter_topic("t", small().partitions(5)).is_ok();
        if !added {
            assert_eq!(log.topic("t").unwrap().partition_count(), 2);
        }
        for seed in 0..5 {
            let bed = bed.on(bed.disk.crash(seed));
            let beside = Log::open_read_only(ROOT, read_only(&bed)).unwrap();
            let counted = beside.topics().unwrap()[0].1;
            let readable = (0..6).filter(|number| beside.partition("t", *number).unwrap().is_some()).count();
            let log = bed.open();
            let topic = log.topic("t").unwrap();
            let count = topic.partition_count();
            assert!(count == 5 || (count == 2 && !added), "{count}");
            assert_eq!(
                (counted, readable),
                (count, count as usize),
                "who reads beside sees no more and no less"
            );
            seen[usize::from(count == 5)] += 1;
            assert_eq!(topic.partitions().map(|partition| partition.durable_end()).sum::<u64>(), 40);
            // It can be done now, and what was left is not in the way.
            let topic = log.alter_topic("t", small().partitions(6)).unwrap();
            assert!(topic.partitions().skip(2).all(|partition| partition.durable_end() == 0));
            topic.partition(5).unwrap().append(&Record::new("x"), Ack::Durable).unwrap();
        }
        if added {
            break;
        }
    }
    assert!(seen[0] > 50 && seen[1] >= 5, "{seen:?}");
}

fn read_only(bed: &Bed) -> ReadOnlyOptions {
    ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()))
}

/// An attempt that failed leaves nothing in the way of the next one, without opening anew.
#[test]
fn an_attempt_to_add_that_failed_can_be_made_again() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("t", small().partitions(2)).unwrap();
    log.close().unwrap();
    let mut failed = 0;
    for nth in 0..200 {
        let bed = bed.on(bed.disk.snapshot());
        let log = bed.open();
        bed.disk.inject(Fault::on_any().skip(nth));
        if log.alter_topic("t", small().partitions(4)).is_ok() {
            break;
        }
        failed += 1;
        match log.alter_topic("t", small().partitions(4)) {
            Ok(topic) => assert_eq!(topic.partition_count(), 4),
            // Only the last sync was refused: all of it is there, and the next open finds it.
            Err(TopicError::InTheWay { .. }) => {
                drop(log);
                assert_eq!(bed.open().topic("t").unwrap().partition_count(), 4);
            }
            Err(other) => unreachable!("{nth}: {other}"),
        }
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn what_is_in_the_way_of_a_new_partition_stays() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("t", small()).unwrap();
    bed.disk.create_dir_all(Path::new("/data/t-1")).unwrap();
    bed.disk.create_new(Path::new("/data/t-1/precious")).unwrap();
    let error = log.alter_topic("t", small().partitions(2)).unwrap_err();
    assert!(matches!(error, TopicError::InTheWay { .. }));
    assert!(bed.disk.files().contains(&"/data/t-1/precious".into()));
    // An option that would have changed with it did not.
    assert_eq!(log.topic("t").unwrap().options().partitions, Some(1));
}

#[test]
fn options_are_in_force_as_soon_as_they_are_altered() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 5 {
        append(&partition, Ack::Durable);
    }
    let options = log.topic("t").unwrap().options();
    let alter = |options: TopicOptions| drop(log.alter_topic("t", options).unwrap());
    let maintain = || log.maintain(bed.clock.now_ms()).unwrap();

    assert_eq!(maintain().segments_deleted, 0);
    alter(options.retention_bytes(Some(2 * 4096)));
    assert!(maintain().segments_deleted >= 1);
    alter(options.retention_ms(Some(1000)));
    bed.clock.advance_ms(1001);
    let report = maintain();
    assert!(report.segments_rolled == 1 && report.segments_deleted >= 2, "{report:?}");
    assert_eq!(check_all(&partition), partition.durable_end());

    alter(options.segment_age_ms(500));
    append(&partition, Ack::Durable);
    bed.clock.advance_ms(500);
    assert_eq!(maintain().segments_rolled, 1);

    // Larger segments from the next one on; the one that is active has the space it was given.
    alter(options.segment_bytes(16 * 4096).segment_index_bytes(16 * 4096));
    while partition.segments().last().unwrap().bytes < 5 * 4096 {
        append(&partition, Ack::Durable);
    }
    alter(options);
    assert_eq!(maintain().segments_rolled, 1, "larger than is allowed now");
    assert_eq!(maintain().segments_rolled, 0);

    alter(options.timestamp_type(TimestampType::LogAppendTime));
    let offset = partition.append(&Record::new("x").timestamp(1), Ack::Durable).unwrap();
    let now_ms = bed.clock.now_ms();
    assert_eq!(partition.read(offset, 1).unwrap().views().next().unwrap().unwrap().timestamp, now_ms);
    alter(options.batch_bytes_max(200));
    assert!(partition.append(&Record::new(&[0; 200]), Ack::Appended).is_err());
    log.close().unwrap();

    // Options are not on disk.
    let log = bed.open();
    assert_eq!(log.topic("t").unwrap().options().batch_bytes_max, small().batch_bytes_max);
}

#[test]
fn a_topic_describes_what_it_has() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(2)).unwrap();
    let partition = topic.partition(1).unwrap();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Durable);
    }
    append_batch(&partition, 3, Ack::Appended);
    partition.delete_records_before(5).unwrap();
    append(&partition, Ack::Appended);
    let found = topic.describe();
    assert_eq!((found.name.as_str(), found.options, found.partitions.len()), ("t", topic.options(), 2));
    let [empty, full] = &found.partitions[..] else { unreachable!() };
    assert_eq!((empty.number, empty.appended_end, empty.bytes(), empty.segments.len()), (0, 0, 0, 1));
    assert_eq!((full.number, full.start_offset), (1, 5));
    assert_eq!((full.durable_end, full.appended_end), (partition.durable_end(), partition.appended_end()));
    assert!(full.durable_end < full.appended_end);
    assert_eq!((full.segments.clone(), full.bytes()), (partition.segments(), partition.size_bytes()));
    assert_eq!(found.bytes(), full.bytes());
    assert_eq!(full.segments[0].first_append_ms, Some(START_MS));
}

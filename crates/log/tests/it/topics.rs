//! Topics come and go whole.

use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, InvalidTopicName, OpenError, ReadError, Record, SyncError, TopicError};
use headwater_testkit::sim_disk::{Fault, Odometer};

use crate::bed::{Bed, append, small};

#[test]
fn topics_are_created_listed_found_and_deleted() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("b", small().partitions(3)).unwrap();
    log.create_topic("a", small()).unwrap();
    assert_eq!((topic.partition_count(), topic.partitions().len()), (3, 3));
    assert!(topic.partition(3).is_none());
    assert_eq!(log.topics(), ["a", "b"]);
    assert!(matches!(log.create_topic("a", small()), Err(TopicError::Exists { .. })));
    let name = log.create_topic("a/b", small()).unwrap_err();
    assert!(matches!(name, TopicError::Name(InvalidTopicName::Character { at: 1 })));
    let options = log.create_topic("c", small().segment_bytes(1)).unwrap_err();
    assert_eq!(options.to_string(), "option segment_bytes is 1, it has to be from 4096 to 2147483647");
    let count = log.open_or_create_topic("b", small().partitions(4)).unwrap_err();
    assert_eq!(count.to_string(), "topic b has 3 partitions, 4 were asked for");
    log.open_or_create_topic("b", small().partitions(3)).unwrap();
    log.open_or_create_topic("b", small()).unwrap();
    assert!(matches!(log.delete_topic("x"), Err(TopicError::NotFound { .. })));
    log.close().unwrap();

    let log = bed.open();
    assert_eq!(log.topics(), ["a", "b"]);
    assert_eq!(log.topic("b").unwrap().partition_count(), 3);
    log.delete_topic("b").unwrap();
    assert_eq!(log.topics(), ["a"]);
    assert!(bed.disk.files().iter().all(|path| !path.starts_with("/data/b-0")));
}

#[test]
fn records_without_a_key_take_turns_and_those_with_one_do_not() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(4)).unwrap();
    for _ in 0..8 {
        topic.append(&Record::new("x"), Ack::Appended).unwrap();
    }
    assert!(topic.partitions().all(|partition| partition.appended_end() == 2));
    let at = topic.append(&Record::new("x").key("foobar"), Ack::Durable).unwrap();
    // Kafka: toPositive(murmur2("foobar")) % 4, with murmur2("foobar") = -790332482.
    assert_eq!((at.partition, at.offset), (((-790_332_482_i32) & i32::MAX) as u32 % 4, 2));
}

#[test]
fn handles_of_a_deleted_topic_are_closed() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Appended);
    log.delete_topic("t").unwrap();
    assert!(partition.append(&Record::new("x"), Ack::Appended).is_err());
    assert!(matches!(partition.read(0, 1), Err(ReadError::Closed)));
    assert!(matches!(partition.sync(), Err(SyncError::Closed)));
    assert!(matches!(partition.wait_durable(1), Err(SyncError::Closed)));
    let topic = log.create_topic("t", small()).unwrap();
    assert_eq!(topic.partition(0).unwrap().appended_end(), 0);
    log.close().unwrap();
}

/// After a crash in the middle of a creation, a topic is there with all its partitions or not at all.
#[test]
fn creation_is_all_or_nothing() {
    let bed = Bed::new(0);
    bed.open().close().unwrap();
    let mut seen = [0, 0];
    for nth in 0..200 {
        let bed = bed.on(bed.disk.snapshot());
        let log = bed.open();
        bed.disk.inject(Fault::on_any().skip(nth).for_good());
        let created = log.create_topic("t", small().partitions(3)).is_ok();
        for seed in 0..40 {
            let bed = bed.on(bed.disk.crash(seed));
            let log = bed.open();
            match log.topic("t") {
                Some(topic) => assert_eq!(topic.partition_count(), 3),
                None => assert!(!created),
            }
            seen[usize::from(log.topic("t").is_some())] += 1;
            // It can be created now if it is not there.
            let topic = log.open_or_create_topic("t", small().partitions(3)).unwrap();
            topic.append(&Record::new("x"), Ack::Durable).unwrap();
        }
        if created {
            break;
        }
    }
    assert!(seen[0] > 400 && seen[1] >= 40, "{seen:?}");
}

/// A deletion that was begun is finished by the next open; nothing of the topic comes back.
#[test]
fn deletion_is_finished_after_a_crash() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(3)).unwrap();
    for _ in 0..200 {
        topic.append(&Record::new("some value or other"), Ack::Durable).unwrap();
    }
    topic.partition(1).unwrap().delete_records_before(30).unwrap();
    log.close().unwrap();
    let (mut whole, mut gone) = (0, 0);
    for nth in 0..400 {
        let bed = bed.on(bed.disk.snapshot());
        let log = bed.open();
        bed.disk.inject(Fault::on_any().skip(nth).for_good());
        let deleted = log.delete_topic("t").is_ok();
        for seed in 0..4 {
            let bed = bed.on(bed.disk.crash(seed));
            let log = bed.open();
            match log.topic("t") {
                Some(topic) => {
                    assert!(!deleted);
                    assert_eq!(topic.partitions().map(|partition| partition.durable_end()).sum::<u64>(), 200);
                    whole += 1;
                }
                None => {
                    let topic = log.create_topic("t", small().partitions(2)).unwrap();
                    assert!(topic.partitions().all(|partition| partition.durable_end() == 0));
                    assert!(topic.partitions().all(|partition| partition.start_offset() == 0));
                    gone += 1;
                }
            }
        }
        if deleted {
            break;
        }
    }
    assert!(whole >= 4 && gone > 50, "{whole} {gone}");
}

/// A partition that is missing among others is not made up for.
#[test]
fn a_missing_partition_is_an_error() {
    let bed = Bed::new(0);
    let log = bed.open();
    let topic = log.create_topic("t", small().partitions(3)).unwrap();
    topic.append(&Record::new("x"), Ack::Durable).unwrap();
    log.close().unwrap();
    for missing in [0, 1] {
        let bed = bed.on(bed.disk.snapshot());
        let dir = format!("/data/t-{missing}");
        for path in bed.disk.files().into_iter().filter(|path| path.starts_with(&dir)) {
            bed.disk.remove(&path).unwrap();
        }
        bed.disk.remove_dir(Path::new(&dir)).unwrap();
        match bed.try_open() {
            Err(OpenError::MissingPartition { partition, .. }) => assert_eq!(partition, missing),
            other => unreachable!("{other:?}"),
        }
    }
}

/// The choices of a crash that the simulated disk offers are all gone through, for a small operation.
#[test]
fn a_lost_directory_name_is_no_partition() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("t", small()).unwrap();
    let mut choices = Odometer::default();
    let mut images = 0;
    loop {
        let after = bed.on(bed.disk.crash_by(&mut choices));
        assert_eq!(after.open().topics(), ["t"]);
        images += 1;
        if images == 200 || !choices.advance() {
            break;
        }
    }
    drop(log);
}

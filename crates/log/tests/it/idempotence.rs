//! Batches that producers number are there once, however often they are sent.

use headwater_log::{
    Ack, AppendError, Clock, InvalidOptions, Log, OpenError, Partition, ProducerNumbers, Record,
};
use headwater_testkit::sim_disk::{Fault, Op as DiskOp};

use crate::bed::{Bed, TOPIC, append, partition, small};
use crate::foreign::plain;
use crate::record_batch::{OF_IDEMPOTENT_LIBRDKAFKA, unhex};

pub(crate) fn numbers(id: i64, epoch: i16, sequence: i32) -> ProducerNumbers {
    ProducerNumbers::new(id, epoch, sequence)
}

/// Sends a batch of so many records; its offset, and whether it was there.
pub(crate) fn send(
    partition: &Partition,
    numbers: ProducerNumbers,
    count: usize,
    ack: Ack,
) -> Result<(u64, bool), AppendError> {
    let values: Vec<String> = (0..count).map(|at| format!("{numbers:?} {at}")).collect();
    let records: Vec<_> = values.iter().map(Record::new).collect();
    let appended = partition.append_idempotent(&records, numbers, ack)?;
    Ok((appended.offset, appended.is_duplicate))
}

pub(crate) fn sent(partition: &Partition, numbers: ProducerNumbers, count: usize) -> (u64, bool) {
    send(partition, numbers, count, Ack::Durable).unwrap()
}

/// The sequence number that is expected of a producer that sends another one.
pub(crate) fn expected(partition: &Partition, numbers: ProducerNumbers) -> i32 {
    let end = partition.appended_end();
    let error = send(partition, numbers, 1, Ack::Durable).unwrap_err();
    assert_eq!(partition.appended_end(), end, "nothing was appended");
    match error {
        AppendError::OutOfOrderSequence { producer_id, epoch, expected, found } => {
            assert_eq!((producer_id, epoch, found), (numbers.id, numbers.epoch, numbers.base_sequence));
            expected
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn the_rules_are_those_of_a_kafka_broker() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    // Six batches of two records, from offset 1 on.
    for number in 0..6 {
        assert_eq!(sent(&partition, numbers(7, 0, number * 2), 2), (1 + 2 * number as u64, false));
    }
    // The last five are known, in whichever order they are sent again.
    for number in [5, 1, 3, 2, 4, 5, 1] {
        assert_eq!(sent(&partition, numbers(7, 0, number * 2), 2), (1 + 2 * number as u64, true));
    }
    // One from before, one that is too far, one that is known in part.
    assert_eq!(expected(&partition, numbers(7, 0, 0)), 12);
    assert_eq!(expected(&partition, numbers(7, 0, 13)), 12);
    assert_eq!(expected(&partition, numbers(7, 0, 11)), 12);
    // A new epoch begins with 0, and then the one before is over.
    assert_eq!(expected(&partition, numbers(7, 1, 12)), 0);
    assert_eq!(sent(&partition, numbers(7, 1, 0), 1), (13, false));
    let old = send(&partition, numbers(7, 0, 12), 1, Ack::Durable).unwrap_err();
    assert!(
        matches!(old, AppendError::InvalidProducerEpoch { producer_id: 7, epoch: 0, current: 1 }),
        "{old}"
    );
    assert_eq!(expected(&partition, numbers(7, 1, 10)), 1);
    assert_eq!(sent(&partition, numbers(7, 1, 0), 1), (13, true));
    // Another producer, and one that begins anywhere: what was known of it may have expired.
    assert_eq!(sent(&partition, numbers(8, 0, 0), 1), (14, false));
    assert_eq!(sent(&partition, numbers(9, 4, 77), 1), (15, false));
    assert_eq!(expected(&partition, numbers(9, 4, 77 + 2)), 78);
    // Behind the largest number comes 0.
    assert_eq!(sent(&partition, numbers(10, 0, i32::MAX - 1), 3), (16, false));
    assert_eq!(sent(&partition, numbers(10, 0, i32::MAX - 1), 3), (16, true));
    assert_eq!(sent(&partition, numbers(10, 0, 1), 1), (19, false));
    // Who does not number is not asked.
    append(&partition, Ack::Durable);
    assert_eq!(partition.durable_end(), 21);
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    for bad in [numbers(-1, 0, 0), numbers(7, -1, 0), numbers(7, 0, -1)] {
        let error = send(&partition, bad, 1, Ack::Durable).unwrap_err();
        assert!(matches!(error, AppendError::InvalidProducer { .. }), "{error}");
    }
    assert!(matches!(send(&partition, numbers(7, 0, 0), 0, Ack::Durable), Err(AppendError::EmptyBatch)));
    assert_eq!(partition.appended_end(), 0);
    for (option, options) in [
        ("producers_max", bed.options().producers_max(0)),
        ("producer_id_expiration_ms", bed.options().producer_id_expiration_ms(0)),
    ] {
        let error = Log::open("/elsewhere", options).unwrap_err();
        assert!(
            matches!(&error, OpenError::Options(InvalidOptions { option: found, .. }) if *found == option)
        );
    }
}

#[test]
fn the_numbers_are_in_the_batch() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    sent(&partition, numbers(7, 3, 5), 2);
    append(&partition, Ack::Durable);
    let fetched = partition.read(0, 1000).unwrap();
    let found: Vec<_> = fetched.batches().map(|batch| batch.unwrap().producer()).collect();
    assert_eq!(found, [Some(numbers(7, 3, 5)), None]);
    // Read from one partition and sent to another, it is known there by them.
    let batch = fetched.batches().next().unwrap().unwrap();
    let other = _log.create_topic("other", small()).unwrap().partition(0).unwrap();
    assert_eq!(other.append_record_batch(batch.bytes(), Ack::Durable).unwrap(), 0);
    assert_eq!(sent(&other, numbers(7, 3, 5), 2), (0, true));
}

/// A retry that asks for more than the first attempt gets it.
#[test]
fn a_duplicate_is_durable_when_that_is_what_was_asked() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    assert_eq!(send(&partition, numbers(7, 0, 0), 2, Ack::Appended).unwrap(), (0, false));
    assert_eq!(send(&partition, numbers(7, 0, 0), 2, Ack::Appended).unwrap(), (0, true));
    assert_eq!(partition.durable_end(), 0);
    assert_eq!(send(&partition, numbers(7, 0, 0), 2, Ack::Durable).unwrap(), (0, true));
    assert_eq!(partition.durable_end(), 2);
    // And is not said to be, when it is not.
    send(&partition, numbers(7, 0, 2), 1, Ack::Appended).unwrap();
    bed.disk.inject(Fault::on(DiskOp::SyncData).path_end(".log"));
    let error = send(&partition, numbers(7, 0, 2), 1, Ack::Durable).unwrap_err();
    assert!(matches!(error, AppendError::NotDurable { offset: 2, .. }), "{error}");
}

#[test]
fn a_duplicate_needs_no_room() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let mut sequence = 0;
    bed.disk.set_space_bytes(Some(60_000));
    while send(&partition, numbers(7, 0, sequence), 1, Ack::Appended).is_ok() {
        sequence += 1;
    }
    assert!(matches!(
        send(&partition, numbers(7, 0, sequence), 1, Ack::Appended),
        Err(AppendError::NoSpace(_))
    ));
    assert!(send(&partition, numbers(7, 0, sequence - 1), 1, Ack::Appended).unwrap().1);
    // What was refused is not remembered.
    bed.disk.set_space_bytes(None);
    assert_eq!(send(&partition, numbers(7, 0, sequence), 1, Ack::Durable).unwrap(), (sequence as u64, false));
}

/// Kafka's clients send what they have under way once more: nothing of it is looked at but the header.
#[test]
fn batches_of_kafka_clients_are_taken_once() {
    // kcat 1.7.1 with librdkafka 2.0.2, from Produce requests; kafka-clients 4.3.0.
    const GZIP: &str = "00000000000000000000005e0000000002e9460971000100000000000001a209036f7c000001a209036f7c0000\
        00002d83fa40000000000000000000011f8b08000000000000035bc0c8c0c0c0926dd0c798919a9393af9b5e9559a09b4801600000\
        84f03e9f52000000";
    const SNAPPY: &str = "0000000000000000000000500000000002f6041abf000200000000000001a209036fa4000001a209036fa4\
        000000001e02869000000000000000000001545ca401000000046b30920168656c6c6f2d736e617070792d61ea01000000";
    const ZSTD: &str = "0000000000000000000000570000000002fe8b09d8000400000000000001a209036f99000001a209036f9900\
        00000003c291f80000000000000000000128b52ffd0058ed0000b8a001000000046b308e0168656c6c6f2d7a7374642d6100010020\
        8126";
    let mut java = plain();
    java[..8].fill(0);
    java[17..21].copy_from_slice(&[0x15, 0xdc, 0xbd, 0x1e]);
    java[43..57].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0x10, 0x92, 0, 3, 0, 0, 0, 17]);
    // A batch of a codec that is not built in is refused.
    let hex = [
        (GZIP, cfg!(feature = "gzip")),
        (OF_IDEMPOTENT_LIBRDKAFKA, cfg!(feature = "lz4")),
        (SNAPPY, cfg!(feature = "snappy")),
        (ZSTD, cfg!(feature = "zstd")),
    ];
    let packed = hex.into_iter().filter(|(_, built_in)| *built_in);
    let batches: Vec<Vec<u8>> = packed.map(|(hex, _)| unhex(&hex.replace(' ', ""))).chain([java]).collect();
    let count = batches.len() as u64;
    let offsets: Vec<u64> = (0..count).collect();
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let send_all = |partition: &Partition| -> Vec<u64> {
        let append = |batch: &Vec<u8>| partition.append_record_batch(batch, Ack::Durable).unwrap();
        batches.iter().map(append).collect()
    };
    assert_eq!(send_all(&partition), offsets);
    assert_eq!(send_all(&partition), offsets);
    assert_eq!(partition.appended_end(), count + 4);
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    assert_eq!(send_all(&partition), offsets);
    // The Java client goes on behind its five records.
    assert_eq!(expected(&partition, numbers(4242, 3, 21)), 22);
    assert_eq!(sent(&partition, numbers(4242, 3, 22), 1), (count + 4, false));
}

#[test]
fn a_producer_that_is_silent_for_too_long_is_forgotten() {
    let bed = Bed::new(0);
    let log = Log::open("/data", bed.options().producer_id_expiration_ms(5000)).unwrap();
    let here = partition(&log, bed.topic);
    let maintain = |after_ms: i64| {
        bed.clock.advance_ms(after_ms);
        log.maintain(bed.clock.now_ms()).unwrap();
    };
    sent(&here, numbers(7, 0, 0), 1);
    maintain(4999);
    assert_eq!(sent(&here, numbers(7, 0, 0), 1), (0, true), "a duplicate is no sign of life");
    sent(&here, numbers(8, 0, 0), 1);
    maintain(1);
    assert_eq!(sent(&here, numbers(8, 0, 0), 1), (1, true));
    assert_eq!(sent(&here, numbers(7, 0, 0), 1), (2, false), "as if it were another one");
    // All are forgotten, and stay so when the log is opened again.
    maintain(5000);
    log.close().unwrap();
    let (log, again) = bed.open_partition();
    assert_eq!(log.recovery().partitions[0].producers, 0);
    assert_eq!(sent(&again, numbers(8, 0, 0), 1), (3, false));
}

#[test]
fn no_more_producers_are_remembered_than_may_be() {
    let bed = Bed::new(0);
    let open = |max| Log::open("/data", bed.options().producers_max(max)).unwrap();
    let log = open(100);
    let here = partition(&log, bed.topic);
    for id in 0..1000 {
        sent(&here, numbers(id, 0, 0), 1);
    }
    assert_eq!(sent(&here, numbers(999, 0, 0), 1), (999, true));
    log.close().unwrap();
    let log = open(100);
    let known = log.recovery().partitions[0].producers;
    assert!((75..=100).contains(&known), "{known}");
    log.close().unwrap();
    let log = open(10);
    assert!(log.recovery().partitions[0].producers <= 10);
    assert_eq!(sent(&partition(&log, bed.topic), numbers(999, 0, 0), 1), (999, true));
}

/// A batch of a history and the log's answer, if there was one.
fn work(bed: &Bed, done: &mut usize) -> Result<(), Box<dyn std::error::Error>> {
    let log = bed.try_open()?;
    let here = log.open_or_create_topic(TOPIC, bed.topic)?.partition(0).ok_or("no partition")?;
    while *done < 40 {
        let ack = if done.is_multiple_of(3) { Ack::Durable } else { Ack::Appended };
        let (id, sequence) = (7 + (*done % 2) as i64, (*done / 2 * 3) as i32);
        let (offset, _) = send(&here, numbers(id, 0, sequence), 3, ack)?;
        assert_eq!(offset, *done as u64 * 3);
        *done += 1;
    }
    log.close()?;
    Ok(())
}

/// Whatever operation of the disk fails, in the append, the roll, the close or the opening: sent again, each batch is there once.
#[test]
fn a_retry_after_any_failure_is_there_once() {
    let whole = Bed::new(0);
    work(&whole, &mut 0).unwrap();
    let operations = whole.disk.count_all();
    let mut failures = 0;
    for nth in 0..operations {
        let bed = Bed::new(nth);
        bed.disk.inject(Fault::on_any().skip(nth));
        let mut done = 0;
        while let Err(error) = work(&bed, &mut done) {
            failures += 1;
            assert!(failures < 4 * operations, "operation {nth}: {error}");
        }
        let (_log, partition) = bed.open_partition();
        assert_eq!(partition.durable_end(), 120, "operation {nth}");
        for last in 0..5 {
            assert_eq!(sent(&partition, numbers(8, 0, 57 - 3 * last), 3), (117 - 6 * last as u64, true));
        }
    }
    eprintln!("{failures} failures of {operations} operations with producers");
    assert!(failures * 2 > operations, "{failures}");
}

/// Many who send the same: one of them appends.
#[test]
fn batches_that_are_sent_at_the_same_time_are_there_once() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let appended = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for sequence in 0..200 {
                    match send(&partition, numbers(7, 0, sequence), 1, Ack::Appended) {
                        Ok((offset, is_duplicate)) => {
                            assert_eq!(offset, sequence as u64);
                            appended
                                .fetch_add(usize::from(!is_duplicate), std::sync::atomic::Ordering::Relaxed);
                        }
                        // The others are more than five ahead.
                        Err(AppendError::OutOfOrderSequence { expected, .. }) => assert!(expected > sequence),
                        Err(other) => unreachable!("{other}"),
                    }
                }
            });
        }
    });
    assert_eq!(appended.into_inner(), 200);
    assert_eq!(partition.appended_end(), 200);
}

//! Batches that producers number are there once, however often they are sent.

use std::path::Path;

use headwater_log::storage::{Access, Storage};
use headwater_log::{
    Ack, AppendError, Clock, InvalidOptions, Log, OpenError, Partition, ProducerIdError, ProducerNumbers,
    Record,
};
use headwater_testkit::sim_disk::{Fault, Op as DiskOp};

use crate::bed::{Bed, START_MS, TOPIC, append, partition, small};
use crate::foreign::{kafka_dir, plain};
use crate::record_batch::{OF_IDEMPOTENT_LIBRDKAFKA, unhex};

const DAY_MS: i64 = 24 * 3600 * 1000;

fn numbers(id: i64, epoch: i16, sequence: i32) -> ProducerNumbers {
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

fn sent(partition: &Partition, numbers: ProducerNumbers, count: usize) -> (u64, bool) {
    send(partition, numbers, count, Ack::Durable).unwrap()
}

/// The sequence number that is expected of a producer that sends another one.
fn expected(partition: &Partition, numbers: ProducerNumbers) -> i32 {
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
    let hex = [GZIP, OF_IDEMPOTENT_LIBRDKAFKA, SNAPPY, ZSTD];
    let batches: Vec<Vec<u8>> =
        hex.map(|hex| unhex(&hex.replace(' ', ""))).into_iter().chain([java]).collect();
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let send_all = |partition: &Partition| -> Vec<u64> {
        let append = |batch: &Vec<u8>| partition.append_record_batch(batch, Ack::Durable).unwrap();
        batches.iter().map(append).collect()
    };
    assert_eq!(send_all(&partition), [0, 1, 2, 3, 4]);
    assert_eq!(send_all(&partition), [0, 1, 2, 3, 4]);
    assert_eq!(partition.appended_end(), 9);
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    assert_eq!(send_all(&partition), [0, 1, 2, 3, 4]);
    // The Java client goes on behind its five records.
    assert_eq!(expected(&partition, numbers(4242, 3, 21)), 22);
    assert_eq!(sent(&partition, numbers(4242, 3, 22), 1), (9, false));
}

/// A log of three segments and more with batches of two producers, closed; the numbers of the last batches of each, and
/// their offsets.
fn closed_log() -> (Bed, Vec<(ProducerNumbers, u64)>) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let mut batches = Vec::new();
    let mut sequence = 0;
    while partition.segments().len() < 4 {
        for id in [7, 8] {
            let numbers = numbers(id, 2, sequence);
            batches.push((numbers, sent(&partition, numbers, 1).0));
        }
        append(&partition, Ack::Durable);
        sequence += 1;
    }
    log.close().unwrap();
    (bed, batches)
}

/// Each of the last five batches of both producers is known, an older one is not, and each goes on.
fn check_known(partition: &Partition, batches: &[(ProducerNumbers, u64)]) {
    for id in [7, 8] {
        let all: Vec<_> = batches.iter().filter(|(numbers, _)| numbers.id == id).collect();
        for (numbers, offset) in &all[all.len() - 5..] {
            assert_eq!(sent(partition, *numbers, 1), (*offset, true));
        }
        let next = numbers(id, 2, all.len() as i32);
        assert_eq!(expected(partition, all[all.len() - 6].0), next.base_sequence);
        assert_eq!(expected(partition, next.behind(1)), next.base_sequence);
    }
}

fn snapshots(bed: &Bed) -> Vec<u64> {
    let number = |path: &std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    bed.files(".snapshot").iter().map(number).collect()
}

#[test]
fn producers_are_known_after_a_clean_close_and_nothing_is_read_for_it() {
    let (bed, batches) = closed_log();
    for op in [DiskOp::Map, DiskOp::Write, DiskOp::Read] {
        bed.disk.inject(Fault::on(op).path_end(".log").for_good());
    }
    let log = bed.open();
    assert!(log.recovery().is_clean());
    assert_eq!(log.recovery().partitions[0].producers, 2);
    bed.disk.clear_faults();
    check_known(&log.topic(TOPIC).unwrap().partition(0).unwrap(), &batches);
}

/// One for the beginning of each segment but the first, and one for the end, as in a directory of Kafka.
#[test]
fn snapshots_are_those_of_segments_and_of_the_end() {
    let (bed, _) = closed_log();
    let (log, partition) = bed.open_partition();
    let bases: Vec<u64> = partition.segments().iter().map(|segment| segment.base_offset).collect();
    let end = partition.appended_end();
    let mut all: Vec<u64> = bases[1..].iter().copied().chain([end]).collect();
    assert_eq!(snapshots(&bed), all);
    // The one of the end is replaced by the next; those of segments go with them.
    append(&partition, Ack::Durable);
    log.close().unwrap();
    *all.last_mut().unwrap() = end + 1;
    assert_eq!(snapshots(&bed), all);
    let (log, partition) = bed.open_partition();
    partition.delete_records_before(bases[2]).unwrap();
    assert_eq!(snapshots(&bed), all[1..]);
    log.delete_topic(TOPIC).unwrap();
    assert!(bed.disk.list(Path::new("/data/t-0")).is_err(), "nothing is left");
}

#[test]
fn the_snapshot_has_the_bytes_that_kafka_would_understand() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    sent(&partition, numbers(0x1092, 3, 17), 5);
    bed.clock.advance_ms(1);
    sent(&partition, numbers(0x1092, 3, 22), 1);
    log.close().unwrap();
    let entry = |last_sequence: u8, last_offset: u8, delta: u8, time: i64| {
        let producer = [0, 0, 0, 0, 0, 0, 0x10, 0x92, 0, 3, 0, 0, 0, last_sequence];
        let offsets = [0, 0, 0, 0, 0, 0, 0, last_offset, 0, 0, 0, delta];
        [&producer[..], &offsets, &time.to_be_bytes(), &[255; 12]].concat()
    };
    let body = [&[0, 0, 0, 2][..], &entry(21, 5, 4, START_MS), &entry(22, 6, 0, START_MS + 1)].concat();
    let crc = crc_fast::crc32_iscsi(&body);
    let golden = [&[0, 1][..], &crc.to_be_bytes(), &body].concat();
    assert_eq!(bed.disk.content(&bed.file(7, "snapshot")), Some(golden));
}

/// Damage to snapshots costs reading, never what is known.
#[test]
fn a_snapshot_cut_at_every_byte_or_flipped_in_any_bit_is_passed_over() {
    let (bed, batches) = closed_log();
    let newest = *snapshots(&bed).last().unwrap();
    let path = bed.file(newest, "snapshot");
    let whole = bed.disk.content(&path).unwrap();
    type Harm = Box<dyn Fn(&mut Vec<u8>)>;
    let cuts = (0..whole.len()).map(|len| Box::new(move |bytes: &mut Vec<u8>| bytes.truncate(len)) as Harm);
    let flips = (0..whole.len() * 8)
        .step_by(5)
        .map(|bit| Box::new(move |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8)) as Harm);
    let mut count = 0;
    for harm in cuts.chain(flips) {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&path, |bytes| harm(bytes));
        let (log, partition) = bed.open_partition();
        assert_eq!(log.recovery().partitions[0].snapshots_ignored, [newest]);
        assert!(!log.recovery().is_clean());
        if count % 16 == 0 {
            check_known(&partition, &batches);
            log.close().unwrap();
            let (log, partition) = bed.open_partition();
            assert!(log.recovery().is_clean());
            check_known(&partition, &batches);
        } else {
            let (numbers, offset) = *batches.last().unwrap();
            assert_eq!(sent(&partition, numbers, 1), (offset, true));
        }
        count += 1;
    }
    eprintln!("{count} damaged snapshots");
}

#[test]
fn without_any_snapshot_the_batches_tell() {
    let (bed, batches) = closed_log();
    for harm in ["gone", "damaged"] {
        let bed = bed.on(bed.disk.snapshot());
        for path in bed.files(".snapshot") {
            match harm {
                "gone" => bed.disk.remove(&path).unwrap(),
                _ => _ = bed.disk.damage(&path, |bytes| bytes[7] ^= 1),
            }
        }
        let (log, partition) = bed.open_partition();
        check_known(&partition, &batches);
        // It is kept, so that it does not have to be found again.
        assert_eq!(snapshots(&bed), [partition.durable_end()]);
        drop(log);
    }
}

/// What tells the producers cannot be read: the log does not open as if there had been none, and nothing is changed.
#[test]
fn damage_of_the_batches_that_tell_is_an_error() {
    let (bed, _) = closed_log();
    bed.files(".snapshot").iter().for_each(|path| bed.disk.remove(path).unwrap());
    bed.disk.damage(&bed.file(0, "log"), |bytes| bytes[100] ^= 1);
    let before: Vec<_> = bed.files("").into_iter().map(|path| (bed.disk.content(&path), path)).collect();
    assert!(matches!(bed.try_open(), Err(OpenError::Corrupt(_))));
    let after: Vec<_> = bed.files("").into_iter().map(|path| (bed.disk.content(&path), path)).collect();
    assert_eq!(before, after);
}

/// A snapshot of a version that is not known is left for whoever knows it.
#[test]
fn a_snapshot_of_another_version_is_left() {
    let (bed, batches) = closed_log();
    let newest = *snapshots(&bed).last().unwrap();
    bed.disk.damage(&bed.file(newest, "snapshot"), |bytes| bytes[1] = 2);
    let (log, partition) = bed.open_partition();
    assert_eq!(log.recovery().partitions[0].snapshots_ignored, [newest]);
    check_known(&partition, &batches);
}

/// What a snapshot of Kafka's says of a producer, which has one entry, and what its log says behind it.
#[test]
fn a_directory_of_kafka_is_opened_with_its_producers() {
    // kafka-clients 4.3.0: a commit marker of producer 4242 in epoch 3, at offset 105, by the coordinator in epoch 9.
    let marker = unhex(
        "0000000000000069000000420000000702ec89a1400030000000000000018bcfe6a0800000018bcfe6a080000000000000\
         10920003ffffffff000000012000000008000000010c00000000000900"
            .replace(' ', "")
            .as_str(),
    );
    let mut numbered = plain();
    numbered[17..21].copy_from_slice(&[0x15, 0xdc, 0xbd, 0x1e]);
    numbered[43..57].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0x10, 0x92, 0, 3, 0, 0, 0, 17]);
    // Of producer 5, in epoch 1, the batch of two records that ends with sequence 9 at offset 99.
    let body = [
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 9][..],
        &[0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0, 1],
        &i64::MAX.to_be_bytes(), // A record's time, which may be anything.
        &[255; 12],
    ]
    .concat();
    let snapshot = [&[0, 1][..], &crc_fast::crc32_iscsi(&body).to_be_bytes(), &body].concat();
    for point in [Some(106), None] {
        let bed = kafka_dir(&[(100, [numbered.clone(), marker.clone()].concat())], "0\n1\n7 100\n", point);
        bed.disk.damage(&bed.file(100, "snapshot"), |bytes| bytes.clone_from(&snapshot));
        let (log, partition) = bed.open_partition();
        assert_eq!(log.recovery().partitions[0].producers, 2);
        assert_eq!(sent(&partition, numbers(5, 1, 8), 2), (98, true));
        assert_eq!(sent(&partition, numbers(5, 1, 10), 1), (106, false));
        assert_eq!(sent(&partition, numbers(4242, 3, 17), 5), (100, true));
        assert_eq!(expected(&partition, numbers(4242, 3, 0)), 22);
        // What the marker says is kept for the broker that takes it back.
        log.close().unwrap();
        let kept = bed.disk.content(&bed.file(107, "snapshot")).unwrap();
        let coordinator: Vec<_> = kept[10..].chunks(46).map(|entry| entry[37]).collect();
        assert_eq!(coordinator, [255, 255, 9], "of 5 twice, of 4242");
        // The time that lies ahead was not believed.
        bed.clock.advance_ms(DAY_MS);
        let (log, _partition) = bed.open_partition();
        log.confirm_clock(START_MS + DAY_MS);
        log.maintain(START_MS + DAY_MS).unwrap();
        log.close().unwrap();
        assert_eq!(bed.disk.content(&bed.file(107, "snapshot")).unwrap().len(), 10);
    }
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

/// Where nobody numbers, nothing is kept and nothing is read.
#[test]
fn without_producers_there_is_no_snapshot() {
    let bed = Bed::closed(200);
    let log = bed.open();
    log.close().unwrap();
    assert!(bed.files("snapshot").is_empty() && bed.files("producer_ids").is_empty());
}

#[test]
fn a_snapshot_that_cannot_be_written_fails_the_append_and_not_more() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    bed.disk.inject(Fault::on(DiskOp::Create).path_end(".snapshot.tmp").for_good());
    let mut sequence = 0;
    let error = loop {
        match send(&partition, numbers(7, 0, sequence), 1, Ack::Durable) {
            Ok(_) => sequence += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Io(_)), "{error}");
    assert_eq!(partition.appended_end(), sequence as u64);
    bed.disk.clear_faults();
    assert_eq!(sent(&partition, numbers(7, 0, sequence), 1), (sequence as u64, false));
    assert_eq!(partition.segments().len(), 2);
    // A log that cannot keep it at its end is not closed cleanly, and finds it again.
    bed.disk.inject(Fault::on(DiskOp::Create).path_end(".snapshot.tmp"));
    assert!(log.close().is_err());
    let (_log, partition) = bed.open_partition();
    assert_eq!(sent(&partition, numbers(7, 0, sequence), 1), (sequence as u64, true));
    assert_eq!(sent(&partition, numbers(7, 0, sequence - 4), 1), (sequence as u64 - 4, true));
}

#[test]
fn producer_ids_are_given_once_over_all_crashes() {
    let bed = Bed::new(0);
    let mut disk = bed.disk.clone();
    let mut given = std::collections::HashSet::new();
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

/// What was quarantined was acknowledged; what holds of it tells the producers, where there is no snapshot.
#[test]
fn producers_are_known_after_a_quarantine() {
    for with_snapshots in [true, false] {
        let (bed, batches) = closed_log();
        if !with_snapshots {
            bed.files(".snapshot").iter().for_each(|path| bed.disk.remove(path).unwrap());
        }
        bed.disk.damage(&bed.file(0, "log"), |bytes| bytes[100] ^= 1);
        let log = Log::open("/data", bed.options().on_damage(headwater_log::OnDamage::Quarantine)).unwrap();
        assert_eq!(log.recovery().partitions[0].damage.len(), 1);
        check_known(&partition(&log, bed.topic), &batches);
        log.close().unwrap();
        let (_log, partition) = bed.open_partition();
        check_known(&partition, &batches);
    }
}

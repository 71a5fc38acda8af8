//! What is known of producers after the log was opened again: from snapshots, and from batches.

use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, AppendError, Log, OnDamage, OpenError, Partition, ProducerNumbers, Record};
use headwater_testkit::sim_disk::{Bounds, Fault, Op as DiskOp};

use crate::bed::{Bed, START_MS, TOPIC, append, partition};
use crate::compaction;
use crate::foreign::{kafka_dir, plain};
use crate::idempotence::{expected, numbers, send, sent};
use crate::record_batch::unhex;

const DAY_MS: i64 = 24 * 3600 * 1000;

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

/// It speaks of batches that were lost, so nothing else that it says is believed.
#[test]
fn a_snapshot_that_names_a_batch_behind_its_offset_is_passed_over() {
    let (bed, batches) = closed_log();
    let newest = *snapshots(&bed).last().unwrap();
    for last_offset in [newest, newest + 1, i64::MAX.cast_unsigned()] {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&bed.file(newest, "snapshot"), |bytes| {
            let entry = bytes.len() - 46;
            bytes[entry + 14..entry + 22].copy_from_slice(&last_offset.to_be_bytes());
            let crc = crc_fast::crc32_iscsi(&bytes[6..]);
            bytes[2..6].copy_from_slice(&crc.to_be_bytes());
        });
        let (log, partition) = bed.open_partition();
        assert_eq!(log.recovery().partitions[0].snapshots_ignored, [newest]);
        check_known(&partition, &batches);
    }
}

/// A segment that compaction has made tells its producers as those that it replaces did.
#[test]
fn a_compacted_log_tells_its_producers_without_snapshots() {
    let bed = compaction::bed();
    let (log, partition) = bed.open_partition();
    let send = |partition: &Partition, id, sequence| {
        let records = [Record::new("value").key("key")];
        let appended = partition.append_idempotent(&records, numbers(id, 0, sequence), Ack::Durable);
        appended.map(|appended| (appended.offset, appended.is_duplicate))
    };
    for sequence in 0..10 {
        for id in [7, 8] {
            assert!(!send(&partition, id, sequence).unwrap().1);
        }
    }
    // Enough for the segment to be rolled; one of the key itself, so that no record of the producers stays.
    compaction::put(&partition, "key", "newest");
    compaction::fill(&partition, 200, 2);
    assert!(compaction::compact(&partition).records_superseded >= 20);
    log.close().unwrap();
    bed.files(".snapshot").iter().for_each(|path| bed.disk.remove(path).unwrap());
    let (log, partition) = bed.open_partition();
    assert_eq!(log.recovery().partitions[0].producers, 2);
    assert_eq!(send(&partition, 7, 9).unwrap(), (18, true));
    assert_eq!(send(&partition, 8, 9).unwrap(), (19, true));
    let gap = send(&partition, 7, 11).unwrap_err();
    assert!(matches!(gap, AppendError::OutOfOrderSequence { expected: 10, found: 11, .. }), "{gap}");
    assert_eq!(send(&partition, 7, 10).unwrap(), (221, false));
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
        // Both have been silent for a day.
        bed.clock.advance_ms(DAY_MS);
        let (log, _partition) = bed.open_partition();
        log.confirm_clock(START_MS + DAY_MS);
        log.maintain(START_MS + DAY_MS).unwrap();
        log.close().unwrap();
        assert_eq!(bed.disk.content(&bed.file(107, "snapshot")).unwrap().len(), 10);
    }
}

/// Kafka takes it from the records: a producer whose clock was wrong would be remembered for ever.
#[test]
fn a_time_in_a_snapshot_that_lies_ahead_is_not_believed() {
    let (bed, _) = closed_log();
    let newest = *snapshots(&bed).last().unwrap();
    bed.disk.damage(&bed.file(newest, "snapshot"), |bytes| {
        for entry in bytes[10..].chunks_mut(46) {
            entry[26..34].copy_from_slice(&i64::MAX.to_be_bytes());
        }
        let crc = crc_fast::crc32_iscsi(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    });
    let log = bed.open();
    assert_eq!(log.recovery().partitions[0].producers, 2);
    log.confirm_clock(START_MS + DAY_MS);
    bed.clock.advance_ms(DAY_MS);
    log.maintain(START_MS + DAY_MS).unwrap();
    log.close().unwrap();
    assert_eq!(bed.open().recovery().partitions[0].producers, 0);
}

/// Recovery reads what is behind the mark; that batches before it are numbered, the mark says.
#[test]
fn numbered_batches_before_the_mark_are_known_after_a_kill() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    assert_eq!(sent(&partition, numbers(7, 0, 0), 1), (0, false));
    for _ in 0..5 {
        append(&partition, Ack::Durable);
    }
    for _ in 0..2 {
        let bed = bed.on(bed.disk.kill());
        let (log, partition) = bed.open_partition();
        assert_eq!(log.recovery().partitions[0].producers, 1);
        assert_eq!(sent(&partition, numbers(7, 0, 0), 1), (0, true));
        append(&partition, Ack::Appended);
        bed.disk.halt();
    }
}

/// A snapshot speaks of a batch that is lost. Had it come back when others have the offsets, the batch would be taken for one that
/// is there, and acknowledged.
#[test]
fn a_snapshot_that_was_removed_does_not_come_back() {
    let bed = Bed::new(0);
    let log = Log::open("/data", bed.options().producer_id_expiration_ms(1 << 60)).unwrap();
    let here = partition(&log, bed.topic);
    let fill = |partition: &Partition, segments: usize| {
        while partition.segments().len() < segments {
            partition.append(&Record::new(&[1_u8; 300]), Ack::Appended).unwrap();
        }
    };
    sent(&here, numbers(7, 0, 0), 1);
    // The first segment is sealed and the second is empty, so that the opening has nothing else to make durable.
    compaction::roll(&bed, &log);
    assert_eq!(here.segments().len(), 2);
    here.sync().unwrap();
    // From here on nothing is durable but the snapshot of the third segment.
    send(&here, numbers(7, 0, 1), 1, Ack::Appended).unwrap();
    fill(&here, 3);
    let ahead = *snapshots(&bed).last().unwrap();
    let mut images = 0;
    let bounds = Bounds { images: 128, torn: 0, seed: 1 };
    bed.disk.snapshot().crash_images(bounds, |image| {
        let bed = bed.on(image);
        let (log, partition) = bed.open_partition();
        let is_lost = !log.recovery().is_clean() && partition.durable_end() < ahead;
        // Not durable, so that nothing but the opening itself can have made the removal so.
        while is_lost && partition.appended_end() <= ahead {
            partition.append(&Record::new("x"), Ack::Appended).unwrap();
        }
        let disk = bed.disk.snapshot();
        bed.disk.halt();
        disk.crash_images(Bounds { images: 64, ..bounds }, |image| {
            images += 1;
            let bed = bed.on(image);
            let (log, partition) = bed.open_partition();
            let end = partition.appended_end();
            let (offset, is_duplicate) = sent(&partition, numbers(7, 0, 1), 1);
            assert_eq!(offset == end, !is_duplicate);
            if is_duplicate {
                let fetched = partition.read(offset, 1).unwrap();
                let of = fetched.batches().next().unwrap().unwrap().producer();
                assert_eq!(of, Some(numbers(7, 0, 1)), "a batch that is not there was acknowledged");
            }
            bed.disk.halt();
            drop(log);
        });
    });
    eprintln!("{images} crash images of a snapshot that was removed");
    assert!(images > 100, "{images}");
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

/// What was quarantined was acknowledged; what holds of it tells the producers, where there is no snapshot.
#[test]
fn producers_are_known_after_a_quarantine() {
    for with_snapshots in [true, false] {
        let (bed, batches) = closed_log();
        if !with_snapshots {
            bed.files(".snapshot").iter().for_each(|path| bed.disk.remove(path).unwrap());
        }
        bed.disk.damage(&bed.file(0, "log"), |bytes| bytes[100] ^= 1);
        let log = Log::open("/data", bed.options().on_damage(OnDamage::Quarantine)).unwrap();
        assert_eq!(log.recovery().partitions[0].damage.len(), 1);
        check_known(&partition(&log, bed.topic), &batches);
        log.close().unwrap();
        let (_log, partition) = bed.open_partition();
        check_known(&partition, &batches);
    }
}

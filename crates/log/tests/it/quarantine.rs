//! P6 where the program asks for it: damage is set aside, nothing that holds is lost, no offset is given twice.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, CheckEvent, Damage, Log, OnDamage, OpenError, Partition, PartitionRecovery, ReadError,
    ReadOnlyOptions, ReadUpTo,
};

use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, ROOT, START_MS, TOPIC, append, check_all, partition, payload, read_all};

pub(crate) fn bases(bed: &Bed) -> Vec<u64> {
    let base = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    bed.files(".log").iter().map(base).collect()
}

fn try_quarantine(bed: &Bed) -> Result<Log, OpenError> {
    Log::open(ROOT, bed.options().on_damage(OnDamage::Quarantine))
}

/// Opens with quarantine; gives what was done in the one partition.
pub(crate) fn quarantined(bed: &Bed) -> (Log, Partition, PartitionRecovery) {
    let log = try_quarantine(bed).unwrap();
    let partition = partition(&log, bed.topic);
    let report = log.recovery().partitions[0].clone();
    (log, partition, report)
}

pub(crate) fn missing(report: &PartitionRecovery) -> Vec<u64> {
    report.missing.iter().cloned().flatten().collect()
}

/// Every record but those that are missing is there and right, by a scan and by its offset, and offsets go on at `end`.
pub(crate) fn check(partition: &Partition, missing: &[u64], end: u64) {
    let expected: Vec<u64> = (partition.start_offset()..end).filter(|at| !missing.contains(at)).collect();
    let found: Vec<u64> = read_all(partition, ReadUpTo::Durable)
        .into_iter()
        .map(|record| {
            assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()));
            record.offset
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(partition.appended_end(), end);
    for asked in partition.start_offset()..end {
        let first = partition.read(asked, 1).unwrap().views().next().map(|view| view.unwrap().offset);
        assert_eq!(first, expected.iter().copied().find(|at| *at >= asked), "offset {asked}");
    }
}

/// The same after everything that comes later: a strict opening, appends, a kill, a strict opening, a rebuilt list of
/// epochs.
fn check_for_good(bed: &Bed, missing: &[u64], end: u64) {
    let (log, partition) = bed.open_partition();
    assert!(log.recovery().is_clean(), "{:?}", log.recovery());
    check(&partition, missing, end);
    for _ in 0..60 {
        append(&partition, Ack::Durable);
    }
    drop(partition);
    let killed = bed.on(bed.disk.kill());
    drop(log);
    let (log, partition) = killed.open_partition();
    check(&partition, missing, end + 60);
    log.close().unwrap();
    killed.disk.remove(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    let (_log, partition) = killed.open_partition();
    check(&partition, missing, end + 60);
}

/// Every byte of every segment, one at a time: one batch is lost, or as many as lie before the next index entry.
#[test]
fn a_flipped_byte_costs_what_lies_before_the_next_batch_that_can_be_found() {
    let bed = Bed::closed(150);
    assert!(bases(&bed).len() >= 4);
    let mut lost = 0;
    for base_offset in bases(&bed) {
        let path = bed.file(base_offset, "log");
        let len = bed.disk.content(&path).unwrap().len();
        for at in (0..len).step_by(23) {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&path, |bytes| bytes[at] ^= 0x20);
            let original = bed.disk.content(&path);
            let (log, partition, report) = quarantined(&bed);
            let gone = missing(&report);
            // 256 bytes between entries, batches of 90 bytes and more.
            assert!((1..=6).contains(&gone.len()), "byte {at} of {base_offset}: {gone:?}");
            lost += gone.len();
            assert!(report.damage.iter().all(|damage| damage.segment == base_offset));
            assert!(report.damage[0].position <= at as u64);
            let [aside] = &report.set_aside[..] else { unreachable!("{report:?}") };
            assert_eq!(aside.path, bed.file(base_offset, "damaged"));
            assert_eq!(bed.disk.content(&aside.path), original, "nothing is lost");
            check(&partition, &gone, 150);
            log.close().unwrap();
            if at % 5 == 0 {
                check_for_good(&bed, &gone, 150);
            }
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_log_without_damage_is_opened_as_ever() {
    let bed = Bed::closed(150);
    let image = |bed: &Bed| -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        bed.disk.files().into_iter().map(|path| (path.clone(), bed.disk.content(&path))).collect()
    };
    let before = image(&bed);
    let (log, partition, report) = quarantined(&bed);
    assert!(report.is_clean() && report.segments_scanned == 0, "{report:?}");
    check_all(&partition);
    log.close().unwrap();
    assert_eq!(image(&bed), before);

    // A torn tail is no damage: it is cut, and nothing is set aside.
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Appended);
    let size = partition.size_bytes() as usize;
    let last = *bases(&bed).last().unwrap();
    let bed = bed.on(bed.disk.kill());
    drop(log);
    let in_last = bed.disk.content(&bed.file(last, "log")).unwrap();
    let used = in_last.iter().rposition(|byte| *byte != 0).unwrap();
    assert!(used < size);
    bed.disk.damage(&bed.file(last, "log"), |bytes| bytes[used - 4] ^= 1);
    let (_log, partition, report) = quarantined(&bed);
    assert!(report.damage.is_empty() && report.set_aside.is_empty() && report.bytes_cut > 0);
    assert_eq!(check_all(&partition), 151);
}

/// The end of the log does not fall, whatever is gone of the newest segment.
#[test]
fn a_durable_tail_that_is_gone_leaves_a_gap_and_the_end_where_it_was() {
    let bed = Bed::closed(150);
    let last = *bases(&bed).last().unwrap();
    let path = bed.file(last, "log");
    let len = bed.disk.content(&path).unwrap().len();
    for closed in [true, false] {
        let bed = bed.on(bed.disk.snapshot());
        if !closed {
            let (log, partition) = bed.open_partition();
            append(&partition, Ack::Durable);
            bed.disk.damage(Path::new("/data/recovery-point-offset-checkpoint"), Vec::clear);
            bed.disk.damage(Path::new("/data/recovery-point-offset-checkpoint"), |text| {
                text.extend_from_slice(b"0\n0\n");
            });
            bed.disk.halt();
            drop(log);
        }
        let end = if closed { 150 } else { 151 };
        for (cut, zeroed) in
            [(len - 1, false), (len - 2, true), (len / 2, true), (len / 2, false), (0, true), (0, false)]
        {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&path, |bytes| {
                let whole = bytes.len();
                bytes.truncate(cut);
                bytes.resize(if zeroed { whole } else { cut }, 0);
            });
            let (log, partition, report) = quarantined(&bed);
            let gone = missing(&report);
            // The record that came after may be in a segment of its own.
            assert!(gone.last().is_some_and(|last| [149, end - 1].contains(last)), "{gone:?}");
            assert_eq!(report.damage.len(), 1, "{report:?}");
            check(&partition, &gone, end);
            log.close().unwrap();
            check_for_good(&bed, &gone, end);
        }
    }
}

#[test]
fn a_segment_that_is_gone_leaves_a_gap() {
    let bed = Bed::closed(150);
    let bases = bases(&bed);
    for (at, base_offset) in bases.iter().enumerate().skip(1) {
        for suffixes in [&["log"][..], &["log", "durable"], &["log", "index", "timeindex", "durable"]] {
            let bed = bed.on(bed.disk.snapshot());
            suffixes.iter().for_each(|suffix| bed.disk.remove(&bed.file(*base_offset, suffix)).unwrap());
            let next = bases.get(at + 1).copied().unwrap_or(150);
            let gone: Vec<u64> = (*base_offset..next).collect();
            assert!(matches!(bed.try_open(), Err(OpenError::Corrupt(_))));
            let (log, partition, report) = quarantined(&bed);
            let [damage] = &report.damage[..] else { unreachable!("{report:?}") };
            assert_eq!((damage.segment, &damage.what), (*base_offset, &Damage::MissingSegment));
            assert_eq!(missing(&report), gone);
            assert!(report.set_aside.is_empty());
            check(&partition, &gone, 150);
            log.close().unwrap();
            check_for_good(&bed, &gone, 150);
        }
    }
    // All of them.
    let bed = bed.on(bed.disk.snapshot());
    for base_offset in &bases {
        for suffix in ["log", "index", "timeindex", "durable"] {
            bed.disk.remove(&bed.file(*base_offset, suffix)).unwrap();
        }
    }
    let (log, partition, _) = quarantined(&bed);
    assert_eq!((partition.appended_end(), append(&partition, Ack::Durable)), (150, 150));
    log.close().unwrap();
    assert_eq!(bed.open_partition().1.appended_end(), 151);
}

#[test]
fn a_segment_that_overlaps_is_set_aside_whole() {
    let bed = Bed::closed(150);
    let bases = bases(&bed);
    let (good, wrong) = (bases[2], bases[2] - 3);
    for suffix in ["log", "index", "timeindex", "durable"] {
        let content = bed.disk.content(&bed.file(good, suffix)).unwrap();
        bed.disk.create(&bed.file(wrong, suffix)).unwrap().write_at(&content, 0).unwrap();
    }
    let content = bed.disk.content(&bed.file(wrong, "log"));
    assert!(matches!(bed.try_open(), Err(OpenError::Corrupt(_))));
    let (log, partition, report) = quarantined(&bed);
    assert_eq!(report.set_aside[0].path, bed.file(wrong, "damaged"));
    assert_eq!(bed.disk.content(&bed.file(wrong, "damaged")), content);
    check(&partition, &missing(&report), 150);
    assert_eq!(missing(&report), Vec::<u64>::new());
    log.close().unwrap();
    check_for_good(&bed, &[], 150);
}

#[test]
fn damage_of_damage_is_set_aside_under_another_name() {
    let bed = Bed::closed(150);
    let base_offset = bases(&bed)[1];
    let path = bed.file(base_offset, "log");
    let quarantine = |at: usize| {
        bed.disk.damage(&path, |bytes| bytes[at] ^= 1);
        let damaged = bed.disk.content(&path);
        let (log, partition, report) = quarantined(&bed);
        let [gone] = missing(&report)[..] else { unreachable!("{report:?}") };
        log.close().unwrap();
        drop(partition);
        (damaged, report.set_aside[0].path.clone(), gone)
    };
    let (first, first_place, first_gone) = quarantine(1000);
    let (second, second_place, second_gone) = quarantine(300);
    assert_eq!(
        (&first_place, &second_place),
        (&bed.file(base_offset, "damaged"), &bed.file(base_offset, "damaged.2"))
    );
    assert_eq!((bed.disk.content(&first_place), bed.disk.content(&second_place)), (first, second));
    assert!(base_offset < second_gone && second_gone < first_gone);
    check_for_good(&bed, &[second_gone, first_gone], 150);
}

#[test]
fn a_reader_beside_the_writer_and_one_by_time_pass_over_a_gap() {
    let bed = Bed::closed(150);
    let base_offset = bases(&bed)[1];
    bed.disk.damage(&bed.file(base_offset, "log"), |bytes| bytes[70] ^= 1);
    let (log, partition, report) = quarantined(&bed);
    assert_eq!(missing(&report), [base_offset]);
    assert!(partition.offset_for_timestamp(START_MS).unwrap().is_some());
    let options = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
    let beside = Log::open_read_only(ROOT, options).unwrap().partition(TOPIC, 0).unwrap().unwrap();
    let read = beside.read(ReadUpTo::Durable, base_offset, 1).unwrap();
    assert_eq!(read.views().next().unwrap().unwrap().offset, base_offset + 1);
    assert!(matches!(partition.read(151, 1), Err(ReadError::OffsetOutOfRange { end: 150, .. })));
    log.close().unwrap();
}

#[test]
fn what_was_set_aside_outlives_retention_and_goes_with_its_topic() {
    let bed = Bed::closed(150);
    let base_offset = bases(&bed)[1];
    bed.disk.damage(&bed.file(base_offset, "log"), |bytes| bytes[70] ^= 1);
    let (log, partition, _) = quarantined(&bed);
    partition.delete_records_before(150).unwrap();
    assert_eq!(bed.files(".damaged").len(), 1);
    log.delete_topic(TOPIC).unwrap();
    assert_eq!(bed.files(".damaged").len(), 0);
    log.create_topic(TOPIC, bed.topic).unwrap();
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    let bed = Bed::closed(150);
    let base_offset = bases(&bed)[1];
    bed.disk.damage(&bed.file(base_offset, "log"), |bytes| bytes[70] ^= 1);
    let original = bed.disk.content(&bed.file(base_offset, "log"));
    let used: u64 = bed.disk.files().iter().map(|path| bed.disk.content(path).unwrap().len() as u64).sum();
    for free in [0, 1000, 5000] {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.set_space_bytes(Some(used + free));
        assert!(try_quarantine(&bed).is_err(), "{free} bytes");
        let there = [bed.file(base_offset, "log"), bed.file(base_offset, "damaged")];
        assert!(there.iter().any(|path| bed.disk.content(path) == original), "{free} bytes");
        bed.disk.set_space_bytes(None);
        let (_log, partition, report) = quarantined(&bed);
        check(&partition, &missing(&report), 150);
        assert_eq!(bed.disk.content(&bed.file(base_offset, "damaged")), original);
    }
}

/// Whatever happens to the files of segments, several things at once: it opens, everything that is read is right, the end
/// is where it was, a check says beforehand what is done, and afterwards that nothing is wrong.
#[test]
fn any_damage_of_segments_can_be_quarantined() {
    let whole = Bed::closed(150);
    let bases = bases(&whole);
    for seed in 0..1500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bed = whole.on(whole.disk.snapshot());
        for _ in 0..random.usize(1..6) {
            let base_offset = bases[random.usize(..bases.len())];
            let suffix = ["log", "log", "log", "index", "timeindex", "durable"][random.usize(..6)];
            let path = bed.file(base_offset, suffix);
            let len = bed.disk.content(&path).map_or(0, |bytes| bytes.len());
            let (at, byte) = (random.usize(..len.max(1)), random.u8(..));
            let harm = random.u8(..8);
            if harm == 0 {
                let _ = bed.disk.remove(&path);
                continue;
            }
            bed.disk.damage(&path, |bytes| match harm {
                _ if bytes.is_empty() => {}
                1 => bytes.truncate(at),
                2 => bytes[at..].fill(byte),
                3 => bytes.extend([byte; 100]),
                4 => _ = bytes.drain(at..(at + 200).min(len)),
                _ => bytes[at] ^= byte,
            });
        }
        let options = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
        let planned = Log::check(ROOT, &options, |_| {}).unwrap();
        let (log, partition, report) = quarantined(&bed);
        let [plan] = &planned.partitions[..] else { unreachable!("seed {seed}: {planned:?}") };
        assert_eq!((&plan.damage, &plan.missing), (&report.damage, &report.missing), "seed {seed}");
        let mut expected = partition.start_offset();
        for record in read_all(&partition, ReadUpTo::Durable) {
            assert!(record.offset >= expected, "seed {seed}");
            assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()), "seed {seed}");
            expected = record.offset + 1;
        }
        assert_eq!(append(&partition, Ack::Durable), 150, "seed {seed}");
        log.close().unwrap();
        let mut after = Vec::new();
        let ending = Log::check(ROOT, &options, |event| {
            if let CheckEvent::Finding(finding) = event {
                after.push(finding.to_string());
            }
        });
        assert!(ending.unwrap().errors == 0, "seed {seed}: {after:?}");
        assert!(bed.open().recovery().is_clean(), "seed {seed}");
    }
}

/// A directory without marks, as Kafka leaves one: the recovery point is the proof.
#[test]
fn damage_in_a_directory_of_kafkas_is_quarantined() {
    let bed = Bed::closed(150);
    let bases = bases(&bed);
    bases.iter().for_each(|base_offset| bed.disk.remove(&bed.file(*base_offset, "durable")).unwrap());
    for base_offset in &bases {
        let path = bed.file(*base_offset, "log");
        let len = bed.disk.content(&path).unwrap().len();
        for (at, whole) in [(70, true), (len / 2, true), (len - 2, true), (len / 2, false)] {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&path, |bytes| {
                // The last byte but one of a batch is of its payload, and so is the 71st of the first.
                bytes[at] ^= 1;
                bytes.truncate(if whole { len } else { at });
            });
            if whole || *base_offset == bases[bases.len() - 1] {
                assert!(matches!(bed.try_open(), Err(OpenError::Corrupt(_))), "{at} of {base_offset}");
            }
            let (log, partition, report) = quarantined(&bed);
            let gone = missing(&report);
            assert!(!whole || gone.len() == 1, "{at} of {base_offset}: {report:?}");
            let records = read_all(&partition, ReadUpTo::Durable);
            assert!(records.iter().all(|record| record.value.as_deref() == Some(&payload(record.offset))));
            assert!(whole == (records.len() == 149) && records.len() > 100);
            assert_eq!(append(&partition, Ack::Durable), 150);
            log.close().unwrap();
            let (log, partition) = bed.open_partition();
            assert!(log.recovery().is_clean());
            assert_eq!(read_all(&partition, ReadUpTo::Durable).len(), records.len() + 1);
        }
    }
}

/// A gap before an empty segment of Kafka's is right, also when the end of the log is missing behind it.
#[test]
fn an_empty_segment_behind_a_gap_stays_right_when_the_end_is_missing() {
    let bed = Bed::closed(1);
    bed.disk.remove(&bed.file(0, "durable")).unwrap();
    for base_offset in [10, 40] {
        bed.disk.create(&bed.file(base_offset, "log")).unwrap();
    }
    let points = Path::new("/data/recovery-point-offset-checkpoint");
    bed.disk.create(points).unwrap().write_at(b"0\n1\nt 0 70\n", 0).unwrap();
    let (log, partition, report) = quarantined(&bed);
    assert_eq!((report.missing.last(), partition.appended_end()), (Some(&(40..70)), 70));
    log.close().unwrap();
    let (log, partition) = bed.open_partition();
    assert!(log.recovery().is_clean());
    assert_eq!(partition.appended_end(), 70);
}

/// What was set aside before stays, also when it cannot be looked at.
#[test]
fn a_file_that_cannot_be_opened_is_not_replaced() {
    let bed = Bed::closed(150);
    let base_offset = bases(&bed)[1];
    let place = bed.file(base_offset, "damaged");
    bed.disk.create(&place).unwrap().write_at(b"from last time", 0).unwrap();
    bed.disk.damage(&bed.file(base_offset, "log"), |bytes| bytes[70] ^= 1);
    let locked = Fault::on(Op::Open).path_end(".damaged").kind(ErrorKind::PermissionDenied).for_good();
    bed.disk.inject(locked);
    let opened = Log::open("/data", bed.options().on_damage(OnDamage::Quarantine));
    assert!(matches!(opened, Err(OpenError::Io(_))), "{opened:?}");
    assert_eq!(bed.disk.content(&place).unwrap(), b"from last time");
    bed.disk.clear_faults();
    drop(quarantined(&bed));
    assert_eq!(bed.disk.content(&place).unwrap(), b"from last time");
    assert!(bed.disk.content(&bed.file(base_offset, "damaged.2")).is_some());
}

/// However much of a segment is damaged, its index is read once: the time goes by the length of the segment.
#[test]
fn an_index_is_read_once_for_all_damage_of_a_segment() {
    let opened = |every: usize| {
        let bed = Bed::closed(150);
        bed.disk.damage(&bed.file(bases(&bed)[1], "log"), |bytes| {
            let (mut at, mut number) = (0, 0);
            while at < bytes.len() {
                let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap());
                if number % every == 1 {
                    bytes[at + 70] ^= 1;
                }
                (at, number) = (at + 12 + length as usize, number + 1);
            }
        });
        let before = bed.disk.count(Op::Open);
        let options = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
        let report = Log::check(ROOT, &options, |_| {}).unwrap();
        (report.partitions[0].damage.len(), bed.disk.count(Op::Open) - before)
    };
    let (one, all) = (opened(1000), opened(2));
    assert!(one.0 == 1 && all.0 > 10, "{one:?}, {all:?}");
    assert_eq!(one.1, all.1);
}

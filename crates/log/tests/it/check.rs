//! A check finds each kind of damage, that and nothing else, and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, CheckEvent, CheckReport, Damage, Finding, IndexKind, IndexProblem, Log, OnDamage, OpenError,
    Problem, ReadOnlyOptions, Record, Severity,
};

use crate::bed::{Bed, ROOT, START_MS, TOPIC, append, append_batch, check_all, partition, payload};

fn options(bed: &Bed) -> ReadOnlyOptions {
    ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()))
}

fn image(bed: &Bed) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    bed.disk.files().into_iter().map(|path| (path.clone(), bed.disk.content(&path))).collect()
}

fn try_check(bed: &Bed) -> Result<(CheckReport, Vec<Finding>), OpenError> {
    let before = image(bed);
    let (mut findings, mut done) = (Vec::new(), 0);
    let report = Log::check(ROOT, &options(bed), |event| match event {
        CheckEvent::Finding(finding) => findings.push(finding.clone()),
        CheckEvent::Progress(progress) => {
            assert!(
                (done..=progress.total_bytes).contains(&progress.done_bytes),
                "{progress:?} after {done}"
            );
            done = progress.done_bytes;
        }
        _ => {}
    });
    assert_eq!(image(bed), before, "nothing is changed");
    let report = report?;
    let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count() as u64;
    assert_eq!((report.errors, report.notes), (count(Severity::Error), count(Severity::Note)));
    Ok((report, findings))
}

fn check(bed: &Bed) -> (CheckReport, Vec<Finding>) {
    try_check(bed).unwrap()
}

/// The one finding, and the segment that it is in.
fn the_one(bed: &Bed) -> (Problem, Option<u64>, Option<u64>) {
    let (_, findings) = check(bed);
    let [finding] = &findings[..] else { unreachable!("{findings:#?}") };
    assert!(!finding.problem.mend().is_empty() && !finding.to_string().is_empty());
    (finding.problem.clone(), finding.segment, finding.position)
}

/// A closed log of some segments, timestamps in disorder, and the base offsets of its segments.
fn closed_log() -> (Bed, Vec<u64>) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for offset in 0..150_u64 {
        let (value, timestamp) = (payload(offset), START_MS + (offset * 7919 % 1000) as i64);
        partition.append(&Record::new(&value).timestamp(timestamp), Ack::Durable).unwrap();
    }
    let bases = partition.segments().iter().map(|segment| segment.base_offset).collect();
    log.close().unwrap();
    (bed, bases)
}

fn damage(bed: &Bed, base_offset: u64, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) {
    assert!(bed.disk.damage(&bed.file(base_offset, suffix), change));
}

#[test]
fn a_whole_log_is_read_and_nothing_is_found() {
    let (bed, bases) = closed_log();
    let (report, findings) = check(&bed);
    assert!(report.is_clean() && findings.is_empty(), "{findings:?}");
    let bytes: usize = bed.files(".log").iter().map(|path| bed.disk.content(path).unwrap().len()).sum();
    assert_eq!((report.segments, report.batches, report.records), (bases.len() as u64, 150, 150));
    assert_eq!((report.bytes, report.open_segments, report.zero_bytes), (bytes as u64, 0, 0));
    assert!(report.partitions.iter().all(|partition| partition.is_clean()));
}

#[test]
fn a_log_whose_process_was_killed_is_not_closed_and_that_is_all() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for round in 0..100 {
        append(&partition, if round % 10 == 9 { Ack::Durable } else { Ack::Appended });
    }
    let bed = bed.on(bed.disk.kill());
    drop(log);
    let (report, findings) = check(&bed);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(report.open_segments > 0 && report.zero_bytes > 0);
    assert_eq!(report.records, 100);
}

#[test]
fn every_flipped_byte_of_a_batch_is_one_finding_with_its_place() {
    let (bed, bases) = closed_log();
    for base_offset in [bases[0], bases[2], bases[bases.len() - 1]] {
        let len = bed.disk.content(&bed.file(base_offset, "log")).unwrap().len();
        for at in (0..len).step_by(19) {
            let bed = bed.on(bed.disk.snapshot());
            damage(&bed, base_offset, "log", |bytes| bytes[at] ^= 0x08);
            let (problem, segment, position) = the_one(&bed);
            assert!(matches!(problem, Problem::Damaged(_)), "{problem}");
            assert_eq!(segment, Some(base_offset));
            assert!(position.is_some_and(|position| position <= at as u64));
        }
    }
}

#[test]
fn it_does_not_stop_at_the_first_finding() {
    let (bed, bases) = closed_log();
    for base_offset in &bases {
        damage(&bed, *base_offset, "log", |bytes| {
            bytes[100] ^= 1;
            bytes[1000] ^= 1;
        });
    }
    let (report, findings) = check(&bed);
    assert!(findings.len() >= bases.len() && report.errors == findings.len() as u64);
    assert!(bases.iter().all(|base| findings.iter().any(|finding| finding.segment == Some(*base))));
    assert_eq!(report.partitions[0].set_aside.len(), bases.len());
    // What it says is what an opening with quarantine does.
    let log = Log::open(ROOT, bed.options().on_damage(OnDamage::Quarantine)).unwrap();
    let done = &log.recovery().partitions[0];
    assert_eq!((&done.damage, &done.missing), (&report.partitions[0].damage, &report.partitions[0].missing));
    log.close().unwrap();
    assert!(check(&bed).1.is_empty(), "after it there is nothing to find");
}

#[test]
fn a_segment_that_is_gone_cut_or_zeroed_is_one_finding() {
    let (bed, bases) = closed_log();
    for base_offset in &bases[1..] {
        let gone = bed.on(bed.disk.snapshot());
        gone.disk.remove(&gone.file(*base_offset, "log")).unwrap();
        let (problem, segment, _) = the_one(&gone);
        assert!(matches!(problem, Problem::Damaged(Damage::MissingSegment)), "{problem}");
        assert_eq!(segment, Some(*base_offset));
        for change in [|bytes: &mut Vec<u8>| bytes.truncate(700), |bytes: &mut Vec<u8>| bytes[700..].fill(0)]
        {
            let cut = bed.on(bed.disk.snapshot());
            damage(&cut, *base_offset, "log", change);
            let (problem, segment, _) = the_one(&cut);
            assert!(matches!(problem, Problem::Damaged(_)), "{problem}");
            assert_eq!(segment, Some(*base_offset));
        }
    }
    let first = bed.on(bed.disk.snapshot());
    for suffix in ["log", "index", "timeindex", "durable"] {
        first.disk.remove(&first.file(0, suffix)).unwrap();
    }
    let (problem, ..) = the_one(&first);
    assert!(matches!(problem, Problem::BeginningMissing { from: 0, to } if to == bases[1]), "{problem}");
}

#[test]
fn an_index_that_is_missing_cut_or_wrong_is_one_finding() {
    let (bed, bases) = closed_log();
    let base_offset = bases[1];
    let found = |suffix: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let bed = bed.on(bed.disk.snapshot());
        damage(&bed, base_offset, suffix, change);
        match the_one(&bed) {
            (Problem::Index { index, problem }, segment, _) if segment == Some(base_offset) => {
                (index, problem)
            }
            other => unreachable!("{other:?}"),
        }
    };
    for (suffix, index, entry) in [("index", IndexKind::Offset, 8), ("timeindex", IndexKind::Time, 12)] {
        let len = bed.disk.content(&bed.file(base_offset, suffix)).unwrap().len();
        assert!(len >= 2 * entry);
        let wrong = |first, count| (index, IndexProblem::Entries { first, count });
        assert_eq!(
            found(suffix, &|bytes| bytes.truncate(len - 3)),
            (index, IndexProblem::Cut { bytes: len as u64 - 3 })
        );
        assert_eq!(found(suffix, &|bytes| bytes.truncate(len - entry)), (index, IndexProblem::Differs));
        assert_eq!(found(suffix, &|bytes| bytes.clear()), (index, IndexProblem::Differs));
        assert_eq!(found(suffix, &|bytes| bytes[entry - 1] ^= 1), wrong(0, 1));
        assert_eq!(found(suffix, &|bytes| bytes.resize(len + entry, 0xff)), wrong((len / entry) as u64, 1));
        for at in 0..len {
            let (found, problem) = found(suffix, &|bytes| bytes[at] ^= 0x10);
            assert!(
                found == index && matches!(problem, IndexProblem::Entries { .. }),
                "byte {at}: {problem}"
            );
        }
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.remove(&bed.file(base_offset, suffix)).unwrap();
        let (problem, ..) = the_one(&bed);
        assert!(matches!(problem, Problem::Index { problem: IndexProblem::Missing, .. }), "{problem}");
    }
}

#[test]
fn a_mark_that_is_damaged_is_one_finding() {
    let (bed, bases) = closed_log();
    for base_offset in bases {
        let slot = bed.on(bed.disk.snapshot());
        damage(&slot, base_offset, "durable", |bytes| bytes[4096 + 30] ^= 1);
        assert!(matches!(the_one(&slot), (Problem::MarkSlot, Some(at), None) if at == base_offset));
        let both = bed.on(bed.disk.snapshot());
        damage(&both, base_offset, "durable", |bytes| bytes.fill(0x77));
        assert!(matches!(the_one(&both), (Problem::MarkLost, Some(at), None) if at == base_offset));
        let gone = bed.on(bed.disk.snapshot());
        gone.disk.remove(&gone.file(base_offset, "durable")).unwrap();
        assert!(matches!(the_one(&gone), (Problem::MarkLost, Some(at), None) if at == base_offset));
    }
}

#[test]
fn a_torn_tail_is_a_note() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let durable = partition.size_bytes() as usize;
    append(&partition, Ack::Appended);
    let bed = bed.on(bed.disk.kill());
    drop(log);
    damage(&bed, 0, "log", |bytes| bytes[durable + 70] ^= 1);
    let (problem, segment, position) = the_one(&bed);
    assert!(matches!(problem, Problem::TornTail { bytes: 60.. }), "{problem}");
    assert_eq!((segment, position, problem.severity()), (Some(0), Some(durable as u64), Severity::Note));
}

/// A batch with a right checksum over whatever the change makes of it.
fn forged(change: impl FnOnce(&mut Vec<u8>)) -> Bed {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append_batch(&partition, 3, Ack::Durable);
    // The one that the time index knows.
    partition.append(&Record::new("later").timestamp(START_MS + 1000), Ack::Durable).unwrap();
    let len = partition.read(0, 1).unwrap().bytes().len();
    log.close().unwrap();
    damage(&bed, 0, "log", |bytes| {
        let mut batch = bytes[..len].to_vec();
        change(&mut batch);
        let crc = crc_fast::crc32_iscsi(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes[..len].copy_from_slice(&batch);
    });
    bed
}

#[test]
fn records_that_are_not_as_the_header_says_are_one_finding() {
    let content = |change: &dyn Fn(&mut Vec<u8>)| match the_one(&forged(|batch| change(batch))) {
        (Problem::Content(Damage::Record { record, field }), Some(0), Some(0)) => (record, field),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(content(&|batch| batch[60] = 2), (2, "recordCount"));
    assert_eq!(content(&|batch| batch[60] = 4), (3, "length"));
    // The first record has 27 bytes; the second one's offset delta is 1, and 2 is for the third.
    assert_eq!(content(&|batch| batch[61 + 27 + 3] = 4), (1, "offsetDelta"));
    let timestamp = forged(|batch| batch[42] ^= 1);
    assert!(matches!(the_one(&timestamp), (Problem::MaxTimestamp { .. }, Some(0), Some(0))));
}

#[test]
fn small_files_that_are_missing_or_malformed_are_one_finding() {
    let (bed, _) = closed_log();
    for name in ["log-start-offset-checkpoint", "recovery-point-offset-checkpoint"] {
        let bed = bed.on(bed.disk.snapshot());
        let path = Path::new(ROOT).join(name);
        bed.disk.create(&path).unwrap().write_at(b"what?\n", 0).unwrap();
        let (problem, ..) = the_one(&bed);
        assert!(problem.to_string().contains(name), "{problem}");
        assert_eq!(problem.severity(), Severity::Error);
    }
    for name in ["leader-epoch-checkpoint", "partition.metadata"] {
        let bed = bed.on(bed.disk.snapshot());
        let path = Path::new(ROOT).join("t-0").join(name);
        bed.disk.create(&path).unwrap().write_at(b"what?\n", 0).unwrap();
        let (problem, ..) = the_one(&bed);
        assert!(problem.to_string().contains(name), "{problem}");
    }
    bed.disk.remove(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    assert!(matches!(the_one(&bed), (Problem::EpochsMissing, None, None)));
}

#[test]
fn what_was_left_behind_is_one_finding() {
    let (bed, _) = closed_log();
    let left = bed.on(bed.disk.snapshot());
    left.disk.create(Path::new("/data/t-0/leader-epoch-checkpoint.tmp")).unwrap();
    assert!(
        matches!(the_one(&left).0, Problem::LeftBehind { name } if name == "leader-epoch-checkpoint.tmp")
    );
    let orphan = bed.on(bed.disk.snapshot());
    orphan.disk.create(&orphan.file(7000, "index")).unwrap();
    assert!(
        matches!(the_one(&orphan).0, Problem::LeftBehind { name } if name.starts_with("00000000000000007000"))
    );
    let unfinished = bed.on(bed.disk.snapshot());
    unfinished.disk.create(Path::new("/data/t-0/.headwater_deleting")).unwrap();
    assert!(matches!(the_one(&unfinished).0, Problem::Unfinished { topic } if topic == TOPIC));
    // Files of others are none of ours.
    bed.disk.create(Path::new("/data/t-0/holiday.jpg")).unwrap();
    assert!(check(&bed).1.is_empty());
}

#[test]
fn a_partition_that_is_gone_is_one_finding() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("many", bed.topic.partitions(3)).unwrap();
    log.close().unwrap();
    for suffix in ["log", "index", "timeindex", "durable"] {
        let name = format!("/data/many-1/00000000000000000000.{suffix}");
        bed.disk.remove(Path::new(&name)).unwrap();
    }
    for name in ["leader-epoch-checkpoint", "partition.metadata"] {
        bed.disk.remove(&Path::new("/data/many-1").join(name)).unwrap();
    }
    let (problem, ..) = the_one(&bed);
    let Problem::Unreadable(error) = problem else { unreachable!("{problem}") };
    assert!(matches!(*error, OpenError::MissingPartition { partition: 1, .. }), "{error}");
}

#[test]
fn a_log_that_is_written_or_is_none_is_not_looked_at() {
    let bed = Bed::new(0);
    assert!(matches!(try_check(&bed), Err(OpenError::NotFound { .. })));
    bed.disk.create_dir_all(Path::new("/data/photographs")).unwrap();
    assert!(matches!(try_check(&bed), Err(OpenError::NotFound { .. })));
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    assert!(matches!(try_check(&bed), Err(OpenError::Locked { .. })));
    log.close().unwrap();
    assert!(check(&bed).1.is_empty());
    // Kafka deletes its lock file when it stops; the check makes none.
    bed.disk.remove(Path::new("/data/.lock")).unwrap();
    assert!(check(&bed).1.is_empty());
}

/// Opening after any check is as it was before it.
#[test]
fn a_log_opens_after_a_check_as_before() {
    let (bed, _) = closed_log();
    check(&bed);
    let log = bed.open();
    assert!(log.recovery().is_clean());
    assert_eq!(check_all(&partition(&log, bed.topic)), 150);
}

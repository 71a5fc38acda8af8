//! Rows of the table of faults that no other file is about; the whole table is in `docs/testing.md`.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use headwater_log::storage::{Access, Storage};
use headwater_log::{
    Ack, AppendError, Clock, Corruption, Damage, Log, LogOptions, OpenError, ReadError, ReadOnlyOptions,
    ReadUpTo, Record,
};
use headwater_testkit::sim_disk::{Fault, Op};

use crate::bed::{Bed, ROOT, TOPIC, append, append_batch, check_all, partition, payload, small};

/// A log of some segments of which the first records only are durable, killed.
fn killed() -> (Bed, u64) {
    let bed = Bed::new(5);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    while partition.segments().len() < 3 {
        append_batch(&partition, 3, Ack::Appended);
    }
    let end = partition.appended_end();
    let killed = bed.on(bed.disk.kill());
    drop(log);
    (killed, end)
}

/// EIO on read where files are read by calls, beside the writer: an error with the path, and the next read gives all.
#[test]
fn a_read_error_of_the_disk_is_an_error_with_its_path() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Durable);
    }
    let end = partition.durable_end();
    let options = || ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
    let mut failed = 0;
    for nth in 0..100 {
        let reader = Log::open_read_only(ROOT, options()).unwrap().partition(TOPIC, 0).unwrap().unwrap();
        bed.disk.inject(Fault::on(Op::Read).skip(nth));
        let mut at = 0;
        while at < end {
            match reader.read(ReadUpTo::Durable, at, 1000) {
                Ok(fetched) => {
                    for record in &fetched {
                        let record = record.unwrap();
                        assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()));
                    }
                    at = fetched.next_offset();
                }
                Err(ReadError::Io(error)) => {
                    assert!(error.path().starts_with(ROOT), "{error}");
                    failed += 1;
                }
                // The list of epochs is read first.
                Err(ReadError::Open(error)) if matches!(&*error, OpenError::Io(_)) => failed += 1,
                Err(error) => unreachable!("{error}"),
            }
        }
        bed.disk.clear_faults();
    }
    assert!(failed > 20, "{failed}");
}

/// ENOSPC where a segment or an index grows, and where a segment is begun: the append fails, nothing is lost, and it
/// works again when there is space.
#[test]
fn no_space_for_a_segment_or_an_index_fails_the_append_and_heals() {
    let places = [
        (Op::Allocate, ".log"),
        (Op::Allocate, ".index"),
        (Op::Allocate, ".timeindex"),
        (Op::CreateNew, ".log"),
        (Op::Create, ".index"),
        (Op::Create, ".timeindex"),
        (Op::Create, ".durable"),
        (Op::Write, ".durable"),
    ];
    for (op, end) in places {
        let bed = Bed { topic: small().index_interval_bytes(0), ..Bed::new(0) };
        let (log, partition) = bed.open_partition();
        append(&partition, Ack::Durable);
        bed.disk.inject(Fault::on(op).path_end(end).kind(ErrorKind::StorageFull).for_good());
        let error = loop {
            let offset = partition.appended_end();
            assert!(offset < 1000, "{op:?} of {end} is never needed");
            match partition.append(&Record::new(&payload(offset)), Ack::Appended) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, AppendError::NoSpace(io) if io.path().to_string_lossy().ends_with(end)),
            "{error}"
        );
        let appended = partition.appended_end();
        partition.sync().unwrap();
        assert_eq!(check_all(&partition), appended);
        let crashed = bed.on(bed.disk.crash(1));
        assert_eq!(check_all(&crashed.open_partition().1), appended);
        bed.disk.clear_faults();
        for _ in 0..100 {
            append(&partition, Ack::Durable);
        }
        log.close().unwrap();
        assert_eq!(check_all(&bed.open_partition().1), appended + 100);
    }
}

/// A full disk in recovery, again and again, with a crash after each attempt: nothing durable is lost, and with space
/// the log opens.
#[test]
fn a_full_disk_in_recovery_is_an_error_and_loses_nothing() {
    let (killed, end) = killed();
    let used: u64 =
        killed.disk.files().iter().map(|path| killed.disk.content(path).unwrap().len() as u64).sum();
    let mut refused = 0;
    for spare in (0..6000).step_by(100) {
        let mut disk = killed.disk.snapshot();
        for _ in 0..3 {
            let bed = killed.on(disk.snapshot());
            // Less than what is there already, so that not even what is cut makes room enough.
            bed.disk.set_space_bytes(Some(used - 5000 + spare));
            match bed.try_open() {
                Ok(_) => {}
                Err(OpenError::Io(error)) => {
                    assert!(error.is_no_space(), "{error}");
                    refused += 1;
                }
                Err(error) => unreachable!("{error}"),
            }
            bed.disk.halt();
            disk = bed.disk.snapshot();
        }
        let crashed = killed.on(disk.crash(spare));
        crashed.disk.set_space_bytes(None);
        assert!(check_all(&crashed.open_partition().1) >= 1);
        let bed = killed.on(disk);
        bed.disk.set_space_bytes(None);
        assert_eq!(check_all(&bed.open_partition().1), end);
    }
    assert!(refused > 5, "{refused}");
}

/// Two segments with the same offsets, both durable: an error that names the second, and nothing is changed.
#[test]
fn segments_that_overlap_are_an_error() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Durable);
    }
    let second = partition.segments()[1].base_offset;
    log.close().unwrap();
    // The second segment under a name that lies within the first one, its batches renumbered.
    for suffix in ["log", "index", "timeindex", "durable"] {
        let mut content = bed.disk.content(&bed.file(second, suffix)).unwrap();
        if suffix == "log" {
            content[..8].copy_from_slice(&(second - 1).to_be_bytes());
        }
        let file = bed.disk.create(&bed.file(second - 1, suffix)).unwrap();
        file.write_at(&content, 0).unwrap();
    }
    let image = || bed.disk.files().iter().map(|path| bed.disk.content(path)).collect::<Vec<_>>();
    let before = image();
    match bed.try_open() {
        Err(OpenError::Corrupt(Corruption { segment, what, .. })) => {
            assert_eq!((segment, what), (second - 1, Damage::Offset { expected: second, found: second - 1 }));
        }
        other => unreachable!("{other:?}"),
    }
    assert_eq!(image(), before);
}

/// Retention never deletes on doubt: without marks and time indexes nobody knows when something was appended.
#[test]
fn without_marks_and_time_indexes_retention_deletes_nothing() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
    let (log, first) = bed.open_partition();
    while first.segments().len() < 4 {
        append(&first, Ack::Durable);
    }
    let end = first.durable_end();
    log.close().unwrap();
    for path in [bed.files(".durable"), bed.files(".timeindex")].concat() {
        bed.disk.remove(&path).unwrap();
    }
    bed.clock.advance_ms(50_000);
    let (log, again) = bed.open_partition();
    bed.clock.advance_ms(59_000);
    let report = log.maintain(bed.clock.now_ms()).unwrap();
    assert_eq!((report.segments_deleted, again.start_offset(), check_all(&again)), (0, 0, end));
}

/// On a real disk: what a reader holds is as long as it was while the segment is trimmed by a roll, and deleted; no
/// file becomes shorter than what was published.
#[test]
fn no_file_shrinks_below_what_a_reader_holds() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions::default()).unwrap();
    let partition = partition(&log, small());
    let mut held = Vec::new();
    while partition.segments().len() < 4 {
        let offset = append(&partition, Ack::Appended);
        held.push(partition.read_up_to(ReadUpTo::Appended, offset, 1).unwrap());
        for segment in partition.segments() {
            let file = dir.path().join(format!("{TOPIC}-0/{:020}.log", segment.base_offset));
            assert!(fs::metadata(file).unwrap().len() >= segment.bytes);
        }
    }
    partition.sync().unwrap();
    partition.delete_records_before(partition.durable_end()).unwrap();
    log.close().unwrap();
    for (offset, fetched) in (0_u64..).zip(&held) {
        let record = fetched.records().next().unwrap().unwrap();
        assert_eq!((record.offset, record.value.as_deref()), (offset, Some(payload(offset).as_slice())));
    }
}

/// A file that can be opened no more, as when there are too many: an error, and all of it when there are fewer.
#[test]
fn files_that_cannot_be_opened_are_an_error_and_no_loss() {
    let (killed, end) = killed();
    let mut nth = 0;
    loop {
        let bed = killed.on(killed.disk.snapshot());
        bed.disk.inject(Fault::on(Op::Open).skip(nth).for_good());
        match bed.try_open() {
            Ok(_) => break,
            Err(OpenError::Io(error)) => assert!(error.path().starts_with(ROOT), "{error}"),
            Err(error) => unreachable!("{error}"),
        }
        bed.disk.clear_faults();
        assert!(bed.disk.open(&bed.file(0, "log"), Access::Read).is_ok());
        assert_eq!(check_all(&bed.open_partition().1), end);
        nth += 1;
    }
    assert!(nth > 10, "{nth}");
}

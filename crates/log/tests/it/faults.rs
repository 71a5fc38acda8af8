//! P8, P9, P10, P13 and the fault table: a disk that refuses, a second writer, a clock that jumps.

use std::io::ErrorKind;
use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, AppendError, Clock, Log, OpenError, ReadUpTo, Record, SyncError, TopicError};
use headwater_testkit::sim_disk::{Fault, Op, SimDisk};

use crate::bed::{Bed, append, append_batch, check_all, payload, read_all, small};

/// P8: after a failed sync all waiters and all later appends get the error, and no sync is tried again.
#[test]
fn a_failed_sync_poisons_until_reopen() {
    for end in [".log", ".durable", ".index", ".timeindex"] {
        let bed = Bed::new(3);
        let (log, partition) = bed.open_partition();
        append(&partition, Ack::Durable);
        for _ in 0..3 {
            append(&partition, Ack::Appended);
        }
        if end != ".log" {
            // These are synced when a segment is sealed.
            while partition.segments().len() < 2 {
                append(&partition, Ack::Appended);
            }
        }
        bed.disk.inject(Fault::on(Op::SyncData).path_end(end));
        let before = partition.durable_end();
        let failed = |outcome: Result<u64, SyncError>| match outcome {
            Err(SyncError::Failed(error)) => {
                assert!(error.path().to_string_lossy().ends_with(end), "{error}");
                assert_eq!(error.operation(), "sync");
            }
            other => unreachable!("{other:?}"),
        };
        failed(partition.sync());
        let syncs = bed.disk.count(Op::SyncData);
        failed(partition.sync());
        let refused = partition.append(&Record::new("x"), Ack::Appended);
        assert!(matches!(refused, Err(AppendError::Refused(SyncError::Failed(_)))));
        let waited = partition.wait_readable(ReadUpTo::Durable, before, std::time::Duration::ZERO);
        failed(waited.map(u64::from));
        assert!(log.sync().is_err());
        assert!(log.maintain(bed.clock.now_ms()).is_err());
        assert_eq!(bed.disk.count(Op::SyncData), syncs, "a sync is never retried");
        // Readers go on with what is durable.
        assert_eq!(partition.durable_end(), before);
        assert_eq!(check_all(&partition), before);
        assert!(log.close().is_err());
        assert!(bed.disk.content(Path::new("/data/.kafka_cleanshutdown")).is_none());
        let (_log, again) = bed.open_partition();
        append(&again, Ack::Durable);
    }
}

/// Who gets an error knows whether the record is in the log, so whether another attempt may double it.
#[test]
fn an_append_error_tells_whether_something_was_appended() {
    let record = Record::new("x");
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        append(&partition, Ack::Durable);
        bed.disk.inject(Fault::on(Op::SyncData).path_end(".log").kind(kind));
        match partition.append(&record, Ack::Durable) {
            Err(AppendError::NotDurable { offset: 1, error: SyncError::Failed(_) }) => {}
            other => unreachable!("{other:?}"),
        }
        assert_eq!(partition.appended_end(), 2);
        for ack in [Ack::Durable, Ack::Appended] {
            let refused = partition.append(&record, ack);
            assert!(matches!(refused, Err(AppendError::Refused(SyncError::Failed(_)))), "{refused:?}");
        }
        assert_eq!(partition.appended_end(), 2);
        drop(log);
    }
    // Full segments that nobody has synced: who comes then has to sync them first, and is refused when that fails.
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    bed.disk.inject(Fault::on(Op::Open).path_end(".index").skip(4).for_good());
    let refused = loop {
        let end = partition.appended_end();
        match partition.append(&Record::new(&payload(end)), Ack::Appended) {
            Ok(offset) => assert_eq!(offset, end),
            Err(error) => break error,
        }
    };
    let end = partition.appended_end();
    assert!(matches!(refused, AppendError::Refused(SyncError::Io(_)) | AppendError::Io(_)), "{refused}");
    bed.disk.clear_faults();
    assert_eq!(append(&partition, Ack::Durable), end);
    log.close().unwrap();
    let refused = partition.append(&record, Ack::Durable);
    assert!(matches!(refused, Err(AppendError::Refused(SyncError::Closed))), "{refused:?}");
    assert_eq!(partition.appended_end(), end + 1);
}

/// Fault row: ENOSPC on append and on roll. P9.
#[test]
fn a_full_disk_fails_appends_cleanly_and_heals() {
    for spare in (0..40_000).step_by(1000) {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        append(&partition, Ack::Durable);
        let used: u64 =
            bed.disk.files().iter().map(|path| bed.disk.content(path).unwrap().len() as u64).sum();
        bed.disk.set_space_bytes(Some(used + spare));
        let mut refused = None;
        for _ in 0..2000 {
            let offset = partition.appended_end();
            match partition.append(&Record::new(&payload(offset)), Ack::Appended) {
                Ok(appended) => assert_eq!(appended, offset),
                Err(error) => {
                    refused = Some((offset, error));
                    break;
                }
            }
        }
        let (offset, error) = refused.unwrap();
        assert!(matches!(&error, AppendError::NoSpace(_)), "{spare}: {error}");
        // Nothing was appended, earlier records and readers are unharmed, what fits still goes in.
        assert_eq!(partition.appended_end(), offset);
        assert_eq!(read_all(&partition, ReadUpTo::Appended).len() as u64, offset);
        partition.sync().unwrap();
        assert_eq!(check_all(&partition), offset);
        let crashed = bed.on(bed.disk.crash(spare));
        crashed.disk.set_space_bytes(None);
        assert_eq!(check_all(&crashed.open_partition().1), offset);
        bed.disk.set_space_bytes(None);
        for _ in 0..60 {
            append(&partition, Ack::Durable);
        }
        assert_eq!(check_all(&partition), offset + 60);
        log.close().unwrap();
        assert_eq!(check_all(&bed.open_partition().1), offset + 60);
    }
}

/// Appends, rolls, syncs, deletes and closes; stops at the first error, which has to be one of the typed ones.
fn work(bed: &Bed) -> Result<u64, Box<dyn std::error::Error>> {
    let log = bed.try_open()?;
    let partition = match log.open_or_create_topic("t", bed.topic) {
        Ok(topic) => topic.partition(0).unwrap(),
        Err(error @ TopicError::Io(_)) => return Err(error.into()),
        Err(error) => unreachable!("{error}"),
    };
    for round in 0..25 {
        let offset = partition.appended_end();
        let value = payload(offset);
        let ack = if round % 3 == 0 { Ack::Durable } else { Ack::Appended };
        partition.append(&Record::new(&value), ack)?;
    }
    partition.delete_records_before(partition.durable_end() / 2)?;
    bed.clock.advance_ms(8 * 24 * 3600 * 1000);
    log.maintain(bed.clock.now_ms())?;
    let end = partition.appended_end();
    log.close()?;
    Ok(end)
}

/// Fault row: EIO, EMFILE, ENOSPC on any operation: an error, no panic, and the log is whole afterwards.
#[test]
fn every_single_operation_may_fail() {
    let whole = Bed::new(0);
    work(&whole).unwrap();
    work(&whole).unwrap();
    let operations = whole.disk.count_all();
    assert!(operations > 200, "{operations}");
    let mut failures = 0;
    for nth in 0..operations {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let bed = Bed::new(nth);
            bed.disk.inject(Fault::on_any().skip(nth).kind(kind));
            let outcomes = [work(&bed), work(&bed)];
            failures += outcomes.iter().filter(|outcome| outcome.is_err()).count();
            bed.disk.clear_faults();
            for disk in [bed.disk.snapshot(), bed.disk.crash(nth)] {
                let bed = bed.on(disk);
                let (_log, partition) = bed.open_partition();
                let end = check_all(&partition);
                append(&partition, Ack::Durable);
                assert_eq!(check_all(&partition), end + 1, "operation {nth}");
            }
        }
    }
    eprintln!("{failures} failures of {operations} operations");
    assert!(failures as u64 > operations);
}

/// Fault row: short reads and writes, EINTR.
#[test]
fn short_and_interrupted_transfers_are_completed() {
    for seed in 0..10 {
        let bed = Bed::new(seed);
        bed.disk.set_short_io(true);
        let end = work(&bed).unwrap();
        let (log, partition) = bed.open_partition();
        assert_eq!(check_all(&partition), end);
        append_batch(&partition, 30, Ack::Appended);
        // What a killed process leaves is written again, in pieces.
        let killed = bed.on(bed.disk.kill());
        drop(log);
        let (log, partition) = killed.open_partition();
        assert!(log.recovery().partitions[0].bytes_rewritten > 1000);
        assert_eq!(check_all(&partition), end + 30);
    }
}

/// P10: the second writer is told so, in the same process too, and gets in when the first is gone.
#[test]
fn a_second_writer_is_refused_with_the_path_of_the_lock() {
    let bed = Bed::new(0);
    let log = bed.open();
    match bed.try_open() {
        Err(OpenError::Locked { path }) => assert_eq!(path, Path::new("/data/.lock")),
        other => unreachable!("{other:?}"),
    }
    log.close().unwrap();
    drop(bed.open());
    bed.open();
}

/// P13: a clock that jumps ahead deletes nothing by its jump, while the log is open and while it was closed; what is old by time
/// that has passed goes all the same, and everything does when the clock is confirmed, or has shown it for long enough.
#[test]
fn a_clock_that_jumps_ahead_is_not_believed_until_confirmed() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    const YEAR_MS: i64 = 365 * DAY_MS;
    enum Then {
        Confirm,
        Wait,
        SetRight,
    }
    for (reopened, then) in [
        (false, Then::Confirm),
        (false, Then::Wait),
        (false, Then::SetRight),
        (true, Then::Confirm),
        (true, Then::Wait),
        (true, Then::SetRight),
    ] {
        let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
        let (mut log, mut partition) = bed.open_partition();
        for _ in 0..200 {
            append(&partition, Ack::Durable);
        }
        let maintain = |log: &Log| log.maintain(bed.clock.now_ms()).unwrap();
        assert_eq!(maintain(&log).clock_ahead_ms, None);
        let right = bed.clock.now_ms();
        if reopened {
            drop((partition, log));
            bed.clock.set_ms(right + YEAR_MS);
            (log, partition) = bed.open_partition();
        }
        bed.clock.set_ms(right + YEAR_MS);
        let report = maintain(&log);
        assert_eq!((report.segments_deleted, report.segments_rolled), (0, 0));
        assert_eq!(report.clock_ahead_ms, Some(YEAR_MS as u64));
        assert_eq!(check_all(&partition), 200);
        assert_eq!(partition.start_offset(), 0);
        match then {
            Then::Confirm => log.confirm_clock(bed.clock.now_ms()),
            Then::Wait => bed.clock.advance_ms(DAY_MS),
            Then::SetRight => bed.clock.set_ms(right),
        }
        let report = maintain(&log);
        assert_eq!(report.clock_ahead_ms, None);
        match then {
            Then::Confirm | Then::Wait => assert!(report.segments_deleted > 0),
            Then::SetRight => {
                assert_eq!(report.segments_deleted, 0);
                // What was open when it jumped was closed by recovery, and counts as appended then.
                bed.clock.advance_ms(60_001);
                assert!(reopened || maintain(&log).segments_deleted > 0);
            }
        }
    }
}

/// P13: a clock that is a year ahead stays unbelieved over restarts, closed or killed, with appends and without; records that were
/// appended under it are kept as long as they would be were it right.
#[test]
fn a_clock_that_jumped_ahead_is_not_believed_after_a_restart_either() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let bed = Bed { topic: small().retention_ms(Some(7 * DAY_MS as u64)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 4 {
        append(&partition, Ack::Durable);
    }
    drop((partition, log));
    bed.clock.set_ms(bed.clock.now_ms() + 365 * DAY_MS);
    let mut bed = bed;
    let mut end = 0;
    for round in 0..8 {
        let (log, partition) = bed.open_partition();
        if round % 2 == 0 {
            append(&partition, Ack::Durable);
            append(&partition, Ack::Appended);
        }
        let report = log.maintain(bed.clock.now_ms()).unwrap();
        assert_eq!((report.segments_deleted, partition.start_offset()), (0, 0), "round {round}");
        assert!(report.clock_ahead_ms > Some(360 * DAY_MS as u64), "round {round}: {report:?}");
        end = partition.durable_end();
        assert_eq!(check_all(&partition), end);
        if round % 3 == 0 {
            let disk = bed.disk.kill();
            drop((partition, log));
            bed = bed.on(disk);
        } else {
            log.close().unwrap();
        }
    }
    // It was right all the time: what is a year old goes, what came since stays.
    let (log, partition) = bed.open_partition();
    log.confirm_clock(bed.clock.now_ms());
    let report = log.maintain(bed.clock.now_ms()).unwrap();
    assert!(report.segments_deleted > 0 && report.clock_ahead_ms.is_none(), "{report:?}");
    assert!(partition.start_offset() > 0 && partition.start_offset() < end);
}

/// P13: offsets never depend on the clock, and a clock set back deletes nothing.
#[test]
fn offsets_do_not_depend_on_the_clock() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    for (round, now_ms) in [0, i64::MAX, 1, -5, i64::MIN, 1_700_000_000_000].into_iter().enumerate() {
        bed.clock.set_ms(now_ms);
        for _ in 0..5 {
            append(&partition, Ack::Durable);
        }
        assert_eq!(partition.appended_end(), 5 * (round as u64 + 1));
    }
    bed.clock.set_ms(1_600_000_000_000);
    let report = log.maintain(bed.clock.now_ms()).unwrap();
    assert_eq!((report.segments_deleted, partition.start_offset()), (0, 0));
    log.close().unwrap();
    assert_eq!(check_all(&bed.open_partition().1), 30);
}

/// Record times of 1970, or of the far future, delete and keep nothing: retention goes by append time.
#[test]
fn retention_does_not_believe_record_timestamps() {
    let bed = Bed { topic: small().retention_ms(Some(60_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    for timestamp in [0, 1, i64::MAX] {
        for _ in 0..100 {
            partition.append(&Record::new("x").timestamp(timestamp), Ack::Durable).unwrap();
        }
    }
    log.maintain(bed.clock.now_ms()).unwrap();
    assert_eq!(partition.start_offset(), 0);
    bed.clock.advance_ms(60_001);
    let report = log.maintain(bed.clock.now_ms()).unwrap();
    assert_eq!((partition.start_offset(), partition.durable_end()), (300, 300));
    assert!(report.segments_deleted > 3 && report.bytes_deleted > 10_000, "{report:?}");
}

/// Fault row: EMFILE around a sync. No sync failed, so nothing is poisoned: the next one makes it good.
#[test]
fn an_error_that_is_not_of_a_sync_does_not_poison() {
    for end in [".index", ".durable"] {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        while partition.segments().len() < 2 {
            append(&partition, Ack::Appended);
        }
        bed.disk.inject(Fault::on(Op::Open).path_end(end).for_good());
        assert!(matches!(partition.sync(), Err(SyncError::Io(_))), "{end}");
        append(&partition, Ack::Appended);
        assert!(matches!(log.sync(), Err(SyncError::Io(_))));
        bed.disk.clear_faults();
        assert_eq!(partition.sync().unwrap(), partition.appended_end());
        assert_eq!(check_all(&partition), partition.appended_end());
        log.close().unwrap();
        assert!(bed.open().recovery().is_clean());
    }
    // A mark that cannot be saved for a while only proves less.
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    bed.disk.inject(Fault::on(Op::Open).path_end(".durable").for_good());
    for _ in 0..10 {
        bed.clock.advance_ms(2000);
        append(&partition, Ack::Durable);
    }
}

/// A deletion that failed on its way does not reach into the next topic of that name.
#[test]
fn a_topic_created_after_a_failed_deletion_is_new() {
    for nth in 0..60 {
        let bed = Bed::new(nth);
        let log = bed.open();
        let topic = log.create_topic("t", small().partitions(2)).unwrap();
        for _ in 0..100 {
            topic.append(&Record::new("old"), Ack::Durable).unwrap();
        }
        bed.disk.inject(Fault::on_any().skip(nth));
        let deleted = log.delete_topic("t");
        bed.disk.clear_faults();
        if deleted.is_err() && log.topic("t").is_some() {
            log.delete_topic("t").unwrap();
        }
        let topic = log.create_topic("t", small()).unwrap();
        topic.append(&Record::new("new"), Ack::Durable).unwrap();
        for seed in 0..5 {
            let log = bed.on(bed.disk.crash(seed)).open();
            let topic = log.topic("t").unwrap();
            assert_eq!(topic.partition_count(), 1);
            let records = read_all(&topic.partition(0).unwrap(), ReadUpTo::Durable);
            assert_eq!(records.len(), 1, "operation {nth}");
            assert_eq!(records[0].value.as_deref(), Some(b"new".as_slice()));
        }
    }
}

/// The directory is created when missing, also several levels deep, and durably.
#[test]
fn a_missing_directory_is_created() {
    let disk = SimDisk::new(0);
    let bed = Bed::new(0).on(disk.clone());
    let log = Log::open("/a/b/c", bed.options()).unwrap();
    log.create_topic("t", small()).unwrap();
    for seed in 0..20 {
        assert!(disk.crash(seed).list(Path::new("/a/b/c/t-0")).is_ok());
    }
}

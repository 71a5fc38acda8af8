//! Reading beside a writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, Damage, Log, OpenError, ReadError, ReadOnlyLog, ReadOnlyOptions, ReadOnlyPartition, ReadUpTo, Record,
};

use crate::bed::{Bed, ROOT, TOPIC, append, append_batch, payload, small};

fn read_only(bed: &Bed) -> ReadOnlyLog {
    let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
    Log::open_read_only(ROOT, options).unwrap()
}

fn reader(bed: &Bed) -> ReadOnlyPartition {
    read_only(bed).partition(TOPIC, 0).unwrap().unwrap()
}

/// Reads on from an offset as far as there is something, checking each record; gives the end.
fn follow(reader: &ReadOnlyPartition, up_to: ReadUpTo, mut from: u64) -> u64 {
    loop {
        let fetched = reader.read(up_to, from, 1000).unwrap();
        if fetched.is_empty() {
            return from;
        }
        for view in fetched.views() {
            let view = view.unwrap();
            assert_eq!(view.offset, from);
            assert_eq!(view.value, Some(payload(from).as_slice()));
            from += 1;
        }
    }
}

#[test]
fn a_reader_sees_what_is_durable_and_on_request_what_is_appended() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let reader = reader(&bed);
    assert_eq!(follow(&reader, ReadUpTo::Durable, 0), 0);
    let (mut durable, mut appended) = (0, 0);
    for round in 0..200 {
        append_batch(&partition, 1 + round % 3, if round % 5 == 0 { Ack::Durable } else { Ack::Appended });
        durable = follow(&reader, ReadUpTo::Durable, durable);
        assert_eq!(durable, partition.durable_end());
        appended = follow(&reader, ReadUpTo::Appended, appended);
        assert_eq!(appended, partition.appended_end());
    }
    assert!(partition.segments().len() > 4);
    assert_eq!(reader.end_offset(ReadUpTo::Durable).unwrap(), durable);
    assert_eq!(reader.end_offset(ReadUpTo::Appended).unwrap(), appended);
    for offset in 0..durable {
        let fetched = reader.read(ReadUpTo::Durable, offset, 0).unwrap();
        assert_eq!(fetched.records().next().unwrap().unwrap().offset, offset);
    }
    match reader.read(ReadUpTo::Durable, durable + 1, 0) {
        Err(ReadError::OffsetOutOfRange { start: 0, end, .. }) => assert_eq!(end, durable),
        other => unreachable!("{other:?}"),
    }
    log.close().unwrap();
    assert_eq!(follow(&reader, ReadUpTo::Durable, 0), appended);
}

/// Nothing is written, and no lock is taken.
#[test]
fn reading_changes_nothing_and_needs_no_lock() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..100 {
        append(&partition, Ack::Durable);
    }
    append(&partition, Ack::Appended);
    let image = |bed: &Bed| {
        let files = bed.disk.files();
        files.into_iter().map(|path| (bed.disk.content(&path), path)).collect::<Vec<_>>()
    };
    let before = image(&bed);
    let reader = reader(&bed);
    follow(&reader, ReadUpTo::Appended, 0);
    reader.offset_for_timestamp(0).unwrap();
    assert_eq!(image(&bed), before);
    drop(log);
}

#[test]
fn topics_and_partitions_are_those_that_are_there_now() {
    let bed = Bed::new(0);
    let log = bed.open();
    let seen = read_only(&bed);
    assert_eq!(seen.topics().unwrap(), []);
    log.create_topic("b", small().partitions(2)).unwrap();
    log.create_topic("a", small()).unwrap();
    assert_eq!(seen.topics().unwrap(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert!(seen.partition("b", 1).unwrap().is_some());
    assert!(seen.partition("b", 2).unwrap().is_none());
    assert!(seen.partition("../a", 0).unwrap().is_none());
    let missing = ReadOnlyLog::open(
        "/nowhere",
        ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone())),
    );
    assert!(matches!(missing, Err(OpenError::NotFound { .. })));
}

/// Segments are rolled, trimmed and deleted under the reader.
#[test]
fn a_reader_survives_rolls_retention_and_reopening() {
    const RECORDS: u64 = 1500;
    let bed = Bed { topic: small().retention_bytes(Some(12_000)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for up_to in [ReadUpTo::Durable, ReadUpTo::Appended] {
            let (done, reader) = (&done, reader(&bed));
            scope.spawn(move || {
                let (mut from, mut seen) = (0, 0);
                while !done.load(Ordering::Acquire) || from < RECORDS {
                    match reader.read(up_to, from, 2000) {
                        Ok(fetched) => {
                            for view in fetched.views() {
                                let view = view.unwrap();
                                assert_eq!(view.offset, from);
                                assert_eq!(view.value, Some(payload(from).as_slice()), "offset {from}");
                                (from, seen) = (from + 1, seen + 1);
                            }
                        }
                        // Only because retention was faster: what was readable once does not go otherwise.
                        Err(ReadError::OffsetOutOfRange { start, .. }) => {
                            assert!(start > from, "{start} {from}");
                            from = start;
                        }
                        Err(error) => unreachable!("{error}"),
                    }
                }
                assert!(seen > 0);
            });
        }
        for round in 0..RECORDS {
            append(&partition, if round % 7 == 0 { Ack::Durable } else { Ack::Appended });
            if round % 50 == 0 {
                log.maintain(0).unwrap();
            }
        }
        partition.sync().unwrap();
        done.store(true, Ordering::Release);
    });
    assert!(partition.start_offset() > 0);
    assert_eq!(reader(&bed).start_offset().unwrap(), partition.start_offset());
}

#[test]
fn lookup_by_timestamp_agrees_with_the_writers() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for offset in 0..300_i64 {
        let timestamp = (offset * 7919) % 500;
        partition.append(&Record::new("some value").timestamp(timestamp), Ack::Durable).unwrap();
    }
    partition.delete_records_before(25).unwrap();
    let reader = reader(&bed);
    let agree = || {
        for wanted in (-1..510).step_by(3) {
            let right = partition.offset_for_timestamp(wanted).unwrap();
            assert_eq!(reader.offset_for_timestamp(wanted).unwrap(), right, "{wanted}");
        }
    };
    agree();
    for path in bed.files("index") {
        if path.to_string_lossy().contains("0000000000000000.") {
            let _ = bed.disk.remove(&path);
        }
    }
    agree();
    drop(log);
}

/// P5, P6 for readers: damage below the mark is an error with its place, behind it the end.
#[test]
fn damage_is_an_error_below_the_mark_and_the_end_behind_it() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Durable);
    let durable = partition.size_bytes() as usize;
    append(&partition, Ack::Appended);
    let killed = bed.on(bed.disk.kill());
    drop(log);
    let len = killed.disk.content(&killed.file(0, "log")).unwrap().len();
    for at in 0..durable + 80 {
        let bed = killed.on(killed.disk.snapshot());
        bed.disk.damage(&bed.file(0, "log"), |bytes| bytes[at] ^= 2);
        let reader = reader(&bed);
        let mut from = 0;
        let damage = loop {
            match reader.read(ReadUpTo::Appended, from, 0) {
                Ok(fetched) if fetched.is_empty() => break None,
                Ok(fetched) => from = fetched.next_offset(),
                Err(ReadError::Corrupt(damage)) => break Some(damage),
                Err(error) => unreachable!("{error}"),
            }
        };
        assert_eq!(damage.is_some(), at < durable, "byte {at} of {len}");
        if let Some(damage) = damage {
            assert!(damage.position <= at as u64);
            assert!(!matches!(damage.what, Damage::MissingSegment));
        } else {
            assert_eq!(from, 2);
        }
    }
}

/// A junk header with a huge length allocates nothing.
#[test]
fn a_huge_length_is_compared_with_the_file() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let end = partition.size_bytes() as usize;
    let killed = bed.on(bed.disk.kill());
    drop(log);
    killed.disk.damage(&killed.file(0, "log"), |bytes| {
        let first = bytes[..61].to_vec();
        bytes[end..end + 61].copy_from_slice(&first);
        bytes[end + 7] = 1;
        bytes[end + 8..end + 12].copy_from_slice(&i32::MAX.to_be_bytes());
    });
    assert_eq!(follow(&reader(&killed), ReadUpTo::Appended, 0), 1);
}

/// What a read allocates is bounded by the file, not by what the caller is ready to take.
#[test]
fn a_reader_may_ask_for_any_number_of_bytes() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..20 {
        append(&partition, Ack::Durable);
    }
    let reader = reader(&bed);
    for max_bytes in [0, 1 << 20, 1 << 40, usize::MAX] {
        let fetched = reader.read(ReadUpTo::Durable, 3, max_bytes).unwrap();
        assert_eq!(fetched.next_offset(), if max_bytes == 0 { 4 } else { 20 });
    }
    drop(log);
}

/// The same name is not the same topic: who follows the old one is told, and does not wait for ever or read on in the
/// middle of the new one.
#[test]
fn a_reader_of_a_deleted_topic_is_closed_also_when_there_is_another_of_its_name() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..40 {
        append(&partition, Ack::Durable);
    }
    let follower = reader(&bed);
    let at = follow(&follower, ReadUpTo::Durable, 0);
    log.delete_topic(TOPIC).unwrap();
    let closed = || {
        assert!(matches!(follower.read(ReadUpTo::Durable, at, 1000), Err(ReadError::Closed)));
        assert!(matches!(follower.end_offset(ReadUpTo::Appended), Err(ReadError::Closed)));
        assert!(matches!(follower.start_offset(), Err(ReadError::Closed)));
        assert!(matches!(follower.offset_for_timestamp(0), Err(ReadError::Closed)));
    };
    closed();
    assert!(read_only(&bed).partition(TOPIC, 0).unwrap().is_none());
    let partition = log.create_topic(TOPIC, small()).unwrap().partition(0).unwrap();
    for _ in 0..at + 10 {
        append(&partition, Ack::Durable);
    }
    closed();
    assert_eq!(follow(&reader(&bed), ReadUpTo::Durable, 0), at + 10);
}

/// A crash takes back what was only appended; other records of other sizes come in its place.
#[test]
fn a_reader_goes_on_where_a_crash_has_taken_the_end() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    for value in ["a".repeat(700), "b".repeat(700)] {
        partition.append(&Record::new(&value), Ack::Appended).unwrap();
    }
    let reader = reader(&bed);
    assert_eq!(reader.read(ReadUpTo::Appended, 0, 1 << 20).unwrap().next_offset(), 3);
    log.close().unwrap();
    bed.disk.damage(&bed.file(0, "log"), |bytes| bytes.truncate(bytes.len() - 1536));
    for name in ["0/00000000000000000000.durable", "0/00000000000000000000.index"] {
        bed.disk.remove(std::path::Path::new(&format!("{ROOT}/{TOPIC}-{name}"))).unwrap();
    }
    let _ = bed.disk.remove(std::path::Path::new("/data/recovery-point-offset-checkpoint"));
    let (log, partition) = bed.open_partition();
    for _ in partition.durable_end()..6 {
        partition.append(&Record::new("c"), Ack::Durable).unwrap();
    }
    log.close().unwrap(); // No space is left behind its end.
    let fetched = reader.read(ReadUpTo::Durable, 3, 1 << 20).unwrap();
    assert_eq!(fetched.records().next().unwrap().unwrap().offset, 3);
}

/// A broker led between two openings of ours. A reader that stays open is neither wrong nor blind for what came since.
#[test]
fn a_reader_sees_new_epochs() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..5 {
        append(&partition, Ack::Durable);
    }
    let follower = reader(&bed);
    assert_eq!(follow(&follower, ReadUpTo::Durable, 0), 5);
    log.close().unwrap();
    let epochs = bed.disk.create(std::path::Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    epochs.write_at(b"0\n2\n0 0\n3 5\n", 0).unwrap();
    let (_log, partition) = bed.open_partition();
    for _ in 0..5 {
        append(&partition, Ack::Durable);
    }
    assert_eq!(follow(&follower, ReadUpTo::Durable, 5), 10);
    assert_eq!(follow(&follower, ReadUpTo::Appended, 0), 10);
}

/// Topics that come and go, and directories of others, are not there for a reader.
#[test]
fn topics_that_are_not_whole_are_not_listed() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("whole", small().partitions(2)).unwrap();
    for path in
        ["/data/photos-2024/a.jpg", "/data/new-0/.headwater_creating", "/data/old-0/.headwater_deleting"]
    {
        let path = std::path::Path::new(path);
        bed.disk.create_dir_all(path.parent().unwrap()).unwrap();
        bed.disk.create(path).unwrap();
    }
    for name in ["new-0", "old-0", "old-1", "orders-1"] {
        let dir = std::path::Path::new(ROOT).join(name);
        bed.disk.create_dir_all(&dir).unwrap();
        bed.disk.create(&dir.join("00000000000000000000.log")).unwrap();
    }
    let seen = read_only(&bed);
    assert_eq!(seen.topics().unwrap(), [("whole".to_owned(), 2)]);
    for (topic, number) in [("photos", 2024), ("new", 0), ("old", 1)] {
        assert!(seen.partition(topic, number).unwrap().is_none(), "{topic}-{number}");
    }
}

//! Reading by offset and by timestamp, up to the durable and the appended end, while segments come and go.

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, AppendError, Damage, Header, Log, OpenError, Partition, ReadError, ReadUpTo, Record,
};

use crate::bed::{Bed, ROOT, START_MS, append, append_batch, check_all, payload, read_all, small};

#[test]
fn readers_see_durable_records_unless_they_ask_for_more() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Appended);
    assert_eq!((partition.durable_end(), partition.appended_end()), (1, 2));
    assert!(partition.read(1, 100).unwrap().is_empty());
    assert_eq!(partition.read_up_to(ReadUpTo::Appended, 1, 100).unwrap().next_offset(), 2);
    match partition.read(2, 100) {
        Err(ReadError::OffsetOutOfRange { offset: 2, start: 0, end: 1 }) => {}
        other => unreachable!("{other:?}"),
    }
    partition.sync().unwrap();
    assert_eq!(partition.read(1, 100).unwrap().next_offset(), 2);
    assert!(partition.read(2, 100).unwrap().is_empty());
}

#[test]
fn every_offset_can_be_read_on_its_own() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let mut end = 0;
    while partition.segments().len() < 4 {
        append_batch(&partition, 1 + end % 7, Ack::Durable);
        end = partition.durable_end();
    }
    for offset in 0..end {
        let fetched = partition.read(offset, 1).unwrap();
        let first = fetched.records().next().unwrap().unwrap();
        assert_eq!(first.offset, offset);
        assert_eq!(first.value.as_deref(), Some(payload(offset).as_slice()));
        assert_eq!(fetched.views().count() as u64, fetched.next_offset() - offset, "the rest of its batch");
    }
}

#[test]
fn a_read_gives_whole_batches_within_its_bytes_and_one_at_least() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    for _ in 0..20 {
        append(&partition, Ack::Durable);
    }
    for max_bytes in [0, 1, 200, 500, 1000, 1 << 20] {
        let fetched = partition.read(0, max_bytes).unwrap();
        let one = partition.read(0, 0).unwrap().bytes().len();
        assert!(fetched.bytes().len() <= max_bytes.max(one));
        let next = partition.read(fetched.next_offset(), 0).unwrap().bytes().len();
        assert!(next == 0 || fetched.bytes().len() + next > max_bytes, "as many as fit");
    }
}

/// P4: index entries behind the durable end lead nobody beyond it.
#[test]
fn a_read_stops_at_the_durable_end_however_much_follows() {
    let bed = Bed { topic: small().segment_bytes(1 << 15), ..Bed::new(0) };
    let (_log, partition) = bed.open_partition();
    for _ in 0..40 {
        append(&partition, Ack::Durable);
    }
    for _ in 0..40 {
        append(&partition, Ack::Appended);
    }
    assert_eq!((partition.segments().len(), partition.durable_end()), (1, 40));
    for from in 0..40 {
        let fetched = partition.read(from, 1 << 20).unwrap();
        assert_eq!((fetched.next_offset(), fetched.views().count() as u64), (40, 40 - from));
        assert_eq!(partition.read_up_to(ReadUpTo::Appended, from, 1 << 20).unwrap().next_offset(), 80);
    }
}

/// What is known to be right is passed by the index and by few fields of each header. It gives what looking at everything gives.
#[test]
fn what_is_known_is_read_as_what_is_not() {
    let bed = Bed { topic: small().segment_bytes(1 << 15), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append_batch(&partition, 1 + partition.appended_end() % 3, Ack::Durable);
    }
    let end = partition.durable_end();
    let read = |partition: &Partition, from, max_bytes| {
        let fetched = partition.read(from, max_bytes).unwrap();
        (fetched.bytes().clone(), fetched.next_offset())
    };
    let sizes = [0, 1, 200, 256, 300, 700, 1000, 5000, 1 << 20];
    let all = |partition: &Partition| -> Vec<_> {
        let each = (0..end).flat_map(|from| sizes.map(|max_bytes| (from, max_bytes)));
        each.map(|(from, max_bytes)| read(partition, from, max_bytes)).collect()
    };
    let written = all(&partition);
    log.close().unwrap();
    let log = Log::open(ROOT, bed.options().verify_every_read(true)).unwrap();
    let looked_at = all(&crate::bed::partition(&log, bed.topic));
    log.close().unwrap();
    let log = bed.open();
    let partition = crate::bed::partition(&log, bed.topic);
    let (first, again) = (all(&partition), all(&partition));
    for (at, right) in looked_at.iter().enumerate() {
        let (from, max_bytes) = (at / sizes.len(), sizes[at % sizes.len()]);
        assert_eq!(&written[at], right, "written, from {from}, {max_bytes} bytes");
        assert_eq!(&first[at], right, "first, from {from}, {max_bytes} bytes");
        assert_eq!(&again[at], right, "again, from {from}, {max_bytes} bytes");
    }
}

#[test]
fn keys_values_and_headers_come_back_as_they_were() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let headers = [
        Header::new("a", "1"),
        Header { key: "b", value: None },
        Header::new("a", ""),
        Header::new("ü", &[0xff]),
    ];
    let records = [
        Record::new("value").key("key").headers(&headers).timestamp(5),
        Record::tombstone("key").timestamp(3),
        Record::default().timestamp(4),
        Record::new("").key(""),
    ];
    partition.append_batch(&records, Ack::Durable).unwrap();
    let fetched = partition.read(0, 1 << 20).unwrap();
    for (given, view) in records.iter().zip(fetched.views()) {
        let view = view.unwrap();
        assert_eq!((view.key, view.value), (given.key, given.value));
        assert_eq!(view.timestamp, given.timestamp.unwrap_or(START_MS));
        assert!(view.headers.iter().eq(given.headers.iter().copied()));
    }
    let first = fetched.records().next().unwrap().unwrap();
    assert_eq!(first.header("a"), Some(Some(b"1".as_slice())));
    assert_eq!((first.header("b"), first.header("c")), (Some(None), None));
    assert_eq!(first.headers.len(), 4);
    assert_eq!(first.view(), fetched.views().next().unwrap().unwrap());
}

#[test]
fn values_are_slices_of_the_log_not_copies() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let fetched = partition.read(0, 1 << 20).unwrap();
    let record = fetched.records().next().unwrap().unwrap();
    let (batch, value) = (fetched.bytes().as_ptr_range(), record.value.unwrap().as_ptr_range());
    assert!(batch.contains(&value.start) && value.end <= batch.end);
    let again = partition.read(0, 1 << 20).unwrap();
    assert_eq!(again.bytes().as_ptr(), fetched.bytes().as_ptr());
}

/// Fault row: a reader holds a map while the segment is rolled and deleted.
#[test]
fn what_a_reader_holds_outlives_retention_and_close() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let held = partition.read(0, 1 << 20).unwrap();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Durable);
    }
    let middle = partition.segments()[1].base_offset;
    let reading = partition.read(middle, 1 << 20).unwrap();
    assert_eq!(partition.delete_records_before(partition.durable_end()).unwrap(), partition.durable_end());
    assert_eq!(bed.files(".log").len(), 1);
    for fetched in [&held, &reading] {
        for record in fetched {
            let record = record.unwrap();
            assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()));
        }
    }
    assert!(matches!(partition.read(0, 1), Err(ReadError::OffsetOutOfRange { .. })));
    log.close().unwrap();
    assert!(matches!(partition.read(partition.durable_end(), 1), Err(ReadError::Closed)));
    assert_eq!(held.records().next().unwrap().unwrap().value.as_deref(), Some(payload(0).as_slice()));
}

/// Timestamps in any order: the lowest offset whose record is not earlier, at every moment.
#[test]
fn lookup_by_timestamp_agrees_with_a_linear_search() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bed = Bed { topic: small().index_interval_bytes(random.u32(0..600)), ..Bed::new(seed) };
        let (mut log, mut partition) = bed.open_partition();
        let mut timestamps: Vec<i64> = Vec::new();
        for _ in 0..150 {
            let batch: Vec<i64> = (0..random.usize(1..5))
                .map(|_| match seed % 3 {
                    0 => random.i64(0..1000),
                    1 => timestamps.len() as i64 * 5,
                    _ => timestamps.len() as i64 * 3 + random.i64(0..300),
                })
                .collect();
            let records: Vec<_> = batch.iter().map(|time| Record::new("x").timestamp(*time)).collect();
            partition.append_batch(&records, Ack::Durable).unwrap();
            timestamps.extend(batch);
        }
        let check = |partition: &Partition| {
            let start = partition.start_offset() as usize;
            for wanted in (-1..1300).step_by(7).chain([i64::MIN, i64::MAX]) {
                let right = timestamps.iter().skip(start).position(|time| *time >= wanted);
                let right = right.map(|at| (start + at) as u64);
                assert_eq!(partition.offset_for_timestamp(wanted).unwrap(), right, "seed {seed}: {wanted}");
            }
        };
        check(&partition);
        log.close().unwrap();
        (log, partition) = bed.open_partition();
        check(&partition);
        partition.delete_records_before(random.u64(1..timestamps.len() as u64)).unwrap();
        check(&partition);
        drop(log);
    }
}

#[test]
fn appends_that_cannot_be_are_refused_with_the_reason() {
    let bed = Bed { topic: small().batch_bytes_max(1000), ..Bed::new(0) };
    let (_log, partition) = bed.open_partition();
    assert!(matches!(partition.append_batch(&[], Ack::Appended), Err(AppendError::EmptyBatch)));
    let refused = partition.append_batch(&[Record::new("x"), Record::new("y").timestamp(-1)], Ack::Appended);
    assert!(matches!(refused, Err(AppendError::NegativeTimestamp { record: 1, timestamp: -1 })));
    // 61 of header, 9 of record around a value of so many bytes.
    for (len, fits) in [(930, true), (931, false)] {
        let outcome = partition.append(&Record::new(&vec![7; len]), Ack::Appended);
        match outcome {
            Ok(_) => assert!(fits, "{len}"),
            Err(AppendError::BatchTooLarge { bytes, max: 1000 }) => {
                assert_eq!((fits, bytes), (false, 1001), "{len}");
            }
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(partition.appended_end(), 1);
}

/// A batch may be as large as a segment, and no larger whatever the limit says.
#[test]
fn the_largest_batch_fills_a_segment() {
    let bed = Bed { topic: small().batch_bytes_max(1 << 20), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let around = 61 + 9;
    partition.append(&Record::new(&vec![7; 4096 - around]), Ack::Durable).unwrap();
    let refused = partition.append(&Record::new(&vec![7; 4096 - around + 1]), Ack::Durable);
    assert!(refused.is_err());
    append(&partition, Ack::Durable);
    let sizes: Vec<_> = partition.segments().iter().map(|segment| segment.bytes).collect();
    assert_eq!((sizes.len(), sizes[1]), (3, 4096));
    log.close().unwrap();
    assert_eq!(bed.open_partition().1.durable_end(), 3);
}

/// Retention by bytes keeps at least so many, and deletes all that is more by whole segments.
#[test]
fn retention_by_bytes_keeps_what_it_says() {
    let keep = 10_000;
    let bed = Bed { topic: small().retention_bytes(Some(keep)), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    for _ in 0..400 {
        append(&partition, Ack::Durable);
    }
    let before = partition.size_bytes();
    let report = log.maintain(START_MS).unwrap();
    let after = partition.size_bytes();
    assert_eq!(before - after, report.bytes_deleted);
    assert!(after >= keep && after - partition.segments()[0].bytes < keep, "{after}");
    assert_eq!(check_all(&partition), 400);
    assert_eq!(log.maintain(START_MS).unwrap().segments_deleted, 0);
    let start = partition.start_offset();
    drop(log);
    for seed in 0..30 {
        let (_log, again) = bed.on(bed.disk.crash(seed)).open_partition();
        assert_eq!(again.start_offset(), start);
    }
}

/// A segment that was rolled and not sealed yet is sealed before it is deleted: nobody syncs what is not there.
#[test]
fn a_rolled_segment_is_deleted_only_when_nobody_will_sync_it() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    loop {
        append(&partition, Ack::Appended);
        if partition.segments().len() == 2 {
            break;
        }
        partition.sync().unwrap();
    }
    let second = partition.segments()[1].base_offset;
    assert_eq!(partition.durable_end(), second);
    assert_eq!(partition.delete_records_before(second).unwrap(), second);
    assert_eq!(partition.segments().len(), 1);
    partition.sync().unwrap();
    assert_eq!(check_all(&partition), second + 1);
    log.close().unwrap();
}

/// A segment whose first append is too old is rolled, an empty one never.
#[test]
fn segments_roll_by_age() {
    let bed = Bed { topic: small().segment_age_ms(1000), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    let roll = |after_ms: i64| {
        bed.clock.advance_ms(after_ms);
        log.maintain(headwater_log::Clock::now_ms(&*bed.clock)).unwrap().segments_rolled
    };
    assert_eq!(roll(5000), 0);
    append(&partition, Ack::Durable);
    assert_eq!(roll(999), 0);
    assert_eq!(roll(1), 1);
    assert_eq!(roll(5000), 0);
    assert_eq!(partition.segments().len(), 2);
    append(&partition, Ack::Durable);
    let bed = bed.on(bed.disk.kill());
    drop(log);
    let (log, partition) = bed.open_partition();
    bed.clock.advance_ms(2000);
    assert_eq!(log.maintain(headwater_log::Clock::now_ms(&*bed.clock)).unwrap().segments_rolled, 1);
    assert_eq!((check_all(&partition), partition.segments().len()), (2, 3));
}

/// Raised options hold from the next append on, also for a segment that takes appends and is still empty.
#[test]
fn raised_options_hold_for_an_empty_segment_too() {
    let bed = Bed { topic: small().segment_age_ms(0), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    log.maintain(START_MS + 1).unwrap();
    assert_eq!(partition.segments().last().unwrap().bytes, 0);
    let large = vec![7; 8000];
    assert!(matches!(
        partition.append(&Record::new(&large), Ack::Durable),
        Err(AppendError::BatchTooLarge { max: 4096, .. })
    ));
    log.open_or_create_topic("t", small().segment_bytes(64 * 1024)).unwrap();
    assert_eq!(partition.append(&Record::new(&large), Ack::Durable).unwrap(), 1);
    assert_eq!(partition.segments().len(), 2);
    assert!(matches!(
        partition.append(&Record::new(&vec![7; 70_000]), Ack::Durable),
        Err(AppendError::BatchTooLarge { max: 65_536, .. })
    ));
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    let record = partition.read(1, 1).unwrap().records().next().unwrap().unwrap();
    assert_eq!(record.value.as_deref(), Some(large.as_slice()));
}

/// Kafka's offsets are 63-bit numbers.
#[test]
fn offsets_end_where_kafkas_do() {
    const LAST: u64 = i64::MAX as u64 - 1;
    let at = |base_offset: u64| {
        let bed = Bed::new(0);
        bed.open_partition().0.close().unwrap();
        for suffix in ["log", "index", "timeindex", "durable"] {
            bed.disk.rename(&bed.file(0, suffix), &bed.file(base_offset, suffix)).unwrap();
        }
        bed
    };
    let bed = at(LAST - 2);
    let (log, partition) = bed.open_partition();
    assert_eq!(partition.append(&Record::new("x"), Ack::Durable).unwrap(), LAST - 2);
    let three = [Record::new("x"), Record::new("y"), Record::new("z")];
    let refused = partition.append_batch(&three, Ack::Durable);
    assert!(
        matches!(refused, Err(AppendError::OffsetsExhausted { next }) if next == LAST - 1),
        "{refused:?}"
    );
    assert_eq!(partition.append_batch(&three[..2], Ack::Durable).unwrap(), LAST - 1);
    let refused = partition.append(&Record::new("x"), Ack::Durable);
    assert!(
        matches!(refused, Err(AppendError::OffsetsExhausted { next }) if next == LAST + 1),
        "{refused:?}"
    );
    log.close().unwrap();
    let (log, partition) = bed.open_partition();
    assert_eq!(partition.durable_end(), LAST + 1);
    assert_eq!(read_all(&partition, ReadUpTo::Durable).last().unwrap().offset, LAST);
    assert!(partition.append(&Record::new("x"), Ack::Durable).is_err());
    drop(log);
    match at(LAST + 1).try_open() {
        Err(OpenError::Corrupt(damage)) => {
            assert_eq!(damage.what, Damage::OffsetTooLarge { offset: LAST + 1 })
        }
        other => unreachable!("{other:?}"),
    }
}

//! P11: what stays and what goes, and who is not disturbed by it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_log::producer::{ProducerOptions, SendError};
use headwater_log::{
    Ack, AppendError, CleanupPolicy, CompactError, CompactReport, Compression, Log, Partition, ReadOnlyLog,
    ReadOnlyOptions, ReadUpTo, Record, StoredRecord, TopicOptions,
};
use headwater_testkit::sim_disk::SimDisk;

use crate::bed::{Bed, ROOT, START_MS, TOPIC, partition, read_all, small};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// A topic that is compacted when it is asked for, of small segments.
pub(crate) fn compacted() -> TopicOptions {
    small().cleanup_policy(CleanupPolicy::Compact).min_cleanable_dirty_percent(100)
}

pub(crate) fn bed() -> Bed {
    Bed { topic: compacted(), ..Bed::new(0) }
}

pub(crate) fn put(partition: &Partition, key: &str, value: &str) -> u64 {
    partition.append(&Record::new(value).key(key), Ack::Appended).unwrap()
}

/// `count` records, each of the next of so many keys.
pub(crate) fn fill(partition: &Partition, count: u64, keys: u64) {
    for n in 0..count {
        put(
            partition,
            &format!("key {}", n % keys),
            &format!("value {n} {}", "x".repeat((n * 7 % 60) as usize)),
        );
    }
    partition.sync().unwrap();
}

pub(crate) fn compact(partition: &Partition) -> CompactReport {
    partition.compact(START_MS, &mut |_| {}).unwrap()
}

/// Rolls the segment that takes appends.
pub(crate) fn roll(bed: &Bed, log: &Log) {
    bed.clock.advance_ms(8 * DAY_MS);
    log.maintain(headwater_log::Clock::now_ms(&*bed.clock)).unwrap();
}

fn offsets(records: &[StoredRecord]) -> Vec<u64> {
    records.iter().map(|record| record.offset).collect()
}

/// The last record of each key.
fn state(records: &[StoredRecord]) -> BTreeMap<Vec<u8>, (u64, Vec<u8>, i64)> {
    let of = |record: &StoredRecord| {
        let value = record.value.clone()?.to_vec();
        Some((record.key.clone()?.to_vec(), (record.offset, value, record.timestamp)))
    };
    records.iter().filter_map(of).collect()
}

#[test]
fn the_last_record_of_each_key_stays_with_its_offset_and_time() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 500, 10);
    let before = read_all(&partition, ReadUpTo::Durable);
    let mut told = Vec::new();
    let report = partition.compact(START_MS, &mut |progress| told.push(progress.clone())).unwrap();
    let after = read_all(&partition, ReadUpTo::Durable);
    assert_eq!(state(&after), state(&before));
    // Whatever is left was there before, in the same order.
    let mut rest = before.iter();
    assert!(after.iter().all(|record| rest.any(|other| other == record)));
    assert_eq!(after.len() as u64 + report.records_superseded, 500);
    assert_eq!((report.passes, report.keys, report.tombstones_kept), (1, 10, 0));
    assert!(report.bytes_after * 4 < report.bytes_before, "{report:?}");
    let last = told.last().unwrap();
    assert_eq!((last.pass, last.done_bytes), (1, last.total_bytes));
    // The same again, and after a restart.
    // Segments that are small now become one, and then nothing changes any more.
    let again = compact(&partition);
    assert_eq!((again.records_superseded, again.segments_after), (0, 1));
    assert_eq!(compact(&partition).bytes_written, 0);
    log.close().unwrap();
    let (log, partition) = bed.open_partition();
    assert_eq!(read_all(&partition, ReadUpTo::Durable), after);
    assert!(log.recovery().is_clean());
    // Whoever asks for an offset that is gone gets the next one.
    let first = after[0].offset;
    assert!(first > 0);
    assert_eq!(partition.read(0, 1).unwrap().records().next().unwrap().unwrap().offset, first);
    assert!(
        Log::check(ROOT, &ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.kill())), |_| {})
            .is_ok_and(|report| report.is_clean())
    );
}

#[test]
fn a_tombstone_stays_for_its_time_and_then_goes_and_its_key_does_not_come_back() {
    let bed = Bed { topic: compacted().delete_retention_ms(1000), ..bed() };
    let (log, partition) = bed.open_partition();
    put(&partition, "a", "1");
    put(&partition, "b", "2");
    let tombstone = partition.append(&Record::tombstone("a").timestamp(77), Ack::Durable).unwrap();
    roll(&bed, &log);
    let at = |ms: i64| partition.compact(START_MS + ms, &mut |_| {}).unwrap();
    let report = at(0);
    assert_eq!((report.records_superseded, report.tombstones_kept), (1, 1));
    let records = read_all(&partition, ReadUpTo::Durable);
    assert_eq!(offsets(&records), [1, 2]);
    // Its time is as it was, though the batch has another base now.
    assert_eq!((records[1].timestamp, records[1].value.clone()), (77, None));
    let batch = partition.read(tombstone, 1).unwrap().batches().next().unwrap().unwrap();
    assert!(batch.has_delete_horizon());
    assert_eq!(batch.base_timestamp(), START_MS + 1000);
    assert_eq!(partition.offset_for_timestamp(START_MS).unwrap(), Some(1));
    assert_eq!(at(999).tombstones_removed, 0);
    // By then there is a new one, whose time begins.
    partition.append(&Record::tombstone("b"), Ack::Durable).unwrap();
    roll(&bed, &log);
    let report = at(1000);
    assert_eq!((report.tombstones_removed, report.tombstones_kept, report.records_superseded), (1, 1, 1));
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), [3]);
    assert_eq!(at(2001).tombstones_removed, 1);
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), []);
    assert_eq!(partition.appended_end(), 4);
}

#[test]
fn a_record_without_a_key_is_refused_and_one_that_is_there_stays() {
    let bed = bed();
    let log = bed.open();
    let topic = log.create_topic(TOPIC, small()).unwrap();
    let partition = topic.partition(0).unwrap();
    partition.append(&Record::new("without"), Ack::Durable).unwrap();
    put(&partition, "a", "1");
    put(&partition, "a", "2");
    let keyless = partition.read(0, 1).unwrap();
    log.alter_topic(TOPIC, compacted()).unwrap();
    let refused = partition.append_batch(&[Record::new("x").key("k"), Record::new("y")], Ack::Appended);
    assert!(matches!(refused, Err(AppendError::KeyRequired { record: 1 })));
    let refused = partition.append_record_batch(keyless.bytes(), Ack::Appended);
    assert!(matches!(refused, Err(AppendError::KeyRequired { record: 0 })), "{refused:?}");
    let producer = log.producer(ProducerOptions::default().thread(false)).unwrap();
    let sender = producer.sender(&topic);
    assert!(matches!(sender.send(&Record::new("z")), Err(SendError::KeyRequired)));
    assert!(matches!(sender.send_to(0, &Record::new("z")), Err(SendError::KeyRequired)));
    producer.close().unwrap();
    assert_eq!(partition.appended_end(), 3);
    roll(&bed, &log);
    let report = compact(&partition);
    assert_eq!((report.records_without_key, report.records_superseded), (1, 1));
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), [0, 2]);
}

#[test]
fn a_topic_that_is_not_compacted_is_not() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    assert!(matches!(partition.compact(0, &mut |_| {}), Err(CompactError::Policy { .. })));
}

#[test]
fn retention_by_time_and_bytes_is_for_those_who_delete() {
    for (policy, segments) in
        [(CleanupPolicy::Compact, 5), (CleanupPolicy::CompactAndDelete, 1), (CleanupPolicy::Delete, 1)]
    {
        let topic = compacted().cleanup_policy(policy).retention_ms(Some(1)).retention_bytes(Some(1));
        let bed = Bed { topic, ..bed() };
        let (log, partition) = bed.open_partition();
        fill(&partition, 200, 200);
        roll(&bed, &log);
        roll(&bed, &log);
        assert!(partition.segments().len().min(5) == segments, "{policy:?}: {}", partition.segments().len());
        // What deletes by hand deletes always.
        partition.delete_records_before(partition.durable_end()).unwrap();
        assert_eq!(partition.start_offset(), 200);
    }
}

#[test]
fn upkeep_compacts_when_enough_is_dirty_or_old() {
    let topic = compacted().min_cleanable_dirty_percent(50);
    let bed = Bed { topic, ..bed() };
    let (log, partition) = bed.open_partition();
    fill(&partition, 200, 10);
    assert!(partition.cleanable(START_MS).dirty_percent() == 100);
    let report = log.maintain(START_MS).unwrap();
    assert_eq!(report.compacted.len(), 1);
    assert!(report.compacted[0].report.records_superseded > 100);
    assert_eq!((report.compacted[0].topic.as_str(), report.compacted[0].partition), (TOPIC, 0));
    let cleanable = partition.cleanable(START_MS);
    assert_eq!(
        (cleanable.dirty_bytes, cleanable.first_dirty_offset),
        (0, report.compacted[0].report.cleaned.end)
    );
    assert!(log.maintain(START_MS).unwrap().compacted.is_empty());
    // Little of much is not enough, until it is old.
    let (log, partition) = {
        log.close().unwrap();
        let lag = topic.min_cleanable_dirty_percent(90).max_compaction_lag_ms(Some(1000));
        let bed = Bed { topic: lag, ..bed.on(SimDisk::new(1)) };
        bed.clock.set_ms(START_MS);
        let (log, partition) = bed.open_partition();
        fill(&partition, 400, 400);
        (log, partition)
    };
    assert_eq!(log.maintain(START_MS).unwrap().compacted.len(), 1);
    fill(&partition, 60, 5);
    let report = log.maintain(START_MS + 1000).unwrap();
    assert_eq!((report.segments_rolled, report.compacted.len()), (1, 0), "{report:?}");
    let report = log.maintain(START_MS + 1001).unwrap();
    assert_eq!((report.segments_rolled, report.compacted.len()), (0, 1), "{report:?}");
}

#[test]
fn what_is_too_young_is_left_alone() {
    let bed = Bed { topic: compacted().min_compaction_lag_ms(1000), ..bed() };
    let (_log, partition) = bed.open_partition();
    fill(&partition, 200, 10);
    assert_eq!(partition.compact(START_MS + 999, &mut |_| {}).unwrap().records_superseded, 0);
    assert!(partition.compact(START_MS + 1000, &mut |_| {}).unwrap().records_superseded > 100);
}

#[test]
fn more_keys_than_there_is_memory_for_take_several_passes_and_all_are_compacted() {
    let bed = bed();
    let log = Log::open(ROOT, bed.options().cleaner_dedupe_bytes(4096)).unwrap();
    let partition = partition(&log, bed.topic);
    fill(&partition, 2000, 400);
    roll(&bed, &log);
    let before = read_all(&partition, ReadUpTo::Durable);
    let report = compact(&partition);
    // 4096 / 24 slots, of which 9 in 10 are used.
    assert_eq!((report.keys, report.cleaned.end), (153, 2000));
    assert!(report.passes > 2, "{report:?}");
    let after = read_all(&partition, ReadUpTo::Durable);
    assert_eq!(state(&after), state(&before));
    assert_eq!(after.len(), 400);
}

#[test]
fn batches_lose_records_and_keep_what_they_are() {
    for compression in [None, Some(Compression::Lz4), Some(Compression::GZIP), Some(Compression::Snappy)] {
        let bed = Bed { topic: compacted().compression(compression), ..bed() };
        let (log, partition) = bed.open_partition();
        let batch = |a: &str, b: &str, c: &str| {
            let records =
                [a, b, c].map(|key| Record::new("some value that is long enough").key(key).timestamp(50));
            partition.append_batch(&records, Ack::Durable).unwrap()
        };
        batch("a", "b", "c");
        batch("d", "a", "d");
        batch("c", "c", "e");
        roll(&bed, &log);
        compact(&partition);
        assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), [1, 4, 5, 7, 8], "{compression:?}");
        let batches: Vec<_> =
            partition.read(0, 1 << 20).unwrap().batches().map(|batch| batch.unwrap()).collect();
        let seen: Vec<_> = batches
            .iter()
            .map(|batch| {
                (batch.base_offset(), batch.last_offset(), batch.record_count(), batch.max_timestamp())
            })
            .collect();
        assert_eq!(seen, [(0, 2, 1, 50), (3, 5, 2, 50), (6, 8, 2, 50)]);
        let codec = compression.map_or(headwater_log::Codec::NONE, Compression::codec);
        assert!(batches.iter().all(|batch| batch.codec() == codec));
        log.close().unwrap();
        let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.kill()));
        assert!(Log::check(ROOT, &options, |event| eprintln!("{event:?}")).unwrap().is_clean());
    }
}

#[test]
fn a_reader_that_has_a_segment_reads_on_while_it_is_replaced() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 500, 10);
    let fetched = partition.read(0, 1 << 20).unwrap();
    let seen: Vec<_> = fetched.records().map(|record| record.unwrap()).collect();
    compact(&partition);
    partition.delete_records_before(400).unwrap();
    let again: Vec<_> = fetched.records().map(|record| record.unwrap()).collect();
    assert_eq!(seen, again);
    assert!(seen.len() > 10);
    log.close().unwrap();
    assert_eq!(fetched.records().map(|record| record.unwrap()).collect::<Vec<_>>(), seen);
}

#[test]
fn readers_and_appenders_go_on_beside_a_compaction() {
    let bed = bed();
    let log = Log::open(ROOT, bed.options().mapped_segments_max(2)).unwrap();
    let partition = partition(&log, bed.topic);
    fill(&partition, 300, 7);
    let read_only =
        ReadOnlyLog::open(ROOT, ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone())))
            .unwrap();
    let beside = read_only.partition(TOPIC, 0).unwrap().unwrap();
    let done = AtomicBool::new(false);
    let walks = AtomicU64::new(0);
    std::thread::scope(|scope| {
        // Whoever reads from the start to an end has the last value of each key of then, or a later one.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let (mut at, mut seen) = (0, BTreeMap::new());
                while at < partition.durable_end() {
                    let fetched = partition.read(at, 900).unwrap();
                    for view in fetched.views() {
                        let view = view.unwrap();
                        assert!(view.offset >= at);
                        seen.insert(view.key.unwrap().to_vec(), view.offset);
                    }
                    at = fetched.next_offset();
                }
                assert_eq!(seen.len(), 7);
                walks.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let (mut at, mut seen) = (0, BTreeMap::new());
                while at < beside.end_offset(ReadUpTo::Durable).unwrap() {
                    let fetched = beside.read(ReadUpTo::Durable, at, 900).unwrap();
                    for view in fetched.views() {
                        let view = view.unwrap();
                        assert!(view.offset >= at, "{} {at}", view.offset);
                        seen.insert(view.key.unwrap().to_vec(), view.offset);
                    }
                    at = fetched.next_offset();
                }
                assert_eq!(seen.len(), 7);
                walks.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 0..60 {
            fill(&partition, 120, 7);
            let report = compact(&partition);
            assert!(report.records_superseded > 0, "{round}");
        }
        // Both have read while it went on.
        while walks.load(Ordering::Relaxed) < 4 {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Release);
    });
    assert!(walks.load(Ordering::Relaxed) >= 4);
    assert_eq!(state(&read_all(&partition, ReadUpTo::Durable)).len(), 7);
}

#[test]
fn closing_ends_a_compaction_and_waits_for_no_more_than_a_batch() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 3000, 100);
    let before = state(&read_all(&partition, ReadUpTo::Durable));
    let begun = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        let compaction = scope.spawn(|| {
            let mut outcome = Ok(CompactReport::default());
            while outcome.is_ok() {
                outcome = partition.compact(START_MS, &mut |_| begun.store(true, Ordering::Release));
            }
            outcome
        });
        while !begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        log.close().unwrap();
        compaction.join().unwrap()
    });
    assert!(matches!(outcome, Err(CompactError::Closed)), "{outcome:?}");
    let (_log, partition) = bed.open_partition();
    assert_eq!(state(&read_all(&partition, ReadUpTo::Durable)), before);
}

#[test]
fn a_topic_that_is_deleted_takes_its_cleaner_offset_along() {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 500, 10);
    compact(&partition);
    let text = |bed: &Bed| {
        String::from_utf8(
            bed.disk.content(&std::path::Path::new(ROOT).join("cleaner-offset-checkpoint")).unwrap(),
        )
        .unwrap()
    };
    assert!(text(&bed).starts_with(&format!("0\n1\n{TOPIC} 0 ")), "{}", text(&bed));
    log.delete_topic(TOPIC).unwrap();
    assert_eq!(text(&bed), "0\n0\n");
    assert!(matches!(partition.compact(0, &mut |_| {}), Err(CompactError::Closed)));
    assert_eq!(bed.files("").iter().filter(|path| path.starts_with("/data/t-0")).count(), 0);
}

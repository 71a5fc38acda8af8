//! P5, P6: in a segment with gaps every flipped bit of every header is an error with its place, never another offset.

use std::sync::Arc;

use headwater_log::{
    CheckEvent, Log, OnDamage, Problem, ReadError, ReadOnlyLog, ReadOnlyOptions, ReadUpTo, StoredRecord,
};

use crate::bed::{Bed, ROOT, TOPIC};
use crate::compaction::{bed, compact, fill};

/// A closed log that was compacted, the segment with the most batches, and where its batches begin.
fn compacted() -> (Bed, u64, Vec<usize>) {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 300, 60);
    compact(&partition);
    // And what became small is made one.
    compact(&partition);
    let mut batches: std::collections::BTreeMap<u64, Vec<usize>> = std::collections::BTreeMap::new();
    let mut from = 0;
    while let Some(batch) = partition.read(from, 1).unwrap().batches().next() {
        let batch = batch.unwrap();
        batches.entry(batch.segment()).or_default().push(batch.position() as usize);
        from = batch.last_offset() + 1;
    }
    let last = partition.segments().last().unwrap().base_offset;
    batches.remove(&last);
    // Where nothing went, offsets are dense, and there are no checksums of heads.
    batches.retain(|base_offset, _| bed.disk.content(&bed.file(*base_offset, "heads")).is_some());
    let (first, at) = batches.into_iter().max_by_key(|(_, at)| at.len()).unwrap();
    assert!(at.len() > 18, "{}", at.len());
    log.close().unwrap();
    (bed.on(bed.disk.crash(0)), first, at)
}

fn records(
    read: impl Fn(u64) -> Result<(Vec<StoredRecord>, u64), ReadError>,
    from: u64,
) -> Result<Vec<StoredRecord>, ReadError> {
    let (mut at, mut all) = (from, Vec::new());
    loop {
        let (records, next) = read(at)?;
        all.extend(records);
        if next == at {
            return Ok(all);
        }
        at = next;
    }
}

#[test]
fn every_flipped_bit_of_every_header_is_an_error_never_another_offset() {
    let (bed, segment, positions) = compacted();
    let whole = bed.on(bed.disk.snapshot());
    let (_log, partition) = whole.open_partition();
    let read = |partition: &headwater_log::Partition, from| {
        let fetched = partition.read(from, 700)?;
        Ok((fetched.records().collect::<Result<Vec<_>, _>>()?, fetched.next_offset()))
    };
    let right = records(|from| read(&partition, from), 0).unwrap();
    let begins = right.iter().position(|record| record.offset >= segment).unwrap();
    let in_segment: Vec<u64> =
        right[begins..].iter().map(|record| record.offset).take(positions.len()).collect();
    let mut flips = 0;
    for (number, position) in positions.iter().enumerate() {
        for bit in 0..61 * 8 {
            // All of the head, and one bit of each byte behind it, which Kafka's own checksum covers.
            if bit >= 21 * 8 && bit % 8 != number % 8 {
                continue;
            }
            flips += 1;
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&bed.file(segment, "log"), |bytes| bytes[position + bit / 8] ^= 1 << (bit % 8));
            let log = bed.open();
            let partition = log.topic(TOPIC).unwrap().partition(0).unwrap();
            // From anywhere: what is read before the error is right, and there is an error for who reads all.
            assert!(records(|from| read(&partition, from), 0).is_err(), "batch {number}, bit {bit}");
            for at in [number.saturating_sub(1), number, number + 1] {
                let Some(offset) = in_segment.get(at) else { continue };
                match partition.read(*offset, 1) {
                    Err(ReadError::Corrupt(corruption)) => assert_eq!(corruption.segment, segment),
                    Err(error) => unreachable!("{error}"),
                    Ok(fetched) => {
                        let found = fetched.records().next().unwrap().unwrap();
                        assert_eq!(&found, &right[begins + at], "batch {number}, bit {bit}, read {at}");
                        assert_ne!(at, number);
                    }
                }
            }
            drop(log);
            if bit % 16 == number % 16 {
                others_see_it(&bed, segment, &right);
            }
        }
    }
    eprintln!("{flips} flipped bits of {} headers", positions.len());
}

/// A reader beside the writer, a check, and quarantine.
fn others_see_it(bed: &Bed, segment: u64, right: &[StoredRecord]) {
    let disk = bed.disk.crash(0);
    let options = || ReadOnlyOptions::default().storage(Arc::new(disk.clone()));
    let beside = ReadOnlyLog::open(ROOT, options()).unwrap().partition(TOPIC, 0).unwrap().unwrap();
    let read = |from| {
        let fetched = beside.read(ReadUpTo::Durable, from, 700)?;
        Ok((fetched.records().collect::<Result<Vec<_>, _>>()?, fetched.next_offset()))
    };
    assert!(matches!(records(read, 0), Err(ReadError::Corrupt(corruption)) if corruption.segment == segment));
    let mut found = Vec::new();
    let report = Log::check(ROOT, &options(), |event| {
        if let CheckEvent::Finding(finding) = event {
            found.push(finding.clone());
        }
    });
    assert!(report.unwrap().errors > 0);
    assert!(found.iter().any(|finding| finding.segment == Some(segment)
        && matches!(finding.problem, Problem::Damaged(_))), "{found:?}");
    let bed = bed.on(disk.snapshot());
    let log = Log::open(ROOT, bed.options().on_damage(OnDamage::Quarantine)).unwrap();
    assert!(!log.recovery().partitions[0].damage.is_empty());
    let partition = log.topic(TOPIC).unwrap().partition(0).unwrap();
    let read = |from| {
        let fetched = partition.read(from, 700)?;
        Ok((fetched.records().collect::<Result<Vec<_>, _>>()?, fetched.next_offset()))
    };
    // What is left is right; missing are the batches that have the checksum in common, and those up to the next index entry.
    let left = records(read, 0).unwrap();
    assert!(left.iter().all(|record| right.contains(record)));
    assert!(left.len() + 16 + 5 >= right.len(), "{} of {}", left.len(), right.len());
    assert_eq!(partition.durable_end(), right.last().unwrap().offset + 1);
    log.close().unwrap();
    assert!(
        Log::check(ROOT, &ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone())), |_| {})
            .unwrap()
            .errors
            == 0
    );
}

#[test]
fn a_heads_file_that_is_lost_is_an_error_and_quarantine_makes_it_again() {
    let (bed, segment, _) = compacted();
    let right = {
        let (_log, partition) = bed.on(bed.disk.snapshot()).open_partition();
        crate::bed::read_all(&partition, ReadUpTo::Durable)
    };
    for lost in [true, false] {
        let bed = bed.on(bed.disk.snapshot());
        let path = bed.file(segment, "heads");
        if lost {
            headwater_log::storage::Storage::remove(&bed.disk, &path).unwrap();
            headwater_log::storage::Storage::sync_dir(&bed.disk, path.parent().unwrap()).unwrap();
        } else {
            bed.disk.damage(&path, |bytes| bytes[20] ^= 4);
        }
        {
            let log = bed.open();
            let partition = log.topic(TOPIC).unwrap().partition(0).unwrap();
            assert!(matches!(partition.read(segment, 1), Err(ReadError::Corrupt(_))));
        }
        let bed = bed.on(bed.disk.crash(0));
        let log = Log::open(ROOT, bed.options().on_damage(OnDamage::Quarantine)).unwrap();
        assert_eq!(log.recovery().partitions[0].damage.len(), 1);
        let partition = log.topic(TOPIC).unwrap().partition(0).unwrap();
        assert_eq!(crate::bed::read_all(&partition, ReadUpTo::Durable), right);
        log.close().unwrap();
        assert!(bed.open().recovery().is_clean());
    }
}

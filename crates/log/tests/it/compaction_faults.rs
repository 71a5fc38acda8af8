//! P8, P9, P11: what fails in a compaction harms nobody, and it works again later.

use headwater_log::{Ack, CompactError, Log, ReadUpTo, SyncError};
use headwater_testkit::sim_disk::{Bounds, Fault, SimDisk};

use crate::bed::{Bed, ROOT, START_MS, read_all};
use crate::compaction::{bed, compact, fill, put};

/// A log of some segments that are to be compacted.
fn dirty() -> Bed {
    let bed = bed();
    let (log, partition) = bed.open_partition();
    fill(&partition, 120, 10);
    // Compacted once already, so that there are segments with gaps.
    compact(&partition);
    fill(&partition, 120, 10);
    log.close().unwrap();
    bed.on(bed.disk.crash(0))
}

/// Every call of the disk in a compaction fails, one at a time, with EIO or with a full disk: what was there can be read, appends
/// go on unless a sync of the directory failed, and the next attempt does it; a crash at any of these moments loses nothing.
#[test]
fn every_call_of_a_compaction_may_fail() {
    let whole = dirty();
    let expected = {
        let bed = whole.on(whole.disk.snapshot());
        let (_log, partition) = bed.open_partition();
        let first = bed.disk.count_all();
        compact(&partition);
        (first, bed.disk.count_all(), read_all(&partition, ReadUpTo::Durable))
    };
    let (first, last, compacted) = expected;
    assert!(last - first > 60, "{}", last - first);
    let (mut poisoned, mut failed, mut images) = (0, 0, 0);
    for call in 0..last - first {
        for kind in [std::io::ErrorKind::Other, std::io::ErrorKind::StorageFull] {
            let bed = whole.on(whole.disk.snapshot());
            let (log, partition) = bed.open_partition();
            let before = read_all(&partition, ReadUpTo::Durable);
            bed.disk.inject(Fault::on_any().skip(call).kind(kind));
            let outcome = partition.compact(START_MS, &mut |_| {});
            bed.disk.clear_faults();
            // Whatever happened, readers have before or after, segment by segment.
            let now = read_all(&partition, ReadUpTo::Durable);
            assert!(now.iter().all(|record| before.contains(record)), "call {call}");
            assert!(compacted.iter().all(|record| now.contains(record)), "call {call}");
            let bounds = Bounds { images: 4, torn: 1, seed: call };
            bed.disk.crash_images(bounds, |image| {
                images += 1;
                let (_log, partition) = bed.on(image.clone()).open_partition();
                let after = read_all(&partition, ReadUpTo::Durable);
                assert!(compacted.iter().all(|record| after.contains(record)), "call {call}");
                assert!(after.iter().all(|record| before.contains(record)), "call {call}");
                image.halt();
            });
            match outcome {
                Ok(_) => {}
                Err(CompactError::Sync(SyncError::Failed(_))) => {
                    poisoned += 1;
                    assert!(log.close().is_err());
                    let bed = bed.on(bed.disk.kill());
                    let (_log, partition) = bed.open_partition();
                    compact(&partition);
                    assert_eq!(read_all(&partition, ReadUpTo::Durable), compacted, "call {call}");
                    continue;
                }
                Err(_) => failed += 1,
            }
            let end = put(&partition, "new", "value");
            partition.wait_durable(end).unwrap();
            compact(&partition);
            let mut all = read_all(&partition, ReadUpTo::Durable);
            all.retain(|record| record.offset < end);
            assert_eq!(all, compacted, "call {call} {kind:?}");
            log.close().unwrap();
            // Nothing is left behind.
            let rest: Vec<_> = bed
                .disk
                .files()
                .into_iter()
                .filter(|path| {
                    [".cleaned", ".swap", ".deleted", ".tmp"]
                        .iter()
                        .any(|end| path.to_string_lossy().ends_with(end))
                })
                .collect();
            assert!(rest.is_empty(), "call {call}: {rest:?}");
        }
    }
    eprintln!(
        "{} calls failed: {failed} errors, {poisoned} for good; {images} crash images",
        (last - first) * 2
    );
    assert!(poisoned > 4 && failed > 50);
}

/// A disk that is really full: nothing is lost, and retention, or more room, lets it go on.
#[test]
fn a_full_disk_stops_a_compaction_and_nothing_else() {
    let whole = dirty();
    for free in (0..12_000).step_by(1000) {
        let bed = whole.on(whole.disk.snapshot());
        let (_log, partition) = bed.open_partition();
        let before = read_all(&partition, ReadUpTo::Durable);
        let used: u64 =
            bed.disk.files().iter().map(|path| bed.disk.content(path).unwrap().len() as u64).sum();
        bed.disk.set_space_bytes(Some(used + free));
        match partition.compact(START_MS, &mut |_| {}) {
            Err(CompactError::Io(error)) => assert!(error.is_no_space(), "{error}"),
            Err(error) => unreachable!("{free}: {error}"),
            Ok(_) => assert!(free > 1000, "{free}"),
        }
        let now = read_all(&partition, ReadUpTo::Durable);
        assert!(now.iter().all(|record| before.contains(record)));
        bed.disk.set_space_bytes(None);
        let report = compact(&partition);
        assert_eq!(report.cleaned.end, partition.segments().last().unwrap().base_offset);
    }
}

/// The next opening finishes an exchange of segments, and a second crash in that changes nothing; also of one that Kafka
/// began, which knows of no mark.
#[test]
fn an_exchange_that_kafka_began_is_finished() {
    let whole = dirty();
    // What a compaction makes of it, and the files as they were.
    let (compacted, bases, files) = {
        let bed = whole.on(whole.disk.snapshot());
        let (log, partition) = bed.open_partition();
        let bases: Vec<u64> = partition.segments().iter().map(|segment| segment.base_offset).collect();
        compact(&partition);
        let records = read_all(&partition, ReadUpTo::Durable);
        let first = partition.segments()[0].base_offset;
        log.close().unwrap();
        let file = |end: &str| bed.disk.content(&bed.file(first, end)).unwrap();
        (
            records,
            bases,
            [("log.swap", file("log")), ("index.swap", file("index")), ("timeindex.swap", file("timeindex"))],
        )
    };
    let as_kafka = |bed: &Bed| {
        for path in bed.disk.files() {
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(".durable") || name.ends_with(".heads") {
                headwater_log::storage::Storage::remove(&bed.disk, &path).unwrap();
            }
        }
    };
    for removed in 0..3 {
        let bed = whole.on(whole.disk.snapshot());
        as_kafka(&bed);
        for (end, content) in &files {
            write(&bed.disk, &bed.file(bases[0], end), content);
        }
        for base_offset in bases.iter().skip(1).take(removed) {
            headwater_log::storage::Storage::remove(&bed.disk, &bed.file(*base_offset, "log")).unwrap();
        }
        headwater_log::storage::Storage::sync_dir(&bed.disk, std::path::Path::new("/data/t-0")).unwrap();
        let bed = bed.on(bed.disk.crash(0));
        let (log, partition) = bed.open_partition();
        let after = read_all(&partition, ReadUpTo::Durable);
        assert!(compacted.iter().all(|record| after.contains(record)), "{removed}");
        assert_eq!(log.recovery().partitions[0].exchanged, [bases[0]]);
        assert!(partition.append(&headwater_log::Record::new("x").key("k"), Ack::Durable).is_ok());
        log.close().unwrap();
        assert!(bed.files(".swap").is_empty());
        assert!(Log::open(ROOT, bed.options()).unwrap().recovery().is_clean());
    }
    // One that is not whole does not count.
    let bed = whole.on(whole.disk.snapshot());
    write(&bed.disk, &bed.file(bases[0], "log.swap"), &files[0].1);
    write(&bed.disk, &bed.file(bases[0], "index.cleaned"), &files[1].1);
    let (_log, partition) = bed.open_partition();
    assert_eq!(partition.segments().iter().map(|segment| segment.base_offset).collect::<Vec<_>>(), bases);
}

fn write(disk: &SimDisk, path: &std::path::Path, content: &[u8]) {
    use headwater_log::storage::Storage;
    let file = disk.create(path).unwrap();
    let mut done = 0;
    while done < content.len() {
        done += file.write_at(&content[done..], done as u64).unwrap();
    }
    file.sync_data().unwrap();
}

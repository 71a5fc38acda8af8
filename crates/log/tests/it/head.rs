//! What recovery does not read after a kill: what the mark says is durable, as far as the indexes agree.

use std::path::Path;

use headwater_log::{Ack, Log, Partition, PartitionRecovery, TopicOptions};
use headwater_testkit::sim_disk::SimDisk;

use crate::bed::{Bed, append, check_all};

/// One segment with an index entry for every third record or so.
fn topic() -> TopicOptions {
    crate::bed::small().segment_bytes(1 << 16)
}

const DURABLE: u64 = 150;
const APPENDED: u64 = 7;
/// What is appended and not durable gives less than so many bytes of entries.
const BEHIND: usize = 64;

/// A millisecond after each other, so that the time index has as many entries as the other one.
fn fill(bed: &Bed, partition: &Partition) {
    for record in 0..DURABLE + APPENDED {
        append(partition, if record < DURABLE { Ack::Durable } else { Ack::Appended });
        bed.clock.advance_ms(1);
    }
}

/// A log that was killed with records that are durable and some that are not.
fn killed() -> Bed {
    let bed = Bed { topic: topic(), ..Bed::new(0) };
    let (log, partition) = bed.open_partition();
    fill(&bed, &partition);
    let disk = bed.disk.kill();
    drop(log);
    bed.on(disk)
}

fn report(log: &Log) -> PartitionRecovery {
    log.recovery().partitions.first().unwrap().clone()
}

fn content(disk: &SimDisk, path: &Path) -> Vec<u8> {
    disk.content(path).unwrap()
}

/// So many bytes of an index are entries.
fn used(index: &[u8]) -> usize {
    index.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).next_multiple_of(4)
}

#[test]
fn only_what_is_not_known_to_be_durable_is_read_after_a_kill() {
    let bed = killed();
    let (log, partition) = bed.open_partition();
    let report = report(&log);
    let unsynced = report.bytes_rewritten;
    assert!(unsynced > 0 && report.segments_scanned == 1, "{report:?}");
    // The last entry is at most an interval and two batches before the mark.
    assert!(report.bytes_scanned > unsynced && report.bytes_scanned < unsynced + 256 + 2 * 250, "{report:?}");
    assert!(report.batches_scanned < APPENDED + 5, "{report:?}");
    assert_eq!(check_all(&partition), DURABLE + APPENDED);
}

/// Killed, recovered and closed, or closed at once: the same indexes, byte for byte.
#[test]
fn indexes_go_on_as_if_nothing_had_happened() {
    let bed = killed();
    bed.open().close().unwrap();
    let other = Bed { topic: topic(), ..Bed::new(0) };
    let (log, partition) = other.open_partition();
    fill(&other, &partition);
    log.close().unwrap();
    for suffix in ["log", "index", "timeindex"] {
        let path = bed.file(0, suffix);
        assert_eq!(content(&bed.disk, &path), content(&other.disk, &path), "{suffix}");
    }
}

/// P7: whatever is wrong with an index, the segment is read whole and gives the same log.
#[test]
fn an_index_that_the_mark_does_not_know_is_not_believed() {
    let whole = killed();
    for suffix in ["index", "timeindex"] {
        let path = whole.file(0, suffix);
        let used = used(&content(&whole.disk, &path));
        assert!(used > 4 * BEHIND, "{suffix}: {used}");
        // Entries behind the mark are made again anyway.
        let bits = (0..(used - BEHIND) * 8).step_by(5);
        let flips = bits.map(|bit| (bit, None)).chain((0..used - BEHIND).map(|len| (0, Some(len))));
        for (bit, cut) in flips {
            let bed = whole.on(whole.disk.snapshot());
            bed.disk.damage(&path, |bytes| match cut {
                Some(len) => bytes.truncate(len),
                None => bytes[bit / 8] ^= 1 << (bit % 8),
            });
            let (log, partition) = bed.open_partition();
            let report = report(&log);
            assert_eq!(report.batches_scanned, DURABLE + APPENDED, "{suffix} bit {bit} cut {cut:?}");
            assert_eq!(check_all(&partition), DURABLE + APPENDED);
        }
    }
}

/// Killed again and again, with and without appends in between: never read whole, never wrong.
#[test]
fn kill_after_kill_reads_only_the_end() {
    let mut bed = killed();
    for round in 0..20 {
        let (log, partition) = bed.open_partition();
        let report = report(&log);
        assert!(report.batches_scanned < APPENDED + 5, "round {round}: {report:?}");
        for _ in 0..round % 4 {
            append(&partition, Ack::Durable);
        }
        for _ in 0..round % 3 {
            append(&partition, Ack::Appended);
        }
        let end = partition.appended_end();
        bed = bed.on(bed.disk.kill());
        drop(log);
        let (log, partition) = bed.open_partition();
        assert_eq!(check_all(&partition), end);
        drop(log);
        bed = bed.on(bed.disk.kill());
    }
}

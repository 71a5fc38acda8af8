//! Compaction beside a read and a write of as much.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use criterion::Criterion;
use headwater::log::{Ack, CleanupPolicy, Record, TopicOptions};

use crate::bed::Bed;

/// Compaction of 1 GiB with a million keys in which half of the records have a later one of their key, beside reading those bytes and writing,
/// with a sync, all of them or as many as stay.
pub(crate) fn compaction(criterion: &mut Criterion) {
    const KEYS: u32 = 1_000_000;
    const VALUE_BYTES: usize = 448;
    let bed = Bed::new();
    let options = TopicOptions::default().cleanup_policy(CleanupPolicy::Compact).segment_bytes(64 << 20);
    let fill = || {
        let partition = bed.partition_of(options);
        let value = [0x5A; VALUE_BYTES];
        // Each key twice, one after the other, so that half of every segment stays.
        for number in 0..2 * KEYS {
            let key = (number / 2).to_be_bytes();
            let record = Record::new(&value).key(&key).timestamp(1_700_000_000_000);
            partition.append(&record, Ack::Appended).expect("to append");
        }
        partition.sync().expect("to sync");
        partition
    };
    let mut sizes = (0, 0);
    let mut compacted = || {
        let partition = fill();
        let bytes = partition.cleanable(0).dirty_bytes;
        let begun = Instant::now();
        let report = partition.compact(0, &mut |_| {}).expect("to compact");
        let spent = begun.elapsed();
        assert!(bytes > 950 << 20 && report.records_superseded > u64::from(KEYS) * 8 / 10);
        sizes = (bytes, report.bytes_written);
        spent
    };
    let mut group = criterion.benchmark_group("log compaction");
    group.sample_size(10);
    group.bench_function("1 GiB, half stays", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| compacted()).sum());
    });
    let (bytes, stays) = sizes;
    if bytes == 0 {
        return;
    }
    println!("compaction: {bytes} bytes, of which {stays} stay");
    bed.log.delete_topic("bench").expect("to delete a topic");
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::write(&from, vec![7; usize::try_from(bytes).expect("a size")]).expect("to write");
    for (what, most) in [("all", bytes), ("what stays", stays)] {
        group.bench_function(format!("1 GiB, read, {what} written"), |bencher| {
            bencher.iter(|| copy(&from, &to, most));
        });
    }
    group.finish();
}

/// Reads a file, writes its beginning to another one, and syncs that.
fn copy(from: &Path, to: &Path, mut most: u64) {
    let mut buffer = vec![0; 1 << 20];
    let (mut from, mut to) = (File::open(from).expect("to open"), File::create(to).expect("to create"));
    loop {
        let read = from.read(&mut buffer).expect("to read");
        let write = most.min(read as u64);
        let (written, _) = buffer.split_at(usize::try_from(write).expect("a size"));
        to.write_all(written).expect("to write");
        most -= write;
        if read == 0 {
            break;
        }
    }
    to.sync_data().expect("to sync");
}

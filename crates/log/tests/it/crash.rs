//! P1, P2, P3: what a loss of power or of the process leaves.

use std::path::Path;

use headwater_log::storage::{Access, Storage};
use headwater_log::{Ack, OpenError};
use headwater_testkit::log_model::Op;
use headwater_testkit::sim_disk::{Fault, Op as DiskOp};

use crate::bed::{Bed, TOPIC, append, append_batch, check_all, small};
use crate::model::run;

/// Long histories, with a crash after every operation.
#[test]
fn long_histories_survive_their_crashes() {
    let mut images = 0;
    for seed in 0..25 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut run = run(seed);
        for _ in 0..50 {
            run.step(match random.u8(..20) {
                0 => Op::Maintain,
                1 => Op::Delete(random.u8(..)),
                2 => Op::Reopen,
                3 => Op::Kill,
                4..8 => Op::Sync,
                _ => Op::Append(random.u8(1..8), random.u8(..4) == 0),
            });
            run.check_crash(run.disk().crash(random.u64(..)));
            images += 1;
        }
    }
    eprintln!("{images} crash images of long histories");
}

/// P1: a crash during recovery, again and again.
#[test]
fn recovery_survives_its_own_crashes() {
    for seed in 0..60 {
        let bed = Bed::new(seed);
        let (_log, partition) = bed.open_partition();
        for round in 0..30 {
            append_batch(
                &partition,
                1 + round % 4,
                if round % 7 == 0 { Ack::Durable } else { Ack::Appended },
            );
        }
        let durable = partition.durable_end();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut disk = bed.disk.crash(random.u64(..));
        for _ in 0..5 {
            // The power goes in the middle of recovery.
            let bed = bed.on(disk.clone());
            disk.inject(Fault::on_any().skip(random.u64(..60)).for_good());
            let _ = bed.try_open();
            disk = disk.crash(random.u64(..));
        }
        let (_log, recovered) = bed.on(disk).open_partition();
        assert!(check_all(&recovered) >= durable);
    }
}

/// Fault row: last batch cut at every byte.
#[test]
fn last_batch_cut_at_every_byte_goes_as_a_whole() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append_batch(&partition, 3, Ack::Durable);
    let whole = partition.size_bytes();
    append_batch(&partition, 3, Ack::Appended);
    let both = partition.size_bytes();
    let killed = bed.disk.kill();
    drop(log);
    let path = bed.file(0, "log");
    for cut in whole..both {
        let bed = bed.on(killed.snapshot());
        // The rest of the space that was allocated stays: zeros behind the cut. The last byte of a batch whose
        // last record has no headers is a zero of its own.
        assert!(bed.disk.damage(&path, |bytes| bytes[cut as usize..].fill(0)));
        let (log, recovered) = bed.open_partition();
        assert_eq!(check_all(&recovered), if cut == both - 1 { 6 } else { 3 }, "cut at {cut}");
        let report = &log.recovery().partitions[0];
        // The batch begins with seven zeros: its base offset is 3.
        assert_eq!(report.bytes_cut > 0, cut > whole + 7 && cut < both - 1, "cut at {cut}");
        // The next append takes the place, and nothing of the torn batch comes back.
        let end = append(&recovered, Ack::Durable) + 1;
        drop(log);
        let (_log, again) = bed.open_partition();
        assert_eq!(check_all(&again), end);

        let bed = bed.on(killed.snapshot());
        bed.disk.damage(&path, |bytes| bytes.truncate(cut as usize));
        assert_eq!(check_all(&bed.open_partition().1), 3, "cut off at {cut}");
    }
}

/// Fault row: a tail of zeros, junk, or junk that parses with a huge length.
#[test]
fn junk_behind_the_end_is_the_end() {
    let valid_elsewhere = |offset: u64| {
        let bed = Bed::new(9);
        let (_log, partition) = bed.open_partition();
        for _ in 0..=offset {
            append(&partition, Ack::Durable);
        }
        partition.read(offset, 1).unwrap().bytes().to_vec()
    };
    let mut huge = valid_elsewhere(3);
    huge[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    let tails: [&[u8]; 7] = [
        &[],
        &[0; 5000],
        &[0xff; 100],
        b"\0\0\0\0\0\0\0\x03\0\0\0\x31\0\0\0\0\x02\0\0\0\0",
        &huge,
        // A good batch, but of another place in the log.
        &valid_elsewhere(5),
        &valid_elsewhere(2),
    ];
    for (number, tail) in tails.iter().enumerate() {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        for _ in 0..3 {
            append(&partition, Ack::Durable);
        }
        let end = partition.size_bytes() as usize;
        let bed = bed.on(bed.disk.kill());
        drop(log);
        bed.disk.damage(&bed.file(0, "log"), |bytes| {
            bytes.truncate(end);
            bytes.extend_from_slice(tail);
        });
        let (log, recovered) = bed.open_partition();
        assert_eq!(check_all(&recovered), 3, "tail {number}");
        let junk = tail.iter().any(|byte| *byte != 0);
        assert_eq!(log.recovery().bytes_cut() > 0, junk, "tail {number}");
        // It is cut for good before the first append.
        for seed in 0..10 {
            let crashed = bed.disk.crash(seed).content(&bed.file(0, "log"));
            assert_eq!(crashed.map(|bytes| bytes.len()), Some(end), "tail {number}");
        }
        append(&recovered, Ack::Durable);
        assert_eq!(check_all(&recovered), 4);
    }
}

/// Fault row: the directory entry of a new segment is lost, although its bytes were synced.
#[test]
fn names_of_a_new_segment_are_durable_before_anything_in_it_is() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 4 {
        append(&partition, Ack::Durable);
        for seed in 0..20 {
            let (_log, recovered) = bed.on(bed.disk.crash(seed)).open_partition();
            assert_eq!(check_all(&recovered), partition.durable_end());
        }
    }
    drop(log);
}

/// After a failed sync the kernel shows pages as clean that are not on disk: what recovery keeps of them is
/// written again.
#[test]
fn records_kept_behind_the_mark_are_written_again() {
    for seed in 0..50 {
        let bed = Bed { topic: small().segment_bytes(64 * 1024), ..Bed::new(seed) };
        let (log, first) = bed.open_partition();
        append(&first, Ack::Durable);
        for _ in 0..200 {
            append(&first, Ack::Appended);
        }
        assert!(first.size_bytes() > 4 * 4096, "several pages");
        bed.disk.inject(Fault::on(DiskOp::SyncData).path_end(".log"));
        assert!(first.sync().is_err());
        // The process ends, the machine goes on: the page cache still shows them all.
        let bed = bed.on(bed.disk.kill());
        drop(log);
        let (log, second) = bed.open_partition();
        assert_eq!(check_all(&second), 201);
        assert!(log.recovery().partitions[0].bytes_rewritten > 4 * 4096);
        // They are durable now, so that an offset that was seen never names another record.
        let (_log, third) = bed.on(bed.disk.crash(seed)).open_partition();
        assert_eq!(check_all(&third), 201);
    }
}

/// A log of several segments of which only the first records are durable, killed.
fn unsynced_segments() -> (Bed, u64) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    while partition.segments().len() < 3 {
        append(&partition, Ack::Appended);
    }
    let second = partition.segments()[1].base_offset;
    for _ in 0..5 {
        append(&partition, Ack::Appended);
    }
    let killed = bed.on(bed.disk.kill());
    drop(log);
    (killed, second)
}

/// Behind the mark nothing is proven, whole segments included: behind the first damage all of them go, for good.
#[test]
fn segments_behind_a_cut_go_and_do_not_come_back() {
    let (killed, second) = unsynced_segments();
    let logs = killed.files(".log");
    assert_eq!(logs.len(), 3);
    for (damaged, left) in [(0, 1), (1, 2), (2, 3)] {
        let bed = killed.on(killed.disk.snapshot());
        bed.disk.damage(&logs[damaged], |bytes| bytes[1000] ^= 1);
        let (log, partition) = bed.open_partition();
        let end = check_all(&partition);
        assert!(end > 0 && (damaged == 0) == (end < second));
        assert_eq!(log.recovery().partitions[0].segments_removed.len(), 3 - left);
        for seed in 0..10 {
            let bed = bed.on(bed.disk.crash(seed));
            assert_eq!(bed.files(".log").len(), left);
            let (_log, partition) = bed.open_partition();
            assert_eq!(check_all(&partition), end);
            // On and over the place where the others were.
            for _ in 0..200 {
                append(&partition, Ack::Durable);
            }
            assert_eq!(check_all(&partition), end + 200);
        }
    }
}

/// A segment that does not follow, behind one that was closed, goes for good, too.
#[test]
fn a_segment_behind_a_gap_goes_and_does_not_come_back() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..10 {
        append(&partition, Ack::Durable);
    }
    let stale = partition.read(8, 1).unwrap().bytes().clone();
    partition.delete_records_before(10).unwrap();
    log.close().unwrap();
    let path = bed.file(18, "log");
    bed.disk.create(&path).unwrap();
    bed.disk.damage(&path, |bytes| {
        bytes.extend_from_slice(&stale);
        bytes[7] = 18;
    });
    bed.disk.sync_dir(Path::new("/data/t-0")).unwrap();
    let (log, _partition) = bed.open_partition();
    assert_eq!(log.recovery().partitions[0].segments_removed, [18]);
    for seed in 0..20 {
        assert!(bed.disk.crash(seed).content(&path).is_none());
    }
}

/// Fault row: an empty newest segment is used again.
#[test]
fn an_empty_newest_segment_is_used_again() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..5 {
        append(&partition, Ack::Durable);
    }
    let bed = bed.on(bed.disk.kill());
    drop(log);
    for suffix in ["log", "index", "timeindex", "durable"] {
        bed.disk.create(&bed.file(5, suffix)).unwrap();
    }
    let (log, recovered) = bed.open_partition();
    assert_eq!(recovered.segments().len(), 2);
    append(&recovered, Ack::Durable);
    assert_eq!(check_all(&recovered), 6);
    assert_eq!(recovered.segments()[1].base_offset, 5);
    drop(log);
}

/// What a roll leaves that failed and could not clean up is not taken for a segment.
#[test]
fn an_empty_segment_in_the_middle_is_removed() {
    let bed = Bed::new(0);
    let (log, first) = bed.open_partition();
    for _ in 0..5 {
        append(&first, Ack::Durable);
    }
    for suffix in ["log", "index"] {
        let file = bed.disk.create(&bed.file(3, suffix)).unwrap();
        file.allocate(0, 4096).unwrap();
    }
    let (_log, recovered) = bed.on(bed.disk.kill()).open_partition();
    drop(log);
    assert_eq!(check_all(&recovered), 5);
    assert_eq!(recovered.segments().len(), 1);
}

/// A clean close leaves nothing to read: the next open reads no segment, and any crash later finds all of it.
#[test]
fn clean_close_is_durable_and_needs_no_scan() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..100 {
        append(&partition, Ack::Appended);
    }
    log.close().unwrap();
    for seed in 0..50 {
        let bed = bed.on(bed.disk.crash(seed));
        // Not a byte of a segment is read, mapped or written.
        for op in [DiskOp::Map, DiskOp::Write, DiskOp::Read] {
            bed.disk.inject(Fault::on(op).path_end(".log").for_good());
        }
        let log = bed.open();
        assert!(log.recovery().is_clean());
        bed.disk.clear_faults();
        assert_eq!(check_all(&log.topic(TOPIC).unwrap().partition(0).unwrap()), 100);
    }
}

/// P15: a mark of a version that is not known is refused, and nothing is touched.
#[test]
fn a_mark_from_the_future_is_refused_and_left() {
    let bed = Bed::new(0);
    let (log, first) = bed.open_partition();
    append(&first, Ack::Durable);
    log.close().unwrap();
    let path = bed.file(0, "durable");
    bed.disk.damage(&path, |bytes| {
        for slot in bytes.chunks_mut(4096) {
            slot[5] = 9;
            let crc = crc32(&slot[..124]);
            slot[124..128].copy_from_slice(&crc.to_be_bytes());
        }
    });
    let before = bed.disk.content(&path);
    let error = bed.try_open().unwrap_err();
    assert!(matches!(error, OpenError::UnsupportedVersion { found: 9, known: 1, .. }), "{error}");
    assert_eq!(bed.disk.content(&path), before);
}

/// CRC-32 (IEEE) bit by bit: another way than the library's.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

/// Leftovers of interrupted replacements are removed, files of strangers stay.
#[test]
fn leftovers_go_and_strange_files_stay() {
    let bed = Bed::new(0);
    let (log, first) = bed.open_partition();
    append(&first, Ack::Durable);
    log.close().unwrap();
    let dir = Path::new("/data/t-0");
    let left = [
        "leader-epoch-checkpoint.tmp",
        "00000000000000000000.index.tmp",
        "00000000000000000007.snapshot.tmp",
        "00000000000000000007.snapshot",
        "00000000000000000000.log.deleted",
    ];
    let strange = ["notes.txt", "00000000000000000000.txnindex", "00000000000000000007.txnindex"];
    for name in left.iter().chain(&strange) {
        bed.disk.create(&dir.join(name)).unwrap();
    }
    let (_log, again) = bed.open_partition();
    assert_eq!(check_all(&again), 1);
    assert!(left.iter().all(|name| bed.disk.open(&dir.join(name), Access::Read).is_err()));
    assert!(strange.iter().all(|name| bed.disk.open(&dir.join(name), Access::Read).is_ok()));
}

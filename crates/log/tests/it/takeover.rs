//! P1, P2: directories that a broker led are opened for the first time since, and the power goes meanwhile.

use std::path::Path;

use headwater_log::storage::{Access, Storage};
use headwater_log::{Ack, Log, ReadOnlyOptions, ReadUpTo};
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, append, read_all};
use crate::foreign::{kafka_dir, moved, offsets, plain};

/// Opens the log, and again after the power went at every sync of that: each time these records are there.
fn check_crashes(bed: &Bed, expected: &[u64], end: u64) {
    sync_all(bed);
    check_beside(bed, end);
    let whole = bed.on(bed.disk.snapshot());
    let (_log, partition) = whole.open_partition();
    assert_eq!(partition.durable_end(), end);
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), expected);

    bed.disk.keep_moments();
    let (log, _partition) = bed.open_partition();
    let moments = bed.disk.take_moments();
    bed.disk.halt();
    drop(log);
    let mut images = 0;
    for (number, moment) in moments.iter().enumerate() {
        let bounds = Bounds { images: 128, torn: 4, seed: number as u64 };
        moment.crash_images(bounds, |image: SimDisk| {
            images += 1;
            check_beside(&bed.on(image.snapshot()), end);
            let (_log, partition) = bed.on(image).open_partition();
            assert_eq!(partition.durable_end(), end, "moment {number}");
            assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), expected, "moment {number}");
        });
    }
    assert!(images > 10, "{images}");
}

/// Who reads without opening sees as much.
fn check_beside(bed: &Bed, end: u64) {
    let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
    let beside = Log::open_read_only("/data", options).unwrap().partition("t", 0).unwrap().unwrap();
    assert_eq!(beside.end_offset(ReadUpTo::Appended).unwrap(), end, "beside");
}

/// Makes durable what was put there by hand.
fn sync_all(bed: &Bed) {
    for path in bed.disk.files() {
        bed.disk.open(&path, Access::ReadWrite).unwrap().sync_data().unwrap();
    }
    for dir in ["/", "/data", "/data/t-0"] {
        bed.disk.sync_dir(Path::new(dir)).unwrap();
    }
}

#[test]
fn a_first_opening_that_was_interrupted_begins_again() {
    let segments = [
        (0, [moved(plain(), 0, 0), moved(plain(), 5, 0)].concat()),
        (10, [moved(plain(), 10, 0), moved(plain(), 15, 0)].concat()),
        (20, moved(plain(), 20, 0)),
    ];
    let bed = kafka_dir(&segments, "0\n1\n0 0\n", None);
    check_crashes(&bed, &(0..25).collect::<Vec<_>>(), 25);
}

/// Marks in some segments would say that those without are ours, and what is behind a gap in them would be cut.
#[test]
fn a_first_opening_that_was_interrupted_takes_no_gap_for_an_end() {
    let segments = [
        (0, [moved(plain(), 0, 0), moved(plain(), 7, 0)].concat()),
        (20, [moved(plain(), 20, 0), moved(plain(), 40, 0)].concat()),
        (60, moved(plain(), 60, 0)),
    ];
    for point in [None, Some(20), Some(65)] {
        let bed = kafka_dir(&segments, "0\n1\n0 0\n", point);
        let expected: Vec<u64> = (0..5).chain(7..12).chain(20..25).chain(40..45).chain(60..65).collect();
        check_crashes(&bed, &expected, 65);
    }
}

/// Nothing was ever appended by us, so no mark proves anything; the one that is there still tells that a broker led since.
#[test]
fn marks_of_an_empty_log_say_nothing_of_what_a_broker_wrote() {
    let bed = Bed::new(0);
    let (log, _) = bed.open_partition();
    log.close().unwrap();
    let write = |path: &Path, bytes: &[u8]| {
        bed.disk.create(path).unwrap().write_at(bytes, 0).unwrap();
    };
    write(&bed.file(0, "log"), &[moved(plain(), 0, 1), moved(plain(), 7, 1)].concat());
    write(&bed.file(20, "log"), &[moved(plain(), 20, 1), moved(plain(), 40, 1)].concat());
    write(Path::new("/data/t-0/leader-epoch-checkpoint"), b"0\n1\n1 0\n");
    let expected: Vec<u64> = (0..5).chain(7..12).chain(20..25).chain(40..45).collect();
    check_crashes(&bed, &expected, 45);
}

/// Some marks are new, and the others, from before the broker led, still history.
#[test]
fn old_marks_say_nothing_after_a_crash_either() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 4 {
        append(&partition, Ack::Durable);
    }
    let bases: Vec<u64> = partition.segments().iter().map(|segment| segment.base_offset).collect();
    let end = partition.durable_end();
    log.close().unwrap();
    // A broker compacted all but the last segment, to a batch each, and wrote on.
    let mut expected = Vec::new();
    for base in &bases[..3] {
        bed.disk.damage(&bed.file(*base, "log"), |bytes| *bytes = moved(plain(), *base + 3, 0));
        expected.extend(base + 3..base + 8);
    }
    expected.extend(bases[3]..end + 5);
    bed.disk.damage(&bed.file(bases[3], "log"), |bytes| bytes.extend(moved(plain(), end, 1)));
    let epochs = bed.disk.create(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    epochs.write_at(format!("0\n2\n0 0\n1 {end}\n").as_bytes(), 0).unwrap();
    check_crashes(&bed, &expected, end + 5);
}

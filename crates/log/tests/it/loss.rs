//! P4, P6: files that are gone, with what proves that they were there.

use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, Corruption, Damage, OpenError, ReadError};

use crate::bed::{Bed, append, check_all};

const EPOCHS: &str = "/data/t-0/leader-epoch-checkpoint";

/// A closed log of some segments; its recovery point is its end.
fn closed_log(segments: usize) -> (Bed, u64, Vec<u64>) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < segments {
        append(&partition, Ack::Durable);
    }
    let (end, bases) =
        (partition.durable_end(), partition.segments().iter().map(|s| s.base_offset).collect());
    log.close().unwrap();
    (bed, end, bases)
}

fn remove_segment(bed: &Bed, base_offset: u64) {
    for suffix in ["log", "index", "timeindex", "durable"] {
        bed.disk.remove(&bed.file(base_offset, suffix)).unwrap();
    }
}

fn corruption(bed: &Bed) -> Corruption {
    let image = || bed.disk.files().iter().map(|path| bed.disk.content(path)).collect::<Vec<_>>();
    let before = image();
    let damage = match bed.try_open() {
        Err(OpenError::Corrupt(damage)) => damage,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(image(), before, "nothing is changed");
    damage
}

fn write(bed: &Bed, path: &str, text: &str) {
    bed.disk.create(Path::new(path)).unwrap().write_at(text.as_bytes(), 0).unwrap();
}

/// After a clean close the recovery point has the proof, so no offset is given a second time.
#[test]
fn a_newest_segment_that_is_gone_is_an_error() {
    let (bed, _, bases) = closed_log(4);
    for gone in 1..=bases.len() {
        let bed = bed.on(bed.disk.snapshot());
        let first = bases.len() - gone;
        bases[first..].iter().for_each(|base_offset| remove_segment(&bed, *base_offset));
        let damage = corruption(&bed);
        assert_eq!((damage.segment, damage.what), (bases[first], Damage::MissingSegment));
    }
}

/// The same while the log is written, as far as the last upkeep came.
#[test]
fn sealed_segments_that_are_gone_after_a_crash_are_an_error() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 4 {
        append(&partition, Ack::Durable);
    }
    log.maintain(0).unwrap();
    let bases: Vec<u64> = partition.segments().iter().map(|segment| segment.base_offset).collect();
    let killed = bed.on(bed.disk.kill());
    bases[2..].iter().for_each(|base_offset| remove_segment(&killed, *base_offset));
    assert_eq!(corruption(&killed).what, Damage::MissingSegment);
}

/// The mark of the newest segment is lost and the segment damaged: its end is not a torn tail.
#[test]
fn damage_below_the_recovery_point_is_an_error_without_a_mark() {
    let (bed, _, bases) = closed_log(3);
    let last = bases[2];
    for whole in [true, false] {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&bed.file(last, "durable"), |bytes| {
            bytes[30] ^= 1;
            bytes[4096 + 30] ^= 1;
        });
        if whole {
            let (_log, partition) = bed.open_partition();
            check_all(&partition);
            continue;
        }
        let len = bed.disk.content(&bed.file(last, "log")).unwrap().len();
        for at in 0..len {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&bed.file(last, "log"), |bytes| bytes[at] ^= 1);
            let damage = corruption(&bed);
            assert!(damage.segment == last && damage.position <= at as u64, "byte {at}: {damage}");
        }
        for len in 0..len {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&bed.file(last, "log"), |bytes| bytes.truncate(len));
            assert_eq!(corruption(&bed).segment, last, "{len} bytes");
        }
    }
}

/// A log of epoch 0, then of epoch 5, and the epochs as they were.
fn led_twice() -> (Bed, u64, String) {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Durable);
    }
    let end = partition.durable_end();
    log.close().unwrap();
    let text = format!("0\n2\n0 0\n5 {end}\n");
    write(&bed, EPOCHS, &text);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 6 {
        append(&partition, Ack::Durable);
    }
    let end = partition.durable_end();
    log.close().unwrap();
    (bed, end, text)
}

#[test]
fn a_lost_list_of_epochs_is_made_again_from_the_batches() {
    let (bed, end, text) = led_twice();
    bed.disk.remove(Path::new(EPOCHS)).unwrap();
    let (log, partition) = bed.open_partition();
    assert_eq!(check_all(&partition), end);
    assert!(!log.recovery().is_clean());
    assert_eq!(bed.disk.content(Path::new(EPOCHS)).unwrap(), text.as_bytes());
    append(&partition, Ack::Durable);
    assert_eq!(partition.read(end, 1).unwrap().bytes()[12..16], [0, 0, 0, 5]);
    log.close().unwrap();
    let (log, partition) = bed.open_partition();
    assert!(log.recovery().is_clean());
    assert_eq!(check_all(&partition), end + 1);
}

/// An epoch in which nothing was appended stands in the marks alone. None below it may follow.
#[test]
fn a_lost_list_of_epochs_does_not_fall_behind_the_marks() {
    let (bed, end, _) = led_twice();
    let text = bed.disk.content(Path::new(EPOCHS)).unwrap();
    write(&bed, EPOCHS, &format!("0\n3\n{}9 {end}\n", String::from_utf8(text[4..].to_vec()).unwrap()));
    // Recovery seals every segment that is not sealed: in the new epoch.
    bed.disk.remove(&bed.files(".durable").pop().unwrap()).unwrap();
    write(&bed, "/data/recovery-point-offset-checkpoint", &format!("0\n1\nt 0 {end}\n"));
    let (log, partition) = bed.open_partition();
    assert_eq!(check_all(&partition), end);
    log.close().unwrap();
    bed.disk.remove(Path::new(EPOCHS)).unwrap();
    let (_log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    assert_eq!(partition.read(end, 1).unwrap().bytes()[12..16], [0, 0, 0, 9]);
    assert_eq!(check_all(&partition), end + 1);
}

/// Without the list, or with an empty one, the order of the epochs and the marks are what protects them.
#[test]
fn a_flipped_epoch_is_found_without_the_list_too() {
    let (bed, ..) = led_twice();
    bed.disk.remove(Path::new(EPOCHS)).unwrap();
    let empty = bed.on(bed.disk.snapshot());
    empty.disk.create(Path::new(EPOCHS)).unwrap();
    for bed in [bed, empty] {
        for path in bed.files(".log") {
            for (at, bit) in [(12, 0x80), (13, 1), (14, 0x40), (15, 8)] {
                let bed = bed.on(bed.disk.snapshot());
                bed.disk.damage(&path, |bytes| bytes[at] ^= bit);
                // The checksums of heads, which segments that Kafka has led get, tell it first.
                let what = corruption(&bed).what;
                assert!(
                    matches!(what, Damage::Epoch { .. } | Damage::Heads { .. }),
                    "{} {at}: {what:?}",
                    path.display()
                );
            }
        }
        assert!(bed.try_open().is_ok());
    }
}

/// Nothing is given to a reader that the list, had it been there, would have refused.
#[test]
fn a_lost_list_of_an_empty_partition_is_no_loss() {
    let bed = Bed::new(0);
    let (log, _) = bed.open_partition();
    log.close().unwrap();
    bed.disk.remove(Path::new(EPOCHS)).unwrap();
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    assert!(matches!(partition.read(2, 1), Err(ReadError::OffsetOutOfRange { .. })));
    log.close().unwrap();
    assert_eq!(bed.disk.content(Path::new(EPOCHS)).unwrap(), b"0\n1\n0 0\n");
    assert_eq!(check_all(&bed.open_partition().1), 1);
}

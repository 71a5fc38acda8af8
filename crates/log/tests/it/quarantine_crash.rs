//! P1, P6: the power goes in the middle of a quarantine.

use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, OpenError};
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, START_MS, append, check_all, partition};
use crate::quarantine::{bases, check, missing, quarantined};

/// A log of some segments that was killed; its marks are durable.
fn killed_log(records: u64) -> Bed {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..records {
        append(&partition, Ack::Durable);
    }
    bed.clock.advance_ms(2000);
    log.maintain(START_MS + 2000).unwrap();
    let killed = bed.on(bed.disk.kill().crash(0));
    drop(log);
    assert_eq!(check_all(&killed.on(killed.disk.snapshot()).open_partition().1), records);
    killed
}

/// The power goes at every sync of a quarantine, and leaves whatever it may: nothing is lost, no offset is given twice, and
/// a quarantine that begins again comes to the same end.
#[test]
fn quarantine_survives_its_crashes() {
    let closed = Bed::closed(150);
    let without_recovery_point = closed.on(closed.disk.crash(0));
    without_recovery_point.disk.remove(Path::new("/data/recovery-point-offset-checkpoint")).unwrap();
    let killed = killed_log(150);
    let bases = bases(&closed);
    let (middle, last) = (bases[1], *bases.last().unwrap());
    type Harm = Box<dyn Fn(&Bed)>;
    let harms: Vec<(&str, Harm)> = vec![
        (
            "a batch",
            Box::new(move |bed| _ = bed.disk.damage(&bed.file(middle, "log"), |bytes| bytes[70] ^= 1)),
        ),
        (
            "the rest of a segment",
            Box::new(move |bed| _ = bed.disk.damage(&bed.file(middle, "log"), |bytes| bytes[900..].fill(7))),
        ),
        (
            "the rest of the newest",
            Box::new(move |bed| _ = bed.disk.damage(&bed.file(last, "log"), |bytes| bytes[300..].fill(7))),
        ),
        (
            "the newest cut",
            Box::new(move |bed| _ = bed.disk.damage(&bed.file(last, "log"), |bytes| bytes.truncate(300))),
        ),
        (
            "two batches",
            Box::new(move |bed| {
                bed.disk.damage(&bed.file(middle, "log"), |bytes| {
                    bytes[1000] ^= 1;
                    bytes[2000] ^= 1;
                });
            }),
        ),
        ("a segment gone", Box::new(move |bed| bed.disk.remove(&bed.file(middle, "log")).unwrap())),
        ("the newest gone", Box::new(move |bed| bed.disk.remove(&bed.file(last, "log")).unwrap())),
    ];
    let mut images = 0;
    for (name, harm) in &harms {
        for bed in [&closed, &without_recovery_point, &killed] {
            let bed = bed.on(bed.disk.snapshot());
            harm(&bed);
            // Made durable, all of it.
            let bed = bed.on(bed.disk.crash(0));
            let harmed = [middle, last].map(|base_offset| bed.disk.content(&bed.file(base_offset, "log")));
            let whole = bed.on(bed.disk.snapshot());
            let (_log, _, expected) = quarantined(&whole);
            let gone = missing(&expected);
            let aside: Vec<_> = expected.set_aside.iter().map(|aside| aside.segment).collect();

            bed.disk.keep_moments();
            let (log, ..) = quarantined(&bed);
            let moments = bed.disk.take_moments();
            bed.disk.halt();
            drop(log);
            for (number, moment) in moments.iter().enumerate() {
                let bounds = Bounds { images: 128, torn: 4, seed: number as u64 };
                moment.crash_images(bounds, |image: SimDisk| {
                    images += 1;
                    let context = format!("{name}, moment {number}");
                    let bed = bed.on(image);
                    for base_offset in &aside {
                        let original = &harmed[usize::from(*base_offset == last)];
                        let there =
                            ["log", "damaged"].map(|end| bed.disk.content(&bed.file(*base_offset, end)));
                        assert!(there.contains(original), "{context}: the original is gone");
                    }
                    // Without quarantine: refused as before, or everything that is left.
                    let strict = bed.on(bed.disk.snapshot());
                    match strict.try_open() {
                        Err(OpenError::Corrupt(_)) => {}
                        Err(error) => unreachable!("{context}: {error}"),
                        Ok(log) => {
                            let partition = partition(&log, strict.topic);
                            assert_eq!(partition.appended_end(), 150, "{context}");
                        }
                    }
                    let (log, partition, _) = quarantined(&bed);
                    check(&partition, &gone, 150);
                    log.close().unwrap();
                    let (_log, partition) = bed.open_partition();
                    check(&partition, &gone, 150);
                    assert!(bed.files(".damaged.2").is_empty(), "{context}: set aside twice");
                });
            }
        }
    }
    eprintln!("{images} crash images of quarantines");
    assert!(images > 1000, "{images}");
}

/// What holds behind damage is there as a segment, but proves nothing yet.
#[test]
fn a_part_that_an_interrupted_quarantine_made_is_made_again() {
    for bed in [Bed::closed(150), killed_log(150)] {
        let last = *bases(&bed).last().unwrap();
        bed.disk.damage(&bed.file(last, "log"), |bytes| bytes[300] ^= 1);
        let done = bed.on(bed.disk.snapshot());
        let (log, _, report) = quarantined(&done);
        log.close().unwrap();
        let [gone] = missing(&report)[..] else { unreachable!("{report:?}") };
        let part = done.disk.content(&done.file(gone + 1, "log")).unwrap();
        bed.disk.create(&bed.file(gone + 1, "log")).unwrap().write_at(&part, 0).unwrap();
        let (_log, partition, report) = quarantined(&bed);
        assert_eq!(report.damage.len(), 1, "{report:?}");
        check(&partition, &[gone], 150);
        let aside: Vec<u64> = report.set_aside.iter().map(|aside| aside.segment).collect();
        assert_eq!(aside, [last], "the part is no damage of its own");
    }
}

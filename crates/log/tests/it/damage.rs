//! P5, P6, P7: damage is an error with a place, or an index that is made again; never a wrong byte.

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, AppendError, Corruption, Damage, Log, OpenError, Partition, ReadError, Record, StoredRecord,
};

use crate::bed::{Bed, START_MS, append, check_all, payload};
use crate::crash::crc32;

/// What reading the whole log gives, damage included: the records before it and the damage.
fn read_until_damage(partition: &Partition) -> (Vec<StoredRecord>, Option<Corruption>) {
    let (mut records, mut from) = (Vec::new(), partition.start_offset());
    loop {
        let fetched = match partition.read(from, 300) {
            Ok(fetched) => fetched,
            Err(ReadError::Corrupt(corruption)) => return (records, Some(corruption)),
            Err(error) => unreachable!("{error}"),
        };
        if fetched.is_empty() {
            return (records, None);
        }
        records.extend(fetched.records().map(|record| record.unwrap()));
        from = fetched.next_offset();
    }
}

fn corruption(outcome: Result<Log, OpenError>) -> Corruption {
    match outcome {
        Err(OpenError::Corrupt(corruption)) => corruption,
        other => unreachable!("{other:?}"),
    }
}

/// Fault row: every bit of durable data flipped, after a clean close. P5, P6.
#[test]
fn every_flipped_bit_of_durable_data_is_an_error_with_its_place() {
    let bed = Bed::closed(12);
    let path = bed.file(0, "log");
    let whole = bed.disk.content(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let (_log, partition) = bed.open_partition();
        let (records, damage) = read_until_damage(&partition);
        let damage = damage.unwrap_or_else(|| unreachable!("bit {bit} went unseen"));
        assert_eq!((&*damage.topic, damage.partition, damage.segment), ("t", 0, 0));
        assert!(damage.position <= bit as u64 / 8, "bit {bit}: {damage}");
        for record in &records {
            assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()));
        }
        // By offset, too, no wrong byte: right, or an error.
        for offset in 0..12 {
            if let Ok(fetched) = partition.read(offset, 1) {
                let record = fetched.records().next().unwrap().unwrap();
                assert_eq!(record.offset, offset);
                assert_eq!(record.value.as_deref(), Some(payload(offset).as_slice()));
            }
        }
        drop(_log);
        assert_eq!(bed.disk.content(&path).map(|bytes| bytes.len()), Some(whole.len()), "nothing was cut");
    }
}

/// The same when the log was not closed: what recovery reads stops it, the rest is found when it is read. Nothing is cut.
#[test]
fn every_flipped_byte_of_durable_data_is_found_after_a_kill_and_nothing_is_cut() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..10 {
        append(&partition, Ack::Durable);
    }
    let durable = partition.size_bytes() as usize;
    append(&partition, Ack::Appended);
    let bed = bed.on(bed.disk.kill());
    drop(log);
    let path = bed.file(0, "log");
    let mut refused = 0;
    for at in 0..durable {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&path, |bytes| bytes[at] ^= 0x10);
        let damaged = bed.disk.content(&path).unwrap();
        let before: Vec<_> = bed.disk.files().iter().map(|path| bed.disk.content(path)).collect();
        let damage = match bed.try_open() {
            Err(OpenError::Corrupt(damage)) => {
                let after: Vec<_> = bed.disk.files().iter().map(|path| bed.disk.content(path)).collect();
                assert_eq!(before, after, "byte {at}");
                refused += 1;
                damage
            }
            Ok(log) => {
                assert_eq!(refused, 0, "byte {at} is behind one where recovery reads");
                let partition = log.topic("t").unwrap().partition(0).unwrap();
                let (records, damage) = read_until_damage(&partition);
                for record in &records {
                    assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()));
                }
                assert_eq!(bed.disk.content(&path).unwrap()[..durable], damaged[..durable], "byte {at}");
                assert_eq!(partition.durable_end(), 11);
                damage.unwrap_or_else(|| unreachable!("byte {at} went unseen"))
            }
            Err(error) => unreachable!("{error}"),
        };
        assert!(damage.position <= at as u64 && damage.segment == 0, "byte {at}: {damage}");
    }
    assert!(refused > 0 && refused < durable, "{refused}");
    // One byte further nothing is proven: the tail goes.
    bed.disk.damage(&path, |bytes| bytes[durable + 7] ^= 0x10);
    assert_eq!(check_all(&bed.open_partition().1), 10);
}

/// P6: a durable tail that is simply not there any more.
#[test]
fn durable_bytes_that_are_gone_are_an_error() {
    let bed = Bed::closed(12);
    let path = bed.file(0, "log");
    let len = bed.disk.content(&path).unwrap().len();
    for (cut, zeroed) in [(len - 1, false), (len - 2, true), (len / 2, true), (0, false)] {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&path, |bytes| {
            bytes.truncate(cut);
            bytes.resize(if zeroed { len } else { cut }, 0);
        });
        // Zeros in a closed segment are found when they are read, a missing length at once.
        match bed.try_open() {
            Err(OpenError::Corrupt(damage)) => assert!(!zeroed, "{damage}"),
            Ok(log) => {
                assert!(zeroed);
                let partition = log.topic("t").unwrap().partition(0).unwrap();
                assert!(read_until_damage(&partition).1.is_some());
            }
            Err(error) => unreachable!("{error}"),
        }
    }
}

/// A mark costs nothing when one of its slots is damaged, whichever bit it is.
#[test]
fn one_damaged_slot_of_the_mark_changes_nothing() {
    let bed = Bed::closed(12);
    let path = bed.file(0, "durable");
    for byte in (0..128).chain(4096..4096 + 128) {
        let bed = bed.on(bed.disk.snapshot());
        bed.disk.damage(&path, |bytes| bytes[byte] ^= 0x40);
        let (log, partition) = bed.open_partition();
        assert!(log.recovery().is_clean(), "byte {byte}");
        assert_eq!(check_all(&partition), 12);
    }
}

/// P6: a segment before one that was durable was durable whole, also when its own mark is lost.
#[test]
fn a_later_mark_proves_the_segments_before_it() {
    let bed = Bed::closed(200);
    let first = bed.file(0, "log");
    for destroyed in [false, true] {
        let bed = bed.on(bed.disk.snapshot());
        if destroyed {
            bed.disk.damage(&bed.file(0, "durable"), |bytes| bytes.fill(0x77));
        } else {
            bed.disk.remove(&bed.file(0, "durable")).unwrap();
        }
        let len = bed.disk.content(&first).unwrap().len();
        for at in (0..len).step_by(97) {
            let bed = bed.on(bed.disk.snapshot());
            bed.disk.damage(&first, |bytes| bytes[at] ^= 1);
            let damage = corruption(bed.try_open());
            assert!(damage.segment == 0 && damage.position <= at as u64, "{damage}");
            assert_eq!(bed.disk.content(&first).unwrap().len(), len);
        }
        // Junk behind its end is not of the log.
        bed.disk.damage(&first, |bytes| bytes.extend([7; 50]));
        let (log, partition) = bed.open_partition();
        assert_eq!((check_all(&partition), log.recovery().bytes_cut()), (200, 50));
    }
}

/// P7: indexes are caches. Missing, cut, garbage, of another segment, zero padded: the same answers.
#[test]
fn indexes_in_any_state_change_no_answer() {
    let build = || {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        for offset in 0..400_u64 {
            let value = payload(offset);
            let timestamp = START_MS + (offset * 7919 % 1000) as i64;
            partition.append(&Record::new(&value).timestamp(timestamp), Ack::Durable).unwrap();
        }
        (bed, log, partition)
    };
    let answers = |partition: &Partition| {
        let by_time: Vec<_> =
            (0..=1000).step_by(9).map(|ms| partition.offset_for_timestamp(START_MS + ms).unwrap()).collect();
        let by_offset: Vec<_> = (0..400)
            .map(|offset| partition.read(offset, 1).unwrap().records().next().unwrap().unwrap())
            .collect();
        (by_time, by_offset)
    };
    let (bed, log, partition) = build();
    let right = answers(&partition);
    assert!(partition.segments().len() > 5);
    log.close().unwrap();
    let other = bed.disk.content(&bed.files(".index")[1]).unwrap();
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    let changes: Vec<(&str, Change)> = vec![
        ("cut to nothing", Box::new(|bytes| bytes.clear())),
        ("cut at an entry", Box::new(|bytes| bytes.truncate(24))),
        ("cut inside an entry", Box::new(|bytes| bytes.truncate(bytes.len() - 3))),
        ("zero padded", Box::new(|bytes| bytes.resize(4096, 0))),
        ("garbage", Box::new(|bytes| bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0x5a))),
        ("all ones", Box::new(|bytes| bytes.fill(0xff))),
        ("all zeros", Box::new(|bytes| bytes.fill(0))),
        ("of another segment", Box::new(move |bytes| bytes.clone_from(&other))),
        (
            "one bit",
            Box::new(|bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
            }),
        ),
    ];
    for (name, change) in &changes {
        for suffix in [".index", ".timeindex"] {
            let bed = bed.on(bed.disk.snapshot());
            for path in bed.files(suffix) {
                bed.disk.damage(&path, |bytes| {
                    if !bytes.is_empty() {
                        change(bytes)
                    }
                });
            }
            let (log, partition) = bed.open_partition();
            assert!(answers(&partition) == right, "{name}{suffix}");
            append(&partition, Ack::Durable);
            assert_eq!(partition.durable_end(), 401);
            log.close().unwrap();
            // A Kafka broker that comes next finds whole entries only.
            assert!(bed.files(".index").iter().all(|path| bed.disk.content(path).unwrap().len() % 8 == 0));
            let (_log, again) = bed.open_partition();
            assert!(answers(&again) == right, "{name}{suffix}, opened again");
        }
    }
    for suffixes in [[".index", ".index"], [".timeindex", ".timeindex"], [".index", ".timeindex"]] {
        let bed = bed.on(bed.disk.snapshot());
        for path in suffixes.iter().flat_map(|suffix| bed.files(suffix)) {
            let _ = bed.disk.remove(&path);
        }
        let (_log, partition) = bed.open_partition();
        assert!(answers(&partition) == right, "without {suffixes:?}");
    }
}

/// Fault row: a segment missing at the start, and in the middle.
#[test]
fn a_missing_segment_is_reported_at_the_start_and_an_error_in_the_middle() {
    let bed = Bed::closed(300);
    let logs = bed.files(".log");
    assert!(logs.len() > 4);
    let base = |at: usize| -> u64 { logs[at].file_stem().unwrap().to_str().unwrap().parse().unwrap() };

    let start = bed.on(bed.disk.snapshot());
    start.disk.remove(&logs[0]).unwrap();
    let (log, partition) = start.open_partition();
    assert_eq!(partition.start_offset(), base(1));
    assert_eq!(log.recovery().partitions[0].missing_from, Some(0));
    assert_eq!(check_all(&partition), 300);
    assert!(matches!(partition.read(0, 1), Err(ReadError::OffsetOutOfRange { offset: 0, .. })));

    for with_all_files in [false, true] {
        let middle = bed.on(bed.disk.snapshot());
        for suffix in if with_all_files { vec!["log", "index", "timeindex", "durable"] } else { vec!["log"] }
        {
            middle.disk.remove(&middle.file(base(2), suffix)).unwrap();
        }
        let damage = corruption(middle.try_open());
        assert_eq!((damage.segment, damage.what), (base(2), Damage::MissingSegment));
    }

    let end = bed.on(bed.disk.snapshot());
    end.disk.remove(&logs[logs.len() - 1]).unwrap();
    assert_eq!(corruption(end.try_open()).what, Damage::MissingSegment);
}

/// Without marks nothing is proven, and without Kafka's recovery point neither: then the tail is cut at the
/// damage. With the recovery point that a clean close leaves, it is an error.
#[test]
fn the_recovery_point_proves_when_all_marks_are_gone() {
    let bed = Bed::closed(300);
    for path in bed.files(".durable") {
        bed.disk.remove(&path).unwrap();
    }
    let last = bed.files(".log").pop().unwrap();
    let whole = bed.on(bed.disk.snapshot());
    assert_eq!(check_all(&whole.open_partition().1), 300);

    bed.disk.damage(&last, |bytes| bytes[70] ^= 1);
    assert!(matches!(corruption(bed.try_open()).what, Damage::Checksum { .. }));
    bed.disk.damage(&last, |bytes| bytes.truncate(bytes.len() - 200));
    corruption(bed.try_open());

    bed.disk.remove(std::path::Path::new("/data/recovery-point-offset-checkpoint")).unwrap();
    let (log, partition) = bed.open_partition();
    assert!(log.recovery().bytes_cut() > 0);
    assert!(check_all(&partition) < 300);
}

/// Small text files: malformed or of an unknown version is an error that names the file; it stays as it is.
#[test]
fn text_files_that_cannot_be_understood_are_errors_with_their_path() {
    let bed = Bed::closed(3);
    for (name, text) in [
        ("/data/log-start-offset-checkpoint", "0\n2\nt 0 1\n"),
        ("/data/recovery-point-offset-checkpoint", "what"),
        ("/data/t-0/leader-epoch-checkpoint", "0\n1\n0\n"),
        ("/data/t-0/partition.metadata", "version: 0\n"),
        ("/data/t-0/partition.metadata", ""),
    ] {
        let bed = bed.on(bed.disk.snapshot());
        let path = std::path::Path::new(name);
        let file = bed.disk.create(path).unwrap();
        file.write_at(text.as_bytes(), 0).unwrap();
        match bed.try_open() {
            Err(OpenError::Malformed { path: found, .. }) => assert_eq!(found, path),
            other => unreachable!("{name}: {other:?}"),
        }
        assert_eq!(bed.disk.content(path).as_deref(), Some(text.as_bytes()));
        file.write_at(b"7\n", 0).unwrap();
        if !name.ends_with("metadata") {
            assert!(matches!(bed.try_open(), Err(OpenError::UnsupportedVersion { found: 7, .. })), "{name}");
        }
    }
}

/// A log start offset behind the end means that records are gone.
#[test]
fn a_start_offset_behind_the_end_is_an_error() {
    let bed = Bed::closed(3);
    let file = bed.disk.create(std::path::Path::new("/data/log-start-offset-checkpoint")).unwrap();
    file.write_at(b"0\n1\nt 0 4\n", 0).unwrap();
    assert_eq!(corruption(bed.try_open()).what, Damage::StartBeyondEnd { start: 4, end: 3 });
}

/// Any damage to any files: the log opens or says why not, and every record that it gives is the right one.
#[test]
fn no_damage_to_any_file_gives_a_wrong_record() {
    let closed = Bed::closed(120);
    let killed = {
        let bed = Bed::new(0);
        let (log, partition) = bed.open_partition();
        for round in 0..120 {
            append(&partition, if round % 10 == 0 { Ack::Durable } else { Ack::Appended });
        }
        let killed = bed.on(bed.disk.kill());
        drop(log);
        killed
    };
    let (mut opened, mut refused, mut damaged) = (0, 0, 0);
    for seed in 0..1500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let from = if random.bool() { &closed } else { &killed };
        let bed = from.on(from.disk.snapshot());
        let files = bed.disk.files();
        for _ in 0..random.usize(1..4) {
            harm(&bed, &files, &mut random);
        }
        let reader = headwater_log::ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
        let reader = Log::open_read_only("/data", reader).unwrap().partition("t", 0);
        if let Ok(Some(reader)) = reader {
            for from in [0, 13, 77] {
                if let Ok(fetched) = reader.read(headwater_log::ReadUpTo::Appended, from, 1000) {
                    fetched
                        .views()
                        .flatten()
                        .for_each(|view| assert_eq!(view.value, Some(&*payload(view.offset))));
                }
            }
        }
        let log = match bed.try_open() {
            Ok(log) => log,
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        opened += 1;
        let Some(topic) = log.topic("t") else { continue };
        let partition = topic.partition(0).unwrap();
        let (records, damage) = read_until_damage(&partition);
        damaged += u32::from(damage.is_some());
        for record in records {
            assert_eq!(record.value.as_deref(), Some(payload(record.offset).as_slice()), "seed {seed}");
        }
        for offset in partition.start_offset()..partition.durable_end() {
            if let Ok(fetched) = partition.read(offset, 0) {
                let record = fetched.records().next().unwrap().unwrap();
                assert_eq!(
                    record.value.as_deref(),
                    Some(payload(offset).as_slice()),
                    "seed {seed}: {offset}"
                );
                assert_eq!(record.offset, offset, "seed {seed}");
            }
        }
        let _ = partition.offset_for_timestamp(START_MS);
        let _ = append_or_error(&partition);
    }
    eprintln!("{opened} opened, {damaged} of them with damage found in reading; {refused} refused");
    assert!(opened > 500 && refused > 200 && damaged > 50);
}

fn append_or_error(partition: &Partition) -> Result<u64, AppendError> {
    partition.append(&Record::new(&payload(partition.appended_end())), Ack::Durable)
}

/// One piece of damage: bits, a run of bytes, a length, a file gone, or one file's content in another's place.
fn harm(bed: &Bed, files: &[std::path::PathBuf], random: &mut fastrand::Rng) {
    let path = &files[random.usize(..files.len())];
    match random.u8(..8) {
        0 => _ = bed.disk.remove(path),
        1 => {
            let other = bed.disk.content(&files[random.usize(..files.len())]);
            bed.disk.damage(path, |bytes| bytes.clone_from(&other.unwrap_or_default()));
        }
        2 => _ = bed.disk.damage(path, |bytes| bytes.truncate(random.usize(..=bytes.len()))),
        3 => {
            let more = random.usize(1..5000);
            let fill = if random.bool() { 0 } else { random.u8(..) };
            bed.disk.damage(path, |bytes| bytes.resize(bytes.len() + more, fill));
        }
        4 => {
            bed.disk.damage(path, |bytes| {
                let at = random.usize(..=bytes.len());
                let end = (at + random.usize(..300)).min(bytes.len());
                bytes[at..end].iter_mut().for_each(|byte| *byte = random.u8(..));
            });
        }
        _ => {
            bed.disk.damage(path, |bytes| {
                if !bytes.is_empty() {
                    let at = random.usize(..bytes.len());
                    bytes[at] ^= 1 << random.u8(..8);
                }
            });
        }
    }
}

/// A mark that is right in itself and says another end than the batches have: nothing is appended behind a hole.
#[test]
fn a_mark_with_a_false_end_lets_nothing_be_appended() {
    for records in [0, 12] {
        let bed = Bed::closed(records);
        let path = bed.file(0, "durable");
        let slot = |bytes: &mut [u8]| {
            // The next offset is at 32, the checksum of what is before it at 124.
            bytes[39] += 3;
            let crc = crc32(&bytes[..124]);
            bytes[124..128].copy_from_slice(&crc.to_be_bytes());
        };
        bed.disk.damage(&path, |bytes| {
            bytes[6..8].copy_from_slice(&1_u16.to_be_bytes());
            let first: Vec<u8> = bytes[..128].to_vec();
            bytes[4096..4096 + 128].copy_from_slice(&first);
            slot(&mut bytes[..128]);
            slot(&mut bytes[4096..4096 + 128]);
        });
        let (_log, partition) = bed.open_partition();
        assert_eq!(partition.durable_end(), records + 3, "the mark is believed");
        match partition.append(&Record::new("x"), Ack::Durable) {
            Err(AppendError::Corrupt(damage)) => {
                assert_eq!(damage.what, Damage::Offset { expected: records + 3, found: records });
            }
            other => unreachable!("{other:?}"),
        }
    }
}

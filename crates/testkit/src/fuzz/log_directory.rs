use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, AppendError, CheckEvent, Log, LogOptions, OnDamage, OpenError, Partition, Problem, ReadError,
    ReadOnlyOptions, ReadUpTo, Record, SyncError,
};

use super::log_operations::small;
use super::log_producers::put_snapshot_right;
use crate::manual_clock::ManualClock;
use crate::sim_disk::SimDisk;

const ROOT: &str = "/data";
const PARTITION: &str = "/data/t-0";
const START_MS: i64 = 1_700_000_000_000;
/// A piece of the input: what it is, the base offset in the name, the length of the bytes.
const HEAD_BYTES: usize = 4;
/// The bytes of a slot of a durable mark, and where its second one is.
const SLOT_BYTES: usize = 128;
const SLOT_DISTANCE: usize = 4096;
/// What a batch's length does not count, and where its checksum is and begins.
const BATCH_OVERHEAD: usize = 12;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

/// Any bytes as the directory of a log: files of one partition, and those at the root.
///
/// The first byte says whether the checksums of batches and marks are put right first: otherwise hardly anything would get
/// behind them.
///
/// ```text
///   flags | kind, base offset, length (2 bytes), bytes | kind, base offset, ...
/// ```
///
/// # Panics
///
/// When an error leaves anything changed; when a log that was opened reads otherwise after another opening or a crash, or
/// does not take a record; when somebody who reads beside it sees other records.
pub fn log_directory(input: &[u8]) {
    let Some((flags, rest)) = input.split_first() else { return };
    let disk = SimDisk::new(1);
    write_all(&disk, flags & 1 != 0, rest).expect("the disk has no fault");
    let before = content(&disk);
    // It may not understand what is there, but it repairs and changes nothing.
    let _ = read_beside(&disk);
    assert_eq!(content(&disk), before, "reading beside a writer changed something");

    let clock = Arc::new(ManualClock::new(START_MS));
    let damaged = check(&disk);
    assert_eq!(content(&disk), before, "a check changed something");
    quarantine(&disk.snapshot(), &clock, damaged);
    let (first, seen) = match open(&disk, &clock) {
        Ok(log) => {
            let seen = look(&log);
            (log, seen)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!matches!(error, OpenError::Io(_)), "nobody refused anything: {error}");
            assert_eq!(content(&disk), before, "an error left something changed: {error}");
            return;
        }
    };
    // Another opening after a kill, and one after a loss of power, find the same.
    for image in [disk.snapshot(), disk.crash(u64::from(*flags))] {
        let log = open(&image, &clock).expect("what was recovered opens again");
        assert_eq!(look(&log), seen);
        if let Some((beside, damaged)) = read_beside(&image) {
            // Where there is damage, each comes up to it in bites of its own.
            let (records, also) = &seen.records;
            let both = records.len().min(beside.len());
            assert_eq!(beside.get(..both), records.get(..both), "beside the writer");
            assert!(damaged || *also || beside.len() == records.len(), "{beside:?} beside {records:?}");
        }
        image.halt();
    }
    go_on(&first, &seen);
    disk.halt();
}

/// Checks a directory; tells whether what was durable is damaged, `None` where it could not look.
fn check(disk: &SimDisk) -> Option<bool> {
    let options = ReadOnlyOptions::default().storage(Arc::new(disk.clone()));
    let mut damaged = false;
    let report = Log::check(ROOT, &options, |event| {
        if let CheckEvent::Finding(finding) = event {
            assert!(!finding.to_string().is_empty());
            damaged |= matches!(finding.problem, Problem::Damaged(_));
        }
    });
    report.is_ok().then_some(damaged)
}

/// What opens with quarantine has no damage afterwards, does not end before a log that opens without it, and sets something
/// aside only where a check finds damage.
fn quarantine(disk: &SimDisk, clock: &Arc<ManualClock>, damaged: Option<bool>) {
    let before = content(disk);
    let strict = disk.snapshot();
    let end = |log: &Log| partition(log).map(|partition| partition.durable_end());
    let without = open(&strict, clock).ok().map(|log| end(&log));
    strict.halt();
    let log = match Log::open(ROOT, options(disk, clock).on_damage(OnDamage::Quarantine)) {
        Ok(log) => log,
        Err(error) => {
            return assert_eq!(content(disk), before, "an error left something changed: {error}");
        }
    };
    assert!(without.is_none_or(|without| without <= end(&log)), "{without:?} without, {:?} with", end(&log));
    let set_aside = log.recovery().partitions.iter().any(|found| !found.set_aside.is_empty());
    assert!(!set_aside || damaged == Some(true), "{:?}", log.recovery());
    let (ended, seen) = (end(&log), look(&log));
    let had_damage = log.recovery().partitions.iter().any(|found| !found.damage.is_empty());
    log.close().expect("nothing refuses");
    assert!(!had_damage || check(disk) == Some(false), "damage is left");
    let log = open(disk, clock).expect("what was quarantined opens");
    assert_eq!((end(&log), look(&log)), (ended, seen));
    disk.halt();
}

/// A log goes on where it ended, or says why not.
fn go_on(log: &Log, seen: &Seen) {
    let Some(partition) = partition(log) else { return };
    match partition.append(&Record::new(b"one more"), Ack::Durable) {
        Ok(offset) => {
            assert_eq!(Some(offset), seen.end);
            if seen.records.1 {
                return;
            }
            let fetched = partition.read(offset, 1).expect("what was just appended can be read");
            let record = fetched.records().next().and_then(Result::ok).expect("a whole record");
            assert_eq!((record.offset, record.value.as_deref()), (offset, Some(b"one more".as_slice())));
        }
        // Damage in a segment that was taken unread; offsets at their end.
        Err(AppendError::Corrupt(_) | AppendError::OffsetsExhausted { .. }) => {}
        Err(AppendError::Refused(SyncError::Closed)) => {}
        Err(error) => unreachable!("{error}"),
    }
}

fn open(disk: &SimDisk, clock: &Arc<ManualClock>) -> Result<Log, OpenError> {
    Log::open(ROOT, options(disk, clock))
}

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
    LogOptions::default()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as Arc<_>)
        .topic_defaults(small(0))
}

fn partition(log: &Log) -> Option<Partition> {
    log.topic("t")?.partition(0)
}

/// What a log shows: where it starts and ends, and its records, as far as they can be read.
#[derive(Debug, PartialEq)]
struct Seen {
    start: Option<u64>,
    end: Option<u64>,
    records: Records,
}

/// Offsets and values, and whether there was an error at their end.
type Records = (Vec<(u64, Option<Vec<u8>>)>, bool);

fn look(log: &Log) -> Seen {
    let Some(partition) = partition(log) else {
        return Seen { start: None, end: None, records: (Vec::new(), false) };
    };
    let (start, end) = (partition.start_offset(), partition.durable_end());
    assert!(start <= end, "{start} to {end}");
    let records = read_from(start, end, |from| partition.read(from, 4096));
    Seen { start: Some(start), end: Some(end), records }
}

/// What somebody sees who reads beside a writer; `None` when the directory is not understood.
fn read_beside(disk: &SimDisk) -> Option<Records> {
    let options = ReadOnlyOptions::default().storage(Arc::new(disk.clone()));
    let reader = Log::open_read_only(ROOT, options).ok()?.partition("t", 0).ok()??;
    let (start, end) = (reader.start_offset().ok()?, reader.end_offset(ReadUpTo::Durable).ok()?);
    Some(read_from(start, end, |from| reader.read(ReadUpTo::Durable, from, 4096)))
}

fn read_from(
    start: u64,
    end: u64,
    mut read: impl FnMut(u64) -> Result<headwater_log::Fetched, ReadError>,
) -> Records {
    let (mut records, mut next) = (Vec::new(), start);
    while next < end {
        let Ok(fetched) = read(next) else { return (records, true) };
        for record in &fetched {
            let Ok(record) = record else { return (records, true) };
            // In a batch with the right checksum the records may be numbered in any way: nobody wrote that by accident,
            // and it is not looked for. The same goes for offsets behind the end, in a segment that is taken unread.
            if record.offset < next || record.offset >= end {
                return (records, true);
            }
            next = record.offset + 1;
            records.push((record.offset, record.value.map(|value| value.to_vec())));
        }
        if fetched.is_empty() {
            break;
        }
        if fetched.next_offset() < next || fetched.next_offset() > end {
            return (records, true);
        }
        next = fetched.next_offset();
    }
    (records, false)
}

/// All files and their bytes, but for the lock.
fn content(disk: &SimDisk) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = disk.files().into_iter().filter(|path| !path.ends_with(".lock"));
    files.map(|path| (path.clone(), disk.content(&path))).collect()
}

/// Writes the files that the input stands for, durably.
fn write_all(disk: &SimDisk, put_right: bool, mut input: &[u8]) -> std::io::Result<()> {
    disk.create_dir_all(Path::new(PARTITION))?;
    while let Some(([kind, base, high, low], rest)) = input.split_first_chunk::<HEAD_BYTES>() {
        let (bytes, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
        input = rest;
        let segment = |suffix: &str| Path::new(PARTITION).join(format!("{base:020}.{suffix}"));
        let mut bytes = bytes.to_vec();
        let path = match kind % 10 {
            _ if *kind >= 250 => {
                if put_right {
                    put_snapshot_right(&mut bytes);
                }
                segment("snapshot")
            }
            0 | 1 => {
                if put_right {
                    put_batches_right(&mut bytes);
                }
                segment("log")
            }
            2 => segment("index"),
            3 => segment("timeindex"),
            4 | 5 => {
                bytes = mark_file(&bytes, put_right);
                segment("durable")
            }
            6 => Path::new(PARTITION).join("leader-epoch-checkpoint"),
            7 => Path::new(PARTITION).join("partition.metadata"),
            8 => Path::new(ROOT).join("recovery-point-offset-checkpoint"),
            _ => Path::new(ROOT).join("log-start-offset-checkpoint"),
        };
        let file = disk.create(&path)?;
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
    }
    [PARTITION, ROOT, "/"].iter().try_for_each(|dir| disk.sync_dir(Path::new(dir)))
}

/// The file of a durable mark with these two slots; any other number of bytes is the file itself.
fn mark_file(bytes: &[u8], put_right: bool) -> Vec<u8> {
    if bytes.len() != 2 * SLOT_BYTES {
        return bytes.to_vec();
    }
    let mut file = vec![0; 2 * SLOT_DISTANCE];
    for (place, slot) in file.chunks_mut(SLOT_DISTANCE).zip(bytes.chunks(SLOT_BYTES)) {
        let (place, _) = place.split_at_mut(SLOT_BYTES);
        place.copy_from_slice(slot);
        // An empty slot stays empty.
        if put_right
            && slot.iter().any(|byte| *byte != 0)
            && let Some((counted, sum)) = place.split_last_chunk_mut::<4>()
        {
            *sum = crc(counted, 0xedb8_8320).to_be_bytes();
        }
    }
    file
}

/// Gives each batch the checksum that it should have, as long as their lengths lead from one to the next.
fn put_batches_right(mut log: &mut [u8]) {
    while let Some(length) =
        log.get(8..BATCH_OVERHEAD).and_then(|length| length.try_into().ok()).map(u32::from_be_bytes)
    {
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(BATCH_OVERHEAD));
        let Some((batch, rest)) = end.and_then(|end| log.split_at_mut_checked(end)) else { return };
        let sum = batch.get(CRC_FROM..).map(|counted| crc(counted, 0x82f6_3b78));
        if let (Some(sum), Some(place)) = (sum, batch.get_mut(CRC_AT..CRC_FROM)) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
        log = rest;
    }
}

/// A CRC of 32 bits, bit by bit: another way than the library's.
pub(super) fn crc(bytes: &[u8], polynomial: u32) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

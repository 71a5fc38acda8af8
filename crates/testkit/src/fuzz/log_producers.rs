use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{Ack, AppendError, Log, LogOptions, Partition, ProducerNumbers, Record, RecoveryReport};

use super::log_operations::small;
use crate::manual_clock::ManualClock;
use crate::sim_disk::SimDisk;

const ROOT: &str = "/data";
const START_MS: i64 = 1_700_000_000_000;
/// So many batches are in the log already, of two records each, of producers 0 to 3 in turn.
const BATCHES: i32 = 24;
const OPERATIONS_MAX: usize = 40;
/// Where the checksum of a snapshot is, and where what it covers begins.
const CRC_AT: usize = 2;
const CRC_FROM: usize = 6;

/// Any bytes as a snapshot of the producers of a log, then batches of producers, two bytes each.
///
/// ```text
///   flags | length, snapshot | producer, epoch, count; how the log is opened again | sequence | ..
/// ```
///
/// They go to two logs. One stays open; the other is closed, killed or loses its power before each batch, so that all it knows
/// comes from snapshots and batches.
///
/// # Panics
///
/// When a log does not open; when the two answer differently; when a snapshot that is damaged changes what is known; when a
/// duplicate is appended, or is not below the end.
pub fn log_producers(input: &[u8]) {
    let Some((&[flags, length], rest)) = input.split_first_chunk::<2>() else { return };
    let (snapshot, steps) = rest.split_at(usize::from(length).min(rest.len()));
    let disk = SimDisk::new(1);
    let (log, partition) = open(&disk).expect("an empty disk");
    for number in 0..BATCHES {
        let numbers = ProducerNumbers::new(i64::from(number % 4), 0, number / 4 * 2);
        append(&partition, numbers, 2, Ack::Durable).expect("each is the next one");
    }
    log.close().expect("the disk has no fault");
    let whole = disk.snapshot();
    let end = BATCHES.unsigned_abs() * 2;
    // At the end, where it counts; or before and behind it.
    let at = if flags & 2 == 0 { end } else { u32::from(flags >> 2) };
    write(&disk, at, snapshot, flags & 1 != 0).expect("the disk has no fault");

    let (mut first, mut second) = (disk.snapshot(), disk);
    let (mut stays, mut partition) = open(&first).expect("a snapshot is no reason not to open");
    let ignored = ignored(stays.recovery());
    if ignored > 0 || u64::from(at) > u64::from(end) {
        // As if it were not there.
        first = whole;
        (stays, partition) = open(&first).expect("the whole log");
    }
    for step in steps.chunks_exact(2).take(OPERATIONS_MAX) {
        let [kind, sequence] = *step else { return };
        second = match kind >> 6 {
            0 => second,
            1 => {
                open(&second).expect("it opened before").0.close().expect("the disk has no fault");
                second
            }
            2 => second.kill(),
            _ => second.crash(u64::from(sequence)),
        };
        let (log, again) = open(&second).expect("it opened before");
        let sequence =
            if sequence >= 0xf8 { i32::MAX - i32::from(0xff - sequence) } else { i32::from(sequence) };
        let numbers = ProducerNumbers::new(i64::from(kind & 7), i16::from(kind >> 3 & 1), sequence);
        let count = 1 + usize::from(kind >> 4 & 1);
        let before = partition.appended_end();
        let ack = if kind & 0x20 == 0 { Ack::Durable } else { Ack::Appended };
        let one = append(&partition, numbers, count, ack);
        assert_eq!(one, append(&again, numbers, count, Ack::Durable), "{numbers:?}, {count} records");
        let (appended, end) = (partition.appended_end(), again.appended_end());
        assert_eq!(appended, end);
        match one {
            Ok((offset, true)) => assert!(offset < before && appended == before),
            Ok((offset, false)) => assert!(offset == before && appended == before + count as u64),
            Err(_) => assert_eq!(appended, before),
        }
        // What was just taken is known.
        if one.is_ok() {
            let twice = append(&partition, numbers, count, Ack::Durable);
            assert_eq!(twice.map(|(_, is_duplicate)| is_duplicate), Ok(true));
        }
        drop(again);
        second = second.kill();
        drop(log);
    }
    first.halt();
    drop(stays);
}

/// The offset and whether it was there, or what was expected and is current.
type Outcome = Result<(u64, bool), (i32, i16)>;

fn append(partition: &Partition, numbers: ProducerNumbers, count: usize, ack: Ack) -> Outcome {
    match partition.append_idempotent(&vec![Record::new("value"); count], numbers, ack) {
        Ok(appended) => Ok((appended.offset, appended.is_duplicate)),
        Err(AppendError::OutOfOrderSequence { expected, .. }) => Err((expected, -1)),
        Err(AppendError::InvalidProducerEpoch { current, .. }) => Err((-1, current)),
        Err(error) => unreachable!("{error}"),
    }
}

fn open(disk: &SimDisk) -> Result<(Log, Partition), headwater_log::OpenError> {
    let options = LogOptions::default()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::new(ManualClock::new(START_MS)))
        .topic_defaults(small(0));
    let log = Log::open(ROOT, options)?;
    let partition =
        log.open_or_create_topic("t", small(0)).expect("a topic").partition(0).expect("a partition");
    Ok((log, partition))
}

fn ignored(report: &RecoveryReport) -> usize {
    report.partitions.iter().map(|partition| partition.snapshots_ignored.len()).sum()
}

fn write(disk: &SimDisk, at: u32, snapshot: &[u8], put_right: bool) -> std::io::Result<()> {
    let mut bytes = snapshot.to_vec();
    if put_right {
        put_snapshot_right(&mut bytes);
    }
    let dir = Path::new("/data/t-0");
    let file = disk.create(&dir.join(format!("{at:020}.snapshot")))?;
    file.set_len(0)?;
    file.write_at(&bytes, 0)?;
    file.sync_data()?;
    disk.sync_dir(dir)
}

/// Gives a snapshot the checksum that it should have.
pub(super) fn put_snapshot_right(bytes: &mut [u8]) {
    let Some(crc) = bytes.get(CRC_FROM..).map(|covered| super::log_directory::crc(covered, 0x82f6_3b78))
    else {
        return;
    };
    if let Some(place) = bytes.get_mut(CRC_AT..CRC_FROM) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}

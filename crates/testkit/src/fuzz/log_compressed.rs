use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, AppendError, CheckEvent, Codec, Compression, Damage, Fetched, InvalidBatch, Log, LogOptions,
    OpenError, Partition, Problem, ReadError, ReadOnlyOptions, Record, TopicOptions,
};

use super::log_directory::crc;
use crate::manual_clock::ManualClock;
use crate::sim_disk::SimDisk;

const ROOT: &str = "/data";
const START_MS: i64 = 1_700_000_000_000;
/// What a batch may become.
const LIMIT: usize = 64 * 1024;
const HEADER_BYTES: usize = 61;

/// Any bytes as the compressed records of a batch whose header and checksum are right: taken by an append, and found in a
/// segment; and as the values of records that each codec compresses.
///
/// The first byte has the codec in its lowest three bits, and one less than the number of records in those above.
///
/// # Panics
///
/// When more is decompressed than the limit; when what an append takes reads otherwise than what is found in a segment, or in
/// another codec; when what it refuses is read as if it were right; when records that were compressed do not come back.
pub fn log_compressed(input: &[u8]) {
    let Some((flags, bytes)) = input.split_first() else { return };
    let (codec, count) = (Codec(flags & 7), 1 + u32::from(flags >> 3));
    let batch = batch(codec, count, bytes);
    let taken = take(&batch, codec, count);
    find(&batch, taken.as_deref());
    round_trip(bytes);
}

/// A batch with these bytes in place of its records.
fn batch(codec: Codec, count: u32, bytes: &[u8]) -> Vec<u8> {
    let mut batch = vec![0; HEADER_BYTES];
    let length = u32::try_from(HEADER_BYTES - 12 + bytes.len()).expect("inputs are short");
    let mut put = |at: usize, field: &[u8]| {
        batch.iter_mut().skip(at).zip(field).for_each(|(place, byte)| *place = *byte);
    };
    put(8, &length.to_be_bytes());
    put(16, &[2]);
    put(22, &[codec.0]);
    put(23, &(count - 1).to_be_bytes());
    put(27, &START_MS.to_be_bytes());
    put(35, &START_MS.to_be_bytes());
    put(43, &[0xff; 14]);
    put(57, &count.to_be_bytes());
    batch.extend_from_slice(bytes);
    let sum = crc(batch.get(21..).unwrap_or_default(), 0x82f6_3b78);
    batch.iter_mut().skip(17).zip(sum.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    batch
}

/// What is read of a record: the offset, the time, the key, the value, the number of headers.
type Told = (u64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

/// Appends a batch, as it is and to a topic of each codec; what was taken reads the same everywhere.
fn take(batch: &[u8], codec: Codec, count: u32) -> Option<Vec<Told>> {
    let disk = SimDisk::new(1);
    let log = open(&disk).expect("a new log");
    let plain = partition(&log, None);
    let taken = match plain.append_record_batch(batch, Ack::Durable) {
        Ok(offset) => {
            let told = told(&plain.read(offset, 1).expect("what was taken is there")).expect("and right");
            assert_eq!(told.len(), usize::try_from(count).unwrap_or(usize::MAX));
            Some(told)
        }
        Err(AppendError::InvalidBatch(rule)) => {
            assert!(!rule.to_string().is_empty());
            let unsupported =
                matches!(rule, InvalidBatch::UnsupportedCodec { .. } | InvalidBatch::Codec { .. });
            assert_eq!(unsupported, !codec.is_supported());
            None
        }
        Err(error) => unreachable!("{error}"),
    };
    for compression in all() {
        let other = partition(&log, Some(compression));
        let begin = other.appended_end();
        match (other.append_record_batch(batch, Ack::Durable), &taken) {
            (Ok(offset), Some(taken)) => {
                let mut told = told(&other.read(offset, 1).expect("it is there")).expect("and right");
                told.iter_mut().for_each(|record| record.0 -= begin);
                assert_eq!(&told, taken, "{compression:?}");
            }
            (Err(AppendError::InvalidBatch(_)), None) => {}
            (outcome, taken) => unreachable!("{outcome:?} where {taken:?} was taken"),
        }
    }
    disk.halt();
    taken
}

/// Finds the batch in a segment that a broker left: what an append took reads the same; nothing else panics.
fn find(batch: &[u8], taken: Option<&[Told]>) {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/data/t-0")).expect("a directory");
    for (path, bytes) in [
        ("/data/t-0/00000000000000000000.log", batch),
        ("/data/t-0/leader-epoch-checkpoint", b"0\n1\n0 0\n".as_slice()),
    ] {
        disk.create(Path::new(path)).and_then(|file| file.write_at(bytes, 0)).expect("the disk has no fault");
    }
    let log = open(&disk).expect("the checksum is right");
    let partition = partition(&log, None);
    let found = told(&partition.read(0, 1).expect("the checksum is right"));
    match (&found, taken) {
        (Ok(found), Some(taken)) => assert_eq!(found, taken),
        (Err(error), Some(_)) => unreachable!("{error} where an append took it"),
        // Reading is more lenient: of offsets it wants only that they rise, and of times nothing.
        (_, None) => {}
    }
    let _ = partition.offset_for_timestamp(START_MS);
    log.close().expect("nothing refuses");
    let options = ReadOnlyOptions::default().storage(Arc::new(disk.clone())).decompressed_bytes_max(LIMIT);
    let mut wrong = false;
    let report = Log::check(ROOT, &options, |event| {
        if let CheckEvent::Finding(finding) = event {
            wrong |= matches!(finding.problem, Problem::Content(_) | Problem::DecompressedTooLarge { .. });
        }
    });
    let unread = report.expect("it can be read").unread_batches > 0;
    assert!(found.is_ok() || wrong || unread, "a check sees nothing of {found:?}");
    assert!(taken.is_none() || !wrong, "a check finds fault with what an append took");
    disk.halt();
}

/// What a reader sees; the error if there is one.
fn told(fetched: &Fetched) -> Result<Vec<Told>, ReadError> {
    let (mut told, mut bytes) = (Vec::new(), 0);
    for record in fetched {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                match &error {
                    ReadError::UnsupportedCodec { .. } | ReadError::DecompressedTooLarge { .. } => {}
                    ReadError::Corrupt(corruption) => assert!(
                        matches!(corruption.what, Damage::Record { .. } | Damage::Compressed { .. }),
                        "{corruption}"
                    ),
                    error => unreachable!("{error}"),
                }
                return Err(error);
            }
        };
        bytes += record.key.as_ref().map_or(0, |key| key.len());
        bytes += record.value.as_ref().map_or(0, |value| value.len());
        let (key, value) = (record.key.map(Vec::from), record.value.map(Vec::from));
        told.push((record.offset, record.timestamp, key, value, record.headers.len()));
    }
    // What was not compressed is as large as it is; inputs are shorter than the limit.
    assert!(bytes <= LIMIT, "{bytes} bytes were decompressed");
    Ok(told)
}

/// Records of these bytes come back from each codec, as they are and many times over.
fn round_trip(bytes: &[u8]) {
    let often = bytes.repeat(LIMIT / 2 / bytes.len().max(1));
    let records =
        [Record::new(bytes).timestamp(START_MS), Record::new(&often).key(bytes).timestamp(START_MS)];
    let disk = SimDisk::new(1);
    let log = open(&disk).expect("a new log");
    for compression in all() {
        let partition = partition(&log, Some(compression));
        let offset = partition.append_batch(&records, Ack::Durable).expect("within all limits");
        let fetched = partition.read(offset, 1).expect("what was appended can be read");
        let mut views = fetched.views().map(|view| view.expect("a whole record"));
        for record in &records {
            let view = views.next().expect("as many as there were");
            assert_eq!((view.key, view.value), (record.key, record.value), "{compression:?}");
        }
        assert!(views.next().is_none());
    }
    disk.halt();
}

fn all() -> impl Iterator<Item = Compression> {
    let all =
        [Compression::None, Compression::Lz4, Compression::Snappy, Compression::GZIP, Compression::ZSTD];
    all.into_iter().filter(|compression| compression.codec().is_supported())
}

fn open(disk: &SimDisk) -> Result<Log, OpenError> {
    let clock = Arc::new(ManualClock::new(START_MS));
    Log::open(
        ROOT,
        LogOptions::default().storage(Arc::new(disk.clone())).clock(clock).decompressed_bytes_max(LIMIT),
    )
}

/// The one partition of the one topic, with this compression from now on.
fn partition(log: &Log, compression: Option<Compression>) -> Partition {
    let options = TopicOptions::default().segment_bytes(1 << 20).allocate_ahead_bytes_max(4096);
    let topic = log.open_or_create_topic("t", options.compression(compression)).expect("a topic");
    topic.partition(0).expect("partition 0")
}

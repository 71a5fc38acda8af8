//! The files, as Kafka would find them.

use std::path::Path;

use headwater_log::{Ack, Record};

use crate::bed::{Bed, START_MS, append, append_batch, payload, small};

fn text(bed: &Bed, path: &str) -> String {
    String::from_utf8(bed.disk.content(Path::new(path)).unwrap()).unwrap()
}

fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A batch as it is found by its fields in the file: position, length, base and last offset, largest timestamp.
struct Found {
    at: usize,
    bytes: usize,
    last: u64,
    max_timestamp: i64,
}

fn batches(log: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < log.len() {
        let batch = &log[at..];
        let bytes = 12 + be(&batch[8..12]) as usize;
        assert_eq!((batch[16], be(&batch[12..16])), (2, 0), "format 2, leader epoch 0");
        assert_eq!(be(&batch[17..21]), u64::from(crc32c(&batch[21..bytes])));
        let last = be(&batch[..8]) + be(&batch[23..27]);
        found.push(Found { at, bytes, last, max_timestamp: be(&batch[35..43]) as i64 });
        at += bytes;
    }
    found
}

/// CRC-32C bit by bit: another way than the library's.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
            },
        )
    })
}

/// After a close the directory is what Kafka expects of one that was shut down cleanly.
#[test]
fn a_closed_log_has_kafkas_files_and_no_others_but_the_marks() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 3 {
        append(&partition, Ack::Appended);
    }
    partition.sync().unwrap();
    partition.delete_records_before(3).unwrap();
    let bases: Vec<_> = partition.segments().iter().map(|segment| segment.base_offset).collect();
    let end = partition.appended_end();
    log.close().unwrap();
    let mut expected = vec![
        "/data/.kafka_cleanshutdown".to_owned(),
        "/data/.lock".to_owned(),
        "/data/log-start-offset-checkpoint".to_owned(),
        "/data/recovery-point-offset-checkpoint".to_owned(),
        "/data/t-0/leader-epoch-checkpoint".to_owned(),
        "/data/t-0/partition.metadata".to_owned(),
    ];
    for base in bases {
        for suffix in ["log", "index", "timeindex", "durable"] {
            expected.push(format!("/data/t-0/{base:020}.{suffix}"));
        }
    }
    expected.sort();
    let found: Vec<_> = bed.disk.files().iter().map(|path| path.to_string_lossy().into_owned()).collect();
    assert_eq!(found, expected);
    assert_eq!(text(&bed, "/data/t-0/leader-epoch-checkpoint"), "0\n1\n0 0\n");
    assert_eq!(text(&bed, "/data/log-start-offset-checkpoint"), "0\n1\nt 0 3\n");
    assert_eq!(text(&bed, "/data/recovery-point-offset-checkpoint"), format!("0\n1\nt 0 {end}\n"));
    let metadata = text(&bed, "/data/t-0/partition.metadata");
    let id = metadata.strip_prefix("version: 0\ntopic_id: ").unwrap();
    assert_eq!(id.len(), 22);
    // Opened again, the note of the clean shutdown is gone before anything changes.
    let _log = bed.open();
    assert!(bed.disk.content(Path::new("/data/.kafka_cleanshutdown")).is_none());
}

/// A broker that takes over after a kill reads only what is behind the recovery point, and it cuts a log where it
/// finds zeros in a segment that is not the last: so the point is kept up, and there are none.
#[test]
fn a_running_log_is_ready_for_a_broker() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    for _ in 0..300 {
        append(&partition, Ack::Appended);
        let files = bed.files(".log");
        for path in &files[..files.len() - 1] {
            let bytes = bed.disk.content(path).unwrap();
            assert!(batches(&bytes).last().is_some_and(|last| last.at + last.bytes == bytes.len()));
        }
    }
    let point = || bed.disk.content(Path::new("/data/recovery-point-offset-checkpoint"));
    assert_eq!(point(), None);
    log.maintain(START_MS).unwrap();
    let first = partition.segments().last().unwrap().base_offset;
    assert_eq!(point().unwrap(), format!("0\n1\nt 0 {first}\n").as_bytes());
}

/// All partitions of a topic have the same identity, two topics have two.
#[test]
fn topics_have_identities() {
    let bed = Bed::new(0);
    let log = bed.open();
    log.create_topic("a", small().partitions(2)).unwrap();
    log.create_topic("b", small()).unwrap();
    let id = |dir: &str| text(&bed, &format!("/data/{dir}/partition.metadata"));
    assert_eq!(id("a-0"), id("a-1"));
    assert_ne!(id("a-0"), id("b-0"));
}

/// The indexes are what Kafka's rule gives for the batches in the file, byte for byte.
#[test]
fn indexes_follow_kafkas_rule_byte_for_byte() {
    const INTERVAL: usize = 256;
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let mut random = fastrand::Rng::with_seed(3);
    while partition.segments().len() < 5 {
        let offset = partition.appended_end();
        let values: Vec<_> = (offset..offset + random.u64(1..6)).map(payload).collect();
        let timestamp = START_MS + offset as i64 * 3 + random.i64(-200..200);
        let records: Vec<_> = values.iter().map(|value| Record::new(value).timestamp(timestamp)).collect();
        partition.append_batch(&records, Ack::Appended).unwrap();
    }
    log.close().unwrap();
    let mut entries = 0;
    for path in bed.files(".log") {
        let base: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let log = bed.disk.content(&path).unwrap();
        let (mut index, mut time_index) = (Vec::new(), Vec::new());
        let (mut since, mut max, mut last) = (0, (i64::MIN, 0), i64::MIN);
        let mut add_time = |max: (i64, u64), last: &mut i64| {
            if max.0 > *last {
                time_index.extend(max.0.to_be_bytes());
                time_index.extend(u32::try_from(max.1 - base).unwrap().to_be_bytes());
                *last = max.0;
            }
        };
        for batch in batches(&log) {
            if batch.max_timestamp > max.0 {
                max = (batch.max_timestamp, batch.last);
            }
            if since > INTERVAL {
                index.extend(u32::try_from(batch.last - base).unwrap().to_be_bytes());
                index.extend(u32::try_from(batch.at).unwrap().to_be_bytes());
                add_time(max, &mut last);
                since = 0;
            }
            since += batch.bytes;
        }
        if !log.is_empty() {
            add_time(max, &mut last);
        }
        entries += index.len() / 8 + time_index.len() / 12;
        assert_eq!(bed.disk.content(&path.with_extension("index")).unwrap(), index, "{base}");
        assert_eq!(bed.disk.content(&path.with_extension("timeindex")).unwrap(), time_index, "{base}");
    }
    assert!(entries > 40, "{entries}");
}

/// Recovery rebuilds the same bytes that were there before.
#[test]
fn rebuilt_indexes_are_the_same_bytes() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 2 {
        append_batch(&partition, 2, Ack::Durable);
    }
    for _ in 0..10 {
        append_batch(&partition, 2, Ack::Durable);
    }
    let crashed = bed.on(bed.disk.kill().snapshot());
    drop(log);
    // The same history, closed instead of killed.
    let other = Bed::new(0);
    let (log, partition) = other.open_partition();
    while partition.segments().len() < 2 {
        append_batch(&partition, 2, Ack::Durable);
    }
    for _ in 0..10 {
        append_batch(&partition, 2, Ack::Durable);
    }
    log.close().unwrap();
    let (_log, _partition) = crashed.open_partition();
    for path in other.files("index") {
        assert_eq!(other.disk.content(&path), crashed.disk.content(&path), "{}", path.display());
    }
}

//! Directories that Kafka wrote: no marks, other epochs, gaps, batches that this release cannot decode.

use std::path::Path;

use headwater_log::storage::Storage;
use headwater_log::{Ack, Log, ReadError, ReadOnlyOptions, ReadUpTo, Record, StoredRecord};

use crate::bed::{Bed, append, read_all};

/// kafka-clients 4.3.0: offsets 100 to 104 in epoch 7 (CRC ada35271); the last value is 300 times `x`.
const PLAIN: &str = "0000000000000064000001a60000000702ada352710000000000040000018bcfe568000000018bcfe67970\
    ffffffffffffffffffffffffffff0000000542000000046b300a68656c6c6f04146d7174742e746f70696306612f62066e756c01\
    10000a02010476310010000504046b3201000e00d00f06000000ee0400e0c50808046b34d804";
/// kafka-clients 4.3.0: a commit marker at offset 105 in epoch 7.
const COMMIT_MARKER: &str = "0000000000000069000000420000000702ec89a140003000000000000\
    0018bcfe6a0800000018bcfe6a08000000000000010920003ffffffff000000012000000008000000010c00000000000900";

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn plain() -> Vec<u8> {
    let mut batch = unhex(PLAIN);
    batch.extend([b'x'; 300]);
    batch.push(0); // no headers
    assert_eq!(batch.len(), 434);
    batch
}

/// The same batch at another offset and in another epoch: neither is under the checksum.
pub(crate) fn moved(mut batch: Vec<u8>, base_offset: u64, epoch: i32) -> Vec<u8> {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&epoch.to_be_bytes());
    batch
}

/// A partition directory with these segments, as a broker leaves it.
pub(crate) fn kafka_dir(segments: &[(u64, Vec<u8>)], epochs: &str, recovery_point: Option<u64>) -> Bed {
    let bed = Bed::new(0);
    bed.disk.create_dir_all(Path::new("/data/t-0")).unwrap();
    let write = |path: &Path, bytes: &[u8]| {
        bed.disk.create(path).unwrap().write_at(bytes, 0).unwrap();
    };
    for (base_offset, bytes) in segments {
        write(&bed.file(*base_offset, "log"), bytes);
        write(&bed.file(*base_offset, "index"), &[]);
        write(&bed.file(*base_offset, "timeindex"), &[]);
        write(&bed.file(*base_offset, "snapshot"), b"of producers");
    }
    write(Path::new("/data/t-0/leader-epoch-checkpoint"), epochs.as_bytes());
    write(Path::new("/data/t-0/partition.metadata"), b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg");
    write(Path::new("/data/meta.properties"), b"version=1\n");
    bed.disk.create_dir_all(Path::new("/data/__cluster_metadata-0")).unwrap();
    if let Some(point) = recovery_point {
        let text = format!("0\n1\nt 0 {point}\n");
        write(Path::new("/data/recovery-point-offset-checkpoint"), text.as_bytes());
        write(Path::new("/data/.kafka_cleanshutdown"), b"{\"version\":0,\"brokerEpoch\":-1}");
    }
    bed
}

pub(crate) fn offsets(records: &[StoredRecord]) -> Vec<u64> {
    records.iter().map(|record| record.offset).collect()
}

#[test]
fn a_partition_of_kafka_is_read_and_written_on() {
    let first = [plain(), unhex(COMMIT_MARKER)].concat();
    // Compaction left a gap, and the next segment was led in a later epoch.
    let second = [moved(plain(), 120, 9), moved(plain(), 130, 9)].concat();
    let bed = kafka_dir(&[(100, first), (120, second)], "0\n2\n7 100\n9 120\n", Some(135));
    let (log, partition) = bed.open_partition();
    assert_eq!(log.topics(), ["t"]);
    assert_eq!((partition.start_offset(), partition.durable_end()), (100, 135));
    let records = read_all(&partition, ReadUpTo::Durable);
    let expected: Vec<u64> = (100..105).chain(120..125).chain(130..135).collect();
    assert_eq!(offsets(&records), expected, "the marker is not for readers");
    assert_eq!(records[0].value.as_deref(), Some(b"hello".as_slice()));
    assert_eq!(records[0].header("mqtt.topic"), Some(Some(b"a/b".as_slice())));
    assert_eq!(records[2].timestamp, 1_699_999_999_997);
    assert_eq!(records[4].value.as_deref(), Some([b'x'; 300].as_slice()));
    // In a gap, reading begins behind it.
    assert_eq!(partition.read(110, 1).unwrap().records().next().unwrap().unwrap().offset, 120);
    assert_eq!(partition.offset_for_timestamp(1_700_000_001_000).unwrap(), Some(103));

    // What we append is in Kafka's last epoch.
    assert_eq!(partition.append(&Record::new("ours").timestamp(0), Ack::Durable).unwrap(), 135);
    let raw = partition.read(135, 1).unwrap();
    assert_eq!(raw.bytes()[12..16], [0, 0, 0, 9]);
    log.close().unwrap();
    let (log, again) = bed.open_partition();
    assert!(log.recovery().is_clean());
    assert_eq!(offsets(&read_all(&again, ReadUpTo::Durable)).len(), 16);
    assert!(bed.disk.content(&bed.file(100, "snapshot")).is_some(), "files of Kafka stay");
}

/// A broker creates its checkpoints empty and writes them a minute later; its newest indexes are full of zeros as long as it runs.
#[test]
fn a_broker_killed_in_its_first_minute_leaves_empty_checkpoints_that_say_nothing() {
    let bed = kafka_dir(&[(100, moved(plain(), 100, 7))], "", None);
    for name in ["log-start-offset-checkpoint", "recovery-point-offset-checkpoint"] {
        bed.disk.create(&Path::new("/data").join(name)).unwrap();
    }
    for (suffix, entry) in [("index", 8), ("timeindex", 12)] {
        bed.disk.create(&bed.file(100, suffix)).unwrap().write_at(&vec![0; entry * 100], 0).unwrap();
    }
    let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
    let reader = Log::open_read_only("/data", options).unwrap().partition("t", 0).unwrap().unwrap();
    assert_eq!(reader.read(ReadUpTo::Appended, 100, 1).unwrap().views().count(), 5);
    let (log, partition) = bed.open_partition();
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), [100, 101, 102, 103, 104]);
    // The list of epochs is made again of the batches.
    assert_eq!(append(&partition, Ack::Durable), 105);
    assert_eq!(partition.read(105, 1).unwrap().bytes()[12..16], [0, 0, 0, 7]);
    log.close().unwrap();
    let epochs = bed.disk.content(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    assert_eq!(String::from_utf8(epochs).unwrap(), "0\n1\n7 100\n");
}

#[test]
fn below_kafkas_recovery_point_damage_is_an_error_and_behind_it_the_end() {
    let mut bytes = [moved(plain(), 0, 0), moved(plain(), 5, 0), moved(plain(), 10, 0)].concat();
    bytes[2 * 434 + 100] ^= 1;
    for (point, opens) in [(None, true), (Some(10), true), (Some(11), false), (Some(15), false)] {
        let bed = kafka_dir(&[(0, bytes.clone())], "0\n1\n0 0\n", point);
        match bed.try_open() {
            Ok(log) => {
                assert!(opens, "{point:?}");
                let partition = log.topic("t").unwrap().partition(0).unwrap();
                assert_eq!(partition.durable_end(), 10);
                append(&partition, Ack::Durable);
            }
            Err(error) => assert!(!opens, "{point:?}: {error}"),
        }
    }
}

#[test]
fn epochs_that_the_checkpoint_lacks_are_added_as_kafka_does() {
    let bytes = [moved(plain(), 0, 0), moved(plain(), 5, 3)].concat();
    let bed = kafka_dir(&[(0, bytes)], "0\n1\n0 0\n", None);
    let (log, partition) = bed.open_partition();
    assert_eq!(read_all(&partition, ReadUpTo::Durable).len(), 10);
    log.close().unwrap();
    let checkpoint = bed.disk.content(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    assert_eq!(checkpoint, b"0\n2\n0 0\n3 5\n");
    assert_eq!(read_all(&bed.open_partition().1, ReadUpTo::Durable).len(), 10);
}

/// A batch with a codec that Kafka does not have yet is kept, its bytes are served, its records are a typed error.
#[test]
fn batches_of_an_unknown_codec_are_kept_and_served_raw() {
    let mut squeezed = moved(plain(), 5, 0);
    squeezed[22] |= 5;
    let crc = crc_fast_free(&squeezed[21..]);
    squeezed[17..21].copy_from_slice(&crc.to_be_bytes());
    let bytes = [moved(plain(), 0, 0), squeezed.clone(), moved(plain(), 10, 0)].concat();
    let bed = kafka_dir(&[(0, bytes)], "0\n1\n0 0\n", Some(15));
    let (_log, partition) = bed.open_partition();
    let fetched = partition.read(5, 1 << 20).unwrap();
    assert_eq!(fetched.bytes()[..434], squeezed);
    let mut records = fetched.records();
    match records.next() {
        Some(Err(ReadError::UnsupportedCodec { offset: 5, codec: 5, .. })) => {}
        other => unreachable!("{other:?}"),
    }
    assert_eq!(records.map(|record| record.unwrap().offset).collect::<Vec<_>>(), [10, 11, 12, 13, 14]);
}

fn crc_fast_free(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
            },
        )
    })
}

/// Kafka appended to our segment, after we had closed it, and rolled: all of it is there.
#[test]
fn what_kafka_appends_to_our_segments_is_kept() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    append(&partition, Ack::Durable);
    log.close().unwrap();
    bed.disk.damage(&bed.file(0, "log"), |bytes| bytes.extend(moved(plain(), 2, 4)));
    bed.disk.create(&bed.file(7, "log")).unwrap().write_at(&moved(plain(), 7, 4), 0).unwrap();
    let epochs = bed.disk.create(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    epochs.write_at(b"0\n2\n0 0\n4 2\n", 0).unwrap();
    let (log, partition) = bed.open_partition();
    assert_eq!(offsets(&read_all(&partition, ReadUpTo::Durable)), (0..12).collect::<Vec<_>>());
    assert_eq!(log.recovery().partitions[0].segments_scanned, 2);
}

/// A broker begins a new leader epoch when it takes a directory over, and keeps no marks. What they said before
/// is no evidence any more: it may have cut, compacted and deleted since.
#[test]
fn marks_from_before_a_broker_led_are_history() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    while partition.segments().len() < 4 {
        append(&partition, Ack::Durable);
    }
    let second = partition.segments()[1].base_offset;
    log.close().unwrap();
    let cut_by_broker = |bed: &Bed| {
        // It deleted the first segment, cut the last, and wrote on in its own epoch.
        bed.disk.remove(&bed.file(0, "log")).unwrap();
        let last = bed.files(".log").pop().unwrap();
        let base: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        bed.disk.damage(&last, |bytes| *bytes = moved(plain(), base, 1));
        let points = bed.disk.create(Path::new("/data/recovery-point-offset-checkpoint")).unwrap();
        points.write_at(format!("0\n1\nt 0 {}\n", base + 5).as_bytes(), 0).unwrap();
        base
    };
    // Without the new epoch, that is damage.
    let unexplained = bed.on(bed.disk.snapshot());
    cut_by_broker(&unexplained);
    assert!(unexplained.try_open().is_err());

    let base = cut_by_broker(&bed);
    let reader = || {
        let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
        Log::open_read_only("/data", options).unwrap().partition("t", 0).unwrap().unwrap()
    };
    let epochs = bed.disk.create(Path::new("/data/t-0/leader-epoch-checkpoint")).unwrap();
    epochs.write_at(format!("0\n2\n0 0\n1 {base}\n").as_bytes(), 0).unwrap();
    assert_eq!(reader().end_offset(ReadUpTo::Durable).unwrap(), base + 5);
    assert_eq!(reader().read(ReadUpTo::Durable, base, 0).unwrap().records().count(), 5);
    let (log, partition) = bed.open_partition();
    assert_eq!((partition.start_offset(), partition.durable_end()), (second, base + 5));
    assert_eq!(read_all(&partition, ReadUpTo::Durable).len() as u64, base + 5 - second);
    assert!(bed.disk.content(&bed.file(0, "durable")).is_none(), "orphans go");
    append(&partition, Ack::Durable);
    log.close().unwrap();
    // From now on our marks count again.
    assert!(bed.open().recovery().is_clean());
}

#[test]
fn a_directory_of_kafka_can_be_read_beside_it() {
    let bytes = [moved(plain(), 0, 0), moved(plain(), 5, 0)].concat();
    let bed = kafka_dir(&[(0, bytes)], "0\n1\n0 0\n", Some(5));
    let options = ReadOnlyOptions::default().storage(std::sync::Arc::new(bed.disk.clone()));
    let log = Log::open_read_only("/data", options).unwrap();
    let partition = log.partition("t", 0).unwrap().unwrap();
    assert_eq!(partition.end_offset(ReadUpTo::Durable).unwrap(), 5);
    assert_eq!(partition.end_offset(ReadUpTo::Appended).unwrap(), 10);
    assert_eq!(partition.read(ReadUpTo::Appended, 3, 1 << 20).unwrap().records().count(), 7);
}

/// Compaction may leave a segment empty, in the middle or at the end. The gap before it is right at the second opening, too.
#[test]
fn an_empty_segment_behind_a_gap_stays_where_it_is() {
    let first = moved(plain(), 0, 0);
    for (segments, end) in [
        (vec![(0, first.clone()), (20, Vec::new()), (30, moved(plain(), 30, 0))], 35),
        (vec![(0, first.clone()), (20, Vec::new())], 20),
        (vec![(0, Vec::new()), (20, Vec::new()), (30, moved(plain(), 30, 0))], 35),
    ] {
        let bed = kafka_dir(&segments, "0\n1\n0 0\n", None);
        let (log, partition) = bed.open_partition();
        assert_eq!(partition.durable_end(), end);
        let records = offsets(&read_all(&partition, ReadUpTo::Durable));
        let (_log, again) = bed.on(bed.disk.kill()).open_partition();
        assert_eq!(again.durable_end(), end);
        assert_eq!(offsets(&read_all(&again, ReadUpTo::Durable)), records);
        // No offset is given to another record.
        assert_eq!(append(&again, Ack::Durable), end);
        drop(log);
    }
}

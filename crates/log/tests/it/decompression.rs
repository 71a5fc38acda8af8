//! What is said of compressed records and is not so: unknown codecs, streams that are none, batches that lie, bombs.

use std::sync::Arc;

use headwater_log::{
    Ack, AppendError, CheckEvent, Codec, Corruption, Damage, InvalidBatch, Log, Partition, Problem,
    ReadError, ReadOnlyOptions, ReadUpTo, Record,
};

use crate::bed::{Bed, START_MS, partition, read_all};
use crate::compression::{ATTRIBUTES_LOW, RECORDS, batch_of, bed, codecs, records};
use crate::record_batch::sign;

/// An LZ4 frame whose one block is stored: what a stream says can be chosen freely.
fn stored(records: &[u8]) -> Vec<u8> {
    let length = 0x8000_0000 | records.len() as u32;
    [&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82], &length.to_le_bytes()[..], records, &[0; 4]].concat()
}

/// A batch that is not compressed, with this codec and stream in place of its records, and a right checksum.
fn with_stream(batch: &[u8], codec: Codec, stream: &[u8]) -> Vec<u8> {
    let mut batch = [&batch[..RECORDS], stream].concat();
    let length = batch.len() as u32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[ATTRIBUTES_LOW] = (batch[ATTRIBUTES_LOW] & !7) | codec.0;
    sign(&mut batch);
    batch
}

pub(crate) fn refused(partition: &Partition, batch: &[u8]) -> InvalidBatch {
    let end = partition.appended_end();
    let error = partition.append_record_batch(batch, Ack::Appended).unwrap_err();
    assert_eq!(partition.appended_end(), end, "nothing was appended");
    match error {
        AppendError::InvalidBatch(rule) => rule,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_codec_that_is_unknown_or_not_built_in_is_a_typed_error() {
    let plain = batch_of(None, &[Record::new("a")]);
    let (_log, partition) = bed(None).open_partition();
    for number in 1..8 {
        let codec = Codec(number);
        let rule = refused(&partition, &with_stream(&plain, codec, b"no stream"));
        let expected = match number {
            5.. => InvalidBatch::Codec { codec: number },
            _ if codec.is_supported() => InvalidBatch::Compressed { codec },
            _ => InvalidBatch::UnsupportedCodec { codec },
        };
        assert_eq!(rule, expected);
        // One that stands in the log all the same: a later Kafka wrote it, or a build with more features.
        let bed = planted(&with_stream(&plain, codec, b"no stream"));
        let (_log, partition) = bed.open_partition();
        let found = partition.read(0, 1 << 20).unwrap();
        let mut views = found.views();
        let error = views.next().unwrap().unwrap_err();
        match &error {
            ReadError::UnsupportedCodec { codec: found, offset: 0, .. } => {
                assert!(*found == number && !codec.is_supported());
                let feature = format!("feature {codec}");
                let mend = if number < 5 { feature.as_str() } else { "Kafka has no such codec" };
                assert!(error.to_string().contains(mend), "{error}");
            }
            ReadError::Corrupt(Corruption {
                what: Damage::Compressed { codec: found }, position: 0, ..
            }) => {
                assert!(*found == codec && codec.is_supported());
            }
            other => unreachable!("{other:?}"),
        }
        // The batch behind it is read.
        assert_eq!(views.next().unwrap().unwrap().offset, 1);
    }
}

/// A log that was closed with one good record in it, and this batch planted before that.
fn planted(batch: &[u8]) -> Bed {
    let bed = bed(None);
    let (log, partition) = bed.open_partition();
    partition.append(&Record::new("placeholder"), Ack::Durable).unwrap();
    partition.append(&Record::new("good"), Ack::Durable).unwrap();
    log.close().unwrap();
    // As Kafka leaves a directory: no marks, no indexes.
    for suffix in [".durable", ".index", ".timeindex"] {
        bed.files(suffix)
            .iter()
            .for_each(|path| headwater_log::storage::Storage::remove(&bed.disk, path).unwrap());
    }
    bed.disk.damage(&bed.file(0, "log"), |bytes| {
        let first = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        bytes.splice(..first, batch.iter().copied());
    });
    bed
}

/// What a batch's header says of its records, and they do not say.
fn lies() -> Vec<(&'static str, Vec<u8>, InvalidBatch)> {
    let given = [Record::new("first").timestamp(5), Record::new("second").timestamp(6)];
    let plain = batch_of(None, &given);
    let area = &plain[RECORDS..];
    let second = 1 + area[0] as usize / 2;
    let changed = |at: usize, byte: u8| {
        let mut area = area.to_vec();
        area[at] = byte;
        area
    };
    let counted = |count: u32| {
        let mut batch = plain.clone();
        batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        batch[57..61].copy_from_slice(&count.to_be_bytes());
        batch
    };
    let at = (RECORDS + second) as u64;
    let end = plain.len() as u64;
    let packed = |batch: &[u8], area: &[u8]| with_stream(batch, Codec::LZ4, &stored(area));
    vec![
        (
            "one record less than there are",
            packed(&counted(1), area),
            InvalidBatch::LeftOver { at, left: end - at },
        ),
        (
            "one record more than there are",
            packed(&counted(3), area),
            InvalidBatch::Record { record: 2, at: end, field: "length" },
        ),
        (
            "a record that is longer than it is",
            packed(&plain, &changed(0, area[0] + 2)),
            InvalidBatch::Record { record: 0, at: RECORDS as u64, field: "length" },
        ),
        (
            "a record that ends behind the records",
            packed(&plain, &changed(second, area[second] + 2)),
            InvalidBatch::Record { record: 1, at, field: "length" },
        ),
        (
            "two records of one offset",
            packed(&plain, &changed(second + 3, 0)),
            InvalidBatch::OffsetDelta { record: 1, at, found: 0 },
        ),
        (
            "bytes behind the records",
            packed(&plain, &[area, b"more"].concat()),
            InvalidBatch::LeftOver { at: end, left: 4 },
        ),
        (
            "half a stream",
            with_stream(&plain, Codec::LZ4, &stored(area)[..area.len()]),
            InvalidBatch::Compressed { codec: Codec::LZ4 },
        ),
        ("no stream", with_stream(&plain, Codec::LZ4, b""), InvalidBatch::Compressed { codec: Codec::LZ4 }),
    ]
}

#[test]
fn a_compressed_batch_that_lies_about_its_records_is_refused() {
    if !Codec::LZ4.is_supported() {
        return;
    }
    let (_log, partition) = bed(None).open_partition();
    let given = [Record::new("first").timestamp(5), Record::new("second").timestamp(6)];
    let plain = batch_of(None, &given);
    let honest = with_stream(&plain, Codec::LZ4, &stored(&plain[RECORDS..]));
    assert_eq!(partition.append_record_batch(&honest, Ack::Durable).unwrap(), 0);
    assert_eq!(records(&partition.read(0, 1).unwrap()).len(), 2);
    for (lie, batch, rule) in lies() {
        assert_eq!(refused(&partition, &batch), rule, "{lie}");
        assert!([10, 87].contains(&rule.kafka_error_code()));
    }
    // The time of a record that is before 1970.
    let mut early = plain.clone();
    early[27..35].copy_from_slice(&(-2_i64).to_be_bytes());
    let early = with_stream(&early, Codec::LZ4, &stored(&plain[RECORDS..]));
    assert_eq!(
        refused(&partition, &early),
        InvalidBatch::Timestamp { record: 0, at: RECORDS as u64, timestamp: -2 }
    );
}

/// They are in the log all the same, with a right checksum: a broker's disk is not ours to judge. A reader gets an error with
/// the place, then the batch behind it; and a check tells.
#[test]
fn a_compressed_batch_in_the_log_that_lies_is_damage_with_a_place() {
    if !Codec::LZ4.is_supported() {
        return;
    }
    for (lie, batch, _) in lies() {
        // Its offsets have to leave room for the record behind it.
        let mut batch = batch;
        batch[23..27].fill(0);
        sign(&mut batch);
        let bed = planted(&batch);
        let (log, partition) = bed.open_partition();
        let fetched = partition.read(0, 1 << 20).unwrap();
        let errors: Vec<_> = fetched.views().filter_map(Result::err).collect();
        let [ReadError::Corrupt(corruption)] = &errors[..] else { unreachable!("{lie}: {errors:?}") };
        assert_eq!((corruption.segment, corruption.position), (0, 0), "{lie}");
        assert!(matches!(corruption.what, Damage::Record { .. } | Damage::Compressed { .. }), "{lie}");
        assert_eq!(fetched.views().last().unwrap().unwrap().offset, 1, "{lie}");
        log.close().unwrap();
        let mut found = Vec::new();
        let options = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
        let report = Log::check("/data", &options, |event| {
            if let CheckEvent::Finding(finding) = event
                && let Problem::Content(damage) = &finding.problem
            {
                found.push((finding.segment, finding.position, damage.clone()));
            }
        });
        assert!(!report.unwrap().is_clean(), "{lie}");
        assert_eq!(found.len(), 1, "{lie}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (Some(0), Some(0)), "{lie}");
    }
}

/// Some kilobytes that become a megabyte, where 100,000 bytes are the limit.
#[test]
fn a_bomb_is_refused_when_it_is_appended_and_when_it_is_read() {
    const LIMIT: usize = 100_000;
    let nothing = vec![0; 1 << 20];
    let roomy = |bed: &mut Bed| bed.topic = bed.topic.batch_bytes_max(2 << 20).segment_bytes(4 << 20);
    for compression in codecs() {
        let mut bed = bed(Some(compression));
        roomy(&mut bed);
        let (log, partition) = bed.open_partition();
        partition.append(&Record::new(&nothing).timestamp(START_MS), Ack::Durable).unwrap();
        partition.append(&Record::new("behind it").timestamp(START_MS + 1), Ack::Durable).unwrap();
        let bomb = partition.read(0, 1).unwrap().bytes().to_vec();
        assert!(bomb.len() < LIMIT, "{compression:?}: {}", bomb.len());
        log.close().unwrap();

        // Appended.
        let log = Log::open("/data", bed.options().decompressed_bytes_max(LIMIT)).unwrap();
        let partition = crate::bed::partition(&log, bed.topic);
        let rule = refused(&partition, &bomb);
        assert_eq!(rule, InvalidBatch::DecompressedTooLarge { max: LIMIT as u64 }, "{compression:?}");
        assert_eq!(rule.kafka_error_code(), 10);
        // Nor is made what nobody could read.
        let error = partition.append(&Record::new(&nothing), Ack::Durable).unwrap_err();
        assert!(matches!(error, AppendError::InvalidBatch(InvalidBatch::DecompressedTooLarge { .. })));

        // Read.
        let too_large = |error: &ReadError| {
            let place = (0, 0, 0, LIMIT as u64);
            matches!(error, ReadError::DecompressedTooLarge { topic, partition: 0, segment, position, offset, max }
                if &**topic == "t" && (*segment, *position, *offset, *max) == place)
        };
        let fetched = partition.read(0, 1 << 20).unwrap();
        let seen: Vec<_> = fetched.views().map(|view| view.map(|view| view.offset)).collect();
        assert!(matches!(&seen[..], [Err(error), Ok(1)] if too_large(error)), "{compression:?}: {seen:?}");
        let seen: Vec<_> = fetched.records().map(|record| record.map(|record| record.offset)).collect();
        assert!(matches!(&seen[..], [Err(error), Ok(1)] if too_large(error)), "{compression:?}: {seen:?}");
        // What is earlier by its header is not even looked into.
        assert_eq!(partition.offset_for_timestamp(START_MS + 1).unwrap(), Some(1), "{compression:?}");
        let outcome = partition.offset_for_timestamp(START_MS);
        assert!(outcome.as_ref().is_err_and(too_large), "{compression:?}: {outcome:?}");
        log.close().unwrap();

        let options =
            ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone())).decompressed_bytes_max(LIMIT);
        let beside =
            Log::open_read_only("/data", options.clone()).unwrap().partition("t", 0).unwrap().unwrap();
        let fetched = beside.read(ReadUpTo::Durable, 0, 1 << 20).unwrap();
        assert!(too_large(&fetched.views().next().unwrap().unwrap_err()));
        let mut problems = Vec::new();
        let report = Log::check("/data", &options, |event| {
            if let CheckEvent::Finding(finding) = event {
                problems.push(finding.problem.to_string());
            }
        });
        assert_eq!(report.unwrap().errors, 1, "{problems:?}");
        assert_eq!(problems, ["the batch has more than 100000 bytes when it is decompressed"]);
    }
}

/// An uncompressed batch has no such limit: it is as large as it is.
#[test]
fn the_limit_is_for_what_is_compressed_only() {
    let mut bed = bed(None);
    bed.topic = bed.topic.batch_bytes_max(2 << 20).segment_bytes(4 << 20);
    let log = Log::open("/data", bed.options().decompressed_bytes_max(4096)).unwrap();
    let partition = partition(&log, bed.topic);
    partition.append(&Record::new(&vec![1; 1 << 20]), Ack::Durable).unwrap();
    assert_eq!(read_all(&partition, ReadUpTo::Durable).len(), 1);
}

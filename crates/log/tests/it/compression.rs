//! Compressed batches: written, taken, checked inside, decompressed within a limit, and read.

use std::sync::Arc;

use headwater_log::{
    Ack, AppendError, CheckEvent, Codec, Compression, Corruption, Damage, Fetched, Header, InvalidBatch, Log,
    OpenError, Partition, Problem, ReadError, ReadOnlyOptions, ReadUpTo, Record, StoredRecord, TimestampType,
    TopicError, TopicOptions,
};

use crate::bed::{Bed, START_MS, partition, read_all};
use crate::record_batch::{sign, unhex};

const ATTRIBUTES_LOW: usize = 22;
const RECORDS: usize = 61;

/// Every way to compress that is built in, [`Compression::None`] included.
fn all() -> Vec<Compression> {
    let all = [
        Compression::None,
        Compression::Lz4,
        Compression::Snappy,
        Compression::GZIP,
        Compression::Gzip { level: 1 },
        Compression::ZSTD,
        Compression::Zstd { level: 19 },
    ];
    all.into_iter().filter(|compression| compression.codec().is_supported()).collect()
}

/// The codecs that are built in, each once.
fn codecs() -> Vec<Compression> {
    let mut codecs = all();
    codecs.dedup_by_key(|compression| compression.codec());
    codecs.retain(|compression| *compression != Compression::None);
    codecs
}

/// A bed whose topic is compressed so; its segments have room for batches of some size.
fn bed(compression: Option<Compression>) -> Bed {
    let topic = TopicOptions::default().segment_bytes(1 << 20).index_interval_bytes(256);
    Bed { topic: topic.compression(compression), ..Bed::new(0) }
}

/// A batch of some records, as a partition with this compression keeps it.
fn batch_of(compression: Option<Compression>, records: &[Record<'_>]) -> Vec<u8> {
    let (_log, partition) = bed(compression).open_partition();
    partition.append_batch(records, Ack::Durable).unwrap();
    partition.read(0, 1).unwrap().bytes().to_vec()
}

/// Records of all kinds: with and without key, value and headers, times that go back.
fn assorted(append: impl FnOnce(&[Record<'_>])) {
    let headers = [Header::new("content-type", "text/plain"), Header { key: "none", value: None }];
    let long = "a line of text that comes again and again. ".repeat(50);
    append(&[
        Record::new("first").key("k").timestamp(START_MS),
        Record::new(&long).headers(&headers).timestamp(START_MS - 7),
        Record::tombstone("k").timestamp(START_MS + 500),
        Record::new("").timestamp(START_MS + 3),
    ]);
}

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

fn refused(partition: &Partition, batch: &[u8]) -> InvalidBatch {
    let end = partition.appended_end();
    let error = partition.append_record_batch(batch, Ack::Appended).unwrap_err();
    assert_eq!(partition.appended_end(), end, "nothing was appended");
    match error {
        AppendError::InvalidBatch(rule) => rule,
        other => unreachable!("{other:?}"),
    }
}

fn records(fetched: &Fetched) -> Vec<StoredRecord> {
    let owned: Vec<_> = fetched.records().map(|record| record.unwrap()).collect();
    // The same borrowed, and batch by batch.
    let views: Vec<_> = fetched.views().map(|view| view.unwrap()).collect();
    assert!(owned.iter().map(StoredRecord::view).eq(views.iter().copied()));
    let of_batches: Vec<StoredRecord> = fetched
        .batches()
        .flat_map(|batch| batch.unwrap().records().map(|r| r.unwrap()).collect::<Vec<_>>())
        .collect();
    assert!(of_batches.ends_with(&owned));
    owned
}

/// What is said of the records of both but the offsets.
fn contents(records: &[StoredRecord]) -> Vec<StoredRecord> {
    records.iter().cloned().map(|record| StoredRecord { offset: 0, ..record }).collect()
}

#[test]
fn what_a_topic_compresses_comes_back() {
    for compression in all() {
        assorted(|given| {
            let bed = bed(Some(compression));
            let (log, partition) = bed.open_partition();
            assert_eq!(partition.append_batch(given, Ack::Durable).unwrap(), 0);
            assert_eq!(partition.append_batch(given, Ack::Durable).unwrap(), 4);
            assert_eq!(
                partition.append(&Record::new("alone").timestamp(START_MS + 900), Ack::Durable).unwrap(),
                8
            );
            let fetched = partition.read(2, 1 << 20).unwrap();
            let codecs: Vec<_> = fetched.batches().map(|batch| batch.unwrap().codec()).collect();
            assert_eq!(codecs, [compression.codec(); 3], "{compression:?}");
            let found = records(&fetched);
            assert!(found.iter().map(|record| record.offset).eq(2..9), "{compression:?}");
            let plain = (0..4).map(|at| &given[at]).chain(given);
            for (record, given) in found.iter().zip(plain.skip(2)) {
                assert_eq!((record.key.as_deref(), record.value.as_deref()), (given.key, given.value));
                assert_eq!(Some(record.timestamp), given.timestamp);
                assert!(record.headers.iter().eq(given.headers.iter().copied()));
            }
            assert_eq!(partition.segments()[0].max_timestamp, Some(START_MS + 900));
            assert_eq!(partition.offset_for_timestamp(START_MS + 4).unwrap(), Some(2));
            assert_eq!(partition.offset_for_timestamp(START_MS + 501).unwrap(), Some(8));
            log.close().unwrap();

            let (_log, partition) = bed.open_partition();
            assert_eq!(records(&partition.read(2, 1 << 20).unwrap()), found);
            let options = ReadOnlyOptions::default().storage(Arc::new(bed.disk.clone()));
            let beside = Log::open_read_only("/data", options).unwrap().partition("t", 0).unwrap().unwrap();
            assert_eq!(records(&beside.read(ReadUpTo::Durable, 2, 1 << 20).unwrap()), found);
            assert_eq!(beside.offset_for_timestamp(START_MS + 501).unwrap(), Some(8));
        });
    }
}

#[test]
fn what_a_topic_compresses_takes_less() {
    let text = "a line of text that comes again and again. ".repeat(50);
    for compression in codecs() {
        let (packed, plain) =
            (batch_of(Some(compression), &[Record::new(&text)]), batch_of(None, &[Record::new(&text)]));
        assert!(packed.len() * 4 < plain.len(), "{compression:?}: {} of {}", packed.len(), plain.len());
        // A batch that does not shrink is compressed all the same, as Kafka's clients do.
        assert_eq!(batch_of(Some(compression), &[Record::new("")])[ATTRIBUTES_LOW], compression.codec().0);
    }
}

#[test]
fn a_compressed_topic_with_log_append_time_stamps_the_header() {
    for compression in codecs() {
        let mut bed = bed(Some(compression));
        bed.topic = bed.topic.timestamp_type(TimestampType::LogAppendTime);
        let (_log, partition) = bed.open_partition();
        partition.append_batch(&[Record::new("a").timestamp(5), Record::new("b")], Ack::Durable).unwrap();
        let fetched = partition.read(0, 1).unwrap();
        assert!(records(&fetched).iter().all(|record| record.timestamp == START_MS), "{compression:?}");
        assert!(fetched.batches().all(|batch| batch.unwrap().max_timestamp() == START_MS));
    }
}

/// A broker does the same: what has the topic's codec is kept byte for byte, everything else is compressed anew.
#[test]
fn a_batch_gets_the_codec_of_the_topic_and_is_kept_where_it_has_it() {
    assorted(|given| {
        let plain = batch_of(None, given);
        for from in all() {
            let batch = batch_of(Some(from), given);
            for to in all().into_iter().map(Some).chain([None]) {
                let (_log, partition) = bed(to).open_partition();
                partition.append_record_batch(&batch, Ack::Durable).unwrap();
                let fetched = partition.read(0, 1).unwrap();
                let kept = to.is_none_or(|to| to.codec() == from.codec());
                assert_eq!(fetched.bytes() == &batch, kept, "{from:?} to {to:?}");
                let codec = fetched.batches().next().unwrap().unwrap().codec();
                assert_eq!(codec, to.unwrap_or(from).codec(), "{from:?} to {to:?}");
                if to == Some(Compression::None) {
                    assert_eq!(fetched.bytes(), &plain, "{from:?}");
                }
                let (_plain_log, other) = bed(None).open_partition();
                other.append_record_batch(&plain, Ack::Durable).unwrap();
                assert_eq!(records(&fetched), records(&other.read(0, 1).unwrap()), "{from:?} to {to:?}");
            }
        }
    });
}

/// An idempotent producer's numbers, and a largest timestamp that it misstated, outlive another codec.
#[test]
fn a_batch_that_is_compressed_anew_keeps_its_header() {
    let of_librdkafka = unhex(crate::record_batch::OF_IDEMPOTENT_LIBRDKAFKA);
    for to in all().into_iter().filter(|to| to.codec() != Codec::LZ4) {
        if !Codec::LZ4.is_supported() {
            continue;
        }
        let (_log, partition) = bed(Some(to)).open_partition();
        let mut misstated = of_librdkafka.clone();
        misstated[35..43].fill(0);
        sign(&mut misstated);
        partition.append_record_batch(&misstated, Ack::Durable).unwrap();
        let batch = partition.read(0, 1).unwrap().batches().next().unwrap().unwrap();
        assert_eq!(batch.codec(), to.codec());
        assert_eq!(batch.bytes()[23..RECORDS], of_librdkafka[23..RECORDS], "{to:?}");
    }
}

/// Kafka's Java client, kafka-python and librdkafka, each with its own framing; their records are those that
/// `format/golden.rs` compares one by one.
#[test]
fn the_compressed_batches_of_three_clients_are_taken_and_read() {
    let mut taken = 0;
    for line in include_str!("../../src/format/golden.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split("; ").collect();
        let mut batch = unhex(fields[6]);
        let codec = Codec(batch[ATTRIBUTES_LOW] & 7);
        if codec == Codec::NONE {
            continue;
        }
        batch[..8].fill(0);
        let (_log, partition) = bed(None).open_partition();
        if !codec.is_supported() {
            assert_eq!(refused(&partition, &batch), InvalidBatch::UnsupportedCodec { codec });
            continue;
        }
        partition.append_record_batch(&batch, Ack::Durable).unwrap();
        let found = records(&partition.read(0, 1).unwrap());
        assert_eq!(found.len(), fields[5].parse::<usize>().unwrap(), "{line}");
        assert_eq!(found[0].key.as_deref(), Some(&b"k0"[..]), "{line}");
        for compression in all() {
            let (_log, other) = bed(Some(compression)).open_partition();
            other.append_record_batch(&batch, Ack::Durable).unwrap();
            assert_eq!(records(&other.read(0, 1).unwrap()), found, "{compression:?} of {line}");
        }
        taken += 1;
    }
    let built = |codec: Codec, batches| if codec.is_supported() { batches } else { 0 };
    let of_all = [(Codec::GZIP, 3), (Codec::SNAPPY, 2), (Codec::LZ4, 3), (Codec::ZSTD, 2)];
    assert_eq!(taken, of_all.into_iter().map(|(codec, batches)| built(codec, batches)).sum::<i32>());
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

#[test]
fn options_with_a_codec_that_is_not_built_in_or_a_level_that_cannot_be_are_refused() {
    let bed = bed(None);
    let log = bed.open();
    let topic = |compression| TopicOptions::default().compression(Some(compression));
    for compression in [Compression::Lz4, Compression::Snappy, Compression::GZIP, Compression::ZSTD] {
        let codec = compression.codec();
        let name = format!("by-{codec}");
        let outcomes = [
            log.create_topic(&name, topic(compression)),
            log.alter_topic(&name, topic(compression)),
            log.open_or_create_topic(&name, topic(compression)),
        ];
        for outcome in outcomes {
            match outcome {
                Ok(found) => {
                    assert!(codec.is_supported() && found.options().compression == Some(compression))
                }
                Err(TopicError::Compression(error)) => {
                    assert!(error.codec == codec && !codec.is_supported());
                    assert!(error.to_string().contains(&format!("feature {codec}")), "{error}");
                }
                Err(other) => unreachable!("{other:?}"),
            }
        }
        let outcome = Log::open("/other", bed.options().topic_defaults(topic(compression)));
        assert_eq!(matches!(outcome, Err(OpenError::Compression(_))), !codec.is_supported());
    }
    for (level, option) in [
        (Compression::Gzip { level: 0 }, "compression.gzip.level"),
        (Compression::Gzip { level: 10 }, "compression.gzip.level"),
        (Compression::Zstd { level: 0 }, "compression.zstd.level"),
        (Compression::Zstd { level: 23 }, "compression.zstd.level"),
    ] {
        let error = log.create_topic("levels", topic(level)).unwrap_err();
        assert!(matches!(error, TopicError::Options(options) if options.option == option), "{level:?}");
    }
    for limit in [0, 4095, 1 << 31] {
        assert!(matches!(
            Log::open("/other", bed.options().decompressed_bytes_max(limit)),
            Err(OpenError::Options(_))
        ));
        let options = ReadOnlyOptions::default().decompressed_bytes_max(limit);
        assert!(matches!(Log::open_read_only("/data", options), Err(OpenError::Options(_))));
    }
}

#[test]
fn the_codec_of_a_topic_is_altered_while_it_is_used() {
    let bed = bed(None);
    let (log, partition) = bed.open_partition();
    let mut wanted = Vec::new();
    for compression in all().into_iter().map(Some).chain([None]) {
        log.alter_topic("t", bed.topic.compression(compression)).unwrap();
        partition.append(&Record::new("x"), Ack::Durable).unwrap();
        wanted.push(compression.map_or(Codec::NONE, Compression::codec));
    }
    let fetched = partition.read(0, 1 << 20).unwrap();
    assert!(fetched.batches().map(|batch| batch.unwrap().codec()).eq(wanted));
    assert_eq!(records(&fetched).len(), all().len() + 1);
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

#[test]
fn a_batch_is_decompressed_once_for_all_who_visit_what_was_fetched() {
    for compression in codecs() {
        let (_log, partition) = bed(Some(compression)).open_partition();
        partition.append_batch(&[Record::new("one"), Record::new("two")], Ack::Durable).unwrap();
        partition.append(&Record::new("three"), Ack::Durable).unwrap();
        let fetched = partition.read(0, 1 << 20).unwrap();
        let places = || fetched.views().map(|view| view.unwrap().value.unwrap().as_ptr());
        let first: Vec<_> = places().collect();
        assert!(places().eq(first.iter().copied()));
        let kept: Vec<_> = fetched.records().map(|record| record.unwrap().value.unwrap()).collect();
        assert!(kept.iter().map(|value| value.as_ptr()).eq(first));
        // What was taken out outlives what it was taken from.
        drop(fetched);
        assert_eq!(kept, ["one", "two", "three"]);
    }
}

#[test]
fn nothing_is_known_of_the_contents_of_a_batch_but_by_them() {
    for compression in codecs() {
        assorted(|given| {
            let first = batch_of(Some(compression), given);
            let again = batch_of(Some(compression), given);
            assert_eq!(first, again, "{compression:?}");
            let (_log, partition) = bed(None).open_partition();
            partition.append_record_batch(&first, Ack::Durable).unwrap();
            partition.append_record_batch(&first, Ack::Durable).unwrap();
            let all = records(&partition.read(0, 1 << 20).unwrap());
            assert_eq!(contents(&all[..4]), contents(&all[4..]));
        });
    }
}

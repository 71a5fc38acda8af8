//! Compressed batches: written, taken, compressed anew, and read.

use std::sync::Arc;

use headwater_log::{
    Ack, Codec, Compression, Fetched, Header, InvalidBatch, Log, OpenError, ReadOnlyOptions, ReadUpTo,
    Record, StoredRecord, TimestampType, TopicError, TopicOptions,
};

use crate::bed::{Bed, START_MS};
use crate::decompression::refused;
use crate::record_batch::{sign, unhex};

pub(crate) const ATTRIBUTES_LOW: usize = 22;
pub(crate) const RECORDS: usize = 61;

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
pub(crate) fn codecs() -> Vec<Compression> {
    let mut codecs = all();
    codecs.dedup_by_key(|compression| compression.codec());
    codecs.retain(|compression| *compression != Compression::None);
    codecs
}

/// A bed whose topic is compressed so; its segments have room for batches of some size.
pub(crate) fn bed(compression: Option<Compression>) -> Bed {
    let topic = TopicOptions::default().segment_bytes(1 << 20).index_interval_bytes(256);
    Bed { topic: topic.compression(compression), ..Bed::new(0) }
}

/// A batch of some records, as a partition with this compression keeps it.
pub(crate) fn batch_of(compression: Option<Compression>, records: &[Record<'_>]) -> Vec<u8> {
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

pub(crate) fn records(fetched: &Fetched) -> Vec<StoredRecord> {
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

//! Record batches that are encoded already: taken as a Kafka broker takes them, or refused with the rule that is broken.

use headwater_log::{
    Ack, AppendError, Codec, InvalidBatch, Partition, ReadUpTo, Record, StoredRecord, TopicOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bed::{Bed, append, payload, read_all, small};

/// librdkafka 2.0.2 by kcat 1.7.1, as it was in a Produce request: key `k0`, value `hello`.
const OF_LIBRDKAFKA: &str = "00000000000000000000003f0000000002e0f9297c000000000000000001a209036d6b0000\
    01a209036d6bffffffffffffffffffffffffffff000000011a000000046b300a68656c6c6f00";
/// The same client, idempotent: producer 440207000, epoch 0, sequence 0, compressed with lz4.
pub(crate) const OF_IDEMPOTENT_LIBRDKAFKA: &str = "0000000000000000000000600000000002282459aa000300000000000001a209036f890000\
    01a209036f89000000001a3d06980000000000000000000104224d1860408220000000ff069e01000000046b308c0168656c6c6f2d6c7a\
    342d6101002450616161610000000000";

/// Where the fields of the header are.
const CRC: usize = 17;
const ATTRIBUTES_LOW: usize = 22;
const RECORDS: usize = 61;

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Puts bytes into a batch and makes its checksum right again.
fn with(batch: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = batch.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    sign(&mut changed);
    changed
}

pub(crate) fn sign(batch: &mut [u8]) {
    if batch.len() >= RECORDS {
        let crc = crc_fast::crc32_iscsi(&batch[21..]);
        batch[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

/// A batch of records as a producer would send it.
fn batch_of(records: &[Record<'_>]) -> Vec<u8> {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    partition.append_batch(records, Ack::Durable).unwrap();
    partition.read(0, 1).unwrap().bytes().to_vec()
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

/// A batch with its place replaced by that of a batch in a Produce request.
fn unplaced(batch: &[u8]) -> Vec<u8> {
    let mut batch = batch.to_vec();
    batch[..8].fill(0);
    batch[12..16].fill(0);
    batch
}

#[test]
fn a_batch_of_a_kafka_client_is_kept_as_it_is_but_for_its_place() {
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    append(&partition, Ack::Durable);
    let batch = unhex(OF_LIBRDKAFKA);
    // The leader epoch is the log's, whatever the client wrote there.
    let elsewhere = [&batch[..12], &[0xff; 4], &batch[16..]].concat();
    assert_eq!(partition.append_record_batch(&batch, Ack::Durable).unwrap(), 1);
    assert_eq!(partition.append_record_batch(&elsewhere, Ack::Appended).unwrap(), 2);
    append(&partition, Ack::Durable);
    for offset in [1, 2] {
        let fetched = partition.read(offset, 1).unwrap();
        assert_eq!(unplaced(fetched.bytes()), batch);
        assert_eq!(fetched.bytes()[..8], offset.to_be_bytes());
        let record = fetched.records().next().unwrap().unwrap();
        assert_eq!((record.offset, record.timestamp), (offset, 1_795_447_549_291));
        assert_eq!((record.key.as_deref(), record.value.as_deref()), (Some(&b"k0"[..]), Some(&b"hello"[..])));
    }
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    assert_eq!(partition.durable_end(), 4);
    assert_eq!(read_all(&partition, ReadUpTo::Durable).len(), 4);
}

#[test]
fn a_compressed_batch_is_kept_and_served_as_it_is() {
    if !Codec::LZ4.is_supported() {
        return;
    }
    let bed = Bed::new(0);
    let (log, partition) = bed.open_partition();
    let batch = unhex(OF_IDEMPOTENT_LIBRDKAFKA);
    assert_eq!(partition.append_record_batch(&batch, Ack::Durable).unwrap(), 0);
    assert_eq!(append(&partition, Ack::Durable), 1);
    log.close().unwrap();
    let (_log, partition) = bed.open_partition();
    let fetched = partition.read(0, 1).unwrap();
    assert_eq!(unplaced(fetched.bytes()), batch);
    let value = [b"hello-lz4-".as_slice(), &[b'a'; 60]].concat();
    assert_eq!(fetched.records().next().unwrap().unwrap().value.as_deref(), Some(&value[..]));
    assert_eq!(
        refused(&partition, &with(&batch, 57, &2_u32.to_be_bytes())),
        InvalidBatch::RecordCount { count: 2, last_offset_delta: 0 }
    );
    let mut hollow = batch[..RECORDS].to_vec();
    hollow[8..12].copy_from_slice(&49_u32.to_be_bytes());
    sign(&mut hollow);
    assert_eq!(refused(&partition, &hollow), InvalidBatch::Compressed { codec: Codec::LZ4 });
}

/// Kafka's broker corrects it too: the time index goes by it.
#[test]
fn a_misstated_largest_timestamp_is_made_right() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let batch = batch_of(&[Record::new("a").timestamp(50), Record::new("b").timestamp(90)]);
    let misstated = with(&batch, 35, &7_u64.to_be_bytes());
    partition.append_record_batch(&misstated, Ack::Durable).unwrap();
    assert_eq!(partition.read(0, 1).unwrap().bytes(), &batch);
    assert_eq!(partition.segments()[0].max_timestamp, Some(90));
    assert_eq!(partition.offset_for_timestamp(60).unwrap(), Some(1));
}

#[test]
fn a_record_without_a_timestamp_is_taken() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let batch = batch_of(&[Record::new("a").timestamp(0)]);
    let batch = with(&batch, 27, &[(-1_i64).to_be_bytes(), (-1_i64).to_be_bytes()].concat());
    partition.append_record_batch(&batch, Ack::Durable).unwrap();
    assert_eq!(partition.read(0, 1).unwrap().bytes(), &batch);
}

#[test]
fn every_rule_is_an_error_of_its_own_and_nothing_is_appended() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let batch = batch_of(&[Record::new("first").timestamp(5), Record::new("second").timestamp(6)]);
    let len = batch.len() as u64;
    let second_at = RECORDS + 1 + batch[RECORDS] as usize / 2;
    let attributes = |bits: u8| with(&batch, ATTRIBUTES_LOW, &[bits]);
    let numbered = |id: i64, sequence: i32| {
        with(&batch, 43, &[&id.to_be_bytes()[..], &[0, 0], &sequence.to_be_bytes()].concat())
    };
    let counted =
        |count: i32, last: i32| with(&with(&batch, 57, &count.to_be_bytes()), 23, &last.to_be_bytes());
    let longer = {
        let mut longer = [&batch[..], b"??"].concat();
        longer[8..12].copy_from_slice(&(batch.len() as u32 - 12 + 2).to_be_bytes());
        sign(&mut longer);
        longer
    };
    let flipped = |at: usize| {
        let mut flipped = batch.clone();
        flipped[at] ^= 1;
        flipped
    };
    let at = second_at as u64;
    let rows: Vec<(Vec<u8>, InvalidBatch, i16)> = vec![
        (vec![], InvalidBatch::HeaderCut { given: 0 }, 2),
        (batch[..60].to_vec(), InvalidBatch::HeaderCut { given: 60 }, 2),
        (with(&batch, 8, &48_u32.to_be_bytes()), InvalidBatch::LengthTooSmall { length: 48 }, 2),
        (batch[..70].to_vec(), InvalidBatch::Incomplete { bytes: len, given: 70 }, 2),
        ([&batch[..], &batch].concat(), InvalidBatch::MoreThanOne { at: len, left: len }, 87),
        ([&batch[..], &[0]].concat(), InvalidBatch::MoreThanOne { at: len, left: 1 }, 87),
        (with(&batch, 16, &[1]), InvalidBatch::Magic { magic: 1 }, 87),
        (with(&batch, 7, &[9]), InvalidBatch::BaseOffset { found: 9 }, 87),
        (with(&batch, 0, &[0xff]), InvalidBatch::Field { field: "baseOffset", value: -(1 << 56) }, 2),
        (with(&batch, 21, &[0x80]), InvalidBatch::Field { field: "attributes", value: 0x8000 }, 2),
        (counted(0, -1), InvalidBatch::Field { field: "lastOffsetDelta", value: -1 }, 2),
        (counted(-1, 0), InvalidBatch::Field { field: "recordCount", value: -1 }, 2),
        (counted(0, 0), InvalidBatch::RecordCount { count: 0, last_offset_delta: 0 }, 87),
        (counted(2, 2), InvalidBatch::RecordCount { count: 2, last_offset_delta: 2 }, 87),
        (attributes(0x20), InvalidBatch::Control, 87),
        (attributes(0x10), InvalidBatch::Transactional, 87),
        (attributes(0x40), InvalidBatch::DeleteHorizon, 87),
        (attributes(0x08), InvalidBatch::TimestampType, 32),
        (attributes(0x05), InvalidBatch::Codec { codec: 5 }, 76),
        (numbered(0, -1), InvalidBatch::Sequence { producer_id: 0, sequence: -1 }, 87),
        (counted(3, 2), InvalidBatch::Record { record: 2, at: len, field: "length" }, 87),
        (counted(1, 0), InvalidBatch::LeftOver { at, left: len - at }, 87),
        (longer, InvalidBatch::LeftOver { at: len, left: 2 }, 87),
        (
            with(&batch, second_at, &[batch[second_at] + 2]),
            InvalidBatch::Record { record: 1, at, field: "length" },
            87,
        ),
        // The second record's attributes, timestamp delta and offset delta follow its length.
        (with(&batch, second_at + 3, &[4]), InvalidBatch::OffsetDelta { record: 1, at, found: 2 }, 87),
        (with(&batch, second_at + 2, &[15]), InvalidBatch::Timestamp { record: 1, at, timestamp: -3 }, 32),
    ];
    for (bytes, rule, code) in rows {
        let found = refused(&partition, &bytes);
        assert_eq!((&found, found.kafka_error_code()), (&rule, code));
        assert!(found.to_string().len() > 40, "{found}");
    }
    for at in CRC..batch.len() {
        assert!(matches!(
            refused(&partition, &flipped(at)),
            InvalidBatch::Checksum { .. } | InvalidBatch::Field { .. }
        ));
    }
    // A producer that numbers its batches, and one that does not, are taken.
    partition.append_record_batch(&numbered(0, 0), Ack::Appended).unwrap();
    partition.append_record_batch(&numbered(-1, -1), Ack::Appended).unwrap();
    assert_eq!(partition.append_record_batch(&batch, Ack::Durable).unwrap(), 4);
}

#[test]
fn a_batch_above_the_limit_is_refused_before_it_is_looked_at() {
    let bed = Bed::new(0);
    let log = bed.open();
    let partition = log.create_topic("t", small().batch_bytes_max(200)).unwrap().partition(0).unwrap();
    let error = partition.append_record_batch(&[0; 201], Ack::Appended).unwrap_err();
    assert!(matches!(error, AppendError::BatchTooLarge { bytes: 201, max: 200 }));
    log.close().unwrap();
    let closed = partition.append_record_batch(&unhex(OF_LIBRDKAFKA), Ack::Appended).unwrap_err();
    assert!(matches!(closed, AppendError::Refused(_)));
}

/// Ready batches roll segments and get index entries as others do: after a kill all of it is found again.
#[test]
fn ready_batches_fill_segments_and_survive_a_crash() {
    let bed = Bed::new(0);
    let (_log, partition) = bed.open_partition();
    let mut offset = 0;
    while partition.segments().len() < 4 {
        let values = [payload(offset), payload(offset + 1), payload(offset + 2)];
        let batch = batch_of(&[Record::new(&values[0]), Record::new(&values[1]), Record::new(&values[2])]);
        assert_eq!(partition.append_record_batch(&batch, Ack::Durable).unwrap(), offset);
        offset += 3;
    }
    for seed in 0..20 {
        let bed = bed.on(bed.disk.crash(seed));
        let (_log, partition) = bed.open_partition();
        assert_eq!(crate::bed::check_all(&partition), offset);
        for from in 0..offset {
            assert_eq!(partition.read(from, 1).unwrap().views().next().unwrap().unwrap().offset, from);
        }
    }
}

type Nullable = Option<Vec<u8>>;

fn parts(record: &StoredRecord) -> (i64, Nullable, Nullable, Vec<(String, Nullable)>) {
    let headers =
        record.headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)));
    (
        record.timestamp,
        record.key.as_deref().map(<[u8]>::to_vec),
        record.value.as_deref().map(<[u8]>::to_vec),
        headers.collect(),
    )
}

/// Takes the batch, or not; if it was taken, what is read is what was given, and every record can be read.
fn taken_whole_or_refused(batch: &[u8]) -> Result<(), TestCaseError> {
    let bed = Bed::new(0);
    let log = bed.open();
    let options = TopicOptions::default().segment_bytes(1 << 16).segment_index_bytes(4096);
    let partition = log.create_topic("t", options).unwrap().partition(0).unwrap();
    partition.append(&Record::new("before"), Ack::Appended).unwrap();
    match partition.append_record_batch(batch, Ack::Durable) {
        Err(AppendError::InvalidBatch(_)) => prop_assert_eq!(partition.appended_end(), 1),
        Err(other) => prop_assert!(false, "{}", other),
        Ok(offset) => {
            prop_assert_eq!(offset, 1);
            let count = u64::from(u32::from_be_bytes(batch[57..61].try_into().unwrap()));
            prop_assert_eq!(partition.durable_end(), 1 + count);
            let fetched = partition.read(1, 1).unwrap();
            // All but the place, the largest timestamp, and the checksum over it.
            let kept = |bytes: &[u8]| {
                let mut bytes = unplaced(bytes);
                bytes[CRC..CRC + 4].fill(0);
                bytes[35..43].fill(0);
                bytes
            };
            prop_assert_eq!(kept(fetched.bytes()), kept(batch));
            if batch[ATTRIBUTES_LOW] & 7 == 0 {
                let records: Vec<_> = fetched.records().collect::<Result<_, _>>().unwrap();
                prop_assert!(records.iter().map(|record| record.offset).eq(1..1 + count));
                let largest = records.iter().map(|record| record.timestamp).max().unwrap();
                prop_assert_eq!(fetched.bytes()[35..43].to_vec(), largest.to_be_bytes());
            }
        }
    }
    // Whatever it was, the log goes on and can be opened again.
    let end = partition.append(&Record::new("after"), Ack::Durable).unwrap();
    drop(log);
    let log = bed.open();
    prop_assert_eq!(log.topic("t").unwrap().partition(0).unwrap().durable_end(), end + 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_taken_whole_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        taken_whole_or_refused(&bytes)?;
    }

    /// Bytes of a good batch changed, the checksum and the length made right again: what the records say is all that is wrong.
    #[test]
    fn any_change_to_a_batch_is_taken_whole_or_refused(
        values in vec(vec(any::<u8>(), 0..40), 1..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 0..4_usize,
        in_the_records in any::<bool>(),
    ) {
        let records: Vec<_> = values.iter().map(|value| Record::new(value).key("k").timestamp(7)).collect();
        let mut batch = batch_of(&records);
        for (at, byte) in changes {
            let from = if in_the_records { RECORDS } else { 21 };
            let at = from + at.index(batch.len() - from);
            batch[at] = byte;
        }
        batch.truncate(batch.len() - cut);
        let length = batch.len() as u32 - 12;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        sign(&mut batch);
        taken_whole_or_refused(&batch)?;
    }

    #[test]
    fn what_one_partition_gives_another_one_takes(
        values in vec((vec(any::<u8>(), 0..60), any::<Option<u32>>()), 1..8),
    ) {
        let records: Vec<_> = values
            .iter()
            .map(|(value, time)| Record { timestamp: time.map(i64::from), ..Record::new(value).key("k") })
            .collect();
        let batch = batch_of(&records);
        let bed = Bed::new(0);
        let (_log, partition) = bed.open_partition();
        partition.append_batch(&records, Ack::Durable).unwrap();
        partition.append_record_batch(&batch, Ack::Durable).unwrap();
        let all: Vec<_> = read_all(&partition, ReadUpTo::Durable).iter().map(parts).collect();
        let (one, two) = all.split_at(records.len());
        prop_assert_eq!(one, two);
    }
}

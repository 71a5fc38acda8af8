//! Batches that Kafka's own clients wrote: each decodes, and encodes to the same bytes.

use std::fmt::Write;

use super::batch::{HEADER_BYTES, Header};
use super::record;
use crate::compress;
use crate::record::Record;

/// kafka-clients 4.3.0, `MemoryRecords.withEndTransactionMarker`: offset 105, time 1700000080000, producer 4242,
/// epoch 3, coordinator epoch 9.
const COMMIT_MARKER: &str = "0000000000000069000000420000000702ec89a140003000000000\
    0000018bcfe6a0800000018bcfe6a08000000000000010920003ffffffff000000012000000008000000010c00000000000900";
/// kafka-clients 4.3.0: what compaction leaves of a batch of five records at offset 100 that all went.
const EMPTIED_BATCH: &str = "0000000000000064000000310000000702317d53c8000000000004\
    ffffffffffffffff0000018bcfe56800000000000000109200030000001100000000";

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The records of a batch, each as a line of `golden_records.txt` has it behind the names.
fn told(header: &Header, records: &[u8]) -> Vec<String> {
    let content = |bytes: Option<&[u8]>| bytes.map_or_else(|| "null".to_owned(), hex);
    let mut rest = records;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let decoded = record::decode(&mut rest).unwrap();
        let offset = header.base_offset + u64::from(decoded.offset_delta);
        let timestamp = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            header.base_timestamp + decoded.timestamp_delta
        };
        let headers =
            decoded.headers.iter().map(|header| format!("{}={}", header.key, content(header.value)));
        let headers = headers.collect::<Vec<_>>().join(",");
        let headers = if headers.is_empty() { "-" } else { &headers };
        let (key, value) = (content(decoded.key), content(decoded.value));
        lines.push(format!("{offset}; {timestamp}; {key}; {value}; {headers}"));
    }
    lines
}

/// Decodes a batch into its parts and puts it together from them; tells the number of records.
fn decoded_and_encoded(bytes: &[u8]) -> (usize, Vec<u8>) {
    let header = Header::parse(bytes).unwrap();
    assert_eq!(header.bytes, bytes.len());
    header.verify(bytes).unwrap();
    let mut again = Vec::new();
    header.encode_uncovered(&mut again);
    header.encode_covered(&mut again);
    let mut rest = &bytes[again.len()..];
    let mut count = 0;
    while !rest.is_empty() {
        let decoded = record::decode(&mut rest).unwrap();
        assert!(header.base_offset + u64::from(decoded.offset_delta) <= header.last_offset);
        let headers: Vec<_> = decoded.headers.iter().collect();
        let record = Record { timestamp: None, key: decoded.key, value: decoded.value, headers: &headers };
        record::encode(&record, decoded.timestamp_delta, i64::from(decoded.offset_delta), &mut again);
        count += 1;
    }
    assert_eq!(count, header.record_count as usize);
    (count, again)
}

#[test]
fn a_commit_marker_of_kafka_comes_back() {
    let bytes = unhex(COMMIT_MARKER);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!((header.crc, header.base_offset, header.producer_id), (0xec89_a140, 105, 4242));
    assert!(header.is_control());
    assert_eq!(decoded_and_encoded(&bytes), (1, bytes));
}

#[test]
fn a_batch_emptied_by_compaction_keeps_its_offsets() {
    let bytes = unhex(EMPTIED_BATCH);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!((header.base_offset, header.last_offset, header.record_count), (100, 104, 0));
    assert_eq!(decoded_and_encoded(&bytes), (0, bytes));
}

/// The batches in `golden.txt`, which says where they come from, with what their producers say of them: the records are in
/// `golden_records.txt`. Each codec that is built in is decompressed.
#[test]
fn the_batches_of_three_clients_come_back() {
    let records_of = |name: &str, producer: &str| -> Vec<String> {
        let of = format!("{name}; {producer}; ");
        let lines = include_str!("golden_records.txt").lines();
        lines.filter_map(|line| Some(line.strip_prefix(&of)?.to_owned())).collect()
    };
    let (mut plain, mut compressed, mut decoded) = (0, 0, 0);
    for line in include_str!("golden.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split("; ").collect();
        let [name, producer, codec, crc, base_offset, records, bytes] = fields[..] else {
            unreachable!("{line}")
        };
        let bytes = unhex(bytes);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.verify(&bytes), Ok(()), "{name} of {producer}");
        assert_eq!(format!("{:08x}", header.crc), crc, "{name} of {producer}");
        assert_eq!(
            (header.base_offset, header.record_count),
            (base_offset.parse().unwrap(), records.parse().unwrap())
        );
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
        assert_eq!(codecs[usize::from(header.codec())], codec, "{name} of {producer}");
        let expected = records_of(name, producer);
        assert_eq!(expected.len(), header.record_count as usize, "{name} of {producer}");
        if header.codec() == 0 {
            assert_eq!(hex(&decoded_and_encoded(&bytes).1), hex(&bytes), "{name} of {producer}");
            plain += 1;
        } else {
            compressed += 1;
        }
        if !compress::is_supported(header.codec()) {
            continue;
        }
        let records = compress::decompress(header.codec(), &bytes[HEADER_BYTES..], 1000).unwrap();
        assert_eq!(told(&header, &records), expected, "{name} of {producer}");
        decoded += expected.len();
    }
    assert_eq!((plain, compressed), (9, 10));
    let codecs =
        [cfg!(feature = "gzip"), cfg!(feature = "snappy"), cfg!(feature = "lz4"), cfg!(feature = "zstd")];
    let records = [11, 6, 11, 6];
    let of_codecs: usize =
        codecs.iter().zip(records).filter(|(built, _)| **built).map(|(_, records)| records).sum();
    assert_eq!(decoded, 28 + of_codecs);
}

//! `log-format.md`, a link to that of `docs`, says what the code does: its tables are read and compared with it.

use super::batch::{CRC_COVERS_FROM, HEADER_BYTES, Header, LENGTH_OVERHEAD_BYTES, MAGIC};
use super::heads::{BLOCK_ENTRY_BYTES, FILE_HEADER_BYTES, HEAD_BYTES};
use super::index::{ENTRY_BYTES, TIME_ENTRY_BYTES};
use super::mark::{FILE_BYTES, IndexSum, Mark, SLOT_BYTES, SLOT_DISTANCE, VERSION};
use super::names::{BASE_OFFSET_DIGITS, TOPIC_NAME_BYTES_MAX};
use super::offset_commit;
use super::{producer_ids, producer_snapshot as snapshot};

/// The rows of the table whose head has this cell, as cells.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/log-format.md");
    let text = std::fs::read_to_string(path).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<_> = text
        .lines()
        .skip_while(|line| !(line.starts_with('|') && cells(line).iter().any(|cell| cell == head)))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "no table with {head}");
    rows
}

fn bytes_of(kind: &str) -> usize {
    match kind {
        "i8" => 1,
        "i16" | "u16" | "2 bytes" => 2,
        "i32" | "u32" | "4 bytes" => 4,
        "i64" | "u64" => 8,
        other => unreachable!("type {other}"),
    }
}

/// Reads the fields of a table out of bytes: name and value. The fields have to follow each other without a gap,
/// but for the last one if that is so.
fn fields(rows: &[Vec<String>], bytes: &[u8], gap_before_last: bool) -> Vec<(String, u64)> {
    let mut next = 0;
    let mut fields = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let (at, len): (usize, _) = (row[0].parse().unwrap(), bytes_of(&row[2]));
        assert!(at == next || (gap_before_last && number + 1 == rows.len() && at > next), "{row:?}");
        let value = bytes[at..at + len].iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        fields.push((row[1].clone(), value));
        next = at + len;
    }
    assert_eq!(next, bytes.len());
    fields
}

#[test]
fn the_sizes_in_the_document_are_those_in_the_code() {
    let code = [
        ("base offset in a file name, digits", BASE_OFFSET_DIGITS),
        ("topic name, at most", TOPIC_NAME_BYTES_MAX),
        ("batch header", HEADER_BYTES),
        ("bytes before those that the batch length counts", LENGTH_OVERHEAD_BYTES),
        ("bytes before those that the checksum covers", CRC_COVERS_FROM),
        ("offset index entry", ENTRY_BYTES),
        ("time index entry", TIME_ENTRY_BYTES),
        ("durable mark, file", FILE_BYTES),
        ("durable mark, distance of the slots", SLOT_DISTANCE),
        ("durable mark, slot", SLOT_BYTES),
        ("heads, before the entries", FILE_HEADER_BYTES),
        ("heads, entry", BLOCK_ENTRY_BYTES),
        ("heads, bytes of a batch that are summed up", HEAD_BYTES),
        ("snapshot of producers, before its entries", snapshot::HEAD_BYTES),
        ("snapshot of producers, entry", snapshot::ENTRY_BYTES),
        ("producer ids, file", producer_ids::FILE_BYTES),
    ];
    let document: Vec<(String, usize)> =
        table("size").into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    assert!(document.iter().map(|(name, size)| (name.as_str(), *size)).eq(code));
}

#[test]
fn the_batch_fields_in_the_document_are_where_the_code_puts_them() {
    let header = Header {
        base_offset: 0x11,
        bytes: 0x1234,
        leader_epoch: 0x22,
        crc: 0x33,
        attributes: 0x24,
        last_offset: 0x11 + 0x55,
        base_timestamp: 0x66,
        max_timestamp: 0x77,
        producer_id: 0x88,
        producer_epoch: 0x99,
        base_sequence: 0xaa,
        record_count: 0xbb,
    };
    let mut bytes = Vec::new();
    header.encode_uncovered(&mut bytes);
    header.encode_covered(&mut bytes);
    let expected = [
        ("baseOffset", 0x11),
        ("batchLength", 0x1234 - 12),
        ("partitionLeaderEpoch", 0x22),
        ("magic", u64::from(MAGIC.unsigned_abs())),
        ("crc", 0x33),
        ("attributes", 0x24),
        ("lastOffsetDelta", 0x55),
        ("baseTimestamp", 0x66),
        ("maxTimestamp", 0x77),
        ("producerId", 0x88),
        ("producerEpoch", 0x99),
        ("baseSequence", 0xaa),
        ("recordCount", 0xbb),
    ];
    let found = fields(&table("batch field"), &bytes, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
}

#[test]
fn the_fields_of_committed_offsets_in_the_document_are_where_the_code_puts_them() {
    let key = offset_commit::Key { group: "gg", topic: "tt", partition: 0x11 }.encode().unwrap();
    let expected = [
        ("version", 1),
        ("groupLength", 2),
        ("group", 0x6767),
        ("topicLength", 2),
        ("topic", 0x7474),
        ("partition", 0x11),
    ];
    let found = fields(&table("key field"), &key, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
    let value = offset_commit::Value { offset: 0x22, topic_id: None, committed_ms: 0x33 }.encode().unwrap();
    let expected = [
        ("version", 3),
        ("offset", 0x22),
        ("leaderEpoch", 0xffff_ffff),
        ("metadataLength", 0),
        ("commitTimestamp", 0x33),
    ];
    let found = fields(&table("value field"), &value, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
}

#[test]
fn the_mark_fields_in_the_document_are_where_the_code_puts_them() {
    let mark = Mark {
        base_offset: 0x11,
        position: 0x22,
        next_offset: 0x33,
        sealed: true,
        sparse: true,
        numbered: true,
        first_append_ms: 0x44,
        last_append_ms: 0x55,
        max_timestamp: 0x66,
        index: IndexSum { bytes: 0x77, crc: 0x88 },
        time_index: IndexSum { bytes: 0x99, crc: 0xaa },
        leader_epoch: 0xbb,
        believed_ms: 0xdd,
        heads: IndexSum { bytes: 0xee, crc: 0xff },
    };
    let slot = mark.encode(0xcc);
    let expected = [
        ("magic", 0x4857_444d), // "HWDM"
        ("version", u64::from(VERSION)),
        ("flags", 7),
        ("sequence", 0xcc),
        ("baseOffset", 0x11),
        ("position", 0x22),
        ("nextOffset", 0x33),
        ("firstAppend", 0x44),
        ("lastAppend", 0x55),
        ("maxTimestamp", 0x66),
        ("indexBytes", 0x77),
        ("indexCrc", 0x88),
        ("timeIndexBytes", 0x99),
        ("timeIndexCrc", 0xaa),
        ("leaderEpoch", 0xbb),
        ("believed", 0xdd),
        ("headsBytes", 0xee),
        ("headsCrc", 0xff),
        ("crc", u64::from(crc32fast::hash(&slot[..124]))),
    ];
    let found = fields(&table("mark field"), &slot, true);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
}

#[test]
fn the_snapshot_fields_in_the_document_are_where_the_code_puts_them() {
    let bytes = snapshot::encode(&[snapshot::Entry {
        producer_id: 0x11,
        epoch: 0x22,
        last: Some((0x33, 0x44)),
        offset_delta: 0x05,
        timestamp: 0x66,
        coordinator_epoch: 0x77,
        txn_first_offset: Some(0x88),
    }]);
    let (head, entry) = bytes.split_at(snapshot::HEAD_BYTES);
    let crc = super::batch::crc32c(&bytes[6..]);
    let expected = [("version", 1), ("crc", u64::from(crc)), ("count", 1)];
    let found = fields(&table("snapshot field"), head, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
    let expected = [
        ("producerId", 0x11),
        ("epoch", 0x22),
        ("lastSequence", 0x33),
        ("lastOffset", 0x44),
        ("offsetDelta", 0x05),
        ("timestamp", 0x66),
        ("coordinatorEpoch", 0x77),
        ("currentTxnFirstOffset", 0x88),
    ];
    let found = fields(&table("entry field"), entry, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
}

#[test]
fn the_fields_of_the_producer_ids_in_the_document_are_where_the_code_puts_them() {
    let bytes = producer_ids::encode(0x11);
    let crc = u64::from(super::batch::crc32c(&bytes[..16]));
    let expected = [
        ("magic", 0x4857_5049), // "HWPI"
        ("version", u64::from(producer_ids::VERSION)),
        ("unused", 0),
        ("nextId", 0x11),
        ("crc", crc),
    ];
    let found = fields(&table("ids field"), &bytes, false);
    assert!(found.iter().map(|(name, value)| (name.as_str(), *value)).eq(expected), "{found:x?}");
}

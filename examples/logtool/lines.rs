//! A line of a dump: named values, as text or as a JSON object.

use std::io::{self, Write};

use headwater::log::{Batch, OffsetIndexEntry, SegmentFiles, StoredRecord, TimeIndexEntry, TimestampType};
use headwater_examples::{output, show};
use serde_json::{Map, Value, json};

/// Named values, in order.
pub(crate) struct Line(Map<String, Value>);

impl Line {
    /// Writes it and a line feed.
    pub(crate) fn write(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut *out, &self.0)?;
            return writeln!(out);
        }
        for (number, (name, value)) in self.0.iter().enumerate() {
            let space = if number > 0 { " " } else { "" };
            match (name.as_str(), value) {
                // Milliseconds are for programs.
                (name, Value::Number(ms)) if name.ends_with("timestamp") || name.ends_with("_ms") => {
                    let name = name.trim_end_matches("_ms");
                    write!(out, "{space}{name}={}", show::moment(ms.as_i64().unwrap_or(-1)))?;
                }
                // Quoted, so that a line stays a line and a value one value.
                (name, value) => write!(out, "{space}{name}={value}")?,
            }
        }
        writeln!(out)
    }

    fn new(values: Value) -> Self {
        let Value::Object(values) = values else { return Self(Map::new()) };
        Self(values)
    }
}

/// A record.
pub(crate) fn record(record: &StoredRecord) -> Line {
    let mut line = Map::new();
    let headers = output::insert_record(&mut line, record);
    if !headers.is_empty() {
        line.insert("headers".to_owned(), headers.into());
    }
    Line(line)
}

/// A record of one of several partitions.
pub(crate) fn consumed(partition: u32, record: &StoredRecord) -> Line {
    let mut line = Map::new();
    line.insert("partition".to_owned(), partition.into());
    line.extend(self::record(record).0);
    Line(line)
}

/// A batch: what its header says, and where it is.
pub(crate) fn batch(batch: &Batch) -> Line {
    let log_append_time = batch.timestamp_type() == TimestampType::LogAppendTime;
    let mut line = Line::new(json!({
        "base_offset": batch.base_offset(),
        "last_offset": batch.last_offset(),
        "records": batch.record_count(),
        "segment": batch.segment(),
        "position": batch.position(),
        "bytes": batch.bytes().len(),
        "leader_epoch": batch.leader_epoch(),
        "codec": batch.codec().to_string(),
        "timestamp_type": if log_append_time { "LogAppendTime" } else { "CreateTime" },
        "base_timestamp": batch.base_timestamp(),
        "max_timestamp": batch.max_timestamp(),
        "transactional": batch.is_transactional(),
        "control": batch.is_control(),
    }));
    if let Some(producer) = batch.producer() {
        line.0.insert("producer_id".to_owned(), producer.id.into());
        line.0.insert("producer_epoch".to_owned(), producer.epoch.into());
        line.0.insert("base_sequence".to_owned(), producer.base_sequence.into());
    }
    line
}

/// An entry of an offset index.
pub(crate) fn offset_entry(segment: u64, entry: &OffsetIndexEntry) -> Line {
    Line::new(json!({ "segment": segment, "offset": entry.offset, "position": entry.position }))
}

/// An entry of a time index.
pub(crate) fn time_entry(segment: u64, entry: &TimeIndexEntry) -> Line {
    Line::new(json!({ "segment": segment, "timestamp": entry.timestamp, "offset": entry.offset }))
}

/// A durable mark; a segment without one has null.
pub(crate) fn mark(segment: &SegmentFiles) -> Line {
    let Some(mark) = &segment.mark else {
        return Line::new(
            json!({ "segment": segment.base_offset, "mark": null, "log_bytes": segment.log_bytes }),
        );
    };
    Line::new(json!({
        "segment": segment.base_offset,
        "sealed": mark.sealed,
        "position": mark.position,
        "log_bytes": segment.log_bytes,
        "next_offset": mark.next_offset,
        "may_have_gaps": mark.may_have_gaps,
        "first_append_ms": mark.first_append_ms,
        "last_append_ms": mark.last_append_ms,
        "max_timestamp": mark.max_timestamp,
        "leader_epoch": mark.leader_epoch,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &Line, json: bool) -> String {
        let mut out = Vec::new();
        line.write(&mut out, json).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_stays_a_line_whatever_is_in_it() {
        let line = Line::new(json!({ "offset": 7, "timestamp": 1_500, "value": "a\n\"b\"" }));
        assert_eq!(
            written(&line, false),
            "offset=7 timestamp=1970-01-01T00:00:01.500Z value=\"a\\n\\\"b\\\"\"\n"
        );
        assert_eq!(written(&line, true), "{\"offset\":7,\"timestamp\":1500,\"value\":\"a\\n\\\"b\\\"\"}\n");
    }
}

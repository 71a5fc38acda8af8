//! A record as a line, or as a JSON object.

use std::fmt::Write as _;
use std::io::{self, Write};

use headwater::log::StoredRecord;
use headwater_examples::{output, show};
use serde_json::{Map, Value};

/// So many bytes of a value that is not text are shown on a line.
const BYTES_SHOWN: usize = 32;

/// Writes one record and a line feed.
pub(crate) fn write(
    out: &mut impl Write,
    json: bool,
    topic: &str,
    partition: u32,
    record: &StoredRecord,
) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, &object(topic, partition, record))?;
        writeln!(out)
    } else {
        writeln!(out, "{}", line(topic, partition, record))
    }
}

/// `2026-11-23T08:00:00.123Z mqtt-2@17 factory/line-1/temperature 21.5 {mqtt.qos=1}`
fn line(topic: &str, partition: u32, record: &StoredRecord) -> String {
    let mut line = format!("{} {topic}-{partition}@{} ", show::moment(record.timestamp), record.offset);
    push(&mut line, record.key.as_deref());
    line.push(' ');
    push(&mut line, record.value.as_deref());
    if !record.headers.is_empty() {
        line.push_str(" {");
        for (index, header) in record.headers.iter().enumerate() {
            if index > 0 {
                line.push_str(", ");
            }
            let _ = write!(line, "{}=", header.key.escape_debug());
            push(&mut line, header.value);
        }
        line.push('}');
    }
    line
}

/// Text as text, on one line; other bytes as hexadecimal digits.
fn push(line: &mut String, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        line.push_str("(null)");
        return;
    };
    match std::str::from_utf8(bytes) {
        // Quotes are left as they are: a payload is often JSON.
        Ok(text) => line.extend(text.chars().flat_map(|c| {
            let plain = matches!(c, '"' | '\'') || !(c.is_control() || c == '\\');
            let escaped = (!plain).then(|| c.escape_debug());
            escaped.into_iter().flatten().chain(plain.then_some(c))
        })),
        Err(_) => {
            line.push_str("0x");
            for byte in bytes.iter().take(BYTES_SHOWN) {
                let _ = write!(line, "{byte:02x}");
            }
            if bytes.len() > BYTES_SHOWN {
                let _ = write!(line, ".. ({} bytes)", bytes.len());
            }
        }
    }
}

/// `{topic, partition, offset, timestamp, key, value, headers}`; bytes that are no text under `key_base64`, `value_base64`.
fn object(topic: &str, partition: u32, record: &StoredRecord) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), topic.into());
    object.insert("partition".to_owned(), partition.into());
    let headers = output::insert_record(&mut object, record);
    object.insert("headers".to_owned(), headers.into());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: Option<&[u8]>) -> String {
        let mut line = String::new();
        push(&mut line, bytes);
        line
    }

    #[test]
    fn a_record_stays_on_its_line() {
        assert_eq!(shown(Some(b"21.5")), "21.5");
        assert_eq!(shown(Some("a\nb\t\"c\" \u{fc}\\".as_bytes())), "a\\nb\\t\"c\" \u{fc}\\\\");
        assert_eq!(shown(Some(b"")), "");
        assert_eq!(shown(None), "(null)");
        assert_eq!(shown(Some(&[0xff, 0])), "0xff00");
        assert_eq!(shown(Some(&[0xff; 33])), format!("0x{}.. (33 bytes)", "ff".repeat(32)));
    }
}

//! Records as lines of JSON, and bytes in hex.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use headwater_log::Partition;

use super::Outcome;
use super::author::Known;

/// Says what was appended to a partition.
pub(crate) fn say_known(partition: &Partition, known: &Known) -> Outcome<()> {
    for (offset, sample) in known {
        let headers = sample.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        let content = content_of(sample.timestamp, sample.key.as_deref(), sample.value.as_deref(), headers);
        say(partition, *offset, &content)?;
    }
    Ok(())
}

/// Says what is in a partition, batch by batch.
pub(crate) fn say_found(partition: &Partition) -> Outcome<()> {
    let mut next = partition.start_offset();
    while next < partition.durable_end() {
        let fetched = partition.read(next, 1)?;
        for view in fetched.views() {
            let view = view?;
            let headers = view.headers.iter().map(|header| (header.key, header.value));
            say(partition, view.offset, &content_of(view.timestamp, view.key, view.value, headers))?;
        }
        next = fetched.next_offset();
    }
    Ok(())
}

fn say(partition: &Partition, offset: u64, what: &str) -> io::Result<()> {
    let (topic, number) = (partition.topic(), partition.number());
    writeln!(io::stdout(), r#"{{"topic":"{topic}","partition":{number},"offset":{offset},{what}}}"#)
}

fn content_of<'a>(
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> String {
    let headers: Vec<_> =
        headers.map(|(key, value)| format!("[{},{}]", quoted(Some(key.as_bytes())), quoted(value))).collect();
    let (key, value, headers) = (quoted(key), quoted(value), headers.join(","));
    format!(r#""timestamp":{timestamp},"key":{key},"value":{value},"headers":[{headers}]"#)
}

/// Bytes in hex and quotes, or `null`.
fn quoted(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let mut text = String::with_capacity(bytes.len() * 2 + 2);
    text.push('"');
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    text
}

pub(crate) fn unhex(text: &str) -> Outcome<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|two| Ok(u8::from_str_radix(std::str::from_utf8(two)?, 16)?));
    digits.collect()
}

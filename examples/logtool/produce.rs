//! Appending lines as records.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use headwater::log::producer::{ProducerOptions, Sender};
use headwater::log::{Log, LogOptions, Record, Topic, TopicOptions};

use crate::options::Produce;

/// Appends each line of standard input, and says what was appended, also when not all of it was.
pub(crate) fn run(options: &Produce, out: &mut impl Write) -> Result<ExitCode> {
    if options.create.is_none() && !options.dir.exists() {
        bail!("{} is not a directory with a log; --create makes one", options.dir.display());
    }
    let log = Log::open(&options.dir, LogOptions::default()).context("it cannot be written")?;
    let topic = topic(&log, options)?;
    if let Some(number) = options.partition.filter(|number| *number >= topic.partition_count()) {
        bail!("topic {} has no partition {number}, but {}, from 0", topic.name(), topic.partition_count());
    }
    let producer_options = ProducerOptions::default().ack(options.acks).compression(options.compression);
    let producer = log.producer(producer_options)?;
    let before: Vec<u64> = topic.partitions().map(|partition| partition.appended_end()).collect();
    let sent = send(&producer.sender(&topic), options, io::stdin().lock());
    let flushed = producer.close().context("not all of it is in the log");
    tell(&topic, &before, out)?;
    log.close()?;
    sent.and(flushed)?;
    Ok(ExitCode::SUCCESS)
}

fn topic(log: &Log, options: &Produce) -> Result<Topic> {
    if let Some(topic) = log.topic(&options.topic) {
        return Ok(topic);
    }
    let Some(partitions) = options.create else {
        let names = log.topics().join(", ");
        bail!("there is no topic `{}`; there is: {names}; --create makes one", options.topic);
    };
    Ok(log.create_topic(&options.topic, TopicOptions::default().partitions(partitions))?)
}

/// Sends line after line; an error names the line.
fn send(sender: &Sender, options: &Produce, mut lines: impl BufRead) -> Result<()> {
    // A longer line is refused when it is sent. So no more of it is read.
    let line_bytes_max = sender.topic().options().batch_bytes_max.saturating_add(2);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut lines).take(line_bytes_max).read_until(b'\n', &mut line);
        if read.with_context(|| format!("line {number} cannot be read"))? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let record = match &options.key_separator {
            None => Record::new(text),
            Some(separator) => {
                let Some((key, value)) = split(text, separator.as_bytes()) else {
                    bail!("line {number} has no `{separator}` between key and value");
                };
                Record::new(value).key(key)
            }
        };
        let receipt = match options.partition {
            Some(partition) => sender.send_to(partition, &record),
            None => sender.send(&record),
        };
        // What becomes of it is told by the end, once for all.
        drop(receipt.with_context(|| format!("line {number}"))?);
    }
    Ok(())
}

/// What is before the first separator, and what is behind it.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((text.get(..at)?, text.get(at.checked_add(separator.len())?..)?))
}

fn tell(topic: &Topic, before: &[u64], out: &mut impl Write) -> Result<()> {
    let ends = topic.partitions().map(|partition| (partition.number(), partition.appended_end()));
    let grown: Vec<_> = ends
        .zip(before)
        .map(|((number, end), start)| (number, *start, end))
        .filter(|(_, a, b)| a < b)
        .collect();
    let count: u64 = grown.iter().map(|(_, start, end)| end - start).sum();
    write!(out, "{count} records appended to {}", topic.name())?;
    for (at, (number, start, end)) in grown.iter().enumerate() {
        let between = if at == 0 { ": " } else { ", " };
        write!(out, "{between}partition {number} offsets {start} to {}", end.saturating_sub(1))?;
    }
    writeln!(out)?;
    Ok(())
}

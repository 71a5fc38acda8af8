//! What `tests/interop/kafka/run` lays before Apache Kafka: it writes logs, appends to them, and tells what is in them.
//!
//! ```text
//!   exhibit DIRECTORY write TOPIC SEED [left]       topics TOPIC and TOPIC-stamped; each record that is there, as a line;
//!                                                   `left`: not closed, as a kill leaves it
//!   exhibit DIRECTORY append TOPIC SEED             more records behind those that are there, as lines
//!   exhibit DIRECTORY append-batches TOPIC < HEX    a record batch of somebody else's in each line
//!   exhibit DIRECTORY list TOPIC ...                opens the log and tells what is there
//!   exhibit DIRECTORY packed TOPIC ...              opens the log and tells which batches are compressed
//! ```
//!
//! A line is `{"topic":"t","partition":0,"offset":7,"timestamp":5,"key":null,"value":"6869","headers":[["6b",null]]}`: names and
//! contents in hex. A compressed batch is `{"topic":"t","partition":0,"offset":7,"codec":1,"batch":"00.."}`. The
//! lines of `write` and `append` come from what was appended, not from what is read back.

#![allow(clippy::indexing_slicing, reason = "lists of the program's own making")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fastrand::Rng;
use headwater_log::{
    Ack, Clock, Codec, Fetched, Header, Log, LogOptions, Partition, ReadUpTo, Record, SystemClock,
    TimestampType, TopicOptions,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Batches in each partition that is written.
const BATCHES: u64 = 240;
/// Batches that `append` adds to each partition.
const MORE: u64 = 12;
/// November 2023: far enough back that a broker would not take it for now.
const FIRST_MS: i64 = 1_700_000_000_000;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [directory, "write", topic, seed] => write(directory, topic, seed.parse()?, false),
        [directory, "write", topic, seed, "left"] => write(directory, topic, seed.parse()?, true),
        [directory, "append", topic, seed] => append(directory, topic, seed.parse()?),
        [directory, "append-batches", topic] => append_batches(directory, topic),
        [directory, "list", topics @ ..] => list(directory, topics, say_records),
        [directory, "packed", topics @ ..] => list(directory, topics, say_packed),
        _ => Err("usage: exhibit DIRECTORY write TOPIC SEED [left] | append TOPIC SEED | append-batches TOPIC | list TOPIC ..".into()),
    }
}

/// A clock that goes by what it is told, so that the same seed gives the same bytes.
#[derive(Debug)]
struct Told(AtomicI64);

impl Clock for Told {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Small segments, so that there are many; the distance of index entries is Kafka's own.
fn options() -> TopicOptions {
    TopicOptions::default().segment_bytes(128 * 1024).batch_bytes_max(128 * 1024)
}

fn open(directory: &str, clock: Arc<Told>) -> Outcome<Log> {
    Ok(Log::open(directory, LogOptions::default().topic_defaults(options()).clock(clock))?)
}

/// What one record is made of.
#[derive(Clone)]
struct Sample {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What was appended to a partition, by offset.
type Known = BTreeMap<u64, Sample>;

/// Who makes the records up.
struct Author {
    random: Rng,
    clock: Arc<Told>,
    /// Batches that were appended, as a producer would send them, and what is in them.
    encoded: Vec<(Vec<u8>, Vec<Sample>)>,
}

impl Author {
    fn new(seed: u64, clock: Arc<Told>) -> Self {
        Self { random: Rng::with_seed(seed), clock, encoded: Vec::new() }
    }

    fn sample(&mut self) -> Sample {
        let names = ["", "mqtt.qos", "trace", "trace", "\u{2603} in UTF-8", "null"];
        let largest = if self.random.u8(..100) == 0 { 40_000 } else { 300 };
        let count = self.random.usize(..5);
        let headers = (0..count)
            .map(|_| (names[self.random.usize(..names.len())].to_owned(), self.content(30)))
            .collect();
        // Mostly as late as the batch before or later, often back, seldom ahead, once in a while at the very beginning.
        let wander = match self.random.u16(..400) {
            0 => self.random.i64(0..2_000_000),
            1..=100 => self.random.i64(-5_000_000..0),
            _ => 0,
        };
        let timestamp = if self.random.u8(..200) == 0 { 0 } else { self.clock.now_ms() + wander };
        Sample { timestamp, key: self.content(40), value: self.content(largest), headers }
    }

    /// Null, empty, or bytes of any kind.
    fn content(&mut self, largest: usize) -> Option<Vec<u8>> {
        match self.random.u8(..10) {
            0 => None,
            1 => Some(Vec::new()),
            _ => {
                let bytes = self.random.usize(1..=largest);
                Some((0..bytes).map(|_| self.random.u8(..)).collect())
            }
        }
    }

    /// Appends batches: of one record, of many, and earlier ones that are encoded already.
    fn fill(&mut self, partition: &Partition, stamped: bool, batches: u64) -> Outcome<Known> {
        let mut known = Known::new();
        for number in 0..batches {
            // Half of the batches at the time of the one before: the first of those is the one that the time index names.
            let step = if self.random.bool() { 0 } else { self.random.i64(0..900_000) };
            let now_ms = self.clock.now_ms() + step;
            self.clock.0.store(now_ms, Ordering::Relaxed);
            let (offset, mut samples) = if number % 10 == 9 {
                let (batch, samples) = &self.encoded[self.random.usize(..self.encoded.len())];
                (partition.append_record_batch(batch, Ack::Appended)?, samples.clone())
            } else {
                let count = if number % 3 == 0 { 1 } else { self.random.usize(2..30) };
                let samples: Vec<_> = (0..count).map(|_| self.sample()).collect();
                (append_samples(partition, &samples)?, samples)
            };
            if stamped {
                samples.iter_mut().for_each(|sample| sample.timestamp = now_ms);
            } else {
                self.encoded.push((as_sent(partition, offset)?, samples.clone()));
            }
            known.extend((offset..).zip(samples));
            if number % 40 == 0 {
                partition.sync()?;
            }
        }
        partition.sync()?;
        Ok(known)
    }
}

fn append_samples(partition: &Partition, samples: &[Sample]) -> Outcome<u64> {
    let headers: Vec<Vec<Header<'_>>> = samples
        .iter()
        .map(|sample| {
            sample.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
        })
        .collect();
    let records: Vec<_> = samples
        .iter()
        .zip(&headers)
        .map(|(sample, headers)| Record {
            timestamp: Some(sample.timestamp),
            key: sample.key.as_deref(),
            value: sample.value.as_deref(),
            headers,
        })
        .collect();
    Ok(partition.append_batch(&records, Ack::Appended)?)
}

/// The batch at an offset with the base offset that a producer gives it.
fn as_sent(partition: &Partition, offset: u64) -> Outcome<Vec<u8>> {
    let mut batch = partition.read_up_to(ReadUpTo::Appended, offset, 1)?.bytes().to_vec();
    batch[..8].fill(0);
    Ok(batch)
}

/// The partitions that are filled, each with whether the log gives the time.
fn partitions(log: &Log, topic: &str) -> Outcome<Vec<(Partition, bool)>> {
    let plain = log.open_or_create_topic(topic, options().partitions(2))?;
    let stamped = options().timestamp_type(TimestampType::LogAppendTime);
    let stamped = log.open_or_create_topic(&format!("{topic}-stamped"), stamped)?;
    Ok(plain.partitions().map(|it| (it, false)).chain(stamped.partitions().map(|it| (it, true))).collect())
}

fn write(directory: &str, topic: &str, seed: u64, left: bool) -> Outcome<()> {
    let clock = Arc::new(Told(AtomicI64::new(FIRST_MS)));
    let mut author = Author::new(seed, Arc::clone(&clock));
    let log = open(directory, clock)?;
    for (partition, stamped) in partitions(&log, topic)? {
        let mut known = author.fill(&partition, stamped, BATCHES)?;
        if partition.number() == 1 {
            // In the middle of a segment and, mostly, of a batch.
            let start = partition.delete_records_before(partition.durable_end() / 3)?;
            known = known.split_off(&start);
        }
        say_known(&partition, &known)?;
    }
    if left {
        std::mem::forget(log);
        return Ok(());
    }
    Ok(log.close()?)
}

fn append(directory: &str, topic: &str, seed: u64) -> Outcome<()> {
    // Behind what a broker appended, whose time is now.
    let clock = Arc::new(Told(AtomicI64::new(SystemClock.now_ms())));
    let mut author = Author::new(seed, Arc::clone(&clock));
    let log = open(directory, clock)?;
    for (partition, stamped) in partitions(&log, topic)? {
        say_known(&partition, &author.fill(&partition, stamped, MORE)?)?;
    }
    Ok(log.close()?)
}

fn append_batches(directory: &str, topic: &str) -> Outcome<()> {
    let log = open(directory, Arc::new(Told(AtomicI64::new(FIRST_MS))))?;
    let partition =
        log.open_or_create_topic(topic, options().partitions(1))?.partition(0).ok_or("no partition")?;
    for line in io::stdin().lock().lines() {
        partition.append_record_batch(&unhex(line?.trim())?, Ack::Appended)?;
    }
    Ok(log.close()?)
}

/// Opens the log, which recovers it, and tells every record, or every compressed batch.
fn list(directory: &str, topics: &[&str], tell: fn(&Partition, &Fetched) -> Outcome<()>) -> Outcome<()> {
    let log = open(directory, Arc::new(Told(AtomicI64::new(FIRST_MS))))?;
    for name in topics {
        let topic = log.topic(name).ok_or_else(|| format!("there is no topic {name} in {directory}"))?;
        topic.partitions().try_for_each(|partition| list_partition(&partition, tell))?;
    }
    let found = log.recovery();
    eprintln!("exhibit: {directory}: {} bytes cut", found.bytes_cut());
    Ok(log.close()?)
}

fn list_partition(partition: &Partition, tell: fn(&Partition, &Fetched) -> Outcome<()>) -> Outcome<()> {
    let mut next = partition.start_offset();
    while next < partition.durable_end() {
        // One batch.
        let fetched = partition.read(next, 1)?;
        tell(partition, &fetched)?;
        next = fetched.next_offset();
    }
    Ok(())
}

fn say_records(partition: &Partition, fetched: &Fetched) -> Outcome<()> {
    for view in fetched.views() {
        let view = view?;
        let headers = view.headers.iter().map(|header| (header.key, header.value));
        say(partition, view.offset, &content_of(view.timestamp, view.key, view.value, headers))?;
    }
    Ok(())
}

fn say_packed(partition: &Partition, fetched: &Fetched) -> Outcome<()> {
    for batch in fetched.batches() {
        let batch = batch?;
        if batch.codec() != Codec::NONE {
            let (Codec(codec), bytes) = (batch.codec(), quoted(Some(batch.bytes())));
            say(partition, batch.base_offset(), &format!("\"codec\":{codec},\"batch\":{bytes}"))?;
        }
    }
    Ok(())
}

fn say_known(partition: &Partition, known: &Known) -> Outcome<()> {
    for (offset, sample) in known {
        let headers = sample.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        let content = content_of(sample.timestamp, sample.key.as_deref(), sample.value.as_deref(), headers);
        say(partition, *offset, &content)?;
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

fn unhex(text: &str) -> Outcome<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|two| Ok(u8::from_str_radix(std::str::from_utf8(two)?, 16)?));
    digits.collect()
}

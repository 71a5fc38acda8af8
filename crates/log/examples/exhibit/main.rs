//! What `tests/interop/kafka/run` lays before Apache Kafka: it writes logs, appends to them, and tells what is in them.
//!
//! ```text
//!   exhibit DIRECTORY write TOPIC SEED [packed] [left]   topics TOPIC and TOPIC-stamped; each record that is there, as a line;
//!                                                     `packed`: each batch with a codec of its own, or with none
//!                                                     `left`: not closed, as a kill leaves it
//!   exhibit DIRECTORY append TOPIC SEED               more records behind those that are there, as lines
//!   exhibit DIRECTORY append-batches TOPIC < lines    a record batch of somebody else's in each line, in hex; answers
//!   exhibit DIRECTORY append-numbered TOPIC < lines   ID EPOCH SEQUENCE COUNT: so many records of this producer; answers
//!   exhibit DIRECTORY write-keyed TOPIC SEED             a compacted topic, or more records for it, as lines
//!   exhibit DIRECTORY compact TOPIC                      compacts it: {"from":0,"to":900}, which records for the first time
//!   exhibit DIRECTORY commit TOPIC                       offsets of groups, as {"group":"g","topic":"t","partition":0,"offset":7}
//!   exhibit DIRECTORY list TOPIC ...                  opens the log and tells what is there
//! ```
//!
//! A line is `{"topic":"t","partition":0,"offset":7,"timestamp":5,"key":null,"value":"6869","headers":[["6b",null]]}`: names and
//! contents in hex. The lines of `write` and `append` come from what was appended, not from what is read back. An answer is
//! `{"offset":7}`, with `"duplicate":true` if the batch was there, or `{"error":"OutOfOrderSequence"}`.

#![allow(clippy::indexing_slicing, reason = "lists of the program's own making")]

mod author;
mod groups;
mod keyed;
mod lines;
mod numbered;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use author::Author;
use headwater_log::{Clock, Log, LogOptions, Partition, SystemClock, TimestampType, TopicOptions};
use lines::{say_found, say_known};

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
        [directory, "write", topic, seed, rest @ ..] => write(directory, topic, seed.parse()?, rest),
        [directory, "append", topic, seed] => append(directory, topic, seed.parse()?),
        [directory, "append-batches", topic] => numbered::append_batches(directory, topic),
        [directory, "append-numbered", topic] => numbered::append_numbered(directory, topic),
        [directory, "write-keyed", topic, seed] => keyed::write(directory, topic, seed.parse()?),
        [directory, "compact", topic] => keyed::compact(directory, topic),
        [directory, "commit", topic] => groups::commit(directory, topic),
        [directory, "list", topics @ ..] => list(directory, topics),
        _ => Err("usage: exhibit DIRECTORY write TOPIC SEED [packed] [left] | append TOPIC SEED | append-batches TOPIC | \
            append-numbered TOPIC | write-keyed TOPIC SEED | compact TOPIC | commit TOPIC | list TOPIC .."
            .into()),
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

/// The partitions that are filled, each with whether the log gives the time.
fn partitions(log: &Log, topic: &str) -> Outcome<Vec<(Partition, bool)>> {
    let plain = log.open_or_create_topic(topic, options().partitions(2))?;
    let stamped = options().timestamp_type(TimestampType::LogAppendTime);
    let stamped = log.open_or_create_topic(&format!("{topic}-stamped"), stamped)?;
    Ok(plain.partitions().map(|it| (it, false)).chain(stamped.partitions().map(|it| (it, true))).collect())
}

fn write(directory: &str, topic: &str, seed: u64, how: &[&str]) -> Outcome<()> {
    let clock = Arc::new(Told(AtomicI64::new(FIRST_MS)));
    let mut author = Author::new(seed, Arc::clone(&clock));
    author.packs = how.contains(&"packed");
    let log = open(directory, clock)?;
    for (partition, stamped) in partitions(&log, topic)? {
        let mut known = author.fill(&log, &partition, stamped, BATCHES)?;
        if partition.number() == 1 {
            // In the middle of a segment and, mostly, of a batch.
            let start = partition.delete_records_before(partition.durable_end() / 3)?;
            known = known.split_off(&start);
        }
        say_known(&partition, &known)?;
    }
    if how.contains(&"left") {
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
        say_known(&partition, &author.fill(&log, &partition, stamped, MORE)?)?;
    }
    Ok(log.close()?)
}

/// Opens the log, which recovers it, and tells every record.
fn list(directory: &str, topics: &[&str]) -> Outcome<()> {
    // Now: a clock that stands before a producer was heard of would make it look long silent.
    let log = open(directory, Arc::new(Told(AtomicI64::new(SystemClock.now_ms()))))?;
    for name in topics {
        let topic = log.topic(name).ok_or_else(|| format!("there is no topic {name} in {directory}"))?;
        topic.partitions().try_for_each(|partition| say_found(&partition))?;
    }
    let found = log.recovery();
    let ignored: usize = found.partitions.iter().map(|one| one.snapshots_ignored.len()).sum();
    eprintln!("exhibit: {directory}: {} bytes cut, {ignored} snapshots ignored", found.bytes_cut());
    Ok(log.close()?)
}

//! What the crash tests of real processes run: it appends and says what was acknowledged; it opens again and compares.
//!
//! ```text
//!   bed DIRECTORY append COUNT RUN THREADS [groups]   a line for each acknowledged record: OFFSET ID
//!         | killed, or a system call fails              and for each deletion: deleting OFFSET .. deleted OFFSET
//!         |                                             with groups, the lines of `group.rs`
//!         v
//!   bed DIRECTORY check < those lines                 what still counts of them, or what is missing or wrong
//! ```
//!
//! `cargo x kill` and `cargo x strace` drive it. What the log refuses ends it with the code 3, and with a line
//! that says why; a panic, which ends it as well, or a signal is a fault of the log.

#![allow(clippy::unwrap_used, reason = "numbers of the program's own making")]

mod group;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_log::{Ack, AppendError, Clock, Log, LogOptions, Partition, Record, SystemClock, TopicOptions};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The log refused something: that is no fault of it.
const REFUSED: u8 = 3;
/// A thread panicked.
const PANICKED: i32 = 101;
/// After so many records a thread does the upkeep, and deletes what is older than [`KEPT`] records.
const UPKEEP_EVERY: u64 = 100;
const KEPT: u64 = 150;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [directory, "append", count, run, threads] => append(directory, count, run, threads, false),
        [directory, "append", count, run, threads, "groups"] => append(directory, count, run, threads, true),
        [directory, "check"] => check(directory).map(|()| ExitCode::SUCCESS),
        _ => {
            Err("usage: bed DIRECTORY append COUNT RUN THREADS [groups] | bed DIRECTORY check < LINES".into())
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("bed: {error}");
        ExitCode::FAILURE
    })
}

/// Segments of 16 KiB, so that they are rolled and deleted all the time.
fn topic_options() -> TopicOptions {
    TopicOptions::default()
        .segment_bytes(16 * 1024)
        .index_interval_bytes(512)
        .segment_index_bytes(4096)
        .allocate_ahead_bytes_max(4096)
}

fn open(directory: &str) -> Outcome<(Log, Partition)> {
    let topic = topic_options();
    let log = Log::open(directory, LogOptions::default().topic_defaults(topic))?;
    let partition = log.open_or_create_topic("t", topic)?.partition(0).ok_or("no partition 0")?;
    Ok((log, partition))
}

/// A value that no other record has.
fn value(id: u64) -> Vec<u8> {
    let mut value = id.to_be_bytes().to_vec();
    let [.., last] = id.to_le_bytes().map(|byte| byte | 1);
    value.resize(8 + (id.wrapping_mul(53) % 300) as usize, last);
    value
}

/// One line by one system call, so that a kill leaves whole lines.
fn say(line: &str) {
    let _ = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn append(directory: &str, count: &str, run: &str, threads: &str, with_groups: bool) -> Outcome<ExitCode> {
    let (count, run, threads) = (count.parse::<u64>()?, run.parse::<u64>()?, threads.parse::<u64>()?);
    // A thread that panics ends all of it at once: the others would go on until the kill, and nobody would know.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::exit(PANICKED);
    }));
    // From here on `cargo x strace` lets system calls fail.
    say("begin");
    let done = AtomicU64::new(0);
    let outcome = open(directory).and_then(|(log, partition)| {
        let (partition, done) = (&partition, &done);
        let work = |thread: u64| append_as(&log, partition, run << 32 | thread << 28, count, done);
        let more = move || done.load(Ordering::Relaxed) < count;
        std::thread::scope(|scope| {
            let (log, work) = (&log, &work);
            // The first is this one: strace counts by threads.
            for thread in 1..threads {
                scope.spawn(move || or_end(work(thread)));
            }
            for part in group::parts().filter(|_| with_groups) {
                scope.spawn(move || or_end(group::work(log, part, run, more)));
            }
            work(0)
        })?;
        Ok(log.close()?)
    });
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Ok(refused(&*error)),
    }
}

fn refused(error: &(dyn Error + Send + Sync)) -> ExitCode {
    eprintln!("bed: refused: {error}");
    ExitCode::from(REFUSED)
}

/// What one thread is refused ends all of them.
fn or_end(outcome: Outcome<()>) {
    if let Err(error) = outcome {
        let _ = refused(&*error);
        std::process::exit(i32::from(REFUSED));
    }
}

fn append_as(log: &Log, partition: &Partition, first: u64, count: u64, done: &AtomicU64) -> Outcome<()> {
    for id in first.. {
        let number = done.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            break;
        }
        let value = value(id);
        // Now and then one that the next sync carries along: after a kill it is there as well.
        let ack = if id % 8 == 7 { Ack::Appended } else { Ack::Durable };
        let offset = match partition.append(&Record::new(&value), ack) {
            // Nothing was appended: a full disk heals.
            Err(AppendError::NoSpace(error)) => {
                eprintln!("bed: once more after: {error}");
                partition.append(&Record::new(&value), ack)?
            }
            outcome => outcome?,
        };
        say(&format!("{offset} {id}"));
        if number % UPKEEP_EVERY == UPKEEP_EVERY - 1 {
            log.maintain(SystemClock.now_ms())?;
            let before = partition.durable_end().saturating_sub(KEPT);
            if before > partition.start_offset() {
                say(&format!("deleting {before}"));
                say(&format!("deleted {}", partition.delete_records_before(before)?));
            }
        }
    }
    Ok(())
}

/// What was acknowledged, as far as it is not deleted.
#[derive(Default)]
struct Acknowledged {
    records: BTreeMap<u64, u64>,
    deleted: u64,
    deleting: u64,
    of_groups: group::Acknowledged,
}

impl Acknowledged {
    fn read() -> Outcome<Self> {
        let mut known = Self::default();
        for line in io::stdin().lock().lines() {
            let line = line?;
            let words: Vec<&str> = line.split(' ').collect();
            if known.of_groups.take(&words)? {
                continue;
            }
            match words.as_slice() {
                ["begin"] => {}
                ["deleting", offset] => known.deleting = known.deleting.max(offset.parse()?),
                ["deleted", offset] => known.deleted = known.deleted.max(offset.parse()?),
                [offset, id] => {
                    let (offset, id) = (offset.parse()?, id.parse()?);
                    if let Some(other) = known.records.insert(offset, id).filter(|other| *other != id) {
                        return Err(format!("offset {offset} was given to {other} and to {id}").into());
                    }
                }
                _ => return Err(format!("not a line of ours: {line}").into()),
            }
        }
        Ok(known)
    }
}

/// Opens the log and compares it with what was acknowledged.
fn check(directory: &str) -> Outcome<()> {
    let known = Acknowledged::read()?;
    let (log, partition) = open(directory)?;
    let (start, end) = (partition.start_offset(), partition.durable_end());
    if start < known.deleted || start > known.deleting.max(known.deleted) {
        let (from, to) = (known.deleted, known.deleting);
        return Err(
            format!("the log starts at {start}, and deleted were records before {from} to {to}").into()
        );
    }
    let mut found = BTreeMap::new();
    let mut next = start;
    while next < end {
        for record in &partition.read(next, 1 << 20)? {
            let record = record?;
            let content = record.value.as_deref().unwrap_or_default();
            let id = content.first_chunk().map(|id| u64::from_be_bytes(*id)).unwrap_or_default();
            if record.offset != next || content != value(id) {
                return Err(format!("a wrong record at offset {next}: {}, {content:?}", record.offset).into());
            }
            found.insert(next, id);
            next += 1;
        }
    }
    let counting = known.records.range(start..);
    for (offset, id) in counting.clone() {
        if found.get(offset) != Some(id) {
            return Err(format!(
                "record {id} was acknowledged at {offset}; there is {:?}",
                found.get(offset)
            )
            .into());
        }
    }
    say(&format!("deleting {}", known.deleting.max(known.deleted)));
    say(&format!("deleted {start}"));
    counting.clone().for_each(|(offset, id)| say(&format!("{offset} {id}")));
    let (count, cut_bytes) = (counting.count(), log.recovery().bytes_cut());
    let groups = known.of_groups.check(&log)?;
    eprintln!(
        "bed: records {start} to {end}, {count} of them acknowledged and all there; {groups}; {cut_bytes} bytes cut"
    );
    Ok(log.close()?)
}

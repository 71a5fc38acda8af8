//! One thread appends, two others read what comes.

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use commitlog::message::{MessageBuf, MessageSet};
use commitlog::{CommitLog, LogOptions, ReadLimit};
use headwater_log::{Ack, ReadUpTo, Record};

use super::Run;
use super::bed::{Content, Heat, in_turn};
use super::peer::Peer;
use super::peer::ours::{self, Ours};
use crate::options::Options;

/// The name of the case.
pub const CASE: &str = "one appends, two read what comes, 1 KiB";

/// How many read.
const READERS: usize = 2;

/// Times them in turn. Of the peers `commitlog` alone reads one log from several places while it is written.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    if !CASE.contains(&options.only) {
        return Ok(());
    }
    eprintln!("{CASE}");
    let count = if options.quick { 1_000 } else { 100_000 };
    let heats: Vec<Heat<'_>> = vec![
        (ours::NAME, Box::new(move |dir: &Path| ours(dir, count))),
        ("commitlog", Box::new(move |dir: &Path| behind_a_lock(dir, count))),
    ];
    run.tail.push((CASE.to_owned(), in_turn(options, heats)?));
    Ok(())
}

/// Nanoseconds per record until both readers have the last one.
fn ours(dir: &Path, count: u64) -> f64 {
    let log = <Ours as Peer>::open(dir);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..READERS {
            let partition = log.partition();
            scope.spawn(move || {
                let mut next = 0;
                while next < count {
                    let waited = partition.wait_readable(ReadUpTo::Appended, next, Duration::from_secs(5));
                    assert!(waited.is_ok_and(|came| came), "nothing came behind {next}");
                    let fetched = partition.read_up_to(ReadUpTo::Appended, next, 1 << 20);
                    let fetched = fetched.unwrap_or_else(|error| panic!("{error}"));
                    for view in &mut fetched.views() {
                        let number = view.ok().and_then(|view| view.value).and_then(Content::number);
                        assert_eq!(number, Some(next));
                        next += 1;
                    }
                }
            });
        }
        let mut content = Content::new(1 << 10);
        for number in 0..count {
            let record = Record::new(content.record(number)).timestamp(1_700_000_000_000);
            log.partition().append(&record, Ack::Appended).unwrap_or_else(|error| panic!("{error}"));
        }
    });
    let ns = begun.elapsed().as_nanos() as f64 / count as f64;
    Peer::close(log);
    ns
}

/// `commitlog` appends by `&mut self`, so it is behind a lock, and its readers look again when there was nothing.
fn behind_a_lock(dir: &Path, count: u64) -> f64 {
    let mut options = LogOptions::new(dir.join("commitlog"));
    options.message_max_bytes(4 << 20).index_max_items(1 << 20);
    let log = Mutex::new(CommitLog::new(options).unwrap_or_else(|error| panic!("{error}")));
    let (log, failed) = (&log, AtomicBool::new(false));
    let lock = || log.lock().unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(move || {
                let mut next = 0;
                while next < count {
                    let read = {
                        let log = log.lock().unwrap_or_else(|error| panic!("{error}"));
                        if log.next_offset() > next {
                            log.read(next, ReadLimit::max_bytes(1 << 20)).ok()
                        } else {
                            None
                        }
                    };
                    let Some(read) = read else {
                        thread::yield_now();
                        continue;
                    };
                    for message in read.iter() {
                        assert_eq!(Content::number(message.payload()), Some(next));
                        next += 1;
                    }
                }
            });
        }
        let (mut content, mut buffer) = (Content::new(1 << 10), MessageBuf::default());
        for number in 0..count {
            buffer.clear();
            let pushed = buffer.push(content.record(number));
            let appended = pushed.is_ok() && lock().append(&mut buffer).is_ok();
            failed.fetch_or(!appended, Ordering::Relaxed);
        }
    });
    assert!(!failed.into_inner(), "an append of commitlog failed");
    begun.elapsed().as_nanos() as f64 / count as f64
}

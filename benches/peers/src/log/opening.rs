//! Opening a log: after its process was killed, after a clean close, and with many partitions.
//!
//! ```text
//!   this process        child: fill     appends, and kills itself or closes
//!                       child: open     opens once, says how long that took, what memory and how many descriptors it has then
//! ```
//!
//! Each child is this program again with other arguments, so that nothing of the log is in a process that opens it.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::{Args, ValueEnum};
use headwater_log::{Ack, Log, LogOptions, Record, TopicOptions};
use rustix::process::{Signal, getpid, kill_process};

use super::Run;
use super::bed::{Content, directory};
use super::peer::commitlog::Commitlog;
use super::peer::limit;
use super::peer::ours::Ours;
use super::peer::raft::Raft;
use super::peer::wal_db::WalDb;
use super::peer::walrus::Walrus;
use super::peer::{Peer, ours};
use crate::options::Options;
use crate::timing::median;

/// How large the log is.
const BYTES: usize = 1 << 30;

/// How much is at risk where it is bounded.
const FLUSH_BYTES: u64 = 16 << 20;

/// Names of the cases.
pub const KILLED: &str = "open 1 GiB after a kill, ours synced every 16 MiB";
pub const UNSYNCED: &str = "open 1 GiB after a kill, nothing ever synced";
pub const CLOSED: &str = "open 1 GiB after a clean close";
pub const MANY: &str = "open 1,000 partitions of 10 segments each";

/// The arguments of a child.
#[derive(Args, Clone, Debug)]
pub struct Child {
    /// Of the bench itself: what a process of its own is to do.
    #[arg(long, hide = true)]
    child: Option<Job>,
    /// Of the bench itself: where.
    #[arg(long, hide = true)]
    dir: Option<PathBuf>,
    /// Of the bench itself: how many records.
    #[arg(long, hide = true, default_value_t = 0)]
    records: usize,
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    FillAndDie,
    FillFlushAndDie,
    FillAndClose,
    FillMany,
    Open,
    OpenMany,
}

/// What opening many partitions took.
#[derive(Clone, Copy, Debug)]
pub struct Many {
    /// In all.
    pub ns: f64,
    /// More memory than before, resident.
    pub bytes: f64,
    /// More open descriptors than before.
    pub descriptors: f64,
    /// On disk in all, what is allocated ahead included.
    pub disk_bytes: f64,
}

/// Times them.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    let records = if options.quick { 1_000 } else { BYTES >> 10 };
    for (case, job) in
        [(KILLED, Job::FillFlushAndDie), (UNSYNCED, Job::FillAndDie), (CLOSED, Job::FillAndClose)]
    {
        if !case.contains(&options.only) {
            continue;
        }
        eprintln!("{case}");
        let mut figures = Vec::new();
        for name in [Ours::NAME, Commitlog::NAME, Walrus::NAME, WalDb::NAME, Raft::NAME] {
            if !name.contains(&options.who) {
                continue;
            }
            let mut times = Vec::new();
            for _ in 0..options.rounds().min(3) {
                let dir = directory()?;
                child(job, name, dir.path(), records)?;
                let told = child(Job::Open, name, dir.path(), records)?;
                times.extend(told.first().copied());
            }
            figures.push((name, median(times)));
        }
        if job == Job::FillAndDie {
            // It has to look at all of them.
            figures.push((limit::MAP, checksum(records << 10)?));
        }
        run.open.push((case.to_owned(), figures));
    }
    if MANY.contains(&options.only) && ours::NAME.contains(&options.who) {
        eprintln!("{MANY}");
        let dir = directory()?;
        let partitions = if options.quick { 10 } else { 1_000 };
        child(Job::FillMany, ours::NAME, dir.path(), partitions)?;
        let disk_bytes = disk_bytes(dir.path())? as f64;
        let all: Vec<Vec<f64>> = (0..3)
            .map(|_| child(Job::OpenMany, ours::NAME, dir.path(), partitions))
            .collect::<io::Result<_>>()?;
        let of = |place: usize| median(all.iter().filter_map(|told| told.get(place).copied()).collect());
        run.many = Some(Many { ns: of(0), bytes: of(1), descriptors: of(2), disk_bytes });
    }
    Ok(())
}

/// A checksum over so many bytes: what an open after a kill cannot do without, if it has to look at all.
fn checksum(bytes: usize) -> io::Result<f64> {
    let dir = directory()?;
    let mut log = limit::Mapped::new(dir.path(), bytes);
    let chunk = vec![0x5A; 1 << 20];
    for _ in 0..bytes >> 20 {
        log.append(&chunk);
    }
    let begun = Instant::now();
    std::hint::black_box(crc_fast::crc32_iscsi(log.bytes()));
    Ok(begun.elapsed().as_nanos() as f64)
}

/// Runs this program again; gives the numbers it printed.
fn child(job: Job, who: &str, dir: &Path, records: usize) -> io::Result<Vec<f64>> {
    let job_name = job.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let output = Command::new(env::current_exe()?)
        .args(["--child", &job_name, "--who", who, "--records", &records.to_string(), "--dir"])
        .arg(dir)
        .env("WALRUS_QUIET", "1")
        .output()?;
    assert!(
        output.status.success() || matches!(job, Job::FillAndDie | Job::FillFlushAndDie),
        "{job:?} of {who}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

/// Does what a child is asked for; false if this is no child.
///
/// # Errors
///
/// A log cannot be read.
pub fn child_of(child: &Child, who: &str) -> io::Result<bool> {
    let Some((job, dir)) = child.child.zip(child.dir.as_deref()) else { return Ok(false) };
    match job {
        Job::FillMany => fill_many(dir, child.records),
        Job::OpenMany => open_many(dir, child.records)?,
        _ => match who {
            Ours::NAME => alone::<Ours>(job, dir, child.records),
            Commitlog::NAME => alone::<Commitlog>(job, dir, child.records),
            Walrus::NAME => alone::<Walrus>(job, dir, child.records),
            WalDb::NAME => alone::<WalDb>(job, dir, child.records),
            Raft::NAME => alone::<Raft>(job, dir, child.records),
            _ => panic!("nobody is called {who}"),
        },
    }
    Ok(true)
}

fn alone<P: Peer>(job: Job, dir: &Path, records: usize) {
    let begun = Instant::now();
    let flushing = job == Job::FillFlushAndDie;
    let mut peer = if flushing { P::open_flushing(dir, FLUSH_BYTES) } else { P::open(dir) };
    if job == Job::Open {
        println!("{}", begun.elapsed().as_nanos());
        return;
    }
    let mut content = Content::new(1 << 10);
    for number in 0..records as u64 {
        peer.append(content.record(number));
    }
    if matches!(job, Job::FillAndDie | Job::FillFlushAndDie) {
        // As by `kill -9`: no destructor runs.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    peer.close();
}

fn options_of_many(partitions: usize) -> TopicOptions {
    let partitions = u32::try_from(partitions).unwrap_or(1);
    TopicOptions::default().partitions(partitions).segment_bytes(16 << 10)
}

fn fill_many(dir: &Path, partitions: usize) {
    let log = Log::open(dir, LogOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let topic =
        log.create_topic("many", options_of_many(partitions)).unwrap_or_else(|error| panic!("{error}"));
    let value = vec![0x5A; 12 << 10];
    for partition in topic.partitions() {
        for _ in 0..10 {
            let done = partition.append(&Record::new(&value), Ack::Appended);
            done.unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(partition.segments().len(), 10);
    }
    drop(topic);
    log.close().unwrap_or_else(|error| panic!("{error}"));
}

fn open_many(dir: &Path, partitions: usize) -> io::Result<()> {
    let (bytes, descriptors) = (resident()?, descriptors()?);
    let begun = Instant::now();
    let log = Log::open(dir, LogOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let ns = begun.elapsed().as_nanos();
    let count = log.topic("many").map(|topic| topic.partition_count());
    assert_eq!(count, u32::try_from(partitions).ok());
    println!("{ns} {} {}", resident()? - bytes, self::descriptors()? - descriptors);
    Ok(())
}

/// Bytes of this process in memory.
fn resident() -> io::Result<i64> {
    let told = fs::read_to_string("/proc/self/statm")?;
    let pages = told.split_whitespace().nth(1).and_then(|pages| pages.parse::<i64>().ok());
    Ok(pages.unwrap_or_default() * 4096)
}

fn descriptors() -> io::Result<i64> {
    Ok(fs::read_dir("/proc/self/fd")?.count() as i64)
}

/// What a directory takes on disk.
fn disk_bytes(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { disk_bytes(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(sum)
}

//! Looks at the files of a log, and appends lines to it.
//!
//! ```text
//!   describe  a picture of partitions and segments      read-only, beside a running broker too
//!   dump      records, batches, indexes, marks          read-only, beside a running broker too
//!   groups    how far consumer groups are             read-only, beside a running broker too
//!   consume   records, as a member of a group         opens the log
//!   check     reads everything, changes nothing         takes the lock
//!   repair    sets damaged segments aside               opens the log
//!   produce   appends lines of standard input           opens the log
//!   compact   keeps the last record of each key         opens the log
//! ```
//!
//! Run `cargo run --release --example logtool -- --help` for its options.

mod bar;
mod check;
mod compact;
mod consume;
mod describe;
mod dump;
mod groups;
mod lines;
mod options;
mod produce;
mod repair;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use headwater::log::{Log, ReadOnlyLog, ReadOnlyOptions, ReadOnlyPartition};
use headwater_examples::output::is_broken_pipe;

use crate::options::{Command, Options};

/// It looked and found something, or there is something to do.
const FOUND: u8 = 1;
/// It could not look.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let out = &mut BufWriter::new(io::stdout().lock());
    let outcome = match Options::parse().command {
        Command::Describe(options) => describe::run(&options, out),
        Command::Dump(options) => dump::run(&options, out),
        Command::Groups(options) => groups::run(&options, out),
        Command::Consume(options) => consume::run(&options, out),
        Command::Check(options) => check::run(&options, out),
        Command::Repair(options) => repair::run(&options, out),
        Command::Produce(options) => produce::run(&options, out),
        Command::Compact(options) => compact::run(&options, out),
    };
    let outcome = match (outcome, out.flush()) {
        // Whoever reads has seen enough: `logtool dump .. | head`.
        (Err(error), _) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        // What was found stays found.
        (Ok(_), Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        (outcome, _) => outcome,
    };
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "logtool: {error:#}");
        ExitCode::from(REFUSED)
    })
}

/// Opens a log beside whoever writes it. A directory without topics is a log only if a writer has been there.
fn open(dir: &Path) -> Result<ReadOnlyLog> {
    let log = Log::open_read_only(dir, ReadOnlyOptions::default()).context("it cannot be read")?;
    if log.topics()?.is_empty() && !dir.join(".lock").exists() {
        anyhow::bail!("{} is not a directory with a log", dir.display());
    }
    Ok(log)
}

fn partition(log: &ReadOnlyLog, topic: &str, number: u32) -> Result<ReadOnlyPartition> {
    let found = log.partition(topic, number)?;
    found.with_context(|| {
        let topics = log.topics().unwrap_or_default();
        let names: Vec<String> =
            topics.iter().map(|(name, count)| format!("{name} ({count} partitions)")).collect();
        format!("there is no partition {number} of a topic `{topic}`; there is: {}", names.join(", "))
    })
}

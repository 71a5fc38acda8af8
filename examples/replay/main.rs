//! Prints what is in the log, also while a broker writes it.
//!
//! ```text
//!   partitions --cursor each--> merge by timestamp --> filter --> a line or a JSON object a record
//! ```
//!
//! Run `cargo run --release --example replay -- --help` for its options.

mod cursor;
mod options;
mod output;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use headwater::log::{Log, ReadOnlyLog, ReadOnlyOptions, StoredRecord};
use headwater::store::message::topic_of;
use headwater_examples::output::is_broken_pipe;
use headwater_examples::show::now_ms;

use crate::cursor::{Cursor, NAP};
use crate::options::{From, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    match replay(&options, &mut BufWriter::new(io::stdout().lock())) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough: `replay | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "replay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn replay(options: &Options, out: &mut impl Write) -> Result<()> {
    let log = Log::open_read_only(&options.data, ReadOnlyOptions::default())
        .with_context(|| format!("{} cannot be read", options.data.display()))?;
    let mut cursors = open(&log, options)?;
    loop {
        // The record with the lowest timestamp among the next ones of all partitions.
        let mut first: Option<(i64, usize)> = None;
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if let Some(timestamp) = cursor.peek()?
                && first.is_none_or(|(lowest, _)| timestamp < lowest)
            {
                first = Some((timestamp, index));
            }
        }
        let Some(cursor) = first.and_then(|(_, index)| cursors.get_mut(index)) else {
            out.flush()?;
            if !options.follow {
                return Ok(());
            }
            std::thread::sleep(NAP);
            continue;
        };
        if let Some(record) = cursor.take().filter(|record| is_wanted(options, record)) {
            output::write(out, options.json, &options.topic, cursor.number, &record)?;
        }
    }
}

fn open(log: &ReadOnlyLog, options: &Options) -> Result<Vec<Cursor>> {
    let topics = log.topics()?;
    let Some((_, count)) = topics.iter().find(|(name, _)| *name == options.topic) else {
        let names: Vec<&str> = topics.iter().map(|(name, _)| name.as_str()).collect();
        bail!("{} has no log topic `{}`; it has {names:?}", options.data.display(), options.topic);
    };
    let now_ms = now_ms();
    let mut cursors = Vec::new();
    for number in 0..*count {
        let partition = log.partition(&options.topic, number)?;
        let partition = partition.with_context(|| format!("partition {number} is gone"))?;
        cursors.push(Cursor::open(partition, number, &options.from, now_ms)?);
    }
    if let From::Offset(offset) = options.from
        && let Some(end) = cursors.iter().map(Cursor::position).max().filter(|end| *end < offset)
    {
        let _ = writeln!(
            io::stderr(),
            "replay: no partition has an offset {offset}, the last one ends at offset {end}; a timestamp is written ms:{offset}"
        );
    }
    Ok(cursors)
}

fn is_wanted(options: &Options, record: &StoredRecord) -> bool {
    if options.filter.is_empty() {
        return true;
    }
    topic_of(&record.view())
        .is_some_and(|topic| options.filter.iter().any(|filter| filter.as_filter().matches(topic)))
}

//! What logtool may be told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use headwater::log::{Ack, Compression};

/// Looks at the files of a log: what is there, what is in it, whether it is whole; and appends lines to it.
#[derive(Debug, Clone, Parser)]
#[command(name = "logtool", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is to be done.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Draw every partition and its segments, also beside a running broker
    Describe(Describe),
    /// Print what is in a partition: records, batches, indexes or marks; also beside a running broker
    Dump(Dump),
    /// Show consumer groups and how far each is behind; also beside a running broker
    Groups(Groups),
    /// Print records as a member of a consumer group, and commit what was printed; the log has to be closed
    Consume(Consume),
    /// Read and check everything, changing nothing; the log has to be closed
    ///
    /// Exit status: 0 nothing was found, 1 something was found, 2 it could not look.
    Check(Check),
    /// Set damaged segments aside, and keep what holds of them readable; the log has to be closed
    ///
    /// Exit status: 0 there was nothing to do or it was done, 1 there is something to do, 2 it could not.
    Repair(Repair),
    /// Append each line of standard input as a record; the log has to be closed
    ///
    /// What comes before a line that is refused is appended all the same. Exit status: 0 all lines were appended, 2 not all.
    Produce(Produce),
    /// Keep the last record of each key of a topic; the log has to be closed
    ///
    /// It is for topics of state, as `__headwater_retained`. What it removes is gone: of a topic where each record counts, as `mqtt`,
    /// only the last one of each key stays.
    Compact(Compact),
}

/// Options of `describe`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Describe {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// Only this topic
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Draw with ASCII characters, as it does when the output is no terminal
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// Options of `dump`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Dump {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// The log topic
    pub(crate) topic: String,
    /// The number of the partition
    pub(crate) partition: u32,
    /// The offset to begin with; unless it is given, the first there is
    #[arg(long)]
    pub(crate) from: Option<u64>,
    /// So many lines at most
    #[arg(long)]
    pub(crate) max: Option<u64>,
    /// Print JSON objects
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: What,
}

/// What is dumped.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct What {
    /// Records; this is what it does unless told otherwise
    #[arg(long)]
    pub(crate) records: bool,
    /// Batches: their headers
    #[arg(long)]
    pub(crate) batches: bool,
    /// Entries of the offset indexes
    #[arg(long)]
    pub(crate) index: bool,
    /// Entries of the time indexes
    #[arg(long)]
    pub(crate) timeindex: bool,
    /// Durable marks
    #[arg(long)]
    pub(crate) mark: bool,
}

/// Options of `groups`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Groups {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// Only this group
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Draw with ASCII characters, as it does when the output is no terminal
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// Options of `consume`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Consume {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// The log topic
    pub(crate) topic: String,
    /// The consumer group
    #[arg(long)]
    pub(crate) group: String,
    /// Where the group begins, whatever it has done: earliest, latest or an offset; unless it is given, where it was, or with
    /// the first record there is
    #[arg(long, value_parser = beginning)]
    pub(crate) from: Option<Beginning>,
    /// So many records at most
    #[arg(long)]
    pub(crate) max: Option<u64>,
    /// Go on with what comes, until stopped
    #[arg(long)]
    pub(crate) follow: bool,
    /// Print JSON objects
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With the first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// With this offset, in each partition.
    Offset(u64),
}

fn beginning(text: &str) -> Result<Beginning, String> {
    match text {
        "earliest" => Ok(Beginning::Earliest),
        "latest" => Ok(Beginning::Latest),
        _ => text
            .parse()
            .map(Beginning::Offset)
            .map_err(|_| "it is earliest, latest, or an offset like 1000".to_owned()),
    }
}

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Check {
    /// Folder of the log
    pub(crate) dir: PathBuf,
}

/// Options of `compact`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Compact {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// The log topic
    pub(crate) topic: String,
    /// Only this partition
    pub(crate) partition: Option<u32>,
    /// How long tombstones stay after they were compacted first
    #[arg(long, default_value = "1day")]
    pub(crate) delete_retention: humantime::Duration,
    /// Memory for the keys; what has more is gone through several times
    #[arg(long, default_value = "128MiB")]
    pub(crate) memory: bytesize::ByteSize,
}

/// Options of `repair`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Repair {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// Do it; without this it only says what it would do
    #[arg(long)]
    pub(crate) quarantine: bool,
}

/// Options of `produce`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Produce {
    /// Folder of the log
    pub(crate) dir: PathBuf,
    /// The log topic
    pub(crate) topic: String,
    /// Make the topic, and the log, if it is not there, with so many partitions
    #[arg(long, value_name = "PARTITIONS")]
    pub(crate) create: Option<u32>,
    /// What is before the first of these in a line is the key; every line has to have one
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) key_separator: Option<String>,
    /// The partition; unless it is given, that of the key, or each in turn for a batch
    #[arg(long)]
    pub(crate) partition: Option<u32>,
    /// `none`, `lz4`, `snappy`, `gzip` or `zstd`
    #[arg(long, default_value = "none", value_parser = compression)]
    pub(crate) compression: Compression,
    /// `durable`, or `appended`, which leaves the one sync to the end
    #[arg(long, default_value = "durable", value_parser = ack)]
    pub(crate) acks: Ack,
}

fn compression(name: &str) -> Result<Compression, &'static str> {
    Ok(match name {
        "none" => Compression::None,
        "lz4" => Compression::Lz4,
        "snappy" => Compression::Snappy,
        "gzip" => Compression::GZIP,
        "zstd" => Compression::ZSTD,
        _ => return Err("it is none of none, lz4, snappy, gzip, zstd"),
    })
}

fn ack(name: &str) -> Result<Ack, &'static str> {
    match name {
        "durable" => Ok(Ack::Durable),
        "appended" => Ok(Ack::Appended),
        _ => Err("it is neither durable nor appended"),
    }
}

//! What logtool may be told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Looks at the files of a log: what is there, what is in it, whether it is whole.
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
    /// Read and check everything, changing nothing; the log has to be closed
    ///
    /// Exit status: 0 nothing was found, 1 something was found, 2 it could not look.
    Check(Check),
    /// Set damaged segments aside, and keep what holds of them readable; the log has to be closed
    ///
    /// Exit status: 0 there was nothing to do or it was done, 1 there is something to do, 2 it could not.
    Repair(Repair),
    /// Keep the last record of each key of a topic; the log has to be closed
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

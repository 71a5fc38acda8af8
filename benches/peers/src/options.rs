//! The options that all areas share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Times our crate beside its peers and prints the table and the targets.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// A smoke run: every answer is compared, every figure is worthless.
    #[arg(long)]
    pub quick: bool,
    /// Times each this many times, in turn.
    #[arg(long, default_value_t = 15)]
    pub rounds: usize,
    /// How long each is timed in a round, in milliseconds.
    #[arg(long, default_value_t = 20)]
    pub slice_millis: u64,
    /// Runs only the cases whose name contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Runs only the area whose name contains this, such as `decode`; see the headings of the figures.
    #[arg(long, default_value = "")]
    pub area: String,
    /// Times only those whose name contains this, for a profiler to look at; the targets need all.
    #[arg(long, default_value = "")]
    pub who: String,
    /// Writes all figures to this file, too.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Options {
    /// How often each is timed.
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// How long each is timed in a round.
    pub fn slice(&self) -> Duration {
        if self.quick { Duration::from_micros(200) } else { Duration::from_millis(self.slice_millis) }
    }
}

//! What the accounts may be told.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Keeps accounts: deposits and withdrawals in a log, balances rebuilt from them.
#[derive(Debug, Parser)]
#[command(name = "event_sourcing", version)]
pub(crate) struct Options {
    /// Folder of the log
    #[arg(long, default_value = "./accounts")]
    pub(crate) data: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Book some deposits and withdrawals, to have something to look at
    Sample {
        /// How many
        #[arg(default_value_t = 1_000)]
        count: u32,
    },
    /// Rebuild the balances from all bookings, and print them
    Balances {
        /// Then book what is typed, a line each like 'alice deposit 10', and print what changes, until the end of the input
        #[arg(long)]
        follow: bool,
    },
}

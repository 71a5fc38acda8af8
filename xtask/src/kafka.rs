//! `cargo x kafka [--version V]`: Apache Kafka, kafka-python and aiokafka as judges of the log's files.
//!
//! ```text
//!   crates/log/examples/exhibit      writes logs, appends, tells what is in them
//!           |
//!   tests/interop/kafka/run          lays them before the judges, and theirs before us
//! ```
//!
//! Where Kafka cannot be had, for want of Java, Maven or an answer of Maven Central, this says so and what is left is checked.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo, program};
use crate::python;

/// The exit status by which the judge says that Kafka could not be asked.
const SKIPPED: i32 = 77;

/// Whether Kafka was asked.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Everything was checked, and holds.
    Yes,
    /// What could be checked without Kafka holds.
    No,
}

pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<Asked> {
    let build = ["build", "--locked", "--package", "headwater-log", "--example", "exhibit", "--all-features"];
    command::run(&mut cargo(root, &build))?;
    python::install(root)?;
    let mut judge = program(root, "tests/interop/kafka/run", arguments);
    let status = judge.status().context("tests/interop/kafka/run cannot be started; it needs python3")?;
    match status.code() {
        Some(0) => Ok(Asked::Yes),
        Some(SKIPPED) => Ok(Asked::No),
        _ => bail!("the judge of the log's files: {status}"),
    }
}

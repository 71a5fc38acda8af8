//! The commit log beside six others.
//!
//! ```text
//!   append    one record a call, a thousand a call, how long a call takes     append.rs
//!   producer  one record a send, gathered                               producer.rs
//!   durable   eight threads that wait for the disk                            durable.rs
//!   read      all in order, any by offset                                     reading.rs
//!   tail      one appends, two read what comes                                tailing.rs
//!   open      after a kill, after a clean close, many partitions              opening.rs
//! ```

pub mod append;
pub mod bed;
pub mod durable;
pub mod opening;
pub mod peer;
pub mod plot;
pub mod producer;
pub mod reading;
pub mod tailing;
pub mod targets;

use crate::options::Options;
use crate::report::Figures;

/// What `--area` picks from.
pub const AREAS: [&str; 6] = ["append", "producer", "durable", "read", "tail", "open"];

/// All figures of a run, nanoseconds per record where nothing else is said.
#[derive(Debug, Default)]
pub struct Run {
    /// One record a call, and a thousand.
    pub append: Figures,
    /// One call: p50, p99, p999.
    pub latency: Vec<append::Latency>,
    /// One record a send.
    pub producer: Figures,
    /// Eight threads that wait for the disk.
    pub durable: Figures,
    /// All in order.
    pub sequential: Figures,
    /// One by its offset, the median.
    pub random: Figures,
    /// One appends while two read.
    pub tail: Figures,
    /// To open a log, nanoseconds in all.
    pub open: Figures,
    /// Many partitions.
    pub many: Option<opening::Many>,
}

/// Compares all answers, and times all cases.
///
/// # Errors
///
/// A directory for a log cannot be made.
pub fn run(options: &Options) -> std::io::Result<Run> {
    let [append, producer, durable, read, tail, open] = AREAS.map(|area| area.contains(&options.area));
    let mut run = Run::default();
    if append {
        append::run(options, &mut run)?;
    }
    if producer {
        producer::run(options, &mut run)?;
    }
    if durable {
        durable::run(options, &mut run)?;
    }
    if read {
        reading::run(options, &mut run)?;
    }
    if tail {
        tailing::run(options, &mut run)?;
    }
    if open {
        opening::run(options, &mut run)?;
    }
    Ok(run)
}

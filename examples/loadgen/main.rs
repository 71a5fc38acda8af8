//! A load generator for MQTT brokers, ours or any other: how many messages a second, how late, and whether all arrive.
//!
//! ```text
//!   bell (a thread, where there is a rate) --> publishers (a task each) --> broker --> subscribers (a task each) --> report
//! ```
//!
//! Its clients are `headwater::session::client` around tokio's sockets: [`client`] is the whole of it.
//!
//! Run `cargo run --release --example loadgen -- --help` for its options.

mod bystander;
mod client;
mod latency;
mod memory;
mod options;
mod order;
mod pace;
mod payload;
mod plan;
mod plot;
mod processor;
mod publisher;
mod report;
mod run;
mod subscriber;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::options::Options;

/// Messages are missing.
const NOT_KEPT: u8 = 1;
/// There is no result.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match load(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn load(options: Options) -> Result<ExitCode> {
    // A topic that cannot be is told before anything is connected.
    options.topic(0).with_context(|| format!("--topics {}", options.topics))?;
    // Each client is an open file. Where that is not allowed the connection that is one too many will tell.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads()).enable_all().build()?;
    let (svg, json) = (options.svg.clone(), options.json);
    let report = runtime.block_on(run::run(options))?;
    if let Some(path) = svg {
        let curves =
            [("end to end", "#c8102e", &report.latency), ("acknowledged", "#2a9db5", &report.acknowledged)];
        let title = report.title();
        std::fs::write(&path, plot::svg(&title, &curves))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if json {
        println!("{}", report.object());
    } else {
        println!("{}", report.text());
    }
    Ok(if report.is_kept() { ExitCode::SUCCESS } else { ExitCode::from(NOT_KEPT) })
}

//! `cargo x`: what CI does, and the checks that keep the house in order.
//!
//! | command | what it does |
//! |---|---|
//! | `cargo x ci` | everything below, in the order in which a mistake shows soonest |
//! | `cargo x tidy` | allowed imports between crates, file lengths, unfinished work, the map in `ARCHITECTURE.md`, the list in `docs/conformance.md` |
//! | `cargo x nostd` | builds `xtask/probe`, a `staticlib` with its own panic handler: it fails if `std` leaks in |
//! | `cargo x clients` | the examples against other people's clients, which it installs |
//! | `cargo x kafka [--version V]` | the log's files against Apache Kafka, which it fetches, kafka-python and aiokafka |
//! | `cargo x kill [ROUNDS]` | the log on a real disk with appenders, a producer and members of groups, killed with SIGKILL at random times, 500 of them |
//! | `cargo x kill-broker [KILLS]` | the broker killed with SIGKILL under load, 50 times, with publishers at every QoS and subscribers whose sessions last |
//! | `cargo x strace` | the log on a real disk, with system calls that fail |
//! | `cargo x mutate [WORD ...]` | takes the log's safeguards out, one at a time, and sees the tests that are there for them fail |
//! | `cargo x broker-bench [--quick] [--rounds N] [--svg FOLDER] [WORD ...]` | our broker beside mosquitto, which has to be there: messages a second, processor time, latency, syncs |
//! | `cargo x size` | how many bytes the codec adds to a device's program, by `xtask/size` |

mod bed;
mod broker_bench;
mod ci;
mod clients;
mod command;
mod conformance;
mod kafka;
mod kill;
mod kill_broker;
mod mutate;
mod mutations;
mod nostd;
mod promises;
mod python;
mod size;
mod strace;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// How many rounds `cargo x kill` does unless it is told.
const KILLS: u64 = 500;
/// How many kills `cargo x kill-broker` does unless it is told.
const BROKER_KILLS: u64 = 50;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo x: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = root()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ci"] => ci::run(&root),
        ["tidy"] => tidy::run(&root),
        ["nostd"] => nostd::run(&root),
        ["size"] => size::run(&root),
        ["strace"] => strace::run(&root),
        ["kill"] => kill::run(&root, KILLS),
        ["kill", rounds] => kill::run(&root, rounds.parse().context("the number of rounds")?),
        ["kill-broker"] => kill_broker::run(&root, BROKER_KILLS),
        ["kill-broker", kills] => kill_broker::run(&root, kills.parse().context("the number of kills")?),
        ["broker-bench", rest @ ..] => broker_bench::run(&root, rest),
        ["mutate", words @ ..] => mutate::run(&root, words),
        ["kafka", rest @ ..] => kafka::run(&root, rest).map(drop),
        ["clients"] => clients::run(&root, &[]),
        ["clients", names @ ..] => clients::run(&root, names),
        other => bail!(
            "no such task: {other:?}; there are ci, tidy, nostd, size, strace, kill [ROUNDS], kill-broker [KILLS], kafka [--version V], \
             mutate [WORD ...], clients [NAME ...], broker-bench [--quick] [--rounds N] [--svg FOLDER] [WORD ...]"
        ),
    }
}

/// The workspace's root: the parent of this package.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask has no parent folder")?.to_path_buf())
}

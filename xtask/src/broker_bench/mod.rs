//! `cargo x broker-bench [--quick] [--rounds N] [WORD ...]`: our broker beside mosquitto, under the same load.
//!
//! ```text
//!   for each case, for each round:   mosquitto <- loadgen -> figures
//!                                    broker    <- loadgen -> figures       medians of the rounds are compared
//! ```
//!
//! Both brokers are started anew for each run and listen on the loopback interface. Words choose the cases whose names have one of them:
//! `qos1`, `10x10`, `16B`, `latency`, `syncs`. `--quick` runs each once and briefly: then the figures mean nothing.

mod broker;
mod case;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::broker::{Broker, Kind, Programs};
use self::case::Case;
use self::table::{Latency, Throughput};
use crate::command::{self, cargo, exists};

const ROUNDS: usize = 5;
/// How long a rate is measured, and how long latency.
const SECONDS: u64 = 3;
const LATENCY_SECONDS: u64 = 10;
/// Latency is measured at so many messages a second, far from what either can do.
const LATENCY_RATE: u64 = 1_000;
/// Those whose messages are made durable together.
const SYNC_PUBLISHERS: u32 = 100;

/// How long a broker may take until it listens.
const START: Duration = Duration::from_secs(20);

/// What is run, and how often.
struct Plan {
    quick: bool,
    rounds: usize,
    words: Vec<String>,
}

impl Plan {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut plan = Self { quick: false, rounds: ROUNDS, words: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--quick" => (plan.quick, plan.rounds) = (true, 1),
                "--rounds" => {
                    let rounds = arguments.next().context("--rounds needs a number")?;
                    plan.rounds = rounds
                        .parse()
                        .ok()
                        .filter(|rounds| *rounds > 0)
                        .context("--rounds needs a number")?;
                }
                option if option.starts_with('-') => {
                    bail!("there is no {option}; there are --quick and --rounds N")
                }
                word => plan.words.push(word.to_owned()),
            }
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word))
    }

    fn seconds(&self, seconds: u64) -> u64 {
        if self.quick { 1 } else { seconds }
    }
}

pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let plan = Plan::parse(arguments)?;
    let build = ["build", "--release", "--locked", "--package", "headwater-examples"];
    command::run(&mut cargo(root, &[&build[..], &["--example", "broker", "--example", "loadgen"]].concat()))?;
    let programs = Programs::find(root)?;
    println!("mosquitto: {}, with", programs.mosquitto_version()?);
    broker::MOSQUITTO_CONFIG.lines().for_each(|line| println!("  {line}"));
    println!("broker: its defaults, an empty folder for each run, on a disk unless said otherwise");
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{processors} processors for broker and load together; medians of {} rounds", plan.rounds);

    let mut throughput = Vec::new();
    for case in case::all().filter(|case| plan.wants(&case.name())) {
        throughput.push(compare(&programs, &plan, &case).with_context(|| case.name())?);
        println!("{}", throughput.last().map(Throughput::line).unwrap_or_default());
    }
    let latency = if plan.wants("latency") { latencies(&programs, &plan)? } else { Vec::new() };
    let per_sync = if plan.wants("syncs") { messages_per_sync(&programs, &plan)? } else { None };
    table::print(&throughput, &latency, per_sync);
    if plan.quick {
        println!("\n--quick: one short run each. That all works is all that these figures say.");
    }
    programs.clear()
}

/// One case, both brokers in turn.
fn compare(programs: &Programs, plan: &Plan, case: &Case) -> Result<Throughput> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        for (kind, results) in [(Kind::Mosquitto, &mut theirs), (Kind::Ours, &mut ours)] {
            let broker = Broker::start(programs, kind)?;
            let options = case.options(plan.seconds(SECONDS));
            results.push(broker.load(programs, &options)?);
            broker.stop()?;
        }
    }
    Ok(Throughput::new(case, &theirs, &ours))
}

/// How long messages take that are few.
fn latencies(programs: &Programs, plan: &Plan) -> Result<Vec<Latency>> {
    let kinds = [Kind::Mosquitto, Kind::Ours, Kind::OursInMemory];
    let seconds = plan.seconds(LATENCY_SECONDS).to_string();
    let rate = LATENCY_RATE.to_string();
    let options = ["--qos", "1", "--size", "64", "--rate", &rate, "--seconds", &seconds].map(str::to_owned);
    let mut results = kinds.map(|kind| (kind, Vec::new()));
    for _ in 0..plan.rounds {
        for (kind, results) in &mut results {
            if *kind == Kind::OursInMemory && !broker::has_memory() {
                continue;
            }
            let broker = Broker::start(programs, *kind)?;
            results.push(broker.load(programs, &options)?);
            broker.stop()?;
        }
    }
    let told = results.iter().filter(|(_, results)| !results.is_empty());
    Ok(told.map(|(kind, results)| Latency::new(*kind, results)).collect())
}

/// How many messages one `fdatasync` makes durable where a hundred publishers wait for it, each with one message.
fn messages_per_sync(programs: &Programs, plan: &Plan) -> Result<Option<f64>> {
    if !exists("strace", "--version") {
        println!("SKIPPED: messages for each fdatasync, because there is no strace");
        return Ok(None);
    }
    let (publishers, seconds) = (SYNC_PUBLISHERS.to_string(), plan.seconds(SECONDS).to_string());
    let options = [
        ["--qos", "1"],
        ["--window", "1"],
        ["--publishers", &publishers],
        ["--topics", "load/{}"],
        ["--subscribers", "1"],
        ["--seconds", &seconds],
    ];
    let options = options.concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let broker = Broker::start(programs, Kind::OursTraced)?;
    let result = broker.load(programs, &options)?;
    broker.stop()?;
    let syncs = programs.syncs()?;
    Ok(Some(result.sent / syncs.max(1) as f64))
}

//! `cargo x broker-bench [--quick] [--rounds N] [--svg FOLDER] [WORD ...]`: our broker beside mosquitto, under the same load.
//!
//! ```text
//!   for each case, for each round:   mosquitto <- loadgen -> figures
//!                                    broker    <- loadgen -> figures       medians of the rounds are compared
//! ```
//!
//! Both brokers are started anew for each run and listen on the loopback interface. Words choose the cases whose names have one of them:
//! `qos1`, `10x10`, `16B`, `latency`, `syncs`, `idle`, `slow`, `wildcards`. `--quick` runs each once and briefly: then the figures mean
//! nothing. What it prints behind the first line of a table is what `docs/performance.md` has; `--svg docs` draws its picture.

mod broker;
mod burden;
mod case;
mod group_commit;
mod plot;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::broker::{Broker, Kind, Programs};
use self::case::Case;
use self::table::{Latency, Target, Throughput};
use crate::command::{self, cargo};

const ROUNDS: usize = 5;
/// How long a rate is measured, and how long latency.
const SECONDS: u64 = 2;
const LATENCY_SECONDS: u64 = 5;
/// Latency is measured at so many messages a second, far from what either can do.
const LATENCY_RATE: u64 = 1_000;

/// The name of the picture.
const PICTURE: &str = "broker-throughput.svg";

/// How long a broker may take until it listens.
const START: Duration = Duration::from_secs(20);

/// What is run, and how often.
struct Plan {
    quick: bool,
    rounds: usize,
    svg: Option<PathBuf>,
    words: Vec<String>,
}

impl Plan {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut plan = Self { quick: false, rounds: ROUNDS, svg: None, words: Vec::new() };
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
                "--svg" => plan.svg = Some(arguments.next().context("--svg needs a folder")?.into()),
                option if option.starts_with('-') => {
                    bail!("there is no {option}; there are --quick, --rounds N and --svg FOLDER")
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
    println!(
        "broker: its defaults but for --connections-max, an empty folder for each run, on a disk unless said otherwise"
    );
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{processors} processors for broker and load together; medians of {} rounds", plan.rounds);

    let mut throughput = Vec::new();
    for case in case::all().filter(|case| plan.wants(&case.name())) {
        throughput.push(compare(&programs, &plan, &case).with_context(|| case.name())?);
        println!("{}", throughput.last().map(Throughput::line).unwrap_or_default());
    }
    if let Some(folder) = plan.svg.as_ref().filter(|_| !throughput.is_empty()) {
        let path = folder.join(PICTURE);
        std::fs::write(&path, plot::svg(&throughput))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let targets = targets(&programs, &plan, &throughput)?;
    table::print_throughput(&throughput);
    table::print_targets(&targets);
    if plan.quick {
        println!("\n--quick: one short run each. That all works is all that these figures say.");
    }
    programs.clear()
}

/// What is aimed at beside mosquitto and otherwise.
fn targets(programs: &Programs, plan: &Plan, throughput: &[Throughput]) -> Result<Vec<Target>> {
    let mut all = table::throughput_targets(throughput);
    let mut add = |more: Vec<Target>| {
        more.iter().for_each(|one| println!("{}", one.line()));
        all.extend(more);
    };
    if plan.wants("latency") {
        let fdatasync_us = 1e6 / group_commit::syncs_per_sec(programs)?;
        add(table::latency_targets(&latencies(programs, plan)?, fdatasync_us));
    }
    if plan.wants("syncs") {
        add(group_commit::measure(programs, plan)?);
    }
    if plan.wants("idle") {
        add(vec![burden::idle(programs)?]);
    }
    for qos in [0, 1].into_iter().filter(|_| plan.wants("slow")) {
        add(vec![burden::slow(programs, plan, qos)?]);
    }
    if plan.wants("wildcards") {
        add(vec![burden::wildcards(programs, plan)?]);
    }
    Ok(all)
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

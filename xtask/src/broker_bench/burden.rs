//! What a broker has to carry besides: idle connections, a reader that does not read, subscriptions with wildcards.

use anyhow::Result;

use super::Plan;
use super::broker::{Broker, Figures, Kind, Programs};
use super::table::{Target, median};

/// Connections that do nothing, and what one may cost.
const IDLE: u32 = 10_000;
const IDLE_BYTES_MAX: f64 = 8.0 * 1024.0;
/// Subscribers beside one that does not read, and how much slower it may make them.
const READERS: u32 = 999;
const SLOWER_MAX: f64 = 0.1;
/// Subscriptions with wildcards, few and many, and how much slower many may make it.
const WILDCARDS: [u32; 2] = [10, 100_000];
const WILDCARDS_SLOWER_MAX: f64 = 0.2;
/// How long each is measured.
const SECONDS: u64 = 2;

fn load(programs: &Programs, kind: Kind, options: &[(&str, u64)]) -> Result<Figures> {
    let options: Vec<String> =
        options.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]).collect();
    let broker = Broker::start(programs, kind)?;
    let result = broker.load(programs, &options)?;
    broker.stop()?;
    Ok(result)
}

/// Memory of the process for each of many connections that do nothing.
pub(crate) fn idle(programs: &Programs) -> Result<Target> {
    let options = [("--idle", IDLE.into()), ("--rate", 10), ("--messages", 10), ("--warmup", 0)];
    let [theirs, ours] = [Kind::Mosquitto, Kind::Ours].map(|kind| load(programs, kind, &options));
    let (theirs, ours) = (theirs?.idle_bytes, ours?.idle_bytes);
    Ok(Target {
        what: format!("memory for each of {IDLE} idle connections"),
        figure: format!("{ours:.0} B (mosquitto: {theirs:.0} B)"),
        target: format!("at most {IDLE_BYTES_MAX:.0} B"),
        held: ours <= IDLE_BYTES_MAX,
    })
}

/// What others get while one does not read, each quality of service.
pub(crate) fn slow(programs: &Programs, plan: &Plan, qos: u64) -> Result<Target> {
    let seconds = plan.seconds(SECONDS);
    let loads = [0, 1].map(|deaf| {
        [
            ("--qos", qos),
            ("--subscribers", READERS.into()),
            ("--deaf", deaf),
            ("--size", 64),
            ("--seconds", seconds),
        ]
    });
    let [alone, beside] = alternate(programs, plan, loads, |one| one.received_per_sec)?;
    let slower = 1.0 - beside / alone;
    Ok(Target {
        what: format!("QoS {qos} to {READERS} subscribers, beside one that does not read"),
        figure: format!(
            "{beside:.0} messages a second, {alone:.0} without it: {:.1} % slower",
            slower * 100.0
        ),
        target: format!("at most {:.0} % slower", SLOWER_MAX * 100.0),
        held: slower <= SLOWER_MAX,
    })
}

/// What publishing costs among many subscriptions.
pub(crate) fn wildcards(programs: &Programs, plan: &Plan) -> Result<Target> {
    let seconds = plan.seconds(SECONDS);
    let loads = WILDCARDS
        .map(|count| [("--qos", 0), ("--wildcards", count.into()), ("--size", 16), ("--seconds", seconds)]);
    let [few, many] = alternate(programs, plan, loads, |one| one.sent_per_sec)?;
    let slower = 1.0 - many / few;
    let [few_count, many_count] = WILDCARDS;
    Ok(Target {
        what: format!("publishing QoS 0 beside {many_count} subscriptions with wildcards"),
        figure: format!(
            "{many:.0} messages a second, {few:.0} beside {few_count}: {:.1} % slower",
            slower * 100.0
        ),
        target: format!("at most {:.0} % slower", WILDCARDS_SLOWER_MAX * 100.0),
        held: slower <= WILDCARDS_SLOWER_MAX,
    })
}

/// Two loads in turn; the median of a figure of each.
fn alternate<const N: usize>(
    programs: &Programs,
    plan: &Plan,
    loads: [[(&str, u64); N]; 2],
    figure: fn(&Figures) -> f64,
) -> Result<[f64; 2]> {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        for (options, figures) in loads.iter().zip(&mut figures) {
            figures.push(figure(&load(programs, Kind::Ours, options)?));
        }
    }
    Ok(figures.map(|figures| median(figures.into_iter())))
}

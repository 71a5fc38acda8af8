//! The figures of both, and which aims they reach.

use super::broker::{Figures, Kind};
use super::case::Case;

/// At least so many times mosquitto's messages a second.
const RATE_RATIO: f64 = 1.0;
/// At most so much of its processor time for each message.
const PROCESSOR_RATIO: f64 = 0.67;
/// At most so much of its latency, where neither syncs.
const LATENCY_RATIO: f64 = 1.2;

/// Both under one load.
pub(crate) struct Throughput {
    name: String,
    theirs: [f64; 3],
    ours: [f64; 3],
}

impl Throughput {
    pub(crate) fn new(case: &Case, theirs: &[Figures], ours: &[Figures]) -> Self {
        let medians = |all: &[Figures]| {
            [|one: &Figures| one.received_per_sec, |one: &Figures| one.processor_us, |one: &Figures| one.lost]
                .map(|pick: fn(&Figures) -> f64| median(all.iter().map(pick)))
        };
        Self { name: case.name(), theirs: medians(theirs), ours: medians(ours) }
    }

    fn rate_ratio(&self) -> f64 {
        let ([theirs, ..], [ours, ..]) = (self.theirs, self.ours);
        ours / theirs
    }

    fn processor_ratio(&self) -> f64 {
        let ([_, theirs, _], [_, ours, _]) = (self.theirs, self.ours);
        ours / theirs
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Messages a second, of mosquitto and of ours.
    pub(crate) fn rates(&self) -> [f64; 2] {
        let ([theirs, ..], [ours, ..]) = (self.theirs, self.ours);
        [theirs, ours]
    }

    /// Microseconds of processor time for each message, of mosquitto and of ours.
    pub(crate) fn processor_us(&self) -> [f64; 2] {
        let ([_, theirs, _], [_, ours, _]) = (self.theirs, self.ours);
        [theirs, ours]
    }

    /// A row of the table.
    pub(crate) fn line(&self) -> String {
        let ([their_rate, their_us, their_lost], [our_rate, our_us, our_lost]) = (self.theirs, self.ours);
        let lost =
            |share: f64| if share > 0.0 { format!("{:.1} %", share * 100.0) } else { "none".to_owned() };
        let targets = match (self.rate_ratio() >= RATE_RATIO, self.processor_ratio() <= PROCESSOR_RATIO) {
            (true, true) => "held",
            (true, false) => "processor time missed",
            (false, true) => "rate missed",
            (false, false) => "both missed",
        };
        format!(
            "| {} | {their_rate:.0} | {our_rate:.0} | {:.2} | {their_us:.2} | {our_us:.2} | {:.2} | {} | {} | {targets} |",
            self.name,
            self.rate_ratio(),
            self.processor_ratio(),
            lost(their_lost),
            lost(our_lost),
        )
    }
}

/// What was aimed at, and what was measured.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) target: String,
    pub(crate) held: bool,
}

impl Target {
    /// A row of the table.
    pub(crate) fn line(&self) -> String {
        format!("| {} | {} | {} | {} |", self.what, self.figure, self.target, word(self.held))
    }
}

/// One broker with few messages.
pub(crate) struct Latency {
    kind: Kind,
    p50_us: f64,
    p99_us: f64,
}

impl Latency {
    pub(crate) fn new(kind: Kind, all: &[Figures]) -> Self {
        let p50_us = median(all.iter().map(|one| one.p50_us));
        Self { kind, p50_us, p99_us: median(all.iter().map(|one| one.p99_us)) }
    }
}

/// Latency beside mosquitto's, without durability and with it.
pub(crate) fn latency_targets(latency: &[Latency], fdatasync_us: f64) -> Vec<Target> {
    let of = |kind| latency.iter().find(|one| one.kind == kind);
    let Some(theirs) = of(Kind::Mosquitto) else { return Vec::new() };
    let target = |kind, more_us: f64, target: String| {
        let ours = of(kind)?;
        let is_held = |ours: f64, theirs: f64| ours <= LATENCY_RATIO * theirs + more_us;
        Some(Target {
            what: format!(
                "end to end, QoS 1, 1x1, {} messages a second, {}",
                super::LATENCY_RATE,
                kind.name()
            ),
            figure: format!(
                "p50 {:.0} us, p99 {:.0} us (mosquitto: {:.0} and {:.0})",
                ours.p50_us, ours.p99_us, theirs.p50_us, theirs.p99_us
            ),
            target,
            held: is_held(ours.p50_us, theirs.p50_us) && is_held(ours.p99_us, theirs.p99_us),
        })
    };
    let without = format!("at most {LATENCY_RATIO} of mosquitto's");
    let with = format!("{without} and one fdatasync, {fdatasync_us:.0} us here");
    [target(Kind::OursInMemory, 0.0, without), target(Kind::Ours, fdatasync_us, with)]
        .into_iter()
        .flatten()
        .collect()
}

/// How many loads reach each aim.
pub(crate) fn throughput_targets(all: &[Throughput]) -> Vec<Target> {
    if all.is_empty() {
        return Vec::new();
    }
    let target = |what: &str, target: String, is_held: fn(&Throughput) -> bool| {
        let held = all.iter().filter(|one| is_held(one)).count();
        let figure = format!("with {held} of {} loads", all.len());
        Target { what: what.to_owned(), figure, target, held: held == all.len() }
    };
    vec![
        target("messages a second", "at least mosquitto's".to_owned(), |one| one.rate_ratio() >= RATE_RATIO),
        target(
            "processor time for each message",
            format!("at most {PROCESSOR_RATIO} of mosquitto's"),
            |one| one.processor_ratio() <= PROCESSOR_RATIO,
        ),
    ]
}

/// The table of all loads, as markdown.
pub(crate) fn print_throughput(all: &[Throughput]) {
    if all.is_empty() {
        return;
    }
    println!(
        "\nMessages received a second; microseconds of the broker's processor time for each; lost, or 10 s late:\n"
    );
    println!(
        "| load | mosquitto | ours | ratio | mosquitto, us | ours, us | ratio | lost | lost, ours | targets |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---|---|---|");
    all.iter().for_each(|one| println!("{}", one.line()));
}

/// The table of all targets, as markdown.
pub(crate) fn print_targets(all: &[Target]) {
    if all.is_empty() {
        return;
    }
    println!("\n| what | measured | target | |\n|---|---|---|---|");
    all.iter().for_each(|one| println!("{}", one.line()));
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "missed" }
}

/// Half of them are at most this.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    let lower = all.len().saturating_sub(1) / 2;
    match all.get(lower..=all.len() / 2) {
        Some(middle) => middle.iter().sum::<f64>() / middle.len() as f64,
        None => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_has_as_many_below_as_above() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
        assert!(median([].into_iter()).is_nan());
    }
}

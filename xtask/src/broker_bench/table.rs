//! The figures of both, and which aims they reach.

use super::broker::{Figures, Kind};
use super::case::Case;

/// At least so many times mosquitto's messages a second.
const RATE_RATIO: f64 = 1.0;
/// At most so much of its processor time for each message.
const PROCESSOR_RATIO: f64 = 0.67;
/// At most so much of its latency, where neither syncs.
const LATENCY_RATIO: f64 = 1.2;
/// At least so many messages for each sync.
const MESSAGES_A_SYNC: f64 = 4.0;

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

    /// A row of the table.
    pub(crate) fn line(&self) -> String {
        let ([their_rate, their_us, their_lost], [our_rate, our_us, our_lost]) = (self.theirs, self.ours);
        let lost =
            |share: f64| if share > 0.0 { format!("{:.1} %", share * 100.0) } else { "none".to_owned() };
        format!(
            "| {} | {their_rate:.0} | {our_rate:.0} | {:.2} | {their_us:.2} | {our_us:.2} | {:.2} | {} | {} |",
            self.name,
            self.rate_ratio(),
            self.processor_ratio(),
            lost(their_lost),
            lost(our_lost),
        )
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

/// Prints it all.
pub(crate) fn print(throughput: &[Throughput], latency: &[Latency], per_sync: Option<f64>) {
    if !throughput.is_empty() {
        println!(
            "\nMessages received a second; microseconds of the broker's processor time for each; lost, or 10 s late:\n"
        );
        println!(
            "| load | mosquitto | ours | ratio | mosquitto, us | ours, us | ratio | lost | lost, ours |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        throughput.iter().for_each(|one| println!("{}", one.line()));
    }
    if !latency.is_empty() {
        println!(
            "\nEnd to end, QoS 1, one publisher, one subscriber, {} messages a second:\n",
            super::LATENCY_RATE
        );
        println!("| broker | p50, us | p99, us |\n|---|---|---|");
        latency
            .iter()
            .for_each(|one| println!("| {} | {:.0} | {:.0} |", one.kind.name(), one.p50_us, one.p99_us));
    }
    println!();
    aim("messages a second", throughput, |one| one.rate_ratio() >= RATE_RATIO, "at least mosquitto's");
    let processor = format!("at most {PROCESSOR_RATIO} of mosquitto's");
    aim(
        "processor time for each message",
        throughput,
        |one| one.processor_ratio() <= PROCESSOR_RATIO,
        &processor,
    );
    let of = |kind| latency.iter().find(|one| one.kind == kind);
    if let (Some(theirs), Some(ours)) = (of(Kind::Mosquitto), of(Kind::OursInMemory)) {
        let ratios = [ours.p50_us / theirs.p50_us, ours.p99_us / theirs.p99_us];
        let held = ratios.iter().all(|ratio| *ratio <= LATENCY_RATIO);
        let [p50, p99] = ratios;
        println!(
            "{}: latency without durability at most {LATENCY_RATIO} of mosquitto's: {p50:.2} at p50, {p99:.2} at p99",
            word(held)
        );
    }
    if let Some(per_sync) = per_sync {
        let held = per_sync >= MESSAGES_A_SYNC;
        println!(
            "{}: at least {MESSAGES_A_SYNC} messages for each fdatasync with {} publishers: {per_sync:.1}",
            word(held),
            super::SYNC_PUBLISHERS
        );
    }
}

fn aim(what: &str, all: &[Throughput], is_held: impl Fn(&Throughput) -> bool, how: &str) {
    if all.is_empty() {
        return;
    }
    let not: Vec<&str> = all.iter().filter(|one| !is_held(one)).map(|one| one.name.as_str()).collect();
    let held = all.len() - not.len();
    let rest = if not.is_empty() { String::new() } else { format!(", not with {}", not.join(", ")) };
    println!("{}: {what} {how}: with {held} of {} loads{rest}", word(not.is_empty()), all.len());
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "NOT HELD" }
}

/// Half of them are at most this.
fn median(values: impl Iterator<Item = f64>) -> f64 {
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

//! How long messages took.

use hdrhistogram::Histogram;
use serde_json::{Map, Value};

/// What is told of a distribution, by its name and its percentile.
const TOLD: [(&str, f64); 5] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9), ("max", 100.0)];
/// A microsecond is told from the next one, in nanoseconds.
const LOWEST_NS: u64 = 1_000;
/// What took longer is counted as this.
const HIGHEST_NS: u64 = 600_000_000_000;
/// Three digits of each value are right.
const DIGITS: u8 = 3;

/// A distribution of durations in nanoseconds, in 200 KiB however many there are.
#[derive(Debug, Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    #[expect(clippy::expect_used, reason = "the bounds are constants that fit, as the tests see")]
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("the bounds fit"))
    }

    pub(crate) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Takes in another one.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so nothing is refused.
        let _ = self.0.add(&other.0);
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// So many percent took at most so many microseconds.
    pub(crate) fn micros(&self, percent: f64) -> f64 {
        let ns = if percent < 100.0 { self.0.value_at_percentile(percent) } else { self.0.max() };
        ns as f64 / 1e3
    }

    /// `p50 120 us, p90 ..`
    pub(crate) fn line(&self) -> String {
        let told =
            TOLD.map(|(name, percent)| format!("{} {}", name.replace('_', "."), shown(self.micros(percent))));
        told.join("  ")
    }

    /// The same in microseconds, by name.
    pub(crate) fn object(&self) -> Value {
        let told = TOLD.map(|(name, percent)| (format!("{name}_us"), self.micros(percent).into()));
        Value::Object(Map::from_iter(told))
    }
}

/// Microseconds for people, with three digits.
pub(crate) fn shown(micros: f64) -> String {
    let (value, unit) = match micros {
        ..1e3 => (micros, "us"),
        ..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latency = Latency::new();
        let mut other = Latency::new();
        for micros in 1..=1_000 {
            let half = if micros % 2 == 0 { &mut latency } else { &mut other };
            half.record(micros * 1_000);
        }
        latency.add(&other);
        assert_eq!(latency.len(), 1_000);
        for (percent, micros) in [(50.0, 500.0), (90.0, 900.0), (99.9, 999.0), (100.0, 1_000.0)] {
            let found = latency.micros(percent);
            assert!((found - micros).abs() <= micros / 500.0, "{percent}: {found}");
        }
        latency.record(u64::MAX);
        assert!(latency.micros(100.0) >= 600e6);
    }

    #[test]
    fn durations_are_shown_with_three_digits() {
        for (micros, text) in
            [(0.5, "0.50 us"), (12.34, "12.3 us"), (123.4, "123 us"), (1_500.0, "1.50 ms"), (2e6, "2.00 s")]
        {
            assert_eq!(shown(micros), text);
        }
    }
}

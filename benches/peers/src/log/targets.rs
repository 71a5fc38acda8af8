//! The lines of the tables, and what was to be held.

use super::append::{LATENCY, many, our_latency, single};
use super::peer::{limit, ours};
use super::reading::{again, random, sequential};
use super::{Run, durable, opening, producer, tailing};
use crate::report::{Bound, Figures, Row, Target};

/// The lines of all tables, and the targets.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Nanoseconds per record; to open, in all.
    pub rows: Vec<Row>,
    /// What was to be held.
    pub targets: Vec<Target>,
}

/// Judges a run.
pub fn judge(run: &Run) -> Verdict {
    let mut verdict = Verdict::default();
    let [small, medium, large] = super::bed::SIZES;
    verdict.rows(&run.append, limit::MAP, &[many(small), many(medium)]);
    verdict.rows(&run.producer, limit::WRITE, &[]);
    verdict.rows(&run.durable, durable::LIMIT, &[]);
    for figures in [&run.sequential, &run.random, &run.tail, &run.open] {
        verdict.rows(figures, limit::MAP, &[]);
    }
    verdict.ahead(&single(small), 5.0);
    verdict.of_limit(&single(small), 0.5);
    for case in [many(small), many(medium)] {
        verdict.ahead(&case, 2.0);
        verdict.of_limit(&case, 0.7);
    }
    for case in [producer::case(small), producer::case(medium)] {
        verdict.ahead(&case, 2.0);
        verdict.of_limit(&case, 0.7);
    }
    if let Some(latency) = our_latency(run) {
        for (percent, name, most) in [(50.0, "p50", 0.3), (99.9, "p999", 15.0)] {
            if let Some(ns) = latency.at(percent) {
                verdict.at_most(most, ns / 1e3, format!("{LATENCY}: {name}, microseconds"));
            }
        }
    }
    verdict.ahead(durable::CASE, 1.0);
    verdict.of_limit(durable::CASE, 0.9);
    for bytes in [small, medium, large] {
        for case in [sequential(bytes), again(bytes)] {
            verdict.ahead(&case, 2.0);
            if bytes >= medium {
                verdict.of_limit(&case, 0.7);
            }
        }
        verdict.of_limit(&random(bytes), 0.5);
        verdict.ahead(&random(bytes), 1.0);
    }
    for (case, most) in [(opening::KILLED, 50.0), (opening::UNSYNCED, 50.0), (opening::CLOSED, 5.0)] {
        if let Some(row) = verdict.row(case) {
            verdict.at_most(most, row.ours / 1e6, format!("{case}: milliseconds"));
        }
    }
    if let Some(all) = run.many {
        verdict.at_most(1.0, all.ns / 1e9, format!("{}: seconds", opening::MANY));
        verdict.at_most(100.0, all.bytes / f64::from(1 << 20), format!("{}: MiB of memory", opening::MANY));
        verdict.at_most(100.0, all.descriptors, format!("{}: descriptors", opening::MANY));
    }
    verdict.ahead(tailing::CASE, 3.0);
    verdict
}

impl Verdict {
    /// One row for each case; `written` are those whose limit is a write for each call.
    fn rows(&mut self, figures: &Figures, limit: &str, written: &[String]) {
        for (case, all) in figures {
            let limit = if written.contains(case) { limit::WRITE } else { limit };
            let of = |wanted: &str| all.iter().find(|(name, _)| *name == wanted).map(|(_, ns)| *ns);
            let peers = all.iter().filter(|(name, _)| *name != ours::NAME && !name.starts_with("LIMIT"));
            let best = peers.min_by(|a, b| a.1.total_cmp(&b.1)).copied();
            if let Some(ours) = of(ours::NAME) {
                self.rows.push(Row { case: case.clone(), ours, best, limit: of(limit) });
            }
        }
    }

    fn row(&self, case: &str) -> Option<Row> {
        self.rows.iter().find(|row| row.case == case).cloned()
    }

    fn ahead(&mut self, case: &str, ratio: f64) {
        if let Some(row) = self.row(case)
            && let Some((peer, ns)) = row.best
        {
            self.targets.push(Target {
                what: format!("{case}: best peer ({peer}) / ours"),
                value: ns / row.ours,
                bound: Bound::AtLeast(ratio),
            });
        }
    }

    /// Our speed as a part of the limit's.
    fn of_limit(&mut self, case: &str, part: f64) {
        if let Some(row) = self.row(case)
            && let Some(limit) = row.limit
        {
            self.targets.push(Target {
                what: format!("{case}: speed, as a part of LIMIT's"),
                value: limit / row.ours,
                bound: Bound::AtLeast(part),
            });
        }
    }

    fn at_most(&mut self, most: f64, value: f64, what: String) {
        self.targets.push(Target { what, value, bound: Bound::AtMost(most) });
    }
}

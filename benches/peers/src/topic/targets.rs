//! The lines of the tables, and what was to be held.

use super::matching::Outcome;
use super::peer::{limit, ours};
use super::readers;
use super::workload::Kind;
use super::{Run, one_off, retained};
use crate::report::{Bound, Row, Target};

/// Workload, how many times the best peer's speed at a million filters, or at its own size: names one by one, and names in batches.
const RATIOS: [(Kind, f64); 7] = [
    (Kind::Exact, 12.0),
    (Kind::TenthPlus, 5.0),
    (Kind::HundredthHash, 5.0),
    (Kind::Deep, 8.0),
    (Kind::Crowd, 20.0),
    (Kind::AllMatch, 8.0),
    (Kind::NoneMatch, 10.0),
];

/// The lines of all tables, and the targets.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Nanoseconds per publish.
    pub publish: Vec<Row>,
    /// Nanoseconds per change.
    pub change: Vec<Row>,
    /// Bytes per subscription.
    pub bytes: Vec<Row>,
    /// One-off and retained, nanoseconds.
    pub single: Vec<Row>,
    /// What was to be held.
    pub targets: Vec<Target>,
}

/// Judges a run.
pub fn judge(run: &Run) -> Verdict {
    let mut verdict = Verdict::default();
    for outcome in &run.outcomes {
        verdict.workload(outcome);
    }
    for (case, figures) in run.one_off.iter().chain(&run.retained) {
        let Some(row) = row(case.clone(), figures, &[]) else { continue };
        let most = match case.as_str() {
            one_off::MATCH | one_off::NO_MATCH => Some((30.0, "nanoseconds", 1.0)),
            retained::FEW => Some((5.0, "microseconds", 1e3)),
            retained::MANY => Some((5.0, "milliseconds", 1e6)),
            _ => None,
        };
        if let Some((most, unit, part)) = most {
            verdict.at_most(most, row.ours / part, format!("{case}: {unit}"));
        }
        verdict.single.push(row);
    }
    if let Some(all) = &run.readers {
        let what = format!("{}: speed kept by the slower while the writer writes", readers::CASE);
        verdict.at_least(0.9, all.kept, what);
    }
    verdict
}

impl Verdict {
    fn workload(&mut self, outcome: &Outcome) {
        let Outcome { kind, case, .. } = outcome;
        let wrong: Vec<_> = outcome.faults.iter().map(|(name, _)| *name).collect();
        let judged = outcome.size >= 1_000_000 || Kind::FIXED.contains(kind);
        let Some(publish) = row(case.clone(), &outcome.publish, &wrong) else { return };
        let batched = row_of(ours::BATCHED, format!("{case}, in batches"), &outcome.publish, &wrong);
        if judged {
            for (_, ratio) in RATIOS.iter().filter(|(which, _)| which == kind) {
                self.ahead(*ratio, &publish);
                batched.iter().for_each(|batched| self.ahead(*ratio, batched));
            }
            if let (Kind::Exact, Some(limit)) = (kind, publish.limit) {
                self.at_most(1.5, publish.ours / limit, format!("{case}: ours / one hash lookup"));
            }
        }
        self.publish.push(publish);
        self.publish.extend(batched);
        // Both were to be judged where there are only exact filters and where there are many wildcards.
        if !judged || !matches!(kind, Kind::Exact | Kind::Deep) {
            return;
        }
        for (what, figures, ratio) in
            [("subscribe", &outcome.subscribe, 5.0), ("unsubscribe", &outcome.unsubscribe, 8.0)]
        {
            let Some(row) = row(format!("{case}: {what}"), figures, &wrong) else { continue };
            self.ahead(ratio, &row);
            self.change.push(row);
        }
        if let Some(row) = row(format!("{case}: bytes per subscription"), &outcome.bytes, &wrong) {
            let most = if *kind == Kind::Exact { 70.0 } else { 110.0 };
            self.at_most(most, row.ours, row.case.clone());
            self.bytes.push(row);
        }
    }

    fn ahead(&mut self, ratio: f64, row: &Row) {
        if let Some((peer, ns)) = row.best {
            self.at_least(ratio, ns / row.ours, format!("{}: best peer ({peer}) / ours", row.case));
        }
    }

    fn at_least(&mut self, least: f64, value: f64, what: String) {
        self.targets.push(Target { what, value, bound: Bound::AtLeast(least) });
    }

    fn at_most(&mut self, most: f64, value: f64, what: String) {
        self.targets.push(Target { what, value, bound: Bound::AtMost(most) });
    }
}

/// Ours, the best of the others that were right, and the limit. `None` without ours.
fn row(case: String, figures: &[(&'static str, f64)], wrong: &[&str]) -> Option<Row> {
    row_of(ours::NAME, case, figures, wrong)
}

/// As [`row`], of ours the one with this name.
fn row_of(name: &str, case: String, figures: &[(&'static str, f64)], wrong: &[&str]) -> Option<Row> {
    let of = |wanted: &str| figures.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let is_peer = |name: &str| {
        !name.starts_with(ours::NAME) && !name.starts_with(limit::NAME) && name != retained::OUR_SCAN
    };
    let peers = figures.iter().filter(|(name, _)| is_peer(name) && !wrong.contains(name));
    let best = peers.min_by(|a, b| a.1.total_cmp(&b.1)).copied();
    Some(Row { case, ours: of(name)?, best, limit: of(limit::NAME) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_wrong_is_not_the_best() {
        let figures =
            [(ours::NAME, 10.0), ("fast", 20.0), ("right", 30.0), (limit::NAME, 5.0), (limit::SIP, 6.0)];
        let best = |wrong: &[&str]| row(String::new(), &figures, wrong).and_then(|row| row.best);
        assert_eq!(best(&[]), Some(("fast", 20.0)));
        assert_eq!(best(&["fast"]), Some(("right", 30.0)));
        assert_eq!(best(&["fast", "right"]), None);
    }
}

//! The lines of the table, and what was to be held.

use super::Run;
use super::case::Case;
use super::peer::{kit, limit, mqttrs, ntex, ours, rmqtt, rumqttc};
use crate::report::{Bound, Row, Target};

/// Who speaks 5.0, and decodes.
const SPEAK_V5: [&str; 4] = [rumqttc::NAME, rmqtt::NAME, ntex::NAME, kit::NAME];

/// Everybody's nanoseconds in one case.
struct Heat<'a>(&'a [(&'static str, f64)]);

impl Heat<'_> {
    fn of(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, ns)| *ns)
    }

    fn best(&self, among: impl Fn(&str) -> bool) -> Option<(&'static str, f64)> {
        let all = self.0.iter().filter(|(name, _)| among(name));
        all.min_by(|a, b| a.1.total_cmp(&b.1)).copied()
    }

    fn best_peer(&self) -> Option<(&'static str, f64)> {
        self.best(|name| !name.starts_with(ours::NAME) && !name.starts_with(limit::NAME))
    }

    fn row(&self, case: String, ours: &str, limit: &str) -> Option<Row> {
        Some(Row { case, ours: self.of(ours)?, best: self.best_peer(), limit: self.of(limit) })
    }
}

/// The lines of the four tables (decode, encode, vectored, fan-out), and the targets.
pub fn judge(cases: &[Case], run: &Run) -> ([Vec<Row>; 4], Vec<Target>) {
    let mut targets = Vec::new();
    let case = |name: &str| cases.iter().find(|case| case.name == name);
    let mut decode = Vec::new();
    for (name, heat) in &run.decode {
        if let Some(case) = case(name) {
            decoded(case, &Heat(heat), &mut decode, &mut targets);
        }
    }
    let mut encode = Vec::new();
    for (name, heat) in &run.encode {
        encoded(name, &Heat(heat), &mut encode, &mut targets);
    }
    let mut vectored = Vec::new();
    for (name, heat) in &run.vectored {
        let heat = Heat(heat);
        vectored.extend(heat.row(name.clone(), ours::NAME, limit::NAME));
        if let Some(value) = heat.of(ours::NAME) {
            let what = format!("vectored, {name}: nanoseconds");
            targets.push(Target { what, value, bound: Bound::AtMost(30.0) });
        }
        at_least_as_fast("vectored", name, heat.of(ours::NAME), heat.best_peer(), &mut targets);
    }
    let mut fan_out = Vec::new();
    for (name, heat) in &run.fan_out {
        let heat = Heat(heat);
        let (Some(stamped), Some(heads)) = (heat.of(ours::STAMPED), heat.of(ours::HEADS)) else { continue };
        let best = Some((ours::HEADS, heads));
        fan_out.push(Row { case: name.clone(), ours: stamped, best, limit: None });
        if let Some(whole) = heat.of(ours::WHOLE) {
            let what = format!("fan-out to 1,000, {name}: packets encoded / stamped");
            targets.push(Target { what, value: whole / stamped, bound: Bound::AtLeast(5.0) });
        }
    }
    ([decode, encode, vectored, fan_out], targets)
}

fn decoded(case: &Case, heat: &Heat<'_>, rows: &mut Vec<Row>, targets: &mut Vec<Target>) {
    let name = case.name;
    let most = if case.properties { 1.6 } else { 1.3 };
    let ways = [
        (ours::NAME, limit::NAME, ""),
        (ours::ITERATED, limit::ITERATED, ", all iterated"),
        (ours::FRAMES, limit::NAME, ", FrameReader"),
    ];
    for (ours, limit, way) in ways {
        let Some(row) = heat.row(format!("{name}{way}"), ours, limit) else { continue };
        if let Some(limit) = row.limit.filter(|_| ours != ours::FRAMES) {
            targets.push(Target {
                what: format!("decode, {name}{way}: ours / LIMIT"),
                value: row.ours / limit,
                bound: Bound::AtMost(most),
            });
        }
        rows.push(row);
    }
    // A peer has built its lists, so we are compared with ours iterated, too.
    for (ours, way) in [(ours::NAME, ""), (ours::ITERATED, ", all iterated")] {
        let Some(ns) = heat.of(ours) else { continue };
        if let Some((peer, its)) = heat.best(|name| SPEAK_V5.contains(&name)) {
            targets.push(Target {
                what: format!("decode, {name}{way}: best peer of 5.0 ({peer}) / ours"),
                value: its / ns,
                bound: Bound::AtLeast(3.0),
            });
        }
        if let Some(its) = heat.of(mqttrs::NAME) {
            targets.push(Target {
                what: format!("decode, {name}{way}: mqttrs / ours"),
                value: its / ns,
                bound: Bound::AtLeast(1.5),
            });
        }
    }
}

fn encoded(name: &str, heat: &Heat<'_>, rows: &mut Vec<Row>, targets: &mut Vec<Target>) {
    for (ours, way) in [(ours::NAME, ", into a slice"), (ours::VEC, ", into a Vec")] {
        let case = format!("{name}{way}");
        at_least_as_fast("encode", &case, heat.of(ours), heat.best_peer(), targets);
        rows.extend(heat.row(case, ours, limit::NAME));
    }
}

fn at_least_as_fast(
    area: &str,
    case: &str,
    ours: Option<f64>,
    best: Option<(&'static str, f64)>,
    targets: &mut Vec<Target>,
) {
    if let (Some(ours), Some((peer, its))) = (ours, best) {
        targets.push(Target {
            what: format!("{area}, {case}: best peer ({peer}) / ours"),
            value: its / ours,
            bound: Bound::AtLeast(1.0),
        });
    }
}

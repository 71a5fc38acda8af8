//! The table, the targets and the file of figures.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub case: String,
    /// Our nanoseconds.
    pub ours: f64,
    /// The fastest peer and its nanoseconds.
    pub best: Option<(&'static str, f64)>,
    /// The nanoseconds of the limit.
    pub limit: Option<f64>,
}

/// Something that was to be held.
#[derive(Clone, Debug)]
pub struct Target {
    /// What is to hold, for which case.
    pub what: String,
    /// What it came to.
    pub value: f64,
    /// The bound.
    pub bound: Bound,
}

/// Which side of a bound is the right one.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// True if it was held.
    pub fn held(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        }
    }
}

/// Every figure of a group of cases: the case, and each contestant with its nanoseconds.
pub type Figures = Vec<(String, Vec<(&'static str, f64)>)>;

/// Prints one line per case, in nanoseconds.
pub fn print_rows(title: &str, rows: &[Row]) {
    print_rows_in("ns", title, rows);
}

/// Prints one line per case, in a unit other than nanoseconds.
pub fn print_rows_in(unit: &str, title: &str, rows: &[Row]) {
    let [ours, its, limit] = ["ours", "its", "LIMIT"].map(|whose| format!("{whose} {unit}"));
    println!("\n{title}\n");
    println!(
        "{:<56} {ours:>10}  {:<22} {its:>10} {:>7} {limit:>11} {:>11}",
        "case", "best peer", "ratio", "ours/LIMIT"
    );
    for row in rows {
        let (name, peer, ratio) = match row.best {
            Some((name, ns)) => (name, format!("{ns:.1}"), format!("{:.2}", ns / row.ours)),
            None => ("-", "-".to_owned(), "-".to_owned()),
        };
        let (limit, over) = match row.limit {
            Some(ns) => (format!("{ns:.1}"), format!("{:.2}", row.ours / ns)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{:<56} {:>10.1}  {name:<22} {peer:>10} {ratio:>7} {limit:>11} {over:>11}",
            row.case, row.ours
        );
    }
}

/// Prints every figure.
pub fn print_figures(title: &str, figures: &Figures) {
    println!("\n{title}");
    for (case, all) in figures {
        println!("\n  {case}");
        let mut all = all.clone();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (name, ns) in all {
            println!("    {name:<28} {ns:>10.1}");
        }
    }
}

/// Prints which targets were held.
pub fn print_targets(targets: &[Target]) {
    println!("\ntargets\n");
    for target in targets {
        let bound = match target.bound {
            Bound::AtLeast(least) => format!(">= {least}"),
            Bound::AtMost(most) => format!("<= {most}"),
        };
        let verdict = if target.held() { "held" } else { "missed" };
        println!("{verdict:<7} {:>8.2} {bound:<8} {}", target.value, target.what);
    }
    let held = targets.iter().filter(|target| target.held()).count();
    println!("\n{held} of {} targets held", targets.len());
}

/// Writes all figures as JSON.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_json(
    path: &Path,
    settings: Value,
    groups: &[(&str, &Figures)],
    rows: &[Row],
    targets: &[Target],
) -> std::io::Result<()> {
    fs::write(path, format!("{:#}\n", to_json(settings, groups, rows, targets)))
}

/// All figures as JSON, for who has more to say than nanoseconds.
pub fn to_json(settings: Value, groups: &[(&str, &Figures)], rows: &[Row], targets: &[Target]) -> Value {
    let group = |figures: &Figures| -> Value {
        let cases = figures.iter().map(|(case, all)| {
            let all: serde_json::Map<_, _> =
                all.iter().map(|(name, ns)| ((*name).to_owned(), json!(ns))).collect();
            (case.clone(), Value::Object(all))
        });
        Value::Object(cases.collect())
    };
    let figures: serde_json::Map<_, _> =
        groups.iter().map(|(name, figures)| ((*name).to_owned(), group(figures))).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "case": row.case, "ours_ns": row.ours, "limit_ns": row.limit,
                "best_peer": row.best.map(|(name, _)| name), "best_peer_ns": row.best.map(|(_, ns)| ns),
            })
        })
        .collect();
    let targets: Vec<_> = targets
        .iter()
        .map(|target| json!({ "what": target.what, "value": target.value, "held": target.held() }))
        .collect();
    json!({ "settings": settings, "rows": rows, "targets": targets, "figures_ns": figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_on_its_bound_is_held() {
        let target = |value, bound| Target { what: String::new(), value, bound }.held();
        assert!(target(3.0, Bound::AtLeast(3.0)) && target(3.0, Bound::AtMost(3.0)));
        assert!(!target(2.9, Bound::AtLeast(3.0)) && !target(3.1, Bound::AtMost(3.0)));
        assert!(!target(f64::NAN, Bound::AtLeast(3.0)) && !target(f64::NAN, Bound::AtMost(3.0)));
    }
}

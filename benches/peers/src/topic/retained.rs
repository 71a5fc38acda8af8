//! The other direction: a filter against all names there are. No peer has it, so what stands beside it is a list that is
//! searched from end to end.

use std::hint::black_box;
use std::rc::Rc;

use super::naive;
use super::peer::ours;
use crate::options::Options;
use crate::report::Figures;
use crate::timing::{Contestant, medians};

/// The case with few hits, and the one with many.
pub const FEW: &str = "retained, 99,000 names, 3 hits";
pub const MANY: &str = "retained, 99,000 names, 9,900 hits";

/// Names of the lists.
pub const SCAN: &str = "linear scan, rumqttc";
pub const OUR_SCAN: &str = "linear scan, ours";

/// Name, filter, hits, and how many to a page.
const CASES: [(&str, &str, usize, Option<usize>); 4] = [
    (FEW, "site/7/line/3/sensor/12/+", 3, None),
    ("retained, 99,000 names, 300 hits with 100 seeks", "site/+/line/3/sensor/12/+", 300, None),
    (MANY, "site/+/line/3/#", 9_900, None),
    ("retained, 99,000 names, all by # in pages of 1,000", "#", 99_000, Some(1000)),
];

/// Nanoseconds per filter, all hits copied.
pub fn run(options: &Options) -> Figures {
    let mut figures = Figures::new();
    let cases: Vec<_> = CASES.into_iter().filter(|case| case.0.contains(&options.only)).collect();
    if cases.is_empty() {
        return figures;
    }
    let names = names();
    let (mut tree, mut scanned) = (ours::Retained::default(), ours::Scanned::default());
    for (value, name) in (0..).zip(&names) {
        tree.insert(name, value);
        scanned.insert(name, value);
    }
    let (tree, scanned, names) = (Rc::new(tree), Rc::new(scanned), Rc::new(names));
    for (case, filter, hits, page) in cases {
        eprintln!("{case}");
        let expected: Vec<u32> = (0..)
            .zip(names.iter())
            .filter(|(_, name)| naive::matches(filter, name))
            .map(|(value, _)| value)
            .collect();
        assert_eq!(expected.len(), hits, "{case}");
        let (tree, scanned, names) = (Rc::clone(&tree), Rc::clone(&scanned), Rc::clone(&names));
        let mut all = vec![
            contestant(ours::NAME, filter, &expected, move |filter, values| match page {
                None => tree.matches(filter, values),
                Some(page) => tree.paged(filter, page, values),
            }),
            contestant(SCAN, filter, &expected, move |filter, values| {
                let matching = (0..).zip(names.iter()).filter(|(_, name)| rumqttc::matches(name, filter));
                values.extend(matching.map(|(value, _)| value));
            }),
            contestant(OUR_SCAN, filter, &expected, move |filter, values| scanned.matches(filter, values)),
        ];
        all.retain(|one| one.name.contains(&options.who));
        let each = medians(&mut all, options.rounds(), options.slice());
        figures.push((case.to_owned(), all.iter().map(|one| one.name).zip(each).collect()));
    }
    figures
}

/// Judged, then ready to be timed.
fn contestant(
    who: &'static str,
    filter: &'static str,
    expected: &[u32],
    find: impl Fn(&str, &mut Vec<u32>) + 'static,
) -> Contestant {
    let mut values = Vec::new();
    find(filter, &mut values);
    values.sort_unstable();
    assert_eq!(values, expected, "{who}: {filter}");
    Contestant::repeated(who, move || {
        values.clear();
        find(black_box(filter), &mut values);
        black_box(&values);
    })
}

/// 100 sites with 10 lines with 33 sensors with 3 names, in random order.
fn names() -> Vec<String> {
    let sensors = (0..33_000).flat_map(|number| {
        let (site, line, sensor) = (number % 100, number / 100 % 10, number / 1000);
        ["temp", "state", "hours"].map(|what| format!("site/{site}/line/{line}/sensor/{sensor}/{what}"))
    });
    let mut names: Vec<_> = sensors.collect();
    fastrand::Rng::with_seed(9).shuffle(&mut names);
    names
}

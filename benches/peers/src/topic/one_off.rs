//! One filter against one name, both as text.

use std::hint::black_box;
use std::rc::Rc;

use fastrand::Rng;

use super::naive;
use super::peer::{engine, ours, paho, quill};
use super::workload::{Kind, Workload};
use crate::options::Options;
use crate::report::Figures;
use crate::timing::{Contestant, medians};

/// The cases that have a bound: the pairs of `benches/topic.rs`, whose branches a processor learns.
pub const MATCH: &str = "one-off, 8 levels, match";
pub const NO_MATCH: &str = "one-off, 8 levels, no match";

/// The same with more pairs than that.
const RANDOM_MATCH: &str = "one-off, 8 levels, 1,024 random pairs, match";
const RANDOM_NO_MATCH: &str = "one-off, 8 levels, 1,024 random pairs, no match";

/// Filter and name.
type Pairs = Vec<(String, String)>;

type Matcher = fn(&str, &str) -> bool;

const ALL: [(&str, Matcher); 6] = [
    (ours::NAME, ours::one_off),
    ("rumqttc", |filter, name| rumqttc::matches(name, filter)),
    ("mqttbytes", |filter, name| mqttbytes::matches(name, filter)),
    ("paho-mqtt", paho::one_off),
    ("quill-pubsub", quill::one_off),
    ("topic-engine", engine::one_off),
];

/// Nanoseconds per pair.
pub fn run(options: &Options) -> Figures {
    let mut figures = Figures::new();
    let cases = [
        (MATCH, true, known(true)),
        (NO_MATCH, false, known(false)),
        (RANDOM_MATCH, true, random(true)),
        (RANDOM_NO_MATCH, false, random(false)),
    ];
    for (case, expected, pairs) in cases {
        if !case.contains(&options.only) {
            continue;
        }
        let pairs = Rc::new(pairs);
        for (filter, name) in pairs.iter() {
            assert_eq!(naive::matches(filter, name), expected, "{filter} against {name}");
            for (who, matcher) in ALL {
                assert_eq!(matcher(filter, name), expected, "{who}: {filter} against {name}");
            }
        }
        let wanted = ALL.into_iter().filter(|(who, _)| who.contains(&options.who));
        let mut all: Vec<_> = wanted.map(|(who, matcher)| contestant(who, matcher, &pairs)).collect();
        eprintln!("{case}");
        let each = medians(&mut all, options.rounds(), options.slice());
        figures.push((case.to_owned(), all.iter().map(|one| one.name).zip(each).collect()));
    }
    figures
}

/// All pairs per call, so that the call through a pointer is the same small part for each.
fn contestant(who: &'static str, matcher: Matcher, pairs: &Rc<Pairs>) -> Contestant {
    let pairs = Rc::clone(pairs);
    Contestant::many(who, pairs.len() as u64, move || {
        for (filter, name) in pairs.iter() {
            black_box(matcher(black_box(filter), black_box(name)));
        }
    })
}

fn known(matching: bool) -> Pairs {
    let filters = match matching {
        true => ["plant/7/hall/3/line/12/motor/speed", "plant/+/hall/+/line/+/motor/speed"],
        false => ["plant/7/hall/3/line/12/motor/torque", "plant/+/hall/+/line/+/pump/#"],
    };
    filters.map(|filter| (filter.to_owned(), "plant/7/hall/3/line/12/motor/speed".to_owned())).to_vec()
}

/// Filters and names of workload d; one level differs where they are not to match.
fn random(matching: bool) -> Pairs {
    let workload = Workload::new(Kind::Deep, 1024);
    let mut random = Rng::with_seed(3);
    let pair = |filter: &str| {
        let mut name: Vec<String> =
            filter.split('/').map(|level| level.replace('+', &format!("any{}", random.u8(..10)))).collect();
        if !matching {
            let literal = |(place, level): (usize, &str)| (level != "+").then_some(place);
            let literals: Vec<_> = filter.split('/').enumerate().filter_map(literal).collect();
            let differs = random.choice(literals).and_then(|place| name.get_mut(place));
            differs.into_iter().for_each(|level| level.push('0'));
        }
        (filter.to_owned(), name.join("/"))
    };
    workload.filters.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_match_or_differ_in_one_level() {
        assert!(random(true).iter().chain(&known(true)).all(|(filter, name)| naive::matches(filter, name)));
        for (filter, name) in random(false) {
            let differing = |(wanted, given): &(&str, &str)| *wanted != "+" && wanted != given;
            assert_eq!(filter.split('/').zip(name.split('/')).filter(differing).count(), 1);
        }
    }
}

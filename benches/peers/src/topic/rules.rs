//! Small random trees: every kind of level, so also those that no workload has.

use fastrand::Rng;

use std::collections::HashSet;

use mqtt_topic_engine::TopicRouter;
use mqtt_topic_engine::topic_matcher::TopicMatcherNode;
use mqtt_topic_tree::TopicTree;
use paho_mqtt::topic_matcher::TopicMatcher;
use quill::Registry;
use submap::SubMap;

use super::matching::{caught, matched};
use super::naive;
use super::peer::{Tree, ours, paho};
use super::texts::Texts;

/// How many trees, how many filters in each, how many names for each.
const TREES: usize = 4000;
const FILTERS: u32 = 6;
const NAMES: usize = 4;

/// How many sets there are.
pub const SETS: usize = TREES * NAMES;

/// How many of a tree's sets were wrong.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// The tree.
    pub name: &'static str,
    /// Too many, too few, refused or a panic.
    pub wrong: usize,
    /// Panics among them.
    pub panics: usize,
}

/// Everybody's faults.
pub fn judge() -> Vec<Faults> {
    vec![
        faults::<ours::Subscriptions>(),
        faults::<TopicTree>(),
        faults::<Registry<u32>>(),
        faults::<TopicMatcherNode<HashSet<u32>>>(),
        faults::<TopicRouter<u32>>(),
        faults::<SubMap<u32>>(),
        faults::<TopicMatcher<paho::Ids>>(),
    ]
}

fn faults<T: Tree>() -> Faults {
    let mut random = Rng::with_seed(47);
    let mut faults = Faults { name: T::NAME, wrong: 0, panics: 0 };
    for _ in 0..TREES {
        let filters: Texts = (0..FILTERS).map(|_| text(&mut random, true)).collect();
        let mut tree = T::new(FILTERS);
        for (id, filter) in (0..).zip(filters.iter()) {
            caught(|| tree.subscribe(filter, id));
        }
        for _ in 0..NAMES {
            let name = text(&mut random, false);
            let set = matched(&tree, &name);
            faults.panics += usize::from(set.is_none());
            faults.wrong += usize::from(set != Some(naive::all_matching(&filters, &name)));
        }
    }
    faults
}

/// 1 to 4 levels; a filter may have wildcards.
fn text(random: &mut Rng, filter: bool) -> String {
    loop {
        let levels = random.usize(1..=4);
        let level = |place: usize| match random.u8(..if filter { 8 } else { 5 }) {
            0 | 1 => "a",
            2 => "b",
            3 => "",
            4 => "$x",
            7 if place + 1 == levels => "#",
            _ => "+",
        };
        let text = (0..levels).map(level).collect::<Vec<_>>().join("/");
        // [MQTT-4.7.3-1]
        if !text.is_empty() {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_follows_the_rules() {
        assert_eq!(faults::<ours::Subscriptions>().wrong, 0);
    }

    #[test]
    fn random_texts_are_valid() {
        let mut random = Rng::with_seed(1);
        for _ in 0..1000 {
            let (filter, name) = (text(&mut random, true), text(&mut random, false));
            assert!(headwater_topic::TopicFilter::parse(&filter).is_ok(), "{filter}");
            assert!(headwater_topic::TopicName::parse(&name).is_ok(), "{name}");
        }
    }
}

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::name::TopicName;

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn found(tree: &SubscriptionTree<u32, u32>, text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    tree.matches(TopicName::parse(text).unwrap(), |key, _| found.push(*key));
    found.sort_unstable();
    found
}

/// Filters of every kind, with levels longer than a word, that meet in prefixes.
fn text(number: u32) -> String {
    let (a, b) = (number % 7, number / 7);
    match number % 5 {
        0 => format!("{a}/+/{b}"),
        1 => format!("{a}/a rather long level {b}"),
        2 => format!("+/a rather long level {b}/#"),
        3 => format!("$share/{a}/+/{b}/+"),
        _ => format!("{a}/{b}/x"),
    }
}

#[test]
fn a_flood_of_equal_hashes_makes_it_slow_and_not_wrong() {
    let mut flooded = SubscriptionTree::with_seed(Seed::COLLIDING);
    let mut tree = SubscriptionTree::with_seed(7);
    for number in 0..400 {
        for (text, key) in [(text(number), number), (text(number / 3), number), ("0/+/0".into(), number)] {
            let value = tree.subscribe(filter(&text), key, number);
            assert_eq!(flooded.subscribe(filter(&text), key, number), value);
        }
    }
    let names: Vec<String> = (0..400)
        .map(|number| text(number).replace('+', "1").replace('#', "z"))
        .chain(["1/a rather long level 3/y/y".into(), "5/9/x".into()])
        .collect();
    for step in 0..3 {
        assert_eq!(
            (flooded.len(), flooded.filter_count(), flooded.node_count(), flooded.group_count()),
            (tree.len(), tree.filter_count(), tree.node_count(), tree.group_count())
        );
        for name in &names {
            let of = |tree: &SubscriptionTree<u32, u32>| found(tree, name).len();
            assert_eq!(of(&flooded), of(&tree), "{name}");
        }
        match step {
            0 => {
                for number in (0..400).step_by(2) {
                    let text = text(number);
                    let value = tree.unsubscribe(filter(&text), &number);
                    assert_eq!(flooded.unsubscribe(filter(&text), &number), value);
                }
            }
            _ => {
                for key in (0..400).skip(step).step_by(3) {
                    assert_eq!(flooded.unsubscribe_all(&key), tree.unsubscribe_all(&key));
                }
            }
        }
    }
    for key in 0..400 {
        flooded.unsubscribe_all(&key);
    }
    assert_eq!((flooded.len(), flooded.memory()), (0, 0));
}

#[test]
fn a_hundred_thousand_subscribers_of_one_filter_come_and_go() {
    let mut tree = SubscriptionTree::with_seed(7);
    for text in ["a/+", "a/b"] {
        for key in 0..100_000 {
            assert_eq!(tree.subscribe(filter(text), key, key), None);
        }
    }
    assert_eq!(tree.subscribe(filter("a/+"), 99_999, 1), Some(99_999));
    assert_eq!(found(&tree, "a/b").len(), 200_000);
    // A search from end to end for each would take minutes.
    for key in (0..100_000).rev().step_by(2).chain((0..100_000).step_by(2)) {
        assert!(tree.unsubscribe(filter("a/+"), &key).is_some());
        assert_eq!(tree.unsubscribe(filter("a/+"), &key), None);
    }
    assert_eq!(found(&tree, "a/b").len(), 100_000);
    assert!((0..100_000).all(|key| tree.unsubscribe_all(&key) == 1));
    assert_eq!(tree.memory(), 0);
}

#[test]
fn one_with_a_hundred_thousand_filters_comes_and_goes() {
    let mut tree = SubscriptionTree::with_seed(7);
    for number in 0..100_000 {
        tree.subscribe(filter(&format!("{}/{number}", number % 10)), 0, number);
    }
    for number in (0..100_000).filter(|number| number % 10 != 0) {
        assert_eq!(tree.unsubscribe(filter(&format!("{}/{number}", number % 10)), &0), Some(number));
    }
    // Texts have moved meanwhile.
    assert_eq!(tree.get(filter("0/500"), &0), Some(&500));
    assert_eq!((tree.unsubscribe_all(&0), tree.memory()), (10_000, 0));
}

#[test]
fn slots_are_as_small_as_they_are_said_to_be() {
    assert_eq!(size_of::<List<u32, u8>>(), 8);
    assert_eq!((Index::<List<u32, u8>>::EXACT_BYTES, Owners::<u32>::OWNER_BYTES), (16, 12));
}

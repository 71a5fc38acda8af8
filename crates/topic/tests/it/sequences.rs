//! Random sequences of changes, each step held against a list that is searched from end to end.

use std::collections::BTreeSet;

use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};
use proptest::prelude::*;

use crate::oracle;

/// One change of a subscription tree.
#[derive(Clone, Debug)]
enum Change {
    Subscribe(String, u8, u32),
    Unsubscribe(String, u8),
    UnsubscribeAll(u8),
}

/// Few levels and few texts, so that filters meet, and share prefixes.
fn text(last: &'static [&'static str], other: &'static [&'static str]) -> impl Strategy<Value = String> {
    (prop::collection::vec(prop::sample::select(other), 0..4), prop::sample::select(last)).prop_map(
        |(mut levels, last)| {
            levels.push(last);
            levels.join("/")
        },
    )
}

fn any_filter() -> impl Strategy<Value = String> {
    text(&["a", "b", "", "+", "#"], &["a", "b", "", "+", "$x"])
        .prop_filter("a filter", |text| oracle::is_filter(text))
}

fn any_name() -> impl Strategy<Value = String> {
    text(&["a", "b", "", "c"], &["a", "b", "", "$x"]).prop_filter("a name", |text| oracle::is_name(text))
}

fn any_change() -> impl Strategy<Value = Change> {
    let key = 0..4_u8;
    prop_oneof![
        5 => (any_filter(), key.clone(), any::<u32>()).prop_map(|(text, key, value)| Change::Subscribe(text, key, value)),
        4 => (any_filter(), key.clone()).prop_map(|(text, key)| Change::Unsubscribe(text, key)),
        1 => key.prop_map(Change::UnsubscribeAll),
    ]
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

/// The model: filter, subscriber, value.
type Model = Vec<(String, u8, u32)>;

fn take(model: &mut Model, text: &str, key: u8) -> Option<u32> {
    let at = model.iter().position(|(other, owner, _)| other == text && *owner == key)?;
    Some(model.swap_remove(at).2)
}

/// Applies one change to both, and compares what they return.
fn apply(tree: &mut SubscriptionTree<u8, u32>, model: &mut Model, change: Change) {
    match change {
        Change::Subscribe(text, key, value) => {
            let replaced = take(model, &text, key);
            assert_eq!(tree.get(filter(&text), &key), replaced.as_ref());
            assert_eq!(tree.subscribe(filter(&text), key, value), replaced);
            model.push((text, key, value));
        }
        Change::Unsubscribe(text, key) => {
            assert_eq!(tree.unsubscribe(filter(&text), &key), take(model, &text, key));
            assert_eq!(tree.get(filter(&text), &key), None);
        }
        Change::UnsubscribeAll(key) => {
            let before = model.len();
            model.retain(|(_, owner, _)| *owner != key);
            assert_eq!(tree.unsubscribe_all(&key), before - model.len());
        }
    }
}

/// Filters, nodes of the wildcard tree and subscriptions.
fn counts(tree: &SubscriptionTree<u8, u32>) -> (usize, usize, usize) {
    (tree.filter_count(), tree.node_count(), tree.len())
}

proptest! {
    #[test]
    fn subscription_tree_is_the_list_whatever_is_done_to_it(
        changes in prop::collection::vec(any_change(), 0..80),
        names in prop::collection::vec(any_name(), 1..12),
    ) {
        let (mut tree, mut model) = (SubscriptionTree::new(), Model::new());
        for change in changes {
            apply(&mut tree, &mut model, change);
            prop_assert_eq!(tree.is_empty(), model.is_empty());
        }
        for text in &names {
            let mut found = Vec::new();
            tree.matches(name(text), |&key, &value| found.push((key, value)));
            found.sort_unstable();
            let mut expected: Vec<(u8, u32)> = model
                .iter()
                .filter(|(filter, ..)| oracle::matches(filter, text))
                .map(|&(_, key, value)| (key, value))
                .collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected, "{}", text);
        }
        let listed: BTreeSet<(String, u8, u32)> =
            tree.iter().map(|(filter, &key, &value)| (filter.to_string(), key, value)).collect();
        prop_assert_eq!(listed, model.iter().cloned().collect::<BTreeSet<_>>());

        // What was removed has left nothing behind: the tree is as large as one that never had it.
        let mut fresh = SubscriptionTree::new();
        for (text, key, value) in &model {
            fresh.subscribe(filter(text), *key, *value);
        }
        prop_assert_eq!(counts(&tree), counts(&fresh));

        for key in 0..4 {
            tree.unsubscribe_all(&key);
        }
        prop_assert_eq!(counts(&tree), (0, 0, 0));
    }

    #[test]
    fn retained_tree_is_the_list_whatever_is_done_to_it(
        changes in prop::collection::vec((any_name(), prop::option::weighted(0.6, any::<u32>())), 0..80),
        filters in prop::collection::vec(any_filter(), 1..12),
        page in 1..5_usize,
    ) {
        let (mut tree, mut model) = (RetainedTree::new(), Vec::<(String, u32)>::new());
        for (text, value) in changes {
            let at = model.iter().position(|(other, _)| *other == text);
            let before = at.map(|at| model.swap_remove(at).1);
            prop_assert_eq!(tree.get(name(&text)), before.as_ref());
            match value {
                Some(value) => {
                    prop_assert_eq!(tree.insert(name(&text), value), before);
                    model.push((text, value));
                }
                None => prop_assert_eq!(tree.remove(name(&text)), before),
            }
            prop_assert_eq!(tree.len(), model.len());
        }
        model.sort_by(|(a, _), (b, _)| oracle::split(a).cmp(&oracle::split(b)));
        for text in &filters {
            let expected: Vec<(&str, u32)> = model
                .iter()
                .filter(|(name, _)| oracle::matches(text, name))
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            let found: Vec<(&str, u32)> =
                tree.matching(filter(text)).map(|(name, &value)| (name.as_str(), value)).collect();
            prop_assert_eq!(&found, &expected, "{}", text);

            let mut paged: Vec<(&str, u32)> =
                tree.matching(filter(text)).take(page).map(|(name, &value)| (name.as_str(), value)).collect();
            while let Some(&(last, _)) = paged.last() {
                let more = tree.matching_after(filter(text), name(last)).take(page);
                let before = paged.len();
                paged.extend(more.map(|(name, &value)| (name.as_str(), value)));
                if paged.len() == before {
                    break;
                }
            }
            prop_assert_eq!(paged, expected, "{} in pages of {}", text, page);
        }
        for (text, _) in &model {
            tree.remove(name(text));
        }
        prop_assert!(tree.is_empty());
    }
}

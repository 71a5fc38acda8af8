//! Random sequences of changes, each step held against a list that is searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use headwater_topic::{DeliveryOptions, Matches, RetainedTree, SubscriptionTree, TopicFilter, TopicName};
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

fn any_subscribed() -> impl Strategy<Value = String> {
    let group = prop::sample::select(&["$share/g/", "$share/h/"]);
    prop_oneof![
        3 => any_filter(),
        1 => (group, any_filter()).prop_map(|(group, filter)| format!("{group}{filter}")),
    ]
}

fn any_name() -> impl Strategy<Value = String> {
    text(&["a", "b", "", "c"], &["a", "b", "", "$x"]).prop_filter("a name", |text| oracle::is_name(text))
}

fn any_change() -> impl Strategy<Value = Change> {
    let key = 0..4_u8;
    prop_oneof![
        5 => (any_subscribed(), key.clone(), any::<u32>()).prop_map(|(text, key, value)| Change::Subscribe(text, key, value)),
        4 => (any_subscribed(), key.clone()).prop_map(|(text, key)| Change::Unsubscribe(text, key)),
        1 => key.prop_map(Change::UnsubscribeAll),
    ]
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Value(u32);

impl DeliveryOptions for Value {
    fn qos(&self) -> u8 {
        self.0.to_le_bytes()[0] % 3
    }
}

/// The model: filter, subscriber, value.
type Model = Vec<(String, u8, u32)>;

fn take(model: &mut Model, text: &str, key: u8) -> Option<u32> {
    let at = model.iter().position(|(other, owner, _)| other == text && *owner == key)?;
    Some(model.swap_remove(at).2)
}

/// The filter inside, if it is shared.
fn inside(text: &str) -> &str {
    text.strip_prefix("$share/").and_then(|rest| rest.split_once('/')).map_or(text, |(_, inside)| inside)
}

/// The members of each group, by its whole filter.
type Groups = BTreeMap<String, BTreeSet<u8>>;

/// What a name gets by the model: plain subscriptions, and of each group all members.
fn expected(model: &Model, text: &str) -> (Vec<(u8, u32)>, Groups) {
    let matching = model.iter().filter(|(filter, ..)| oracle::matches(inside(filter), text));
    let (mut plain, mut groups) = (Vec::new(), Groups::new());
    for (filter, key, value) in matching {
        if filter.starts_with("$share/") {
            groups.entry(filter.clone()).or_default().insert(*key);
        } else {
            plain.push((*key, *value));
        }
    }
    plain.sort_unstable();
    (plain, groups)
}

/// Applies one change to both, and compares what they return.
fn apply(tree: &mut SubscriptionTree<u8, Value>, model: &mut Model, change: Change) {
    match change {
        Change::Subscribe(text, key, value) => {
            let replaced = take(model, &text, key);
            assert_eq!(tree.get(filter(&text), &key).map(|value| value.0), replaced);
            assert_eq!(tree.subscribe(filter(&text), key, Value(value)).map(|value| value.0), replaced);
            model.push((text, key, value));
        }
        Change::Unsubscribe(text, key) => {
            assert_eq!(tree.unsubscribe(filter(&text), &key).map(|value| value.0), take(model, &text, key));
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
fn counts(tree: &SubscriptionTree<u8, Value>) -> (usize, usize, usize) {
    (tree.filter_count(), tree.node_count(), tree.len())
}

proptest! {
    #[test]
    fn subscription_tree_is_the_list_whatever_is_done_to_it(
        changes in prop::collection::vec(any_change(), 0..80),
        names in prop::collection::vec(any_name(), 1..12),
    ) {
        let (mut tree, mut model, mut buffer) = (SubscriptionTree::new(), Model::new(), Matches::new());
        for change in changes {
            apply(&mut tree, &mut model, change);
            prop_assert_eq!(tree.is_empty(), model.is_empty());
        }
        for text in &names {
            let (plain, groups) = expected(&model, text);
            let mut found = tree.find(name(text), &mut buffer);
            let mut subscriptions: Vec<(u8, u32)> =
                found.subscriptions().map(|(key, value)| (*key, value.0)).collect();
            subscriptions.sort_unstable();
            prop_assert_eq!(&subscriptions, &plain, "{}", text);
            let found_groups: Groups = found
                .groups()
                .map(|group| (group.filter().to_string(), group.members().keys().iter().copied().collect()))
                .collect();
            prop_assert_eq!(&found_groups, &groups, "{}", text);

            // Each subscriber once, at the highest QoS, with a value for each subscription.
            let mut once = BTreeMap::new();
            for delivery in found.deliveries(None) {
                let mut values: Vec<u32> = delivery.values().map(|value| value.0).collect();
                values.sort_unstable();
                prop_assert_eq!(delivery.qos(), values.iter().map(|value| Value(*value).qos()).max().unwrap());
                prop_assert!(once.insert(*delivery.key(), values).is_none());
            }
            let mut once_expected = BTreeMap::<u8, Vec<u32>>::new();
            for (key, value) in &plain {
                once_expected.entry(*key).or_default().push(*value);
            }
            prop_assert_eq!(once, once_expected, "{}", text);

            // All in all one message for each plain subscription and each group, and those of a group go round.
            let mut messages = Vec::new();
            for _ in 0..3 {
                tree.matches(name(text), |key, value| messages.push((*key, value.0)));
            }
            prop_assert_eq!(messages.len(), 3 * (plain.len() + groups.len()));
        }
        let listed: BTreeSet<(String, u8, u32)> =
            tree.iter().map(|(filter, &key, &value)| (filter.to_string(), key, value.0)).collect();
        prop_assert_eq!(listed, model.iter().cloned().collect::<BTreeSet<_>>());

        // What was removed has left nothing behind: the tree is as large as one that never had it.
        let mut fresh = SubscriptionTree::new();
        for (text, key, value) in &model {
            fresh.subscribe(filter(text), *key, Value(*value));
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

//! Topic matching.

use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};

/// Lines of text: the first is a topic name, the others are filters. The one-off match, both trees and a naive matcher agree.
///
/// # Panics
///
/// When they do not.
pub fn topic(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let Some(name) = lines.next().and_then(|line| TopicName::parse(line).ok()) else { return };
    let filters: Vec<TopicFilter<'_>> = lines.filter_map(|line| TopicFilter::parse(line).ok()).collect();

    let mut tree = SubscriptionTree::new();
    for (key, filter) in (0_usize..).zip(&filters) {
        tree.subscribe(*filter, key, ());
    }
    let mut matched = Vec::new();
    tree.matches(name, |key, ()| matched.push(*key));
    matched.sort_unstable();

    let mut retained = RetainedTree::new();
    retained.insert(name, ());
    for (key, filter) in (0..).zip(&filters) {
        let expected = naive(filter.as_str(), name.as_str());
        assert_eq!(filter.matches(name), expected, "{filter} against {name}");
        assert_eq!(matched.binary_search(&key).is_ok(), expected, "{filter} in the tree against {name}");
        assert_eq!(
            retained.matching(*filter).count(),
            usize::from(expected),
            "{filter} against retained {name}"
        );
    }
    for (key, filter) in (0..).zip(&filters) {
        assert_eq!(tree.unsubscribe(*filter, &key), Some(()));
    }
    assert_eq!((tree.len(), tree.node_count()), (0, SubscriptionTree::<usize, ()>::new().node_count()));
}

/// The specification, word for word and slow.
pub(super) fn naive(filter: &str, name: &str) -> bool {
    // [MQTT-4.7.2-1]
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let names: Vec<&str> = name.split('/').collect();
    let mut filters: Vec<&str> = filter.split('/').collect();
    let rest = filters.last() == Some(&"#");
    if rest {
        filters.pop();
    }
    // [MQTT-4.7.1-2]: the multi-level wildcard stands for the parent and any number of children.
    let long_enough = if rest { names.len() >= filters.len() } else { names.len() == filters.len() };
    long_enough && filters.iter().zip(&names).all(|(filter, name)| *filter == "+" || filter == name)
}

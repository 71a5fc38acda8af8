//! Topic matching.

use std::collections::{BTreeMap, BTreeSet};

use headwater_topic::{
    Change, ConcurrentTree, DeliveryOptions, Matches, RetainedTree, SubscriptionTree, TopicFilter, TopicName,
};

/// What a subscriber asked for: a QoS, and the number of the line that said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    qos: u8,
    line: usize,
}

impl DeliveryOptions for Asked {
    fn qos(&self) -> u8 {
        self.qos
    }
}

/// Subscriptions that are there: filter, subscriber, what was asked for.
type Model<'a> = Vec<(TopicFilter<'a>, usize, Asked)>;

/// Subscribers there are; the number of a line says whose it is.
const SUBSCRIBERS: usize = 5;

/// Lines of text: the first is a topic name, each of the others a filter that is subscribed to, by one subscriber after the other. A line that
/// begins with `-` takes the filter behind it away from its subscriber, one that begins with `!` takes all from him.
///
/// The one-off match, the subscription tree, its concurrent form and the retained tree agree with a naive matcher.
///
/// # Panics
///
/// When they do not.
pub fn topic(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let Some(name) = lines.next().and_then(|line| TopicName::parse(line).ok()) else { return };
    let lines: Vec<&str> = lines.collect();

    one_by_one(name, &lines);

    let (mut tree, mut model, mut changes) = (SubscriptionTree::with_seed(7), Model::new(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        change(&mut tree, &mut model, &mut changes, number, line);
    }
    agree(&tree, &model, name);
    batch(&tree, name, &lines);

    // Costs more than all the rest: by the length of the input it is a matter of chance, and the same each time.
    if input.len().is_multiple_of(4) {
        concurrently(&changes, &model, name);
    }
    for (filter, key, asked) in model {
        assert_eq!(tree.unsubscribe(filter, &key), Some(asked), "{filter} of {key}");
    }
    assert_eq!((tree.len(), tree.node_count(), tree.memory()), (0, 0, 0));
}

/// Each filter against the name: one-off, and in a retained tree.
fn one_by_one(name: TopicName<'_>, lines: &[&str]) {
    let mut retained = RetainedTree::new();
    retained.insert(name, ());
    for filter in lines.iter().filter_map(|line| TopicFilter::parse(line).ok()) {
        let expected = naive(filter.as_str(), name.as_str());
        assert_eq!(filter.matches(name), expected, "{filter} against {name}");
        assert_eq!(
            retained.matching(filter).count(),
            usize::from(expected),
            "{filter} against retained {name}"
        );
    }
}

/// Does what a line says, in tree and model.
fn change<'a>(
    tree: &mut SubscriptionTree<usize, Asked>,
    model: &mut Model<'a>,
    changes: &mut Vec<Change<'a, usize, Asked>>,
    number: usize,
    line: &'a str,
) {
    let key = number % SUBSCRIBERS;
    let take = |model: &mut Model<'a>, filter| {
        let at = model.iter().position(|(other, owner, _)| *other == filter && *owner == key)?;
        Some(model.swap_remove(at).2)
    };
    if line.starts_with('!') {
        let before = model.len();
        model.retain(|(_, owner, _)| *owner != key);
        assert_eq!(tree.unsubscribe_all(&key), before - model.len());
        changes.push(Change::UnsubscribeAll(key));
    } else if let Some(filter) = line.strip_prefix('-').and_then(|rest| TopicFilter::parse(rest).ok()) {
        assert_eq!(tree.unsubscribe(filter, &key), take(model, filter), "{filter} of {key}");
        changes.push(Change::Unsubscribe(filter, key));
    } else if let Ok(filter) = TopicFilter::parse(line) {
        let asked = Asked { qos: u8::try_from(number % 3).unwrap_or_default(), line: number };
        let replaced = take(model, filter);
        assert_eq!(tree.get(filter, &key), replaced.as_ref(), "{filter} of {key}");
        assert_eq!(tree.subscribe(filter, key, asked), replaced, "{filter} of {key}");
        model.push((filter, key, asked));
        changes.push(Change::Subscribe(filter, key, asked));
    }
    assert_eq!(tree.len(), model.len());
}

/// The same changes in the concurrent form: half of them at once, the others one by one.
fn concurrently(changes: &[Change<'_, usize, Asked>], model: &Model<'_>, name: TopicName<'_>) {
    let concurrent = ConcurrentTree::from(SubscriptionTree::with_seed(8));
    let (first, rest) = changes.split_at(changes.len() / 2);
    concurrent.apply(first);
    rest.iter().for_each(|change| concurrent.apply(std::slice::from_ref(change)));
    agree(&concurrent.read(), model, name);
    // The other copy.
    concurrent.apply(&[]);
    agree(&concurrent.read(), model, name);
}

/// Whether many names in one call get what each gets alone.
fn batch(tree: &SubscriptionTree<usize, Asked>, name: TopicName<'_>, lines: &[&str]) {
    let others = lines.iter().filter_map(|line| TopicName::parse(line).ok());
    let names: Vec<TopicName<'_>> = others.chain([name; 8]).collect();
    let mut found = vec![Vec::new(); names.len()];
    tree.matches_batch(&names, |number, subscribers| {
        found.get_mut(number).into_iter().for_each(|found: &mut Vec<_>| found.extend(subscribers));
    });
    for (name, mut found) in names.into_iter().zip(found) {
        let mut alone = Vec::new();
        tree.matches_by_filter(name, |subscribers| alone.extend(subscribers));
        found.sort_unstable();
        alone.sort_unstable();
        assert_eq!(found, alone, "{name}");
    }
}

/// Whether the tree finds for the name what the model says.
fn agree(tree: &SubscriptionTree<usize, Asked>, model: &Model<'_>, name: TopicName<'_>) {
    let mut plain = Vec::new();
    let mut groups = BTreeMap::<&str, BTreeSet<usize>>::new();
    for (filter, key, asked) in model {
        match filter.shared() {
            None if naive(filter.as_str(), name.as_str()) => plain.push((*key, *asked)),
            Some(shared) if naive(shared.filter().as_str(), name.as_str()) => {
                groups.entry(filter.as_str()).or_default().insert(*key);
            }
            _ => {}
        }
    }
    plain.sort_unstable();

    let mut buffer = Matches::new();
    let mut found = tree.find(name, &mut buffer);
    let mut subscriptions: Vec<_> = found.subscriptions().map(|(key, asked)| (*key, *asked)).collect();
    subscriptions.sort_unstable();
    assert_eq!(subscriptions, plain, "{name}");
    let members =
        |group: headwater_topic::Group<'_, usize, Asked>| group.members().keys().iter().copied().collect();
    let found_groups: BTreeMap<&str, BTreeSet<usize>> =
        found.groups().map(|group| (group.filter().as_str(), members(group))).collect();
    assert_eq!(found_groups, groups, "{name}");

    let mut once = BTreeMap::new();
    for delivery in found.deliveries(None) {
        let mut all: Vec<_> = delivery.values().map(|asked| (*delivery.key(), *asked)).collect();
        all.sort_unstable();
        assert_eq!(delivery.qos(), all.iter().map(|(_, asked)| asked.qos).max().unwrap_or_default());
        assert!(once.insert(*delivery.key(), all).is_none(), "{} gets {name} twice", delivery.key());
    }
    assert!(once.into_values().flatten().eq(plain.iter().copied()), "{name}");

    let mut messages = Vec::new();
    tree.matches(name, |key, asked| messages.push((*key, *asked)));
    assert_eq!(messages.len(), plain.len() + groups.len(), "{name}");
    assert!(plain.iter().all(|one| messages.contains(one)), "{name}");

    let mut listed: Vec<_> = tree.iter().map(|(filter, key, asked)| (filter, *key, *asked)).collect();
    listed.sort_unstable();
    let mut there = model.clone();
    there.sort_unstable();
    assert_eq!(listed, there);
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

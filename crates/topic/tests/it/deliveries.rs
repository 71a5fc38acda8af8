//! The subscriptions of one subscriber taken together, by the rules of 3.1.1 and of 5.0.

use std::num::NonZeroU32;

use headwater_topic::{DeliveryOptions, Matches, SubscriptionTree, TopicFilter, TopicName};

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    id: u32,
}

impl DeliveryOptions for Options {
    fn qos(&self) -> u8 {
        self.qos
    }

    fn no_local(&self) -> bool {
        self.no_local
    }

    fn retain_as_published(&self) -> bool {
        self.retain_as_published
    }

    fn subscription_id(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.id)
    }
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

/// Subscriber, QoS, retain as published, identifiers.
type Got = (&'static str, u8, bool, Vec<u32>);

fn deliveries(
    tree: &SubscriptionTree<&'static str, Options>,
    publisher: Option<&'static str>,
    name: &str,
) -> Vec<Got> {
    let mut buffer = Matches::new();
    let mut found = tree.find(TopicName::parse(name).unwrap(), &mut buffer);
    let mut all: Vec<Got> = found
        .deliveries(publisher.as_ref())
        .map(|delivery| {
            let mut ids: Vec<u32> = delivery.subscription_ids().map(NonZeroU32::get).collect();
            ids.sort_unstable();
            (*delivery.key(), delivery.qos(), delivery.retain_as_published(), ids)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn one_message_at_the_highest_qos_with_all_identifiers() {
    let mut tree = SubscriptionTree::new();
    let options = |qos, id| Options { qos, id, ..Options::default() };
    tree.subscribe(filter("a/+"), "x", options(1, 7));
    tree.subscribe(filter("a/#"), "x", options(2, 0));
    tree.subscribe(filter("a/b"), "x", Options { retain_as_published: true, ..options(0, 9) });
    tree.subscribe(filter("#"), "y", options(0, 7));
    tree.subscribe(filter("b"), "x", options(2, 1));
    assert_eq!(deliveries(&tree, None, "a/b"), [("x", 2, true, vec![7, 9]), ("y", 0, false, vec![7])]);
    assert_eq!(deliveries(&tree, None, "b"), [("x", 2, false, vec![1]), ("y", 0, false, vec![7])]);
    assert_eq!(deliveries(&tree, None, "$SYS"), []);
}

#[test]
fn the_same_identifier_on_two_filters_is_listed_twice() {
    // Section 3.3.4: it is possible that the PUBLISH packet then has the same identifier more than once.
    let mut tree = SubscriptionTree::new();
    for text in ["a", "+"] {
        tree.subscribe(filter(text), "x", Options { id: 5, ..Options::default() });
    }
    assert_eq!(deliveries(&tree, None, "a"), [("x", 0, false, vec![5, 5])]);
}

#[test]
fn no_local_keeps_only_its_own_subscription_from_the_publisher() {
    let mut tree = SubscriptionTree::new();
    let local = |qos, id| Options { qos, id, no_local: true, ..Options::default() };
    tree.subscribe(filter("a"), "x", local(2, 1));
    tree.subscribe(filter("+"), "x", Options { no_local: false, ..local(1, 2) });
    tree.subscribe(filter("#"), "y", local(2, 3));
    assert_eq!(deliveries(&tree, Some("x"), "a"), [("x", 1, false, vec![2]), ("y", 2, false, vec![3])]);
    assert_eq!(deliveries(&tree, Some("y"), "a"), [("x", 2, false, vec![1, 2])]);
    assert_eq!(deliveries(&tree, Some("z"), "a").len(), 2);
}

#[test]
fn a_shared_subscription_is_never_taken_together_with_another() {
    // Section 4.8.2: the client receives a second copy.
    let mut tree = SubscriptionTree::new();
    tree.subscribe(filter("a"), "x", Options::default());
    tree.subscribe(filter("$share/g/a"), "x", Options { qos: 2, ..Options::default() });
    assert_eq!(deliveries(&tree, None, "a"), [("x", 0, false, vec![])]);
    let mut copies = 0;
    tree.matches(TopicName::parse("a").unwrap(), |_, _| copies += 1);
    assert_eq!(copies, 2);
}

#[test]
fn ten_thousand_of_one_filter_and_some_of_others_get_one_each() {
    let mut tree = SubscriptionTree::new();
    for key in 0..10_000_u32 {
        tree.subscribe(filter("news/#"), key, 0_u8);
        if key % 100 == 0 {
            tree.subscribe(filter("news/+"), key, 1);
            tree.subscribe(filter("news/today"), key + 10_000 * (key % 200), 2);
        }
    }
    let mut buffer = Matches::new();
    for _ in 0..3 {
        let mut found = tree.find(TopicName::parse("news/today").unwrap(), &mut buffer);
        let mut qos = vec![0; 3];
        let mut keys: Vec<u32> = found
            .deliveries(None)
            .map(|delivery| {
                qos[usize::from(delivery.qos())] += 1;
                *delivery.key()
            })
            .collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        // Half of the hundred on the third filter are others.
        assert_eq!((all, keys.len(), qos), (10_050, 10_050, vec![9_900, 50, 100]));
    }
}

//! Shared groups: who of the members gets a message.

use std::collections::{BTreeMap, BTreeSet};

use headwater_topic::{
    Choose, LeastLoaded, Matches, Random, RoundRobin, Sticky, SubscriptionTree, TopicFilter, TopicName,
};

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

/// `members` members of `$share/g/a/+`, each with its number as its load.
fn group_of(members: u32) -> SubscriptionTree<u32, u32> {
    let mut tree = SubscriptionTree::new();
    for member in 0..members {
        tree.subscribe(filter("$share/g/a/+"), member, member);
    }
    tree
}

/// How many of `messages` messages each member gets.
fn shares(
    tree: &SubscriptionTree<u32, u32>,
    choice: &mut dyn Choose<u32, u32>,
    open: impl Fn(u32) -> bool,
    messages: u32,
) -> BTreeMap<u32, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..messages {
        let mut chosen = 0;
        tree.matches_with(
            name("a/b"),
            choice,
            |member, _| open(*member),
            |member, _| {
                chosen += 1;
                *shares.entry(*member).or_default() += 1;
            },
        );
        assert!(chosen <= 1);
    }
    shares
}

#[test]
fn each_group_of_a_filter_gets_one_message_and_a_plain_subscriber_his_own() {
    let mut tree = SubscriptionTree::new();
    for (text, key) in [
        ("$share/g/a/+", "g1"),
        ("$share/g/a/+", "g2"),
        ("$share/h/a/+", "h1"),
        // The same group name on another filter is another group.
        ("$share/g/a/#", "g1"),
        ("$share/g/b", "b"),
        ("a/+", "g1"),
        ("a/b", "plain"),
    ] {
        assert_eq!(tree.subscribe(filter(text), key, text), None);
    }
    assert_eq!((tree.len(), tree.group_count(), tree.filter_count()), (7, 4, 6));
    for turn in 0..4 {
        let mut found = Vec::new();
        tree.matches(name("a/b"), |key, text| found.push((*key, *text)));
        found.sort_unstable();
        let of_g = if turn % 2 == 0 { "g1" } else { "g2" };
        let mut expected = vec![
            ("g1", "$share/g/a/#"),
            (of_g, "$share/g/a/+"),
            ("g1", "a/+"),
            ("h1", "$share/h/a/+"),
            ("plain", "a/b"),
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_shared_subscription_is_replaced_found_and_removed_by_its_whole_filter() {
    let mut tree = SubscriptionTree::new();
    let (shared, other) = (filter("$share/g/a"), filter("$share/h/a"));
    assert_eq!(tree.subscribe(shared, "k", 1), None);
    assert_eq!(tree.subscribe(shared, "k", 2), Some(1));
    assert_eq!(tree.subscribe(other, "k", 3), None);
    assert_eq!(tree.subscribe(filter("a"), "k", 4), None);
    assert_eq!(
        (tree.get(shared, "k"), tree.get(other, "k"), tree.get(filter("a"), "k")),
        (Some(&2), Some(&3), Some(&4))
    );
    let listed: BTreeSet<(String, i32)> =
        tree.iter().map(|(filter, _, value)| (filter.to_string(), *value)).collect();
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&("$share/g/a".to_owned(), 2)));

    assert_eq!(tree.unsubscribe(filter("$share/i/a"), "k"), None);
    assert_eq!(tree.unsubscribe(shared, "k"), Some(2));
    assert_eq!(tree.unsubscribe(shared, "k"), None);
    assert!(tree.group(shared).is_none());
    assert_eq!(tree.unsubscribe_all("k"), 2);
    assert_eq!((tree.len(), tree.group_count(), tree.node_count(), tree.memory()), (0, 0, 0, 0));
}

#[test]
fn in_turn_means_the_same_for_each() {
    let tree = group_of(7);
    let shares = shares(&tree, &mut RoundRobin, |_| true, 700);
    assert!(shares.len() == 7 && shares.values().all(|share| *share == 100), "{shares:?}");
}

#[test]
fn who_is_left_out_is_passed_over_and_nobody_gets_his_share_alone() {
    let tree = group_of(5);
    let shares = shares(&tree, &mut RoundRobin, |member| member != 1 && member != 2, 300);
    assert_eq!(shares, BTreeMap::from([(0, 100), (3, 100), (4, 100)]));
}

#[test]
fn a_group_without_an_open_member_gets_nothing() {
    let tree = group_of(3);
    let choices: [&mut dyn Choose<u32, u32>; 4] = [
        &mut RoundRobin,
        &mut Sticky { hash: 1 },
        &mut Random::new(1),
        &mut LeastLoaded(|_: &u32, load: &u32| *load),
    ];
    for choice in choices {
        assert!(shares(&tree, choice, |_| false, 10).is_empty());
        assert_eq!(shares(&tree, choice, |member| member == 2, 10), BTreeMap::from([(2, 10)]));
    }
}

#[test]
fn sticky_stays_with_a_member_whatever_happens_to_others() {
    let mut tree = group_of(10);
    let owner = |tree: &SubscriptionTree<u32, u32>, hash| -> u32 {
        let group = tree.group(filter("$share/g/a/+")).unwrap();
        *group.choose(&mut Sticky { hash }, |_, _| true).unwrap().0
    };
    let before: Vec<u32> = (0..1_000).map(|hash| owner(&tree, hash)).collect();
    // Each member has its part.
    for member in 0..10 {
        let share = before.iter().filter(|owner| **owner == member).count();
        assert!((50..200).contains(&share), "member {member} has {share} of 1000");
    }
    tree.unsubscribe(filter("$share/g/a/+"), &3);
    for (hash, before) in (0..1_000).zip(&before) {
        assert!(*before == 3 || owner(&tree, hash) == *before);
    }
    tree.subscribe(filter("$share/g/a/+"), 3, 0);
    for (hash, before) in (0..1_000).zip(&before) {
        assert_eq!(owner(&tree, hash), *before);
    }
}

#[test]
fn random_is_even_and_the_same_for_the_same_seed() {
    let tree = group_of(4);
    let draw = |seed| shares(&tree, &mut Random::new(seed), |_| true, 4_000);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    assert!(draw(3).values().all(|share| (850..1_150).contains(share)), "{:?}", draw(3));
    // Also where most are left out.
    let wide = group_of(100);
    let few = shares(&wide, &mut Random::new(4), |member| member % 50 == 0, 2_000);
    assert!(few.len() == 2 && few.values().all(|share| (850..1_150).contains(share)), "{few:?}");
}

#[test]
fn the_least_loaded_is_chosen_and_equals_in_turn() {
    let tree = group_of(6);
    let by = |load: fn(u32) -> u32, open: fn(u32) -> bool| {
        shares(&tree, &mut LeastLoaded(|member: &u32, _: &u32| load(*member)), open, 60)
    };
    assert_eq!(by(|member| 10 - member, |_| true), BTreeMap::from([(5, 60)]));
    assert_eq!(by(|member| 10 - member, |member| member < 3), BTreeMap::from([(2, 60)]));
    let equal = by(|member| u32::from(member < 3), |_| true);
    assert!(equal.len() == 3 && equal.values().all(|share| *share == 20), "{equal:?}");
}

#[test]
fn another_member_can_be_chosen_after_the_first() {
    let tree = group_of(3);
    let mut buffer = Matches::new();
    let found = tree.find(name("a/b"), &mut buffer);
    let group = found.groups().next().unwrap();
    assert_eq!(
        (group.filter().as_str(), group.len(), group.members().keys()),
        ("$share/g/a/+", 3, &[0, 1, 2][..])
    );
    let mut tried = BTreeSet::new();
    while let Some((member, _)) = group.choose(&mut RoundRobin, |member, _| !tried.contains(member)) {
        assert!(tried.insert(*member));
    }
    assert_eq!(tried.len(), 3);
}

#[test]
fn groups_by_the_thousand_on_one_filter_come_and_go() {
    let mut tree = SubscriptionTree::new();
    let texts: Vec<String> = (0..3_000).map(|group| format!("$share/{group}/a/#")).collect();
    for (number, text) in texts.iter().enumerate() {
        tree.subscribe(filter(text), number % 10, ());
        tree.subscribe(filter(text), 10, ());
    }
    assert_eq!((tree.group_count(), tree.len()), (3_000, 6_000));
    for text in texts.iter().step_by(3) {
        assert_eq!(tree.unsubscribe(filter(text), &10), Some(()));
    }
    assert_eq!(tree.unsubscribe_all(&0), 300);
    let mut messages = 0;
    tree.matches(name("a"), |_, ()| messages += 1);
    assert_eq!((messages, tree.group_count()), (2_900, 2_900));
    assert_eq!((0..=10).map(|key| tree.unsubscribe_all(&key)).sum::<usize>(), 6_000 - 1_000 - 300);
    assert_eq!((tree.len(), tree.memory()), (0, 0));
}

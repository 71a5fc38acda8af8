//! Attempts to break the trees: what a reviewer thought of who wished them ill.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use headwater_topic::{Limits, Matches, SubscriptionTree, TopicFilter, TopicName};

use crate::oracle;

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse_with(text, Limits::SPECIFICATION).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse_with(text, Limits::SPECIFICATION).unwrap()
}

/// The least of three, so that a busy machine does not matter.
fn time(mut what: impl FnMut()) -> Duration {
    let once = |_| {
        let begin = Instant::now();
        what();
        begin.elapsed()
    };
    (0..3).map(once).min().unwrap()
}

/// All filters of so many levels that are `a` or `+`.
fn tree_of(levels: u32) -> SubscriptionTree<u32, ()> {
    let mut tree = SubscriptionTree::with_seed(7);
    for mask in 0..1_u32 << levels {
        let text: Vec<&str> =
            (0..levels).map(|level| if mask >> level & 1 == 1 { "+" } else { "a" }).collect();
        tree.subscribe(filter(&text.join("/")), mask, ());
    }
    tree
}

/// One filter, `rounds` times in and out.
fn churn(tree: &mut SubscriptionTree<u32, ()>, text: &str, rounds: u32) -> Duration {
    time(|| {
        for _ in 0..rounds {
            tree.subscribe(filter(text), u32::MAX, ());
            tree.unsubscribe(filter(text), &u32::MAX);
        }
    })
}

#[test]
fn churn_of_a_filter_with_a_long_level_does_not_depend_on_the_other_filters() {
    let text = format!("{}/+", "x".repeat(300));
    let (small, large) = (churn(&mut tree_of(4), &text, 20), churn(&mut tree_of(14), &text, 20));
    assert!(large < small * 30, "16 filters: {small:?}, 16,384: {large:?}");
}

#[test]
fn churn_of_a_filter_with_a_new_level_does_not_depend_on_the_other_filters() {
    let (small, large) = (churn(&mut tree_of(4), "x/+", 600), churn(&mut tree_of(14), "x/+", 600));
    assert!(large < small * 15, "16 filters: {small:?}, 16,384: {large:?}");
}

#[test]
fn churn_of_a_filter_does_not_depend_on_the_subscribers_of_another() {
    let tree = |subscribers| {
        let mut tree = SubscriptionTree::with_seed(7);
        for id in 0..subscribers {
            tree.subscribe(filter("news"), id, ());
        }
        tree
    };
    let text = "x".repeat(300);
    let (small, large) = (churn(&mut tree(100), &text, 20), churn(&mut tree(100_000), &text, 20));
    assert!(large < small * 30, "100 subscribers: {small:?}, 100,000: {large:?}");
}

/// Groups `0..many` come, and all but ten go.
fn groups_come_and_go(text: impl Fn(u32) -> String) {
    let subscribe = |groups: Range<u32>| {
        let mut tree = SubscriptionTree::with_seed(7);
        groups.for_each(|group| {
            tree.subscribe(filter(&text(group)), group, 0_u8);
        });
        tree
    };
    let (few, mut many) = (subscribe(0..10), subscribe(0..20_000));
    for group in 10..20_000 {
        many.unsubscribe(filter(&text(group)), &group);
    }
    assert!(many.memory() < few.memory() * 4, "{} bytes, {} without a past", many.memory(), few.memory());
    // What is left is found by each way there is.
    let of = |text: &str| {
        let mut keys = Vec::new();
        many.matches(name(text), |key, _| keys.push(*key));
        keys.sort_unstable();
        keys
    };
    for group in 0..10 {
        assert!(of(&text(group).split('/').skip(2).collect::<Vec<_>>().join("/")).contains(&group));
    }
    for group in 0..10 {
        assert!(many.group(filter(&text(group))).is_some_and(|found| found.len() == 1));
        assert_eq!(many.unsubscribe(filter(&text(group)), &group), Some(0));
    }
    assert_eq!(many.memory(), 0);
}

#[test]
fn who_is_in_several_groups_leaves_them_after_others_went() {
    let mut tree = SubscriptionTree::with_seed(7);
    let text = |group: u32| format!("$share/{group}/a/{}", group % 7);
    for group in 0..2_000 {
        tree.subscribe(filter(&text(group)), group % 100, 0_u8);
    }
    for key in (0..100).filter(|key| key % 20 != 3) {
        assert_eq!(tree.unsubscribe_all(&key), 20);
    }
    tree.subscribe(filter("$share/late/a/0"), 3, 0);
    for (key, count) in [(3, 21), (23, 20), (43, 20), (63, 20), (83, 20)] {
        assert_eq!(tree.unsubscribe_all(&key), count);
    }
    assert_eq!((tree.len(), tree.memory()), (0, 0));
}

#[test]
fn churn_of_two_filters_that_begin_alike_does_not_depend_on_the_other_filters() {
    let tree = |others: u32| {
        let mut tree = SubscriptionTree::with_seed(7);
        (0..others).for_each(|id| {
            tree.subscribe(filter(&format!("{id}/+")), id, ());
        });
        tree
    };
    let prefix = "x/".repeat(120);
    let churn = |mut tree: SubscriptionTree<u32, ()>| {
        time(|| {
            for _ in 0..10 {
                tree.subscribe(filter(&format!("{prefix}+/y")), u32::MAX, ());
                tree.subscribe(filter(&format!("{prefix}+/z")), u32::MAX, ());
                tree.unsubscribe_all(&u32::MAX);
            }
        })
    };
    let (small, large) = (churn(tree(16)), churn(tree(50_000)));
    assert!(large < small * 15, "16 filters: {small:?}, 50,000: {large:?}");
}

#[test]
fn groups_give_their_memory_back() {
    groups_come_and_go(|group| format!("$share/{group}/a/{group}"));
}

#[test]
fn groups_of_one_filter_give_their_memory_back() {
    groups_come_and_go(|group| format!("$share/{group}/a"));
}

#[test]
fn keys_cannot_be_chosen_that_meet_whatever_the_seed() {
    // The constant that foldhash's fixed state has in the place of a secret.
    const FOLD: u128 = 0xC0AC_29B7_C97C_50DD << 64;
    let fill = |high: u128| {
        let mut tree = SubscriptionTree::new();
        for id in 0..4_000_u128 {
            tree.subscribe(filter("news"), high | id, ());
        }
    };
    let (plain, flood) = (time(|| fill(1 << 64)), time(|| fill(FOLD)));
    assert!(flood < plain * 8, "{plain:?}, chosen keys: {flood:?}");
}

#[test]
fn members_that_were_there_all_along_get_as_much_as_each_other() {
    let mut tree = SubscriptionTree::with_seed(7);
    let shared = filter("$share/g/a");
    let mut count = BTreeMap::new();
    tree.subscribe(shared, "x", ());
    tree.subscribe(shared, "y", ());
    for message in 0..600 {
        // A third one comes for two messages and goes for one.
        match message % 3 {
            1 => {
                tree.subscribe(shared, "z", ());
            }
            0 => {
                tree.unsubscribe(shared, "z");
            }
            _ => {}
        }
        tree.matches(name("a"), |key, ()| *count.entry(*key).or_insert(0_i32) += 1);
    }
    assert!(i32::abs(count["x"] - count["y"]) < 20, "{count:?}");
}

/// Numbers without pattern.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ x >> 31) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// Levels below, at and above eight bytes that begin alike, among others.
    fn level(&mut self, variety: usize) -> String {
        const LEVELS: [&str; 20] = [
            "a",
            "b",
            "",
            "abcdefgh",
            "abcdefghi",
            "abcdefghj",
            "abcdefg",
            "abcdefghijklmnop",
            "abcdefghijklmnoq",
            "é",
            "éééé",
            "éééée",
            "日本語",
            "日本語日",
            "$x",
            "0",
            "/",
            "\u{1}",
            "$share",
            "g",
        ];
        match self.pick(&LEVELS[..variety]) {
            "/" => format!("{:x}", self.below(300)),
            level => level.to_owned(),
        }
    }

    fn name(&mut self, variety: usize) -> String {
        loop {
            let levels: Vec<String> = (0..=self.below(6)).map(|_| self.level(variety)).collect();
            let text = levels.join("/");
            if oracle::is_name(&text) {
                return text;
            }
        }
    }

    fn filter(&mut self, variety: usize) -> String {
        let name = self.name(variety);
        let mut levels: Vec<&str> = name.split('/').collect();
        for level in &mut levels {
            if self.below(3) == 0 {
                *level = "+";
            }
        }
        if self.below(4) == 0 {
            levels.push("#");
        }
        if self.below(12) == 0 {
            levels = vec!["#"];
        }
        let text = levels.join("/");
        if self.below(6) == 0 {
            format!("$share/{}/{text}", self.pick(&["g", "h", "日本語"]))
        } else {
            text
        }
    }
}

fn inside(text: &str) -> &str {
    text.strip_prefix("$share/").and_then(|rest| rest.split_once('/')).map_or(text, |(_, inside)| inside)
}

type Model = BTreeMap<(String, u16), u8>;

fn change(
    numbers: &mut Numbers,
    tree: &mut SubscriptionTree<u16, u8>,
    model: &mut Model,
    [variety, keys]: [usize; 2],
    shrinks: bool,
) {
    let key = u16::try_from(numbers.below(keys as u64)).unwrap();
    match numbers.below(40) {
        0 => {
            let before = model.len();
            model.retain(|(_, other), _| *other != key);
            assert_eq!(tree.unsubscribe_all(&key), before - model.len());
        }
        number if number < if shrinks { 30 } else { 8 } && !model.is_empty() => {
            let at = usize::try_from(numbers.below(model.len() as u64)).unwrap();
            let (text, key) = model.keys().nth(at).cloned().unwrap();
            assert_eq!(tree.unsubscribe(filter(&text), &key), model.remove(&(text.clone(), key)));
            assert_eq!(tree.unsubscribe(filter(&text), &key), None);
        }
        _ => {
            let text = numbers.filter(variety);
            if let Ok(parsed) = TopicFilter::parse(&text) {
                let value = u8::try_from(numbers.below(3)).unwrap();
                assert_eq!(tree.subscribe(parsed, key, value), model.insert((text, key), value));
            }
        }
    }
}

fn check(tree: &SubscriptionTree<u16, u8>, model: &Model, buffer: &mut Matches, text: &str) {
    let (mut plain, mut groups) = (Vec::new(), BTreeSet::new());
    for ((filter, key), value) in
        model.iter().filter(|((filter, _), _)| oracle::matches(inside(filter), text))
    {
        if filter.starts_with("$share/") {
            groups.insert(filter.as_str());
        } else {
            plain.push((*key, *value));
        }
    }
    plain.sort_unstable();
    let mut found = tree.find(name(text), buffer);
    let mut got: Vec<_> = found.subscriptions().map(|(key, value)| (*key, *value)).collect();
    got.sort_unstable();
    assert_eq!(got, plain, "{text}");
    let mut got: Vec<_> = found.groups().map(|group| group.filter().as_str()).collect();
    got.sort_unstable();
    assert!(got.into_iter().eq(groups), "{text}");
    let mut once = BTreeMap::<u16, u8>::new();
    for (key, value) in plain {
        let highest = once.entry(key).or_default();
        *highest = value.max(*highest);
    }
    let mut got: Vec<_> = found.deliveries(None).map(|delivery| (*delivery.key(), delivery.qos())).collect();
    got.sort_unstable();
    assert!(got.into_iter().eq(once), "{text}");
}

#[test]
fn random_changes_of_large_trees() {
    for seed in 0..12_u64 {
        let mut numbers = Numbers(seed * 1_000_003);
        let variety = [4, 9, 20, 20][usize::try_from(seed % 4).unwrap()];
        let keys = [2, 40, 400][usize::try_from(seed % 3).unwrap()];
        let mut tree = SubscriptionTree::<u16, u8>::with_seed(seed);
        let (mut model, mut buffer) = (Model::new(), Matches::new());
        for step in 0..3_000_u32 {
            change(&mut numbers, &mut tree, &mut model, [variety, keys], step / 700 % 2 == 1);
            if step % 23 == 0 {
                assert_eq!(tree.len(), model.len());
                for _ in 0..3 {
                    check(&tree, &model, &mut buffer, &numbers.name(variety));
                }
            }
            if step % 184 == 0 {
                let listed: Model = tree
                    .iter()
                    .map(|(filter, key, value)| ((filter.as_str().to_owned(), *key), *value))
                    .collect();
                assert_eq!(listed, model);
                let mut fresh = SubscriptionTree::<u16, u8>::with_seed(seed);
                for ((text, key), value) in &model {
                    fresh.subscribe(filter(text), *key, *value);
                }
                let counts = |tree: &SubscriptionTree<u16, u8>| {
                    (tree.node_count(), tree.filter_count(), tree.group_count(), tree.subscriber_count())
                };
                assert_eq!(counts(&tree), counts(&fresh));
            }
        }
        for key in 0..u16::try_from(keys).unwrap() {
            tree.unsubscribe_all(&key);
        }
        assert_eq!((tree.len(), tree.memory()), (0, 0));
    }
}

//! Retained names page by page, with changes in between.

use std::collections::BTreeSet;

use headwater_topic::{PageLimit, RetainedTree, TopicFilter, TopicName, TopicNameBuf};
use proptest::prelude::*;

use crate::oracle;

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

fn limit(matches_max: usize, names_max: usize) -> PageLimit {
    PageLimit::default().matches_max(matches_max).names_max(names_max)
}

/// Names of all pages, each page as it came; `between` may change the tree after each.
fn pages<V>(
    tree: &mut RetainedTree<V>,
    filter: TopicFilter<'_>,
    limit: PageLimit,
    mut between: impl FnMut(&mut RetainedTree<V>),
) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after: Option<TopicNameBuf> = None;
    loop {
        let mut page = Vec::new();
        let next = tree.page(filter, after.as_ref().map(TopicNameBuf::as_name), limit, |name, _| {
            page.push(name.to_string());
        });
        assert!(page.len() <= limit.matches_max.max(1));
        assert!(next.is_none() || next != after, "no step forward from {after:?}");
        pages.push(page);
        after = next;
        if after.is_none() {
            return pages;
        }
        between(tree);
    }
}

/// 40 x 40 x 40 names of three levels.
fn cube() -> RetainedTree<u32> {
    let mut tree = RetainedTree::new();
    for number in 0..64_000 {
        let text = format!("{}/{}/{}", number / 1_600, number / 40 % 40, number % 40);
        tree.insert(name(&text), number);
    }
    tree
}

#[test]
fn pages_of_any_size_give_what_one_answer_gives() {
    let mut tree = cube();
    for text in ["#", "7/#", "+/7/+", "+/+/7", "39/39/39", "+/x/+", "+/+/x", "x/#", "3/+/3"] {
        let filter = filter(text);
        let whole: Vec<String> = tree.matching(filter).map(|(name, _)| name.to_string()).collect();
        for (matches_max, names_max) in [(0, 1_000_000), (1, 1_000), (64, 1_024), (1_000, 7), (usize::MAX, 0)]
        {
            if whole.len() > 5_000 && matches_max.min(names_max) < 7 {
                continue;
            }
            let pages = pages(&mut tree, filter, limit(matches_max, names_max), |_| {});
            assert_eq!(pages.concat(), whole, "{text} by {matches_max} of {names_max}");
        }
    }
}

#[test]
fn a_filter_that_matches_nothing_is_looked_for_a_page_at_a_time() {
    let mut tree = cube();
    // Each name but the first of its prefix is passed over: two looks for each of 1,600 prefixes, 1,024 a page.
    let found = pages(&mut tree, filter("+/+/x"), limit(64, 1_024), |_| {});
    assert!(found.iter().all(Vec::is_empty));
    assert!((2..=5).contains(&found.len()), "{} pages", found.len());
    // One look a page is as good a way as any other: what a page ended with is where the next begins.
    let single = pages(&mut tree, filter("+/+/x"), limit(64, 1), |_| {});
    assert!(single.len() <= 3_300, "{} pages", single.len());
}

#[test]
fn a_page_goes_on_where_its_name_was_although_all_around_it_is_gone() {
    let mut tree = cube();
    let mut round = 0;
    let found = pages(&mut tree, filter("+/+/7"), limit(10, 100), |tree| {
        round += 1;
        if round == 1 {
            // All of the first and half of the second prefix, the page's own end with it.
            let gone: Vec<TopicNameBuf> =
                tree.iter().map(|(name, _)| TopicNameBuf::from(name)).take(1_600 + 800).collect();
            for name in &gone {
                assert!(tree.remove(name.as_name()).is_some());
            }
        }
    });
    let found = found.concat();
    // Ten were found before; then one for each prefix that was left: half of those below `1`, and all after.
    assert_eq!(found.len(), 10 + (1_600 - 60));
    assert_eq!((found[9].as_str(), found[10].as_str()), ("0/17/7", "1/27/7"));
}

/// One of the changes that others make between two pages.
#[derive(Clone, Debug)]
enum Change {
    Insert(String),
    Remove(String),
}

fn any_name() -> impl Strategy<Value = String> {
    let level = || prop::sample::select(&["", "a", "b", "c", "a!", "$x", "10", "11"][..]);
    prop::collection::vec(level(), 1..4)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("a name", |text| oracle::is_name(text))
}

fn any_filter() -> impl Strategy<Value = String> {
    let level = || prop::sample::select(&["", "a", "b", "+", "+", "$x", "10"][..]);
    let last = prop::sample::select(&["a", "+", "#", "11"][..]);
    (prop::collection::vec(level(), 0..3), last)
        .prop_map(|(mut levels, last)| {
            levels.push(last);
            levels.join("/")
        })
        .prop_filter("a filter", |text| oracle::is_filter(text))
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![any_name().prop_map(Change::Insert), any_name().prop_map(Change::Remove)]
}

proptest! {
    #[test]
    fn what_is_there_throughout_comes_once_and_what_comes_or_goes_at_most_once(
        start in prop::collection::btree_set(any_name(), 0..200),
        changes in prop::collection::vec(any_change(), 0..100),
        filter_text in any_filter(),
        matches_max in 1..5_usize,
        names_max in 1..12_usize,
    ) {
        let mut tree = RetainedTree::new();
        for text in &start {
            tree.insert(name(text), ());
        }
        let (mut throughout, mut ever) = (start.clone(), start);
        let mut changes = changes.into_iter();
        let found = pages(&mut tree, filter(&filter_text), limit(matches_max, names_max), |tree| {
            for change in changes.by_ref().take(5) {
                match change {
                    Change::Insert(text) => {
                        tree.insert(name(&text), ());
                        ever.insert(text);
                    }
                    Change::Remove(text) => {
                        tree.remove(name(&text));
                        throughout.remove(&text);
                    }
                }
            }
        });
        let found: Vec<String> = found.concat();
        let once: BTreeSet<String> = found.iter().cloned().collect();
        prop_assert_eq!(once.len(), found.len(), "twice: {:?}", found);
        prop_assert!(found.is_sorted_by_key(|text| oracle::split(text).into_iter().map(str::to_owned).collect::<Vec<_>>()));
        for text in &found {
            prop_assert!(ever.contains(text) && oracle::matches(&filter_text, text), "{}", text);
        }
        for text in throughout.iter().filter(|text| oracle::matches(&filter_text, text)) {
            prop_assert!(once.contains(text), "{} was there throughout", text);
        }
    }
}

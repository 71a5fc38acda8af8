//! Small domains, whole: every text, every filter against every name, through every engine.

use std::collections::BTreeSet;

use headwater_topic::{
    ConcurrentTree, Matches, RetainedTree, SharedFilter, SubscriptionTree, TopicFilter, TopicFilterBuf,
    TopicName, TopicNameBuf,
};

use crate::oracle;

/// Levels that every combination up to four of is tried.
const LEVELS: &[&str] = &["a", "b", "", "$x", "+", "#"];

/// Every text of one to `most` levels over [`LEVELS`].
fn level_texts(most: usize) -> Vec<String> {
    let mut longest: Vec<String> = LEVELS.iter().map(ToString::to_string).collect();
    let mut all = longest.clone();
    for _ in 1..most {
        longest = longest
            .iter()
            .flat_map(|text| LEVELS.iter().map(move |level| format!("{text}/{level}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Every text of up to `most` characters over an alphabet, the empty one too.
fn character_texts(alphabet: &str, most: usize) -> Vec<String> {
    let mut longest = vec![String::new()];
    let mut all = longest.clone();
    for _ in 0..most {
        longest = longest
            .iter()
            .flat_map(|text| alphabet.chars().map(move |character| format!("{text}{character}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

fn filters() -> Vec<String> {
    level_texts(4).into_iter().filter(|text| oracle::is_filter(text)).collect()
}

fn names() -> Vec<String> {
    level_texts(4).into_iter().filter(|text| oracle::is_name(text)).collect()
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

#[test]
fn the_domain_has_the_size_it_should_have() {
    // Levels that are not wildcards: 4. Names: 4 + 16 + 64 + 256 without the empty text. Filters: 5 levels before the
    // last and 6 as the last, 6 x (1 + 5 + 25 + 125), without the empty text.
    assert_eq!((names().len(), filters().len()), (339, 935));
}

#[test]
fn every_text_is_accepted_or_refused_as_the_oracle_says() {
    let mut texts = level_texts(4);
    texts.extend(character_texts("a/+#\0", 6));
    texts.extend(character_texts("g/+#", 6).iter().map(|rest| format!("$share/{rest}")));
    // At every place of the words of eight bytes that texts are looked at by, with and without something behind.
    for before in 1..=8 {
        for text in character_texts("a/+#\0", 4) {
            texts.push(format!("{}{text}", &"b/cc/d/e"[..before]));
            texts.push(format!("{}{text}/éééé", "e".repeat(before)));
        }
    }
    texts.extend(character_texts("$/h", 3).iter().map(|rest| format!("$share/g/$share{rest}")));
    texts.extend(["$share", "$shar/g/a", "$sharec//a", "$share\0/g"].map(ToString::to_string));
    for text in &texts {
        assert_eq!(TopicName::parse(text).is_ok(), oracle::is_name(text), "name {text:?}");
        assert_eq!(TopicNameBuf::parse(text.as_str()).is_ok(), oracle::is_name(text), "owned name {text:?}");
        assert_eq!(TopicFilter::parse(text).is_ok(), oracle::is_filter(text), "filter {text:?}");
        assert_eq!(
            TopicFilterBuf::parse(text.as_str()).is_ok(),
            oracle::is_filter(text),
            "owned filter {text:?}"
        );

        let shared = SharedFilter::parse(text);
        assert_eq!(shared.is_ok(), oracle::is_filter(text) && text.starts_with("$share/"), "shared {text:?}");
        if let Ok(shared) = shared {
            assert_eq!(shared.to_string(), *text);
            assert!(oracle::is_filter(shared.filter().as_str()), "the filter inside {text:?}");
            assert_eq!(filter(text).shared(), Some(shared));
            assert_eq!(shared.filter().shared(), None);
        }
    }
}

#[test]
fn one_off_match_agrees_with_the_oracle() {
    for filter_text in &filters() {
        for name_text in &names() {
            let expected = oracle::matches(filter_text, name_text);
            assert_eq!(
                filter(filter_text).matches(name(name_text)),
                expected,
                "{filter_text} against {name_text}"
            );
        }
    }
}

/// What a tree finds for a name: the filters' numbers, each once, whichever way it is asked.
fn found(tree: &SubscriptionTree<usize, ()>, text: &str, buffer: &mut Matches) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    tree.matches(name(text), |&number, ()| {
        assert!(found.insert(number), "visited twice: {number} for {text}")
    });
    let mut by_filter = Vec::new();
    tree.matches_by_filter(name(text), |subscribers| by_filter.extend_from_slice(subscribers.keys()));
    let written: Vec<usize> =
        tree.find(name(text), buffer).subscriptions().map(|(number, ())| *number).collect();
    assert_eq!((by_filter.len(), &by_filter), (found.len(), &written));
    assert!(by_filter.iter().all(|number| found.contains(number)));
    found
}

/// What a tree finds for each of many names in one call.
fn found_in_a_batch(tree: &SubscriptionTree<usize, ()>, texts: &[String]) -> Vec<BTreeSet<usize>> {
    let names: Vec<TopicName<'_>> = texts.iter().map(|text| name(text)).collect();
    let mut found = vec![BTreeSet::new(); names.len()];
    tree.matches_batch(&names, |number, subscribers| {
        for key in subscribers.keys() {
            assert!(found[number].insert(*key), "visited twice: {key} for {}", names[number]);
        }
    });
    found
}

#[test]
fn subscription_tree_agrees_with_the_oracle() {
    let filters = filters();
    let mut tree = SubscriptionTree::new();
    for (number, text) in filters.iter().enumerate() {
        assert_eq!(tree.subscribe(filter(text), number, ()), None);
    }
    assert_eq!((tree.len(), tree.filter_count()), (filters.len(), filters.len()));
    let listed: BTreeSet<(String, usize)> =
        tree.iter().map(|(filter, &number, ())| (filter.to_string(), number)).collect();
    assert!(listed.iter().all(|(text, number)| filters[*number] == *text) && listed.len() == filters.len());

    let concurrent = ConcurrentTree::from(tree.clone());
    let mut buffer = Matches::new();
    // Whole, and again with every second one gone; then it is as if those had never been there.
    for step in [1, 2] {
        let names = names();
        let batch = found_in_a_batch(&tree, &names);
        for (text, batch) in names.iter().zip(batch) {
            let expected: BTreeSet<usize> = (0..filters.len())
                .step_by(step)
                .filter(|&number| oracle::matches(&filters[number], text))
                .collect();
            assert_eq!(found(&tree, text, &mut buffer), expected, "{text}");
            assert_eq!(batch, expected, "{text}");
            assert_eq!(found(&concurrent.read(), text, &mut buffer), expected, "{text}");
        }
        for (number, text) in filters.iter().enumerate().skip(1).step_by(2) {
            assert_eq!(tree.unsubscribe(filter(text), &number).is_some(), step == 1);
            assert_eq!(concurrent.unsubscribe(filter(text), &number).is_some(), step == 1);
        }
    }
    let mut half = SubscriptionTree::new();
    for (number, text) in filters.iter().enumerate().step_by(2) {
        half.subscribe(filter(text), number, ());
    }
    assert_eq!(
        (tree.len(), tree.node_count(), tree.filter_count()),
        (half.len(), half.node_count(), half.filter_count())
    );
}

#[test]
fn batches_agree_with_the_oracle_whatever_is_beside_whom() {
    let filters = filters();
    let all = names();
    // Deep, short and `$` names next to each other, in trees so thin that filters end as texts.
    assert!(!all.len().is_multiple_of(101));
    let names: Vec<String> = (0..all.len()).map(|place| all[place * 101 % all.len()].clone()).collect();
    for thin in [1, 2, 5, 7, 13, 29] {
        let mut tree = SubscriptionTree::new();
        let chosen: Vec<usize> = (0..filters.len()).step_by(thin).collect();
        for number in &chosen {
            tree.subscribe(filter(&filters[*number]), *number, ());
        }
        for size in [1, 7, 8, 9, 16, 23, names.len()] {
            for names in names.chunks(size) {
                for (text, found) in names.iter().zip(found_in_a_batch(&tree, names)) {
                    let matching = |number: &&usize| oracle::matches(&filters[**number], text);
                    let expected: BTreeSet<usize> = chosen.iter().filter(matching).copied().collect();
                    assert_eq!(found, expected, "{text}, one of {size}");
                }
            }
        }
    }
}

#[test]
fn each_filter_alone_in_a_tree_and_in_a_group_agrees_with_the_oracle() {
    let (names, mut buffer) = (names(), Matches::new());
    for filter_text in &filters() {
        let mut tree = SubscriptionTree::new();
        tree.subscribe(filter(filter_text), 0, ());
        let mut shared = SubscriptionTree::new();
        let shared_text = format!("$share/g/{filter_text}");
        for member in 0..2 {
            shared.subscribe(filter(&shared_text), member, ());
        }
        for name_text in &names {
            let expected = usize::from(oracle::matches(filter_text, name_text));
            assert_eq!(
                found(&tree, name_text, &mut buffer).len(),
                expected,
                "{filter_text} against {name_text}"
            );
            let mut messages = 0;
            shared.matches(name(name_text), |_, ()| messages += 1);
            assert_eq!(messages, expected, "{shared_text} against {name_text}");
        }
    }
}

#[test]
fn retained_tree_agrees_with_the_oracle_and_keeps_its_order() {
    let mut names = names();
    let mut tree = RetainedTree::new();
    for (number, text) in names.iter().enumerate() {
        assert_eq!(tree.insert(name(text), number), None);
    }
    names.sort_by_key(|text| oracle::split(text).into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert!(tree.iter().map(|(name, _)| name.as_str()).eq(names.iter()));

    for filter_text in &filters() {
        let expected: Vec<&str> =
            names.iter().map(String::as_str).filter(|text| oracle::matches(filter_text, text)).collect();
        let mut visited = Vec::new();
        tree.matches(filter(filter_text), |name, _| visited.push(name.as_str()));
        assert_eq!(visited, expected, "{filter_text}");
    }
}

#[test]
fn retained_tree_goes_on_after_any_name_with_what_comes_after_it() {
    let names = names();
    // Every second name is stored, so that half of the names to go on from are not there.
    let mut tree = RetainedTree::new();
    for text in names.iter().step_by(2) {
        tree.insert(name(text), ());
    }
    for filter_text in level_texts(3).iter().filter(|text| oracle::is_filter(text)) {
        let whole: Vec<&str> = tree.matching(filter(filter_text)).map(|(name, ())| name.as_str()).collect();
        for after in names.iter().step_by(5) {
            let rest = tree.matching_after(filter(filter_text), name(after)).map(|(name, ())| name.as_str());
            let expected = whole.iter().copied().filter(|text| oracle::split(text) > oracle::split(after));
            assert!(rest.eq(expected), "{filter_text} after {after}");
        }
    }
}

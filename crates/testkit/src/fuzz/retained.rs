//! Retained names that come and go, the filters that ask for them, and what the filters have to do with each other.

use std::collections::BTreeMap;

use headwater_topic::{PageLimit, RetainedTree, TopicFilter, TopicName, TopicNameBuf};

use super::topic::naive;

/// How many filters and names are held against each other: in threes, so that the work grows with the third power.
const RELATED_MAX: usize = 8;

/// Lines of text, done one after the other: a name is inserted, one behind `-` is removed, a filter behind `?` is asked for, in pages.
///
/// The tree agrees with a list in the order of levels that is searched from end to end by a naive matcher. Between the pages of the
/// last filter asked for, the lines before it are done once more: what is there throughout comes once, nothing comes twice. Whether
/// filters cover and overlap each other contradicts no name of the input.
///
/// # Panics
///
/// When they do not, or it does.
pub fn retained(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (mut tree, mut model) = (RetainedTree::new(), Model::new());
    let (mut names, mut filters) = (Vec::new(), Vec::new());
    for (number, line) in (0_u64..).zip(text.split('\n')) {
        if let Some(filter) = line.strip_prefix('?').and_then(|rest| TopicFilter::parse(rest).ok()) {
            filters.push((number, filter));
            let found = in_pages(&mut tree, filter, number, |_| {});
            let expected = model.iter().map(|(key, value)| (key.join("/"), *value));
            let expected: Vec<_> = expected.filter(|(name, _)| naive(filter.as_str(), name)).collect();
            assert_eq!(found, expected, "{filter}");
            assert!(tree.matching(filter).map(|(name, value)| (name.to_string(), *value)).eq(expected));
        } else {
            change(&mut tree, &mut model, number, line);
        }
        names.extend(TopicName::parse(line.trim_start_matches('-')).ok());
        assert_eq!(tree.len(), model.len());
    }
    if let Some((number, filter)) = filters.last() {
        let lines: Vec<&str> = text.split('\n').collect();
        disturbed(tree, &model, *filter, *number, &lines);
    }
    names.truncate(RELATED_MAX);
    let filters: Vec<TopicFilter<'_>> =
        filters.into_iter().map(|(_, filter)| filter).take(RELATED_MAX).collect();
    related(&filters, &names);
}

/// Lists of levels, which are in the order in which names are.
type Model<'a> = BTreeMap<Vec<&'a str>, u64>;

fn change<'a>(tree: &mut RetainedTree<u64>, model: &mut Model<'a>, number: u64, line: &'a str) {
    if let Some(name) = line.strip_prefix('-').and_then(|rest| TopicName::parse(rest).ok()) {
        assert_eq!(tree.remove(name), model.remove(&name.levels().collect::<Vec<_>>()), "{name}");
    } else if let Ok(name) = TopicName::parse(line) {
        assert_eq!(tree.insert(name, number), model.insert(name.levels().collect(), number), "{name}");
        assert_eq!(tree.get(name), Some(&number), "{name}");
    }
}

/// All that a filter matches, in pages whose size the number says.
fn in_pages(
    tree: &mut RetainedTree<u64>,
    filter: TopicFilter<'_>,
    number: u64,
    mut between: impl FnMut(&mut RetainedTree<u64>),
) -> Vec<(String, u64)> {
    let size = usize::try_from(number % 5 + 1).unwrap_or(1);
    let limit = PageLimit::default().matches_max(size).names_max(size + 2);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let name = after.as_ref().map(TopicNameBuf::as_name);
        let next = tree.page(filter, name, limit, |name, value| found.push((name.to_string(), *value)));
        assert!(next.is_none() || next != after, "no step forward from {after:?}");
        after = next;
        if after.is_none() {
            return found;
        }
        between(tree);
    }
}

/// Asks for a filter once more, while a line is done after each page.
fn disturbed(
    mut tree: RetainedTree<u64>,
    model: &Model<'_>,
    filter: TopicFilter<'_>,
    number: u64,
    lines: &[&str],
) {
    let mut throughout: Vec<String> = model.keys().map(|key| key.join("/")).collect();
    throughout.retain(|name| naive(filter.as_str(), name));
    let mut lines = lines.iter();
    let found = in_pages(&mut tree, filter, number, |tree| {
        let Some(line) = lines.next() else { return };
        if let Some(name) = line.strip_prefix('-').and_then(|rest| TopicName::parse(rest).ok()) {
            tree.remove(name);
            throughout.retain(|other| *other != name.as_str());
        } else if let Ok(name) = TopicName::parse(line) {
            tree.insert(name, 0);
        }
    });
    let mut once: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    once.sort_unstable();
    assert!(once.is_sorted_by(|one, other| one < other), "{filter}: one came twice of {once:?}");
    for name in &throughout {
        assert!(once.binary_search(&name.as_str()).is_ok(), "{filter}: {name} was there throughout");
    }
}

/// What no name contradicts: covers is an order, both relations go with what is matched.
fn related(filters: &[TopicFilter<'_>], names: &[TopicName<'_>]) {
    for name in names {
        for filter in filters {
            let expected = naive(filter.unshared().as_str(), name.as_str());
            assert_eq!(filter.unshared().matches(*name), expected, "{filter} against {name}");
            let texts = headwater_topic::matches(filter.unshared().as_str(), name.as_str());
            assert_eq!(texts, Ok(expected), "{filter} against {name}");
        }
    }
    for one in filters {
        assert!(one.covers(*one) && one.overlaps(*one), "{one}");
        for other in filters {
            let (covers, overlaps) = (one.covers(*other), one.overlaps(*other));
            assert_eq!(overlaps, other.overlaps(*one), "{one} and {other}");
            assert!(overlaps || !covers, "{one} covers {other}");
            for name in names {
                let matches = (one.unshared().matches(*name), other.unshared().matches(*name));
                assert!(!covers || matches != (false, true), "{one} covers {other}, but for {name}");
                assert!(overlaps || matches != (true, true), "{one} and {other} match {name}");
            }
            for third in filters {
                assert!(!covers || !other.covers(*third) || one.covers(*third), "{one}, {other}, {third}");
                assert!(
                    !covers || !other.overlaps(*third) || one.overlaps(*third),
                    "{one}, {other}, {third}"
                );
            }
        }
    }
}

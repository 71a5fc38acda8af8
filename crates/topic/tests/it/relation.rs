//! What filters have to do with each other, held against the names they match: whole small domains, and laws.

use headwater_topic::{TopicFilter, TopicName};
use proptest::prelude::*;

use crate::oracle;

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

/// Every text of one to `most` levels over these.
fn level_texts(levels: &[&str], most: usize) -> Vec<String> {
    let mut longest: Vec<String> = levels.iter().map(ToString::to_string).collect();
    let mut all = longest.clone();
    for _ in 1..most {
        let next = |text: &String| levels.iter().map(|level| format!("{text}/{level}")).collect::<Vec<_>>();
        longest = longest.iter().flat_map(next).collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Every name of up to five levels over those of the filters and one that is in no filter.
///
/// Filters of four levels tell no more names apart: the fifth level stands for all that is deeper, `c` for every other text.
fn names() -> Vec<String> {
    let mut names = level_texts(&["a", "b", "", "$x", "c"], 5);
    names.retain(|text| oracle::is_name(text));
    names
}

/// Every filter of up to four levels.
fn filters() -> Vec<String> {
    let mut filters = level_texts(&["a", "b", "", "$x", "+", "#"], 4);
    filters.retain(|text| oracle::is_filter(text));
    filters
}

/// Which of some names a filter matches, a bit for each.
fn matched(filter: &str, names: &[Vec<&str>]) -> Vec<u64> {
    let filter = oracle::split(filter);
    let bit = |name: &Vec<&str>| u64::from(oracle::split_matches(&filter, name));
    names.chunks(64).map(|names| names.iter().fold(0, |bits, name| bits << 1 | bit(name))).collect()
}

#[test]
fn covers_and_overlaps_are_what_all_names_say_for_every_pair_of_filters() {
    let (names, filters) = (names(), filters());
    assert_eq!((names.len(), filters.len()), (3_904, 935));
    let names: Vec<Vec<&str>> = names.iter().map(|name| oracle::split(name)).collect();
    let sets: Vec<Vec<u64>> = filters.iter().map(|filter| matched(filter, &names)).collect();
    let (mut covering, mut overlapping) = (0, 0);
    for (one, one_set) in filters.iter().zip(&sets) {
        assert!(one_set.iter().any(|word| *word != 0), "{one} matches something");
        for (other, other_set) in filters.iter().zip(&sets) {
            let covers = one_set.iter().zip(other_set).all(|(one, other)| other & !one == 0);
            let overlaps = one_set.iter().zip(other_set).any(|(one, other)| one & other != 0);
            assert_eq!(filter(one).covers(filter(other)), covers, "{one} covers {other}");
            assert_eq!(filter(one).overlaps(filter(other)), overlaps, "{one} overlaps {other}");
            covering += usize::from(covers);
            overlapping += usize::from(overlaps);
        }
    }
    // The domain is no desert: so many pairs hold, of 874,225.
    assert!(covering > 5_000 && overlapping > 50_000, "{covering} {overlapping}");
}

#[test]
fn a_shared_filter_is_its_filter_inside_to_each_relation() {
    let filters: Vec<String> = filters().into_iter().step_by(7).collect();
    for one in &filters {
        for other in &filters {
            let shared = format!("$share/group/{other}");
            let plain = (filter(one).covers(filter(other)), filter(other).covers(filter(one)));
            assert_eq!((filter(one).covers(filter(&shared)), filter(&shared).covers(filter(one))), plain);
            assert_eq!(filter(one).overlaps(filter(&shared)), filter(one).overlaps(filter(other)));
            assert_eq!(filter(&shared).overlaps(filter(one)), filter(one).overlaps(filter(other)));
        }
    }
}

/// Filters that often have something to do with each other: some deep, some shared.
fn any_filter() -> impl Strategy<Value = String> {
    let level = || prop::sample::select(&["a", "b", "", "+", "+", "+", "$x", "caf\u{E9}"][..]);
    let end = prop::sample::select(&["a", "+", "#", "#", ""][..]);
    (prop::sample::select(&["", "", "", "$share/g/"][..]), prop::collection::vec(level(), 0..12), end)
        .prop_map(|(group, mut levels, end)| {
            levels.push(end);
            format!("{group}{}", levels.join("/"))
        })
        .prop_filter("a filter", |text| oracle::is_filter(text))
}

/// A filter, one that came of it by a wildcard more here and there, and one that came of that: related, most often.
fn any_chain() -> impl Strategy<Value = [String; 3]> {
    (any_filter(), any::<u16>(), any::<u16>()).prop_map(|(narrow, first, second)| {
        let wider = widened(filter(&narrow).unshared().as_str(), first);
        let widest = widened(&wider, second);
        [widest, wider, narrow]
    })
}

/// A filter with `+` where the mask has a bit for it, and with `#` for its end if the highest is set.
fn widened(text: &str, mask: u16) -> String {
    let wide = |(place, level)| if level != "#" && mask >> place & 1 == 1 { "+" } else { level };
    let mut levels: Vec<&str> = text.split('/').enumerate().map(wide).collect();
    if mask >> 15 == 1 && levels.last() != Some(&"#") {
        levels.truncate(usize::from(mask & 7));
        levels.push("#");
    }
    levels.join("/")
}

/// A name that the filter matches, most often.
fn any_name_of(text: &str) -> impl Strategy<Value = String> + use<> {
    let levels: Vec<String> = filter(text).unshared().levels().map(str::to_owned).collect();
    let fill = prop::sample::select(&["a", "b", "", "c"][..]);
    prop::collection::vec(fill, levels.len() + 1).prop_map(move |fills| {
        let mut name: Vec<&str> = levels
            .iter()
            .zip(&fills)
            .map(|(level, fill)| if level == "+" { fill } else { level.as_str() })
            .collect();
        if name.last() == Some(&"#") {
            name.pop();
            name.extend(&fills[..fills.len() % 3]);
        }
        let name = name.join("/");
        if oracle::is_name(&name) { name } else { "a".to_owned() }
    })
}

proptest! {
    #[test]
    fn covers_is_a_partial_order_and_carries_matches_and_overlaps_with_it(
        ([wide, middle, narrow], name_text) in any_chain().prop_flat_map(|chain| {
            let name = any_name_of(&chain[2]);
            (Just(chain), name)
        }),
        other in any_filter(),
    ) {
        let [wide, middle, narrow, other] = [&wide, &middle, &narrow, &other].map(|text| filter(text));
        let name = name(&name_text);
        for one in [wide, middle, narrow, other] {
            prop_assert!(one.covers(one) && one.overlaps(one), "{}", one);
            for second in [wide, middle, narrow, other] {
                prop_assert_eq!(one.overlaps(second), second.overlaps(one), "{} {}", one, second);
                if one.covers(second) {
                    prop_assert!(one.overlaps(second), "{} covers {}", one, second);
                    prop_assert!(one.unshared().matches(name) || !second.unshared().matches(name), "{} covers {}: {}", one, second, name);
                }
                if one.unshared().matches(name) && second.unshared().matches(name) {
                    prop_assert!(one.overlaps(second), "{} and {} match {}", one, second, name);
                }
                for third in [wide, middle, narrow, other] {
                    if one.covers(second) && second.covers(third) {
                        prop_assert!(one.covers(third), "{} {} {}", one, second, third);
                    }
                    if one.covers(second) && second.overlaps(third) {
                        prop_assert!(one.overlaps(third), "{} {} {}", one, second, third);
                    }
                }
            }
        }
    }

    #[test]
    fn to_cover_a_name_is_to_match_it_and_to_overlap_it(
        (text, name_text) in any_filter().prop_flat_map(|text| {
            let name = any_name_of(&text);
            (Just(text), name)
        }),
    ) {
        let (wide, narrow) = (filter(&text), filter(&name_text));
        let matches = wide.unshared().matches(name(&name_text));
        prop_assert_eq!((wide.covers(narrow), wide.overlaps(narrow)), (matches, matches));
    }
}

//! Bad input, row by row: what must be refused, must not match, and must not cost more than it should.

use std::thread;

use headwater_topic::{
    InvalidFilter, InvalidTopicName, Limits, PageLimit, RetainedTree, SharedFilter, SubscriptionTree,
    TopicFilter, TopicName, TopicNameBuf,
};

/// Less than half of what a thread of an asynchronous runtime has left when it gets here.
const SMALL_STACK_BYTES: usize = 128 * 1024;

/// Runs in a thread with a small stack: recursion by level does not end well here.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(SMALL_STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

fn refused(text: &str) -> InvalidFilter {
    let error = TopicFilter::parse(text).expect_err("the filter should be refused");
    // Section 3.9.3: topic filter invalid.
    assert_eq!(error.reason_code(), 0x8F);
    error
}

#[test]
fn malformed_filters_are_invalid() {
    assert_eq!(refused("a#"), InvalidFilter::HashNotAlone { position: 1 });
    assert_eq!(refused("a/#b"), InvalidFilter::HashNotAlone { position: 2 });
    assert_eq!(refused("#/a"), InvalidFilter::HashNotLast { position: 0 });
    assert_eq!(refused("a/#/"), InvalidFilter::HashNotLast { position: 2 });
    assert_eq!(refused("a+"), InvalidFilter::PlusNotAlone { position: 1 });
    assert_eq!(refused("a/+b/c"), InvalidFilter::PlusNotAlone { position: 2 });
    assert_eq!(refused("++"), InvalidFilter::PlusNotAlone { position: 0 });
    assert_eq!(refused(""), InvalidFilter::Empty);
    assert_eq!(refused("a/\0"), InvalidFilter::Nul { position: 2 });
    assert_eq!(refused(&"a".repeat(65_536)), InvalidFilter::TooLong { bytes: 65_536 });
    assert!(TopicFilter::parse(&"a".repeat(65_535)).is_ok());
}

#[test]
fn malformed_shared_filters_are_invalid() {
    assert_eq!(refused("$share//t"), InvalidFilter::ShareGroupEmpty { position: 7 });
    assert_eq!(refused("$share/"), InvalidFilter::ShareGroupEmpty { position: 7 });
    assert_eq!(refused("$share/g"), InvalidFilter::ShareFilterMissing { position: 8 });
    assert_eq!(refused("$share/g/"), InvalidFilter::ShareFilterMissing { position: 9 });
    assert_eq!(refused("$share/g+/t"), InvalidFilter::ShareGroupWildcard { position: 8 });
    assert_eq!(refused("$share/#"), InvalidFilter::ShareGroupWildcard { position: 7 });
    assert_eq!(refused("$share/g/$share/h/t"), InvalidFilter::ShareNested { position: 9 });
    assert_eq!(SharedFilter::parse("a/b"), Err(InvalidFilter::NotShared));
}

#[test]
fn malformed_names_are_invalid_and_say_how_a_publish_is_answered() {
    let answer = |text: &str| TopicName::parse(text).err().map(|error| (error, error.reason_code()));
    assert_eq!(answer(""), Some((InvalidTopicName::Empty, 0x82)));
    assert_eq!(answer("a/+"), Some((InvalidTopicName::Wildcard { position: 2 }, 0x90)));
    assert_eq!(answer("\0"), Some((InvalidTopicName::Nul { position: 0 }, 0x81)));
    assert_eq!(answer(&"a".repeat(65_536)), Some((InvalidTopicName::TooLong { bytes: 65_536 }, 0x81)));
    assert_eq!(answer(&"a".repeat(65_535)), None);
    let deep = InvalidTopicName::TooManyLevels { position: 127, levels_max: 128 };
    assert_eq!(answer(&"/".repeat(128)), Some((deep, 0x90)));
    assert_eq!(answer(&"/".repeat(127)), None);
}

#[test]
fn messages_say_what_where_and_how_to_mend_it() {
    assert_eq!(
        refused("a+").to_string(),
        "topic filter has '+' at byte 1 beside other characters; put it alone between '/'"
    );
    assert_eq!(
        refused(&"/".repeat(200)).to_string(),
        "topic filter goes beyond 128 levels at byte 127; use fewer '/' or raise `levels_max`"
    );
}

#[test]
fn leading_wildcards_do_not_reach_names_that_begin_with_a_dollar() {
    let name = TopicName::parse("$SYS/x").unwrap();
    let (mut subscriptions, mut retained) = (SubscriptionTree::new(), RetainedTree::new());
    retained.insert(name, ());
    for text in ["#", "+/x", "+/#", "+/+"] {
        let filter = TopicFilter::parse(text).unwrap();
        subscriptions.subscribe(filter, text, ());
        assert!(!filter.matches(name), "{text}");
        assert_eq!(retained.matching(filter).count(), 0, "{text}");
    }
    subscriptions.matches(name, |text, ()| panic!("{text} reached {name}"));
}

#[test]
fn slashes_65_535_are_refused_by_the_default_limit() {
    let slashes = "/".repeat(65_535);
    assert_eq!(refused(&slashes), InvalidFilter::TooManyLevels { position: 127, levels_max: 128 });
    assert_eq!(
        TopicName::parse(&slashes),
        Err(InvalidTopicName::TooManyLevels { position: 127, levels_max: 128 })
    );
    let one_short = Limits::default().levels_max(65_535);
    assert!(TopicFilter::parse_with(&slashes, one_short).is_err());
    assert!(TopicFilter::parse_with(&slashes, one_short.levels_max(65_536)).is_ok());
}

#[test]
fn slashes_65_535_pass_every_engine_on_a_small_stack() {
    on_a_small_stack(|| {
        let slashes = "/".repeat(65_535);
        let pluses = ["+"; 32_768].join("/");
        let hash = format!("{}#", "/".repeat(65_534));
        let letters = ["a"; 32_768].join("/");

        let mut subscriptions = SubscriptionTree::new();
        let mut retained = RetainedTree::new();
        let filters = [&slashes, &pluses, &hash]
            .map(|text| TopicFilter::parse_with(text, Limits::SPECIFICATION).unwrap());
        let names =
            [&slashes, &letters].map(|text| TopicName::parse_with(text, Limits::SPECIFICATION).unwrap());
        for (number, filter) in filters.into_iter().enumerate() {
            assert_eq!(subscriptions.subscribe(filter, number, ()), None);
        }
        for name in names {
            assert_eq!(retained.insert(name, ()), None);
        }

        for (name, expected) in names.into_iter().zip([vec![0, 2], vec![1]]) {
            assert_eq!(name.levels().count(), expected.len() * 32_768);
            let mut found = Vec::new();
            subscriptions.matches(name, |&number, ()| found.push(number));
            found.sort_unstable();
            assert_eq!(found, expected);
            let one_off: Vec<usize> = (0..3).filter(|&number| filters[number].matches(name)).collect();
            assert_eq!(one_off, expected);
            let lookups: Vec<usize> = (0..3)
                .filter(|&number| retained.matching(filters[number]).any(|(found, ())| found == name))
                .collect();
            assert_eq!(lookups, expected);
        }

        let mut batch: [Vec<usize>; 10] = Default::default();
        let many: Vec<TopicName<'_>> = names.into_iter().cycle().take(10).collect();
        subscriptions.matches_batch(&many, |name, subscribers| batch[name].extend(subscribers.keys()));
        for (number, mut found) in batch.into_iter().enumerate() {
            found.sort_unstable();
            assert_eq!(found, if number % 2 == 0 { vec![0, 2] } else { vec![1] });
        }

        // Once removed one by one, and once dropped as they are.
        let (kept_subscriptions, kept_retained) = (subscriptions.clone(), retained.clone());
        for (number, filter) in filters.into_iter().enumerate() {
            assert!(subscriptions.unsubscribe(filter, &number).is_some());
        }
        for name in names {
            assert!(retained.remove(name).is_some());
        }
        assert_eq!((subscriptions.len(), subscriptions.node_count(), retained.len()), (0, 0, 0));
        drop((kept_subscriptions, kept_retained));
    });
}

#[test]
fn slashes_65_535_pass_every_relation_page_and_one_off_match_on_a_small_stack() {
    on_a_small_stack(|| {
        let slashes = "/".repeat(65_535);
        let pluses = ["+"; 32_768].join("/");
        let hash = format!("{}#", "/".repeat(65_534));
        let deep_hash = format!("{}#", "+/".repeat(32_767));
        let texts = [&slashes, &pluses, &hash, &deep_hash];
        let filters = texts.map(|text| TopicFilter::parse_with(text, Limits::SPECIFICATION).unwrap());
        let covers = filters.map(|wide| filters.map(|narrow| wide.covers(narrow)));
        assert_eq!(
            covers,
            [
                [true, false, false, false],
                [false, true, false, false],
                [true, false, true, false],
                [true, true, true, true],
            ]
        );
        let overlaps = filters.map(|one| filters.map(|other| one.overlaps(other)));
        assert_eq!(
            overlaps,
            [
                [true, false, true, true],
                [false, true, false, true],
                [true, false, true, true],
                [true, true, true, true],
            ]
        );

        let name = TopicName::parse_with(&slashes, Limits::SPECIFICATION).unwrap();
        let mut retained = RetainedTree::new();
        retained.insert(name, ());
        retained.insert(TopicName::parse("a").unwrap(), ());
        for (filter, expected) in filters.into_iter().zip([1, 0, 1, 1]) {
            let (mut found, mut after): (usize, Option<TopicNameBuf>) = (0, None);
            loop {
                let limit = PageLimit::default().matches_max(1).names_max(1);
                let name = after.as_ref().map(TopicNameBuf::as_name);
                after = retained.page(filter, name, limit, |_, ()| found += 1);
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((found, usize::from(filter.matches(name))), (expected, expected));
        }
        // As texts, the default limit holds.
        assert!(headwater_topic::matches(&slashes, &slashes).is_err());
        assert_eq!(name.levels().rev().count(), 65_536);
    });
}

#[test]
fn adversarial_plus_combinations_are_each_found_once() {
    let texts: Vec<String> = (0..1_u32 << 12)
        .map(|number| {
            let levels = (0..12).map(|level| if number >> level & 1 == 1 { "+" } else { "a" });
            levels.collect::<Vec<_>>().join("/")
        })
        .collect();
    let mut tree = SubscriptionTree::new();
    for (number, text) in texts.iter().enumerate() {
        tree.subscribe(TopicFilter::parse(text).unwrap(), number, ());
    }
    // The wildcard tree is what bounds a match: one edge for each prefix, and the root. The one filter without `+` is not in it, so
    // there is but one that begins with eleven `a`.
    assert_eq!((tree.len(), tree.node_count()), (4_096, (1 << 13) - 3));
    let mut found = vec![0; texts.len()];
    tree.matches(TopicName::parse("a/a/a/a/a/a/a/a/a/a/a/a").unwrap(), |&number, ()| found[number] += 1);
    assert!(found.iter().all(|&times| times == 1));
    tree.matches(TopicName::parse("a/a/a/a/a/a/a/a/a/a/a/a/a").unwrap(), |&number, ()| {
        panic!("{} matched", texts[number])
    });
}

#[test]
fn the_same_filter_twice_is_replaced_and_not_doubled() {
    let mut tree = SubscriptionTree::new();
    for text in ["a/b", "a/+", "a/#"] {
        let filter = TopicFilter::parse(text).unwrap();
        assert_eq!(tree.subscribe(filter, "k", 1), None);
        assert_eq!(tree.subscribe(filter, "k", 2), Some(1));
        assert_eq!(tree.get(filter, "k"), Some(&2));
    }
    let mut values = Vec::new();
    tree.matches(TopicName::parse("a/b").unwrap(), |_, &value| values.push(value));
    assert_eq!((tree.len(), values), (3, vec![2, 2, 2]));
}

#[test]
fn a_million_filters_are_found_and_leave_nothing_behind() {
    let mut tree = SubscriptionTree::new();
    let text = |number: u32| match number % 3 {
        0 => format!("site/{}/line/{number}", number % 100),
        1 => format!("site/+/line/{number}"),
        _ => format!("site/{number}/#"),
    };
    for number in 0..1_000_000 {
        tree.subscribe(TopicFilter::parse(&text(number)).unwrap(), number % 1_000, number);
    }
    assert_eq!((tree.len(), tree.filter_count()), (1_000_000, 1_000_000));
    let mut found = Vec::new();
    tree.matches(TopicName::parse("site/5/line/1000").unwrap(), |_, &number| found.push(number));
    found.sort_unstable();
    assert_eq!(found, [5, 1_000]);

    let removed: usize = (0..1_000).map(|key| tree.unsubscribe_all(&key)).sum();
    assert_eq!(removed, 1_000_000);
    assert_eq!((tree.len(), tree.filter_count(), tree.node_count()), (0, 0, 0));
}

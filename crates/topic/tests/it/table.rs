//! One table of filters, names and answers, mostly the specification's own examples, for every engine.

use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};

use crate::oracle;

/// Filter, name, and whether they match.
const TABLE: &[(&str, &str, bool)] = &[
    // Section 4.7.1.2, the multi-level wildcard.
    ("sport/tennis/player1/#", "sport/tennis/player1", true),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
    ("sport/tennis/player1/#", "sport/tennis/player2", false),
    ("sport/#", "sport", true),
    ("sport/#", "sports", false),
    ("#", "sport", true),
    ("#", "/", true),
    // Section 4.7.1.3, the single-level wildcard.
    ("sport/tennis/+", "sport/tennis/player1", true),
    ("sport/tennis/+", "sport/tennis/player1/ranking", false),
    ("sport/+", "sport", false),
    ("sport/+", "sport/", true),
    ("+", "sport", true),
    ("+/tennis/#", "sport/tennis", true),
    ("+/tennis/#", "sport/tennis/player1", true),
    ("sport/+/player1", "sport/tennis/player1", true),
    ("sport/+/player1", "sport/tennis/player2", false),
    ("+/+", "/finance", true),
    ("/+", "/finance", true),
    ("+", "/finance", false),
    // Section 4.7.2, names that begin with `$`.
    ("#", "$SYS/monitor/Clients", false),
    ("+/monitor/Clients", "$SYS/monitor/Clients", false),
    ("+", "$SYS", false),
    ("+/#", "$SYS", false),
    ("$SYS/#", "$SYS/monitor/Clients", true),
    ("$SYS/#", "$SYS", true),
    ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
    ("a/+", "a/$SYS", true),
    ("a/#", "a/$SYS", true),
    // Section 4.7.3, meaning: case, space, and separators at either end count.
    ("ACCOUNTS", "Accounts", false),
    ("Accounts payable", "Accounts payable", true),
    ("/finance", "finance", false),
    ("finance/", "finance", false),
    ("/", "/", true),
    ("+/+", "/", true),
    ("+/+/+", "/", false),
    ("/#", "/", true),
    ("/#", "a", false),
    ("a//b", "a//b", true),
    ("a/+/b", "a//b", true),
    ("a/b", "a//b", false),
    // [MQTT-4.7.3-4] No normalisation: composed and decomposed, and a byte order mark.
    ("caf\u{E9}", "cafe\u{301}", false),
    ("\u{FEFF}a", "a", false),
    ("\u{FEFF}a", "\u{FEFF}a", true),
    // Places where a cheap matcher goes wrong.
    ("a/+/c", "a/b", false),
    ("a/+/c", "a/b/c/d", false),
    ("a/b/#", "a/bc", false),
    ("a/b", "a/b/", false),
    ("a/b/", "a/b", false),
    ("+/b", "a/b/b", false),
    ("a/+/+", "a/b", false),
    ("a/+/#", "a", false),
    ("a/+/#", "a/", true),
];

/// A way to ask whether a filter matches a name, and what it is called.
type Engine = (&'static str, fn(&str, &str) -> bool);

/// All of them.
const ENGINES: &[Engine] = &[
    ("oracle", oracle::matches),
    ("one-off", |filter, name| TopicFilter::parse(filter).unwrap().matches(TopicName::parse(name).unwrap())),
    ("one-off, texts", |filter, name| headwater_topic::matches(filter, name).unwrap()),
    ("subscription tree", |filter, name| {
        let mut tree = SubscriptionTree::new();
        tree.subscribe(TopicFilter::parse(filter).unwrap(), 0, ());
        let mut found = 0;
        tree.matches(TopicName::parse(name).unwrap(), |_, ()| found += 1);
        assert!(found < 2, "one subscription, visited {found} times");
        found == 1
    }),
    ("retained tree", |filter, name| {
        let mut tree = RetainedTree::new();
        tree.insert(TopicName::parse(name).unwrap(), ());
        let found = tree.matching(TopicFilter::parse(filter).unwrap()).count();
        assert!(found < 2, "one name, visited {found} times");
        found == 1
    }),
];

/// Shared filters: whether the name matches the filter as it stands, and whether it matches the filter inside.
const SHARED: &[(&str, &str, bool, bool)] = &[
    ("$share/g/a", "a", false, true),
    ("$share/g/+", "$share/g/a", true, false),
    ("$share/g/#", "a", false, true),
    ("$share/g/#", "$SYS", false, false),
    ("$share/g/$SYS/#", "$SYS", false, true),
    ("$share/g//a", "/a", false, true),
];

#[test]
fn a_shared_filter_is_text_to_all_but_the_subscription_tree() {
    for &(filter, name, as_it_stands, inside) in SHARED {
        for (engine, matches) in ENGINES {
            let expected = if *engine == "subscription tree" { inside } else { as_it_stands };
            assert_eq!(matches(filter, name), expected, "{engine}: {filter} against {name}");
        }
    }
}

#[test]
fn every_engine_gives_every_answer_of_the_table() {
    for &(filter, name, expected) in TABLE {
        for (engine, matches) in ENGINES {
            assert_eq!(matches(filter, name), expected, "{engine}: {filter} against {name}");
        }
    }
}

//! Times of the topic crate: parsing, the one-off match, relations of filters, and lookups in each tree.
//!
//! `cargo bench --bench topic`. Every answer is asserted before it is timed. The workloads are made here, the same in each
//! run.
#![expect(clippy::expect_used, reason = "a bench whose own input is wrong should stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use headwater::topic::{PageLimit, RetainedTree, SubscriptionTree, TopicFilterBuf, TopicName, TopicNameBuf};

/// Pairs of eight levels, half of which match.
const PAIRS: [(&str, &str, bool); 4] = [
    ("plant/7/hall/3/line/12/motor/speed", "plant/7/hall/3/line/12/motor/speed", true),
    ("plant/+/hall/+/line/+/motor/speed", "plant/7/hall/3/line/12/motor/speed", true),
    ("plant/7/hall/3/line/12/motor/speed", "plant/7/hall/3/line/12/motor/torque", false),
    ("plant/+/hall/+/line/+/pump/#", "plant/7/hall/3/line/12/motor/speed", false),
];

fn name(text: &str) -> TopicNameBuf {
    TopicNameBuf::parse(text).expect("the benches write valid names")
}

fn filter(text: &str) -> TopicFilterBuf {
    TopicFilterBuf::parse(text).expect("the benches write valid filters")
}

/// What the codec pays for each PUBLISH.
fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for text in ["site/4/line/2/sensor/7/t", "a"] {
        assert!(TopicName::parse(text).is_ok());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("name", text.len()), |bencher| {
            bencher.iter(|| TopicName::parse(black_box(text)));
        });
    }
    group.finish();
}

/// Filter and name as texts, and parsed before; one turn is all the pairs.
fn one_off(criterion: &mut Criterion) {
    let pairs = PAIRS.map(|(wanted, given, expected)| {
        let pair = (filter(wanted), name(given));
        assert_eq!(pair.0.as_filter().matches(pair.1.as_name()), expected, "{wanted} against {given}");
        pair
    });
    let mut group = criterion.benchmark_group("one-off match");
    group.throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function("8 levels, texts", |bencher| {
        bencher.iter(|| {
            PAIRS
                .iter()
                .filter(|(wanted, given, _)| {
                    headwater::topic::matches(black_box(wanted), black_box(given)) == Ok(true)
                })
                .count()
        });
    });
    group.bench_function("8 levels, parsed", |bencher| {
        bencher.iter(|| {
            pairs
                .iter()
                .filter(|(wanted, given)| black_box(wanted.as_filter()).matches(black_box(given.as_name())))
                .count()
        });
    });
    group.finish();
}

/// Two filters of eight levels: what authorisation asks of each SUBSCRIBE and each rule; one turn is all the pairs.
fn relations(criterion: &mut Criterion) {
    let filters = PAIRS.map(|(wanted, _, _)| filter(wanted));
    let pairs = || {
        filters.iter().flat_map(|one| filters.iter().map(move |other| (one.as_filter(), other.as_filter())))
    };
    assert_eq!(pairs().filter(|(one, other)| one.covers(*other)).count(), 8);
    assert_eq!(pairs().filter(|(one, other)| one.overlaps(*other)).count(), 10);
    let mut group = criterion.benchmark_group("relation");
    group.throughput(Throughput::Elements(pairs().count() as u64));
    group.bench_function("covers", |bencher| {
        bencher.iter(|| pairs().filter(|(one, other)| black_box(one).covers(black_box(*other))).count());
    });
    group.bench_function("overlaps", |bencher| {
        bencher.iter(|| pairs().filter(|(one, other)| black_box(one).overlaps(black_box(*other))).count());
    });
    group.finish();
}

/// 10,000 filters, a tenth of which have a `+` and a hundredth a `#`; one turn is 1,000 names, all ids copied out.
fn subscriptions(criterion: &mut Criterion) {
    let text = |number: u32| {
        let (site, line, sensor) = (number % 20, number / 20 % 25, number / 500);
        match number % 100 {
            0 => format!("site/{site}/line/{line}/#"),
            1..=10 => format!("site/+/line/{line}/sensor/{sensor}/temp"),
            _ => format!("site/{site}/line/{line}/sensor/{sensor}/temp"),
        }
    };
    let mut tree = SubscriptionTree::new();
    let filters: Vec<TopicFilterBuf> = (0..10_000).map(|number| filter(&text(number))).collect();
    for (subscriber, filter) in filters.iter().enumerate() {
        tree.subscribe(filter.as_filter(), subscriber, ());
    }
    assert_eq!(tree.len(), 10_000);

    let names: Vec<TopicNameBuf> = (0..10_000_u32)
        .step_by(10)
        .map(|number| (number % 20, number / 20 % 25, number / 500))
        .map(|(site, line, sensor)| name(&format!("site/{site}/line/{line}/sensor/{sensor}/temp")))
        .collect();
    let mut found = Vec::new();
    for name in &names {
        found.clear();
        tree.matches(name.as_name(), |&subscriber, ()| found.push(subscriber));
        found.sort_unstable();
        let matching =
            filters.iter().enumerate().filter(|(_, filter)| filter.as_filter().matches(name.as_name()));
        let expected: Vec<usize> = matching.map(|(subscriber, _)| subscriber).collect();
        assert_eq!(found, expected, "{name}");
    }

    let mut group = criterion.benchmark_group("subscription tree");
    group.throughput(Throughput::Elements(names.len() as u64));
    group.bench_function("10,000 filters", |bencher| {
        bencher.iter(|| {
            for name in &names {
                found.clear();
                tree.matches(black_box(name.as_name()), |&subscriber, ()| found.push(subscriber));
                black_box(&found);
            }
        });
    });
    group.finish();
}

/// 100,000 names in no order; filters that find few, many, one and none of them.
fn retained(criterion: &mut Criterion) {
    let mut tree = RetainedTree::new();
    let names: Vec<TopicNameBuf> = (0..100_000_u32)
        .map(|number| number.wrapping_mul(7_919) % 100_000)
        .map(|number| (number % 100, number / 100 % 100, number / 10_000))
        .map(|(site, line, sensor)| name(&format!("site/{site}/line/{line}/sensor/{sensor}")))
        .collect();
    for (number, name) in (0_u32..).zip(&names) {
        tree.insert(name.as_name(), number);
    }
    assert_eq!(tree.len(), 100_000);

    let mut group = criterion.benchmark_group("retained tree of 100,000");
    for (text, hits) in [
        ("site/7/line/7/sensor/7", 1),
        ("site/7/line/7/sensor/+", 10),
        ("site/+/line/7/sensor/7", 100),
        ("site/+/line/+/sensor/7", 10_000),
        ("site/7/#", 1_000),
        ("#", 100_000),
        ("+/+/+/+/+/x", 0),
    ] {
        let filter = filter(text);
        let oracle = tree.iter().filter(|(name, _)| filter.as_filter().matches(*name)).count();
        assert_eq!((tree.matching(filter.as_filter()).count(), oracle), (hits, hits), "{text}");
        group.throughput(Throughput::Elements(hits.max(1) as u64));
        group.bench_function(BenchmarkId::from_parameter(text), |bencher| {
            bencher.iter(|| {
                let mut sum = 0_u64;
                tree.matches(black_box(filter.as_filter()), |_, &number| sum += u64::from(number));
                sum
            });
        });
    }
    group.finish();

    // What a lock is held for: a page in the middle.
    let mut group = criterion.benchmark_group("page of 100,000 retained");
    let after = name("site/7/line/7/sensor/7");
    for (text, hits) in [("#", 64), ("+/+/+/+/+/x", 0)] {
        let filter = filter(text);
        let page = |sum: &mut u64| {
            let add = |_, number: &u32| *sum += u64::from(*number);
            tree.page(black_box(filter.as_filter()), Some(after.as_name()), PageLimit::default(), add)
        };
        let mut found = 0;
        let more =
            tree.page(filter.as_filter(), Some(after.as_name()), PageLimit::default(), |_, _| found += 1);
        assert_eq!((found, more.is_some()), (hits, true), "{text}");
        group.bench_function(BenchmarkId::from_parameter(text), |bencher| {
            bencher.iter(|| {
                let mut sum = 0;
                (page(&mut sum), sum)
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("name among 100,000 retained");
    group.throughput(Throughput::Elements(names.len() as u64));
    group.bench_function("get", |bencher| {
        bencher.iter(|| names.iter().filter(|name| tree.get(black_box(name.as_name())).is_some()).count());
    });
    group.bench_function("remove and insert", |bencher| {
        bencher.iter(|| {
            for name in &names {
                let number = tree.remove(black_box(name.as_name())).unwrap_or_default();
                tree.insert(name.as_name(), number);
            }
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    one_off(&mut criterion);
    relations(&mut criterion);
    subscriptions(&mut criterion);
    retained(&mut criterion);
    criterion.final_summary();
}

//! The form that is read while it is changed.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use headwater_topic::{Change, ConcurrentTree, SubscriptionTree, TopicFilter, TopicName};

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

fn found(tree: &SubscriptionTree<u32, u32>, text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    tree.matches(name(text), |key, _| found.push(*key));
    found.sort_unstable();
    found
}

#[test]
fn every_change_is_in_both_copies() {
    let tree = ConcurrentTree::new();
    assert_eq!(tree.subscribe(filter("a/+"), 1, 10), None);
    assert_eq!(tree.subscribe(filter("a/+"), 1, 11), Some(10));
    assert_eq!(tree.subscribe(filter("a/b"), 2, 20), None);
    assert_eq!(tree.subscribe(filter("$share/g/a/#"), 3, 30), None);
    // One copy, then the other: a change that does nothing goes from one to the other too.
    for _ in 0..4 {
        assert_eq!(found(&tree.read(), "a/b"), [1, 2, 3]);
        assert_eq!(tree.unsubscribe(filter("x"), &1), None);
    }
    assert_eq!(tree.unsubscribe(filter("a/b"), &2), Some(20));
    assert_eq!(tree.unsubscribe_all(&1), 1);
    tree.apply(&[
        Change::Subscribe(filter("a/b"), 4, 40),
        Change::Subscribe(filter("+/b"), 5, 50),
        Change::Unsubscribe(filter("$share/g/a/#"), 3),
        Change::UnsubscribeAll(4),
    ]);
    for _ in 0..4 {
        assert_eq!((found(&tree.read(), "a/b"), tree.read().len()), (vec![5], 1));
        tree.apply(&[]);
    }
}

#[test]
fn what_a_guard_shows_does_not_change_while_others_write() {
    let tree = ConcurrentTree::new();
    tree.subscribe(filter("a"), 1, 0);
    let guard = tree.read();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            assert_eq!(tree.subscribe(filter("a"), 2, 0), None);
            tree.subscribe(filter("a"), 3, 0);
        });
        // The first change is made and seen. The second waits for the guard, but nobody else does.
        while tree.read().len() == 1 {
            thread::yield_now();
        }
        for _ in 0..10_000 {
            assert_eq!((tree.read().len(), found(&guard, "a")), (2, vec![1]));
        }
        assert!(!writer.is_finished());
        drop(guard);
    });
    assert_eq!(found(&tree.read(), "a"), [1, 2, 3]);
}

#[test]
fn readers_always_see_a_state_between_two_changes() {
    const READERS: usize = 2;
    let tree = ConcurrentTree::new();
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let guard = tree.read();
                    // Pairs come and go together, and the exact filter says how many there are.
                    let all = found(&guard, "a/b/c");
                    assert_eq!(all.len() % 2, 0, "{all:?}");
                    assert!(all.chunks(2).all(|pair| pair[0] + 1 == pair[1]), "{all:?}");
                    assert_eq!(guard.len(), all.len());
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let texts = ["a/b/c", "a/+/c", "a/#", "+/b/+", "#", "a/b/+"];
        for round in 0..320_u32 {
            let (pair, text) = (round % 40 * 2, texts[round as usize % texts.len()]);
            if round / 40 % 2 == 0 {
                tree.apply(&[
                    Change::Subscribe(filter(text), pair, round),
                    Change::Subscribe(filter("a/b/c"), pair + 1, round),
                ]);
            } else {
                tree.apply(&[Change::UnsubscribeAll(pair), Change::UnsubscribeAll(pair + 1)]);
            }
        }
        while reads.load(Ordering::Relaxed) < 100 {
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn writers_on_several_threads_lose_nothing() {
    let tree = ConcurrentTree::new();
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let tree = &tree;
            scope.spawn(move || {
                for number in 0..250 {
                    tree.subscribe(filter(&format!("{thread}/{number}/+")), thread, number);
                    tree.subscribe(filter("all/#"), thread * 1_000 + number, number);
                }
            });
        }
    });
    for _ in 0..2 {
        assert_eq!((tree.read().len(), found(&tree.read(), "all/x").len()), (2_000, 1_000));
        tree.apply(&[]);
    }
}

/// A key whose clone panics when it is told to.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fragile(u32);

static BREAK: AtomicBool = AtomicBool::new(false);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!(self.0 == 13 && BREAK.swap(false, Ordering::Relaxed)), "told to");
        Self(self.0)
    }
}

#[test]
fn a_panic_of_the_callers_code_is_not_seen_by_readers() {
    let tree = ConcurrentTree::new();
    tree.subscribe(filter("a"), Fragile(1), ());
    let broken =
        [Change::Subscribe(filter("a"), Fragile(2), ()), Change::Subscribe(filter("a"), Fragile(13), ())];
    BREAK.store(true, Ordering::Relaxed);
    assert!(panic::catch_unwind(AssertUnwindSafe(|| tree.apply(&broken))).is_err());
    assert_eq!(tree.read().len(), 1);
    for number in 3..6 {
        tree.subscribe(filter("a"), Fragile(number), ());
        assert_eq!(tree.read().len(), number as usize - 1);
    }
}

#[test]
fn who_has_left_is_kept_until_the_next_change_and_no_longer() {
    let (tree, session) = (ConcurrentTree::new(), Arc::new(()));
    tree.subscribe(filter("a"), 1, Arc::clone(&session));
    assert!(tree.unsubscribe(filter("a"), &1).is_some());
    assert_eq!(Arc::strong_count(&session), 2);
    tree.apply(&[]);
    assert_eq!(Arc::strong_count(&session), 1);
}

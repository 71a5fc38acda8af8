//! Removing everything returns all memory: the bytes are counted where they are allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use headwater_topic::{RetainedTree, SubscriptionTree, TopicFilter, TopicName};

thread_local! {
    /// Bytes this thread allocated and has not freed; less than nothing where it freed what another allocated. Tests
    /// beside this one have threads of their own.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn count(bytes: isize) {
    // At the end of a thread the counter is gone before the last bytes are.
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes));
}

// `realloc` and `alloc_zeroed` have defaults that come back to these two.
#[expect(
    unsafe_code,
    reason = "an allocator is an unsafe trait; nothing safe sees an empty map that holds a leaf"
)]
// SAFETY: every call goes on to the system's allocator as it came; a counter that does not allocate is all there is besides.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the same contract, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn live_bytes() -> isize {
    LIVE_BYTES.get()
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::parse(text).unwrap()
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text).unwrap()
}

/// 3,000 filters of every kind, many with a prefix in common.
fn texts() -> Vec<String> {
    (0..3_000_u32)
        .map(|number| match number % 4 {
            0 => format!("site/{}/line/{number}", number % 10),
            1 => format!("site/+/line/{number}/+"),
            2 => format!("+/{number}/#"),
            _ => format!("site/{}/{number}/+/temperature", number % 10),
        })
        .collect()
}

#[test]
fn the_count_sees_what_is_allocated() {
    let before = live_bytes();
    let kept = vec![0_u8; 1_000];
    assert_eq!(live_bytes() - before, 1_000);
    drop(kept);
    assert_eq!(live_bytes(), before);
}

#[test]
fn unsubscribing_one_by_one_returns_all_memory() {
    let texts = texts();
    let before = live_bytes();
    let mut tree = SubscriptionTree::new();
    assert_eq!(live_bytes(), before);
    for (number, text) in texts.iter().enumerate() {
        tree.subscribe(filter(text), number % 7, ());
        tree.subscribe(filter(text), number % 5 + 7, ());
    }
    assert!(live_bytes() > before);
    for (number, text) in texts.iter().enumerate() {
        assert!(tree.unsubscribe(filter(text), &(number % 7)).is_some());
        assert!(tree.unsubscribe(filter(text), &(number % 5 + 7)).is_some());
    }
    assert_eq!((tree.len(), live_bytes()), (0, before));
}

#[test]
fn unsubscribing_subscriber_by_subscriber_returns_all_memory() {
    let texts = texts();
    let before = live_bytes();
    let mut tree = SubscriptionTree::new();
    for (number, text) in texts.iter().enumerate() {
        tree.subscribe(filter(text), number % 7, ());
    }
    assert_eq!((0..7).map(|key| tree.unsubscribe_all(&key)).sum::<usize>(), texts.len());
    assert_eq!((tree.len(), live_bytes()), (0, before));
}

#[test]
fn subscriptions_that_come_and_go_take_no_more_each_time() {
    let mut tree = SubscriptionTree::with_seed(7);
    tree.subscribe(filter("a/#"), "stays", ());
    let mut rounds = Vec::new();
    for _ in 0..200 {
        for text in ["a/b/+", "a/+", "+", "a/b", "a/a level of some length/+", "$share/g/a/+"] {
            for key in ["comes", "stays"] {
                tree.subscribe(filter(text), key, ());
                tree.unsubscribe(filter(text), key);
            }
        }
        rounds.push(live_bytes());
    }
    // Gaps grow and are closed again.
    assert!(rounds.iter().all(|bytes| *bytes < 4_096), "{rounds:?}");
    assert_eq!(tree.len(), 1);
}

/// A filter for each number, all different: half of them exact, half with wildcards, a few shared.
fn any_text(number: u32, round: u32) -> String {
    let scattered = (number ^ round << 20).wrapping_mul(0x9E37_79B1);
    let (site, line) = (scattered >> 24, scattered >> 8 & 0xFFFF);
    match scattered % 8 {
        0 => format!("site/{site}/+/{line}/{number}/{round}"),
        1 => format!("site/+/{line}/{number}/{round}/#"),
        2 => format!("+/{number}/{round}/a level of more than eight bytes {line}"),
        3 => format!("$share/{site}/line/{line}/{number}/{round}/+"),
        _ => format!("site/{site}/line/{line}/{number}/{round}"),
    }
}

#[test]
fn a_million_filters_added_and_removed_leave_memory_where_it_was() {
    let mut tree = SubscriptionTree::with_seed(7);
    for number in 0..5_000 {
        tree.subscribe(filter(&any_text(number, 0)), number % 700, 0_u8);
    }
    let (before, counts) = (live_bytes(), (tree.len(), tree.filter_count(), tree.node_count()));
    // Ten times as many as stay come and go at once, and one by one.
    for round in 1..11 {
        for number in 0..50_000 {
            tree.subscribe(filter(&any_text(number, round)), number % 1_000, 0);
        }
        for number in 0..50_000 {
            assert_eq!(tree.unsubscribe(filter(&any_text(number, round)), &(number % 1_000)), Some(0));
        }
    }
    for number in 0..500_000 {
        let text = any_text(number, 20);
        tree.subscribe(filter(&text), number % 1_000, 0);
        tree.unsubscribe(filter(&text), &(number % 1_000));
    }
    assert_eq!((tree.len(), tree.filter_count(), tree.node_count()), counts);
    // Arrays may be vacant in part.
    assert!(live_bytes() < before * 2, "{before} bytes before, {} after", live_bytes());
    for number in 0..5_000 {
        assert_eq!(tree.unsubscribe(filter(&any_text(number, 0)), &(number % 700)), Some(0));
    }
    assert_eq!(tree.memory(), 0);
}

#[test]
fn the_memory_figure_is_what_was_allocated() {
    let before = live_bytes();
    let mut tree = SubscriptionTree::with_seed(7);
    for number in 0..20_000 {
        tree.subscribe(filter(&any_text(number, 0)), number % 3_000, number);
        tree.subscribe(filter(&any_text(number % 50, 0)), number, number);
        if number % 1_000 == 0 {
            assert_eq!(tree.memory().cast_signed(), live_bytes() - before);
        }
    }
    for key in 0..3_000 {
        tree.unsubscribe_all(&key);
    }
    assert_eq!(tree.memory().cast_signed(), live_bytes() - before);
}

#[test]
fn a_subscription_takes_as_few_bytes_as_promised() {
    // The bounds hold at every size, whatever part of the arrays is vacant; a million takes too long without optimisation.
    let exact = |number: u32| {
        format!("site/{}/line/{}/sensor/{}/temp", number % 100, number / 100 % 100, number / 10_000)
    };
    let wild = |number: u32| {
        let mut levels: Vec<String> = ["plant", "hall", "line", "cell", "robot", "axis", "motor", "t"]
            .iter()
            .enumerate()
            .map(|(level, name)| format!("{name}{}", number >> (3 * level) & 7))
            .collect();
        let pluses = if number % 2 == 1 { 1 + number / 2 % 3 } else { 0 };
        for plus in 0..pluses as usize {
            levels[(number as usize / 64 + plus * 3) % 8] = "+".to_owned();
        }
        levels.join("/")
    };
    assert!(worst_share(exact) <= 70);
    assert!(worst_share(wild) <= 110);
}

/// The most bytes that a subscription has taken while there were ever more, each of a filter and subscriber of its own.
fn worst_share(text: impl Fn(u32) -> String) -> usize {
    let before = live_bytes();
    let mut tree = SubscriptionTree::with_seed(7);
    let mut worst = 0;
    for number in 0..200_000 {
        tree.subscribe(filter(&text(number)), number, 1_u8);
        if number > 10_000 && number % 1_000 == 0 {
            worst = worst.max((live_bytes() - before).cast_unsigned() / tree.len());
        }
    }
    eprintln!("{worst} bytes for each subscription at the most");
    worst
}

#[test]
fn removing_every_name_returns_all_memory() {
    let names: Vec<String> = texts().iter().map(|text| text.replace(['+', '#'], "x")).collect();
    let before = live_bytes();
    let mut tree = RetainedTree::new();
    assert_eq!(live_bytes(), before);
    for text in &names {
        tree.insert(name(text), 0_u64);
    }
    assert!(live_bytes() > before);
    for text in &names {
        assert_eq!(tree.remove(name(text)), Some(0), "{text}");
    }
    assert_eq!((tree.len(), live_bytes()), (0, before));
}

#[test]
fn a_retained_name_takes_its_text_its_value_and_little_more() {
    // In order, as they are after a restart, and in none.
    for step in [1, 7_919] {
        let names: Vec<String> = (0..20_000_u32)
            .map(|number| number * step % 20_000)
            .map(|number| {
                format!("site/{:02}/line/{:02}/sensor/{}", number % 100, number / 100 % 100, number / 10_000)
            })
            .collect();
        let before = live_bytes();
        let mut tree = RetainedTree::new();
        for text in &names {
            tree.insert(name(text), 0_u64);
        }
        let text_bytes: usize = names.iter().map(String::len).sum();
        let least = isize::try_from(text_bytes + 8 * names.len()).unwrap();
        let more = (live_bytes() - before - least) as f64 / names.len() as f64;
        assert!((4.0..14.0).contains(&more), "{more:.1} bytes more than text and value, each name");

        // Most of them gone, most of the memory is back.
        let full = live_bytes() - before;
        for text in names.iter().skip(200) {
            tree.remove(name(text));
        }
        let left = live_bytes() - before;
        assert!(left < full / 20, "{left} of {full} bytes for {} of {} names", tree.len(), names.len());
    }
}

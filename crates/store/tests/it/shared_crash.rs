//! Power failures at any moment: what was acknowledged reaches a member of the group.

use std::collections::BTreeSet;
use std::time::Duration;

use headwater_codec::QoS;
use headwater_log::ReadUpTo;
use headwater_store::Placement;
use headwater_store::group::GroupRecord;

use crate::bed::{Bed, options};
use crate::crash::in_three_topics;
use crate::shared::{numbers, sorted};
use crate::shared_law::Seed;
use crate::shared_record::last_record;
use crate::worker::Worker;

const RUNS: u64 = 200;
const STEPS: usize = 150;
const NAMES: [&str; 3] = ["a", "b", "c"];
const FILTER: &str = "$share/g/t/#";

#[derive(Default)]
struct Book {
    next: u32,
    open: Vec<(u32, Placement)>,
    acknowledged: BTreeSet<u32>,
    received: Vec<u32>,
}

impl Book {
    fn settle(&mut self, bed: &Bed) {
        let (safe, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, placement)| bed.store.is_durable(placement));
        self.acknowledged.extend(safe.into_iter().map(|(number, _)| number));
        self.open = open;
    }
}

#[test]
fn every_message_that_was_acknowledged_reaches_a_member() {
    let (mut crashes, mut twice) = (0, 0);
    for seed in 0..RUNS {
        let named = Seed(seed);
        let (crashed, again) = run(seed);
        (crashes, twice) = (crashes + crashed, twice + again);
        drop(named);
    }
    eprintln!("{crashes} power failures, {twice} messages came again");
    assert!(crashes > RUNS, "more than one a run on average, not {crashes}");
}

fn run(seed: u64) -> (u64, usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let small = options().inbox_max(rng.usize(1..6)).shared_inbox_max(rng.usize(1..6));
    let small = small.catch_up_bytes(rng.usize(1..2_000));
    let mut bed = Bed::with(if seed.is_multiple_of(2) { small } else { in_three_topics(small) });
    let mut book = Book::default();
    let mut workers: [Option<Worker>; 3] = Default::default();
    let first = Worker::lasting(&bed, NAMES[0], FILTER);
    bed.run();
    workers[0] = Some(first);
    let mut crashes = 0;
    for _ in 0..STEPS {
        // The first one stays a member.
        let name = rng.usize(0..NAMES.len());
        match (rng.u32(0..100), &mut workers[name]) {
            (0..45, _) => {
                let placement = bed.publish(&format!("t/{}", rng.u32(0..5)), &book.next.to_string(), 1);
                book.open.push((book.next, placement));
                book.next += 1;
            }
            (45..60, _) => bed.run(),
            (60..75, Some(worker)) => {
                book.received.extend(worker.take().map(|payload| payload.parse::<u32>().unwrap()))
            }
            (75..83, Some(worker)) if !worker.under_way.is_empty() => {
                worker.finish(rng.usize(0..worker.under_way.len()));
            }
            (83..87, Some(worker)) => _ = worker.save(),
            (87..91, slot) => match slot.take() {
                Some(worker) => _ = worker.leave(),
                None => *slot = Some(come(&bed, name, &mut rng)),
            },
            (91..94, Some(worker)) if name > 0 => {
                worker.unsubscribe(FILTER);
                worker.save();
            }
            (94..97, _) => {
                // Only what is kept of sessions and groups.
                bed.store.lanes().last().unwrap().run(Duration::ZERO).unwrap();
            }
            (97.., _) => {
                book.settle(&bed);
                // Nobody says goodbye.
                bed = bed.crash(rng.u64(..));
                workers = Default::default();
                book.open.clear();
                crashes += 1;
            }
            _ => {}
        }
    }
    bed.run();
    book.settle(&bed);
    for (name, slot) in workers.iter_mut().enumerate() {
        let worker = slot.get_or_insert_with(|| Worker::back(&bed, NAMES[name]));
        // Under way, so it was received, or is sent again now.
        let resumed = worker.finish_all();
        book.received.extend(resumed.into_iter().map(|payload| payload.parse::<u32>().unwrap()));
    }
    for _ in 0..book.next {
        let taken = workers.iter_mut().flatten().flat_map(Worker::work);
        book.received.extend(taken.map(|payload| payload.parse::<u32>().unwrap()));
    }
    let received: BTreeSet<u32> = book.received.iter().copied().collect();
    let missing: Vec<_> = book.acknowledged.difference(&received).collect();
    assert!(missing.is_empty(), "acknowledged and not received: {missing:?}");
    (crashes, book.received.len() - received.len())
}

fn come(bed: &Bed, name: usize, rng: &mut fastrand::Rng) -> Worker {
    // The first one keeps its session, and so the group.
    if name > 0 && rng.bool() {
        return Worker::passing(bed, NAMES[name], FILTER);
    }
    Worker::lasting(bed, NAMES[name], FILTER)
}

fn record(bed: &Bed) -> GroupRecord {
    last_record(bed, FILTER).unwrap()
}

#[test]
fn what_is_kept_is_never_ahead_of_what_is_unfinished() {
    let bed = Bed::with(options().shared_inbox_max(5));
    let mut a = Worker::lasting(&bed, "a", FILTER);
    let mut b = Worker::passing(&bed, "b", FILTER);
    bed.publish_numbers("t/0", 0..100, 1);
    let mut done = 0;
    while done < 60 {
        a.take();
        b.take();
        for worker in [&mut a, &mut b] {
            if worker.under_way.len() > 3 {
                worker.finish(1);
                done += 1;
            }
        }
        a.save();
        let GroupRecord { positions, unfinished } = record(&bed);
        let open = 100 - unfinished.len() - positions.iter().map(|end| 100 - *end as usize).min().unwrap();
        assert!(open <= done, "{open} of {done} are kept as finished");
    }
    // Saved when it was worth it; now for certain.
    let at_save = a.under_way.len() + b.under_way.len();
    b.leave();
    assert!(record(&bed).unfinished.len() >= at_save);
    a.save();
    bed.run();
    let bed = bed.crash(1);
    drop(a);
    let mut a = Worker::back(&bed, "a");
    let rest = [a.finish_all(), a.work()].concat();
    assert!((40..=60).contains(&rest.len()), "{}", rest.len());
}

#[test]
fn what_was_finished_before_a_clean_end_does_not_come_again_after_a_crash() {
    for seed in 0..20 {
        let bed = Bed::new();
        let mut a = Worker::lasting(&bed, "a", FILTER);
        let mut b = Worker::lasting(&bed, "b", FILTER);
        for number in 0..60 {
            bed.publish(&format!("t/{}", number % 3), &number.to_string(), 2);
        }
        bed.run();
        let first = [a.work(), (0..10).filter_map(|_| b.take()).collect()].concat();
        b.finish_all();
        a.leave();
        b.leave();
        bed.run();
        let bed = bed.crash(seed);
        let rest = Worker::back(&bed, "b").work();
        assert_eq!(sorted([first, rest].concat()), numbers(0..60));
    }
}

#[test]
fn a_group_of_passing_sessions_is_not_kept_and_one_that_a_lasting_session_joins_is() {
    let bed = Bed::new();
    let a = Worker::passing(&bed, "a", FILTER);
    bed.run();
    let count = || bed.log.topic("__headwater_sessions").unwrap().partitions().next().unwrap().appended_end();
    assert_eq!(count(), 0);
    let b = Worker::lasting(&bed, "b", FILTER);
    let log = bed.log.topic("__headwater_sessions").unwrap().partitions().next().unwrap();
    let keys: Vec<_> = (0..count())
        .map(|offset| {
            let fetched = log.read_up_to(ReadUpTo::Appended, offset, 1).unwrap();
            fetched.views().next().unwrap().unwrap().key.unwrap().to_vec()
        })
        .collect();
    let key = [&[0xff], FILTER.as_bytes()].concat();
    assert_eq!(keys, [b"b".to_vec(), key, b"b".to_vec()], "the group before the session that belongs to it");
    bed.publish("t/0", "0", 1);
    bed.run();
    let bed = bed.crash(3);
    drop((a, b));
    assert_eq!(Worker::back(&bed, "b").work(), ["0"]);
}

#[test]
fn members_whose_sessions_do_not_last_have_the_group_saved_now_and_then() {
    let bed = Bed::with(options().shared_inbox_max(5_000).inbox_max(5_000));
    Worker::lasting(&bed, "a", FILTER).leave();
    let mut b = Worker::passing(&bed, "b", FILTER);
    for number in 0..4_000 {
        bed.publish("t/0", &number.to_string(), 1);
        if number % 100 == 99 {
            bed.run();
            assert_eq!(b.work().len(), 100);
        }
    }
    bed.run();
    let bed = bed.crash(5);
    drop(b);
    let again = Worker::back(&bed, "a").work().len();
    assert!(again <= 1_024, "{again}");
}

#[test]
fn what_a_member_was_sent_after_the_group_was_saved_is_not_given_to_another_one() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    Worker::lasting(&bed, "b", FILTER).leave();
    // So much is unfinished that the group is not saved with the session.
    bed.publish_numbers("t/0", 0..10, 2);
    a.take_all();
    a.save();
    let before = record(&bed);
    bed.publish_numbers("t/0", 10..13, 2);
    a.take_all();
    a.save();
    assert_eq!(record(&bed), before);
    bed.run();
    let bed = bed.crash(7);
    drop(a);
    assert_eq!(Worker::back(&bed, "b").work(), [""; 0]);
    let mut a = Worker::back(&bed, "a");
    assert_eq!(a.finish_all(), numbers(0..13));
    assert!(a.subscribe(FILTER, QoS::AtLeastOnce));
    bed.publish("t/0", "13", 1);
    bed.run();
    assert_eq!(a.work(), ["13"]);
}

#[test]
fn a_group_does_not_wait_for_offsets_that_a_power_failure_gave_to_other_messages() {
    for seed in 0..30 {
        let bed = Bed::new();
        for number in 0..10 {
            bed.publish("t/0", &format!("tail {number}"), 1);
        }
        // Behind what is not durable.
        let a = Worker::lasting(&bed, "a", FILTER);
        bed.store.lanes().last().unwrap().run(Duration::ZERO).unwrap();
        let bed = bed.crash(seed);
        drop(a);
        for number in 0..3 {
            bed.publish("t/0", &number.to_string(), 1);
        }
        // What was cut is kept over the next stop.
        let bed = bed.reopen().crash(seed);
        let mut got = Worker::back(&bed, "a").work();
        got.retain(|payload| !payload.starts_with("tail"));
        assert_eq!(got, numbers(0..3), "seed {seed}");
    }
}

#[test]
fn a_group_is_saved_with_its_members_so_that_little_comes_again() {
    let bed = Bed::new();
    let mut a = Worker::lasting(&bed, "a", FILTER);
    bed.publish_numbers("t/0", 0..50, 1);
    a.work();
    a.save();
    bed.run();
    let GroupRecord { positions, unfinished } = record(&bed);
    assert_eq!((positions.iter().sum::<u64>(), unfinished), (50, vec![]));
    let bed = bed.crash(13);
    drop(a);
    assert_eq!(Worker::back(&bed, "a").work(), [""; 0]);
}

#[test]
fn what_was_given_back_comes_after_a_crash() {
    let bed = Bed::new();
    let a = Worker::lasting(&bed, "a", FILTER);
    Worker::lasting(&bed, "b", FILTER).leave();
    bed.publish_numbers("t/0", 0..10, 1);
    a.leave();
    bed.run();
    let bed = bed.crash(11);
    assert_eq!(sorted(Worker::back(&bed, "b").work()), numbers(0..10));
}

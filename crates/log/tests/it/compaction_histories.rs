//! P1, P2, P11: every history of up to six operations with compaction, with what a loss of power leaves before each of its syncs; and
//! long ones by chance.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use headwater_testkit::compact_model::{Model, Op, Run};
use headwater_testkit::sim_disk::{Bounds, SimDisk};
use proptest::prelude::*;

use crate::bed::small;

const OPERATIONS_MAX: usize = 6;
const ALPHABET: [Op; 7] = [
    Op::Put(0, false),
    Op::Put(1, false),
    Op::Remove(0),
    Op::Roll,
    Op::Compact,
    Op::CompactLater,
    Op::Delete(128),
];

/// How many images are taken of each moment in a history of 1, 2, ... operations. All there are, up to so many.
const IMAGES: [usize; OPERATIONS_MAX] = [64, 128, 128, 96, 24, 6];
/// For compactions of histories of up to so many operations the power goes again in the recovery from each image.
const TWICE_MAX: usize = 3;
const AGAIN: Bounds = Bounds { images: 6, torn: 1, seed: 11 };
const TORN: [usize; OPERATIONS_MAX] = [8, 8, 4, 2, 1, 0];

#[derive(Default)]
struct Tally {
    seen: Mutex<HashSet<(u64, u64)>>,
    histories: AtomicUsize,
    moments: AtomicUsize,
    complete: AtomicUsize,
    images: AtomicUsize,
    different: AtomicUsize,
    of_recoveries: AtomicUsize,
}

impl Tally {
    fn is_new(&self, image: &SimDisk, expected: u64) -> bool {
        let key = (image.fingerprint(), expected);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }
}

fn replay(beginning: &SimDisk, history: &[Op]) -> Run {
    let mut run = Run::new(beginning.snapshot(), small(), 4096);
    history.iter().for_each(|op| run.step(*op));
    run
}

/// Whether an operation would change something.
fn matters(op: Op, model: &Model, history: &[Op], run: &Run) -> bool {
    let is_compaction = |op: &Op| matches!(op, Op::Compact | Op::CompactLater);
    match op {
        // Which key is the first does not matter.
        Op::Put(1, _) => history.iter().any(|op| matches!(op, Op::Put(0, _) | Op::Remove(0))),
        Op::Roll => run.partition().segments().last().is_some_and(|last| last.bytes > 0),
        Op::Delete(share) => model.share(share) > model.start,
        Op::Compact => run.partition().segments().len() > 1 && !history.last().is_some_and(is_compaction),
        Op::CompactLater => {
            run.partition().segments().len() > 1 && !matches!(history.last(), Some(Op::CompactLater))
        }
        _ => true,
    }
}

fn step(run: &mut Run, history: &[Op], op: Op, tally: &Tally) {
    let before = run.model.clone();
    let moments = run.step_by_moments(op);
    let (last, depth) = (moments.len() - 1, history.len());
    let add = |count: &AtomicUsize, more| _ = count.fetch_add(more, Ordering::Relaxed);
    add(&tally.histories, 1);
    // What other operations leave is looked at by the histories without compaction.
    if !history.iter().chain([&op]).any(|op| matches!(op, Op::Compact | Op::CompactLater)) {
        return;
    }
    let is_compaction = matches!(op, Op::Compact | Op::CompactLater);
    add(&tally.moments, moments.len());
    for (at, moment) in moments.into_iter().enumerate() {
        let least = if at == last { &run.model } else { &before };
        let expected = run.expectation(least);
        let bounds = Bounds { images: IMAGES[depth], torn: TORN[depth], seed: expected ^ at as u64 };
        let all = moment.crash_images(bounds, |image| {
            add(&tally.images, 1);
            if !tally.is_new(&image, expected) {
                return;
            }
            add(&tally.different, 1);
            if depth < TWICE_MAX && is_compaction {
                add(&tally.of_recoveries, run.check_recovery(&image, least, AGAIN));
            } else {
                run.check_image(image, least);
            }
        });
        add(&tally.complete, usize::from(all));
    }
}

fn visit(beginning: &SimDisk, run: Run, history: &mut Vec<Op>, tally: &Tally) {
    let ops: Vec<Op> = ALPHABET.into_iter().filter(|op| matters(*op, &run.model, history, &run)).collect();
    let mut run = Some(run);
    for op in ops {
        let mut run = run.take().unwrap_or_else(|| replay(beginning, history));
        step(&mut run, history, op, tally);
        history.push(op);
        if history.len() < OPERATIONS_MAX {
            visit(beginning, run, history, tally);
        }
        history.pop();
    }
}

/// A disk with an empty partition.
fn beginning() -> SimDisk {
    let disk = SimDisk::new(7);
    let mut run = Run::new(disk, small(), 4096);
    run.step(Op::Reopen);
    run.disk().crash(0)
}

#[test]
fn every_history_of_up_to_six_operations_with_compaction_survives_its_crashes() {
    let begun = std::time::Instant::now();
    let beginning = beginning();
    let tally = Tally::default();
    let mut jobs = Vec::new();
    for first in [Op::Put(0, false), Op::Remove(0)] {
        for second in ALPHABET {
            for third in ALPHABET {
                let mut run = replay(&beginning, &[]);
                let mut history = Vec::new();
                let all = [first, second, third].into_iter().all(|op| {
                    let matters = matters(op, &run.model, &history, &run);
                    if matters {
                        run.step(op);
                        history.push(op);
                    }
                    matters
                });
                if all {
                    jobs.push(history);
                }
            }
        }
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(history) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut run = replay(&beginning, &history[..2]);
                    step(&mut run, &history[..2], history[2], &tally);
                    visit(&beginning, run, &mut history.clone(), &tally);
                }
            });
        }
    });
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    eprintln!(
        "{} histories with compaction, {} moments, all images of {}; {} images, {} of them different, {} of recoveries, in {:.0?}",
        read(&tally.histories),
        read(&tally.moments),
        read(&tally.complete),
        read(&tally.images),
        read(&tally.different),
        read(&tally.of_recoveries),
        begun.elapsed()
    );
    assert!(read(&tally.different) + read(&tally.of_recoveries) >= 60_000);
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..5_u8, any::<bool>()).prop_map(|(key, durable)| Op::Put(key, durable)),
        3 => (0..5_u8).prop_map(Op::Remove),
        3 => proptest::array::uniform3(0..5_u8).prop_map(Op::Batch),
        3 => Just(Op::Roll),
        3 => Just(Op::Compact),
        1 => Just(Op::CompactLater),
        1 => any::<u8>().prop_map(Op::Delete),
        1 => Just(Op::Reopen),
        1 => Just(Op::Kill),
        1 => any::<u64>().prop_map(Op::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Kafka's semantics as a law: order, offsets, last value of each key, tombstones with their time. With many keys there is not
    /// enough memory for all of them at once.
    #[test]
    fn long_histories_follow_the_law(ops in proptest::collection::vec(op(), 1..60), seed: u64) {
        let topic = small().segment_bytes(4096);
        let mut run = Run::new(SimDisk::new(seed), topic, 4096);
        for op in ops {
            run.step(op);
        }
    }
}

//! P1, P2, P3, P11: every history of up to six operations, with what a loss of power leaves before each of its syncs.
//!
//! ```text
//!   append one -+- append one -+- ...
//!               +- roll       -+- sync     -+- maintain ..      a node is a history; its images are those of the
//!               +- close ..    +- delete ..                     moments in its last operation
//! ```
//!
//! An operation that would change nothing, such as a sync with nothing to sync, is left out: the history without it
//! is there. Images that are equal, with equal expectations, are opened once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use headwater_log::TopicOptions;
use headwater_testkit::log_model::{Model, Op, Run};
use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, small};

const DAY_MS: u64 = 24 * 3600 * 1000;
const OPERATIONS_MAX: usize = 6;
const DELETED_SHARE: u8 = 128;

const ALPHABET: [Op; 7] = [
    Op::Append(1, false),
    Op::Append(3, true),
    Op::Fill,
    Op::Sync,
    Op::Maintain,
    Op::Delete(DELETED_SHARE),
    Op::Reopen,
];

/// How many images are taken of each moment in a history of 1, 2, ... operations. All there are, up to so many.
const IMAGES: [usize; OPERATIONS_MAX] = [8192, 2048, 256, 12, 4, 2];
/// For histories of up to so many operations the power goes again in the recovery from each image.
const TWICE_MAX: usize = 2;
/// The images of each moment in such a recovery.
const AGAIN: Bounds = Bounds { images: 4, torn: 1, seed: 11 };
/// And how many more that are torn inside a sector.
const TORN: [usize; OPERATIONS_MAX] = [256, 64, 16, 4, 1, 0];

/// What all threads have done.
#[derive(Default)]
struct Tally {
    seen: Mutex<HashSet<(u64, u64)>>,
    depths: [Depth; OPERATIONS_MAX],
}

/// What was done for histories of one length.
#[derive(Default)]
struct Depth {
    histories: AtomicUsize,
    moments: AtomicUsize,
    /// Moments of which all images were taken.
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

    /// Tells it all; gives the number of different images.
    fn print(&self) -> usize {
        let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        for (depth, of) in self.depths.iter().enumerate() {
            eprintln!(
                "{} operations: {} histories, {} moments, all images of {}; {} images, {} of them different, {} of \
                 recoveries",
                depth + 1,
                read(&of.histories),
                read(&of.moments),
                read(&of.complete),
                read(&of.images),
                read(&of.different),
                read(&of.of_recoveries),
            );
        }
        self.depths.iter().map(|of| read(&of.different)).sum()
    }
}

/// An empty partition on a disk that all histories begin on.
struct Beginning {
    disk: SimDisk,
}

impl Beginning {
    fn new() -> Self {
        let bed = Bed { topic: topic(), ..Bed::new(7) };
        let (log, _) = bed.open_partition();
        log.close().unwrap();
        Self { disk: bed.disk.crash(0) }
    }

    fn replay(&self, history: &[Op]) -> Run {
        let mut run = Run::new(self.disk.snapshot(), topic());
        history.iter().for_each(|op| run.step(*op));
        run
    }
}

fn topic() -> TopicOptions {
    // Of two upkeeps the first rolls a segment, the second deletes it.
    small().retention_ms(Some(9 * DAY_MS))
}

/// Whether an operation would change something.
fn matters(op: Op, model: &Model, history: &[Op]) -> bool {
    match op {
        Op::Sync => model.durable < model.records.len(),
        Op::Delete(share) => model.share(share) > model.start,
        Op::Maintain => !model.records.is_empty() && !matches!(history, [.., Op::Maintain, Op::Maintain]),
        Op::Reopen => !matches!(history.last(), Some(Op::Reopen)),
        _ => true,
    }
}

/// Takes one more step and checks the images of its moments.
fn step(run: &mut Run, history: &[Op], op: Op, tally: &Tally) {
    let before = run.model.clone();
    let moments = run.step_by_moments(op);
    let last = moments.len() - 1;
    let depth = history.len();
    let of = &tally.depths[depth];
    let add = |count: &AtomicUsize, more| _ = count.fetch_add(more, Ordering::Relaxed);
    add(&of.histories, 1);
    add(&of.moments, moments.len());
    for (at, moment) in moments.into_iter().enumerate() {
        let least = if at == last { &run.model } else { &before };
        let expected = run.expectation(least);
        let bounds = Bounds { images: IMAGES[depth], torn: TORN[depth], seed: expected ^ at as u64 };
        let all = moment.crash_images(bounds, |image| {
            add(&of.images, 1);
            if !tally.is_new(&image, expected) {
                return;
            }
            add(&of.different, 1);
            if depth < TWICE_MAX {
                add(&of.of_recoveries, run.check_recovery(&image, least, AGAIN));
            } else {
                run.check_image(image, least);
            }
        });
        add(&of.complete, usize::from(all));
    }
}

/// Goes through all histories that begin so. The first of them goes on with the run that is there.
fn visit(beginning: &Beginning, run: Run, history: &mut Vec<Op>, tally: &Tally) {
    let ops: Vec<Op> = ALPHABET.into_iter().filter(|op| matters(*op, &run.model, history)).collect();
    let mut run = Some(run);
    for op in ops {
        let mut run = run.take().unwrap_or_else(|| beginning.replay(history));
        step(&mut run, history, op, tally);
        history.push(op);
        if history.len() < OPERATIONS_MAX {
            visit(beginning, run, history, tally);
        }
        history.pop();
    }
}

#[test]
fn every_history_of_up_to_six_operations_survives_its_crashes() {
    let begun = std::time::Instant::now();
    let beginning = Beginning::new();
    let tally = Tally::default();
    // Work for threads: what begins with each pair.
    let mut jobs = Vec::new();
    for first in ALPHABET {
        let mut run = beginning.replay(&[]);
        if matters(first, &run.model, &[]) {
            step(&mut run, &[], first, &tally);
            let seconds = ALPHABET.into_iter().filter(|second| matters(*second, &run.model, &[first]));
            jobs.extend(seconds.map(|second| [first, second]));
        }
    }
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some([first, second]) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut run = beginning.replay(&[*first]);
                    step(&mut run, &[*first], *second, &tally);
                    visit(&beginning, run, &mut vec![*first, *second], &tally);
                }
            });
        }
    });
    let checked = tally.print();
    eprintln!("{checked} different crash images of short histories in {:.0?}", begun.elapsed());
    assert!(checked >= 100_000, "{checked}");
}

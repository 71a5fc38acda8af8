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

use headwater_testkit::sim_disk::{Bounds, SimDisk};

use crate::bed::{Bed, small};
use crate::model::{Model, Op, Run};

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
const IMAGES: [usize; OPERATIONS_MAX] = [1024, 256, 64, 16, 8, 4];
/// And how many more that are torn inside a sector.
const TORN: [usize; OPERATIONS_MAX] = [256, 64, 16, 4, 2, 1];

/// What all threads have done.
#[derive(Default)]
struct Tally {
    seen: Mutex<HashSet<(u64, u64)>>,
    histories: AtomicUsize,
    moments: AtomicUsize,
    complete: AtomicUsize,
    images: AtomicUsize,
    checked: AtomicUsize,
}

impl Tally {
    fn is_new(&self, image: &SimDisk, expected: u64) -> bool {
        let key = (image.fingerprint(), expected);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }
}

/// An empty partition on a disk that all histories begin on.
struct Beginning {
    disk: SimDisk,
}

impl Beginning {
    fn new() -> Self {
        let bed = bed(SimDisk::new(7));
        let (log, _) = bed.open_partition();
        log.close().unwrap();
        Self { disk: bed.disk.crash(0) }
    }

    fn replay(&self, history: &[Op]) -> Run {
        let mut run = Run::begin(bed(self.disk.snapshot()));
        history.iter().for_each(|op| run.step(*op));
        run
    }
}

fn bed(disk: SimDisk) -> Bed {
    // Of two upkeeps the first rolls a segment, the second deletes it.
    let topic = small().retention_ms(Some(9 * DAY_MS));
    Bed { topic, ..Bed::new(7) }.on(disk)
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
    tally.histories.fetch_add(1, Ordering::Relaxed);
    for (at, moment) in moments.into_iter().enumerate() {
        let least = if at == last { run.model.clone() } else { before.clone() };
        let expected = run.expectation(&least);
        let seed = fastrand::Rng::with_seed((history.len() * 100 + at) as u64 ^ expected).u64(..);
        let bounds = Bounds { images: IMAGES[depth], torn: TORN[depth], seed };
        let all = moment.crash_images(bounds, |image| {
            tally.images.fetch_add(1, Ordering::Relaxed);
            if tally.is_new(&image, expected) {
                run.check_image(image, &least);
                tally.checked.fetch_add(1, Ordering::Relaxed);
            }
        });
        tally.moments.fetch_add(1, Ordering::Relaxed);
        tally.complete.fetch_add(usize::from(all), Ordering::Relaxed);
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
    let Tally { histories, moments, complete, images, checked, .. } = tally;
    let checked = checked.into_inner();
    eprintln!(
        "{checked} different crash images of {} histories of up to {OPERATIONS_MAX} operations: {} moments, all \
         images of {} of them, {} images in all, {:.0?}",
        histories.into_inner(),
        moments.into_inner(),
        complete.into_inner(),
        images.into_inner(),
        begun.elapsed(),
    );
    assert!(checked >= 100_000, "{checked}");
}

//! Two threads that match while a third subscribes 10,000 times a second.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::naive;
use super::peer::concurrent::{Concurrent, Reader};
use super::workload::{Kind, Workload};
use crate::options::Options;
use crate::timing::median;

/// Its name.
pub const CASE: &str = "two readers, one writer";

/// How often the writer subscribes.
const PER_SECOND: u32 = 10_000;
/// How many subscriptions the writer enters each time it wakes.
const BURST: u32 = 10;

/// What the readers came to.
#[derive(Clone, Copy, Debug)]
pub struct Readers {
    /// Nanoseconds per match of one thread that has all to itself.
    pub one_ns: f64,
    /// Of two threads, nobody writing; the mean of both.
    pub two_ns: f64,
    /// The speed of the slower of two while a third writes, as a part of its speed when nobody does.
    pub kept: f64,
    /// How often the writer did subscribe, in a second.
    pub written: f64,
}

/// Compares answers, then measures in turn: one, two, two and the writer.
pub fn run(options: &Options) -> Option<Readers> {
    if !CASE.contains(&options.only) || !super::peer::ours::NAME.contains(&options.who) {
        return None;
    }
    eprintln!("{CASE}");
    let size = if options.quick { 1_000 } else { 100_000 };
    let workload = Workload::new(Kind::TenthPlus, size);
    let tree = Concurrent::new(size as u32);
    for (id, filter) in (0..).zip(workload.filters.iter()) {
        tree.subscribe(filter, id);
    }
    for name in workload.names.iter().take(50) {
        let mut ids = Vec::new();
        tree.reader().matches(name, &mut ids);
        ids.sort_unstable();
        assert_eq!(ids, naive::all_matching(&workload.filters, name), "{name}");
    }
    let (rounds, span) = match options.quick {
        true => (1, Duration::from_millis(20)),
        false => (options.rounds().div_ceil(2), Duration::from_millis(150)),
    };
    let (mut one, mut two, mut kept, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.extend(phase(&tree, &workload, 1, false, span).0);
        let quiet = phase(&tree, &workload, 2, false, span).0;
        let (busy, count) = phase(&tree, &workload, 2, true, span);
        kept.push(quiet.iter().zip(&busy).map(|(quiet, busy)| quiet / busy).fold(f64::INFINITY, f64::min));
        two.push(quiet.iter().sum::<f64>() / 2.0);
        written.push(f64::from(count) / span.as_secs_f64());
    }
    Some(Readers { one_ns: median(one), two_ns: median(two), kept: median(kept), written: median(written) })
}

/// Each reader's nanoseconds per match, and how often the writer subscribed.
fn phase(
    tree: &Concurrent,
    workload: &Workload,
    readers: usize,
    write: bool,
    span: Duration,
) -> (Vec<f64>, u32) {
    let stop = AtomicBool::new(false);
    let stop = &stop;
    let result = thread::scope(|scope| {
        let read = |number| scope.spawn(move || matches(tree.reader(), workload, number * 1000, stop));
        let reading: Vec<_> = (0..readers).map(read).collect();
        let count = if write { subscribe(tree, workload, span) } else { sleep(span) };
        stop.store(true, Ordering::Relaxed);
        let ns = reading.into_iter().map(|one| one.join().unwrap_or(f64::NAN)).collect();
        (ns, count)
    });
    for number in 0..result.1 {
        tree.unsubscribe(workload.filters.at(number as usize), new_id(workload, number));
    }
    result
}

fn sleep(span: Duration) -> u32 {
    thread::sleep(span);
    0
}

/// Nanoseconds per match until it is to stop.
fn matches(mut reader: Reader<'_>, workload: &Workload, first: usize, stop: &AtomicBool) -> f64 {
    let (mut ids, mut next, mut count) = (Vec::new(), first % workload.names.len(), 0_u64);
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..64 {
            ids.clear();
            reader.matches(black_box(workload.names.at(next)), &mut ids);
            black_box(&ids);
            next = if next + 1 < workload.names.len() { next + 1 } else { 0 };
        }
        count += 64;
    }
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Subscribes somebody new to one filter after the other, a burst each time it wakes; gives how often.
fn subscribe(tree: &Concurrent, workload: &Workload, span: Duration) -> u32 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < span {
        let due = Duration::from_secs(1) * count / PER_SECOND;
        thread::sleep(due.saturating_sub(start.elapsed()));
        for _ in 0..BURST {
            tree.subscribe(workload.filters.at(count as usize), new_id(workload, count));
            count += 1;
        }
    }
    count
}

fn new_id(workload: &Workload, number: u32) -> u32 {
    workload.filters.len() as u32 + number
}

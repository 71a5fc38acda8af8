//! Appending: what is in the page cache when the call returns.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Instant;

use super::Run;
use super::bed::{Content, SIZES, directory, in_turn, size_name};
use super::peer::commitlog::Commitlog;
use super::peer::limit::{self, Mapped, Written};
use super::peer::ours::Ours;
use super::peer::raft::Raft;
use super::peer::wal_db::WalDb;
use super::peer::walrus::Walrus;
use super::peer::{Peer, ours};
use crate::options::Options;

/// How many records a call of many has.
pub const MANY: usize = 1000;

/// So many bytes of records are appended to a log in a round.
const BYTES: usize = 96 << 20;

/// How long single calls take, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Who.
    pub name: &'static str,
    /// For 1, 10, 50, 90, 99, 99.9 and 99.99 of a hundred.
    pub percentiles: Vec<(f64, f64)>,
}

impl Latency {
    /// The time that so many of a hundred calls do not exceed.
    pub fn at(&self, percent: f64) -> Option<f64> {
        self.percentiles.iter().find(|(other, _)| *other == percent).map(|(_, ns)| *ns)
    }
}

/// The percentiles that are kept.
pub const PERCENTS: [f64; 7] = [1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99];

/// The name of a case.
pub fn single(bytes: usize) -> String {
    format!("append, one record of {} a call", size_name(bytes))
}

/// The name of a case.
pub fn many(bytes: usize) -> String {
    format!("append, {MANY} records of {} a call", size_name(bytes))
}

/// The name of a case.
pub const LATENCY: &str = "append, one record of 1 KiB, latency";

/// Compares, then times.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    let total = if options.quick { 1 << 20 } else { BYTES };
    for bytes in SIZES {
        let case = single(bytes);
        if case.contains(&options.only) {
            eprintln!("{case}");
            let count = total / (bytes + 64);
            let limits: [super::bed::Heat<'_>; 2] = [
                (limit::MAP, Box::new(move |dir: &Path| mapped(dir, bytes, 1, count))),
                (limit::WRITE, Box::new(move |dir: &Path| written(dir, bytes, 1, count))),
            ];
            let mut heats = vec![
                heat::<Ours>(bytes, 1, count),
                heat::<Commitlog>(bytes, 1, count),
                heat::<Walrus>(bytes, 1, count),
                heat::<WalDb>(bytes, 1, count),
                heat::<Raft>(bytes, 1, count),
            ];
            heats.extend(limits);
            run.append.push((case, in_turn(options, heats)?));
        }
    }
    for bytes in SIZES.into_iter().take(2) {
        let case = many(bytes);
        if case.contains(&options.only) {
            eprintln!("{case}");
            let count = (total / (bytes + 64)).next_multiple_of(MANY);
            let mut heats = vec![
                heat::<Ours>(bytes, MANY, count),
                heat::<Commitlog>(bytes, MANY, count),
                heat::<Walrus>(bytes, MANY, count),
                heat::<WalDb>(bytes, MANY, count),
                heat::<Raft>(bytes, MANY, count),
            ];
            let map = move |dir: &Path| mapped(dir, bytes, MANY, count);
            let write = move |dir: &Path| written(dir, bytes, MANY, count);
            heats.push((limit::MAP, Box::new(map)));
            heats.push((limit::WRITE, Box::new(write)));
            run.append.push((case, in_turn(options, heats)?));
        }
    }
    if LATENCY.contains(&options.only) {
        eprintln!("{LATENCY}");
        let count = total / 1100;
        latency::<Ours>(options, run, count)?;
        latency::<Commitlog>(options, run, count)?;
        latency::<Walrus>(options, run, count)?;
        latency::<WalDb>(options, run, count)?;
        latency::<Raft>(options, run, count)?;
    }
    Ok(())
}

/// Appends so many records, `at_once` by each call; then the answer is compared.
pub(super) fn heat<'a, P: Peer + 'a>(bytes: usize, at_once: usize, count: usize) -> super::bed::Heat<'a> {
    let heat = move |dir: &Path| {
        let mut peer = P::open(dir);
        let mut content = Content::new(bytes);
        let mut batch: Vec<Vec<u8>> = vec![content.record(0).to_vec(); at_once];
        // The first call makes files.
        peer.append(content.record(0));
        let begun = Instant::now();
        if at_once == 1 {
            for number in 1..=count as u64 {
                peer.append(black_box(content.record(number)));
            }
        } else {
            for first in (1..=count as u64).step_by(at_once) {
                for (number, record) in (first..).zip(&mut batch) {
                    record
                        .get_mut(..8)
                        .into_iter()
                        .for_each(|place| place.copy_from_slice(&number.to_le_bytes()));
                }
                let records: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                peer.append_batch(black_box(&records));
            }
        }
        let ns = begun.elapsed().as_nanos() as f64 / count as f64;
        peer.check(bytes, count as u64 + 1);
        peer.close();
        ns
    };
    (P::NAME, Box::new(heat))
}

/// The bytes of a batch of such records.
fn batch_bytes(bytes: usize, at_once: usize) -> usize {
    limit::BATCH_BYTES + at_once * (bytes + limit::RECORD_BYTES)
}

fn mapped(dir: &Path, bytes: usize, at_once: usize, count: usize) -> f64 {
    let batch = vec![0x5A; batch_bytes(bytes, at_once)];
    let calls = count / at_once;
    let mut log = Mapped::new(dir, batch.len() * calls);
    let begun = Instant::now();
    for _ in 0..calls {
        log.append(black_box(&batch));
    }
    black_box(log.bytes());
    begun.elapsed().as_nanos() as f64 / count as f64
}

pub(super) fn written(dir: &Path, bytes: usize, at_once: usize, count: usize) -> f64 {
    let mut batch = vec![0x5A; batch_bytes(bytes, at_once)];
    let calls = count / at_once;
    let mut log = Written::new(dir, batch.len() * calls);
    let begun = Instant::now();
    for _ in 0..calls {
        log.append(black_box(&mut batch));
    }
    begun.elapsed().as_nanos() as f64 / count as f64
}

/// Times each call by itself, the best of three rounds for each percentile: what disturbs the machine is not the log's.
fn latency<P: Peer>(options: &Options, run: &mut Run, count: usize) -> io::Result<()> {
    if !P::NAME.contains(&options.who) {
        return Ok(());
    }
    let mut best = vec![f64::INFINITY; PERCENTS.len()];
    for _ in 0..options.rounds().min(3) {
        let dir = directory()?;
        let mut peer = P::open(dir.path());
        let mut content = Content::new(1 << 10);
        peer.append(content.record(0));
        let mut times = Vec::with_capacity(count);
        for number in 1..=count as u64 {
            let record = content.record(number);
            let begun = Instant::now();
            peer.append(black_box(record));
            times.push(begun.elapsed().as_nanos() as f64);
        }
        peer.close();
        times.sort_by(f64::total_cmp);
        for (best, percent) in best.iter_mut().zip(PERCENTS) {
            let place = (times.len() as f64 * percent / 100.0) as usize;
            let ns = times.get(place.min(times.len() - 1)).copied().unwrap_or(f64::INFINITY);
            *best = best.min(ns);
        }
    }
    let percentiles = PERCENTS.into_iter().zip(best).collect();
    run.latency.push(Latency { name: P::NAME, percentiles });
    Ok(())
}

/// Ours among the latencies.
pub fn our_latency(run: &Run) -> Option<&Latency> {
    run.latency.iter().find(|latency| latency.name == ours::NAME)
}

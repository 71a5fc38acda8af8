//! Reading: all in order, and any one by its number; warm, and checked.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Instant;

use fastrand::Rng;

use super::Run;
use super::bed::{Content, Heat, SIZES, directory, in_turn, judged, size_name};
use super::peer::commitlog::Commitlog;
use super::peer::limit::{self, Mapped};
use super::peer::ours::Ours;
use super::peer::raft::Raft;
use super::peer::wal_db::WalDb;
use super::peer::walrus::Walrus;
use super::peer::{ByNumber, Peer};
use crate::options::Options;
use crate::timing::median;

/// So many bytes of records are read.
const BYTES: usize = 64 << 20;

/// The name of a case: opened anew, so that nothing was checked before.
pub fn sequential(bytes: usize) -> String {
    format!("read all in order, {}", size_name(bytes))
}

/// The name of a case: the second reading since it was opened, for who remembers what was checked.
pub fn again(bytes: usize) -> String {
    format!("read all in order again, {}", size_name(bytes))
}

/// The name of a case.
pub fn random(bytes: usize) -> String {
    format!("read one by its offset, {}, p50", size_name(bytes))
}

/// Compares, then times.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    let total = if options.quick { 1 << 20 } else { BYTES };
    for bytes in SIZES {
        let count = total / bytes;
        for (case, passes) in [(sequential(bytes), 1), (again(bytes), 2)] {
            if !case.contains(&options.only) {
                continue;
            }
            eprintln!("{case}");
            let mut heats = vec![
                in_order::<Ours>(bytes, count, passes),
                in_order::<Commitlog>(bytes, count, passes),
                in_order::<WalDb>(bytes, count, passes),
                in_order::<Raft>(bytes, count, passes),
                (limit::MAP, Box::new(move |dir: &Path| touched(dir, bytes, count)) as _),
            ];
            if passes == 1 {
                // It gives each record once.
                heats.push(in_order::<Walrus>(bytes, count, passes));
            }
            run.sequential.push((case, in_turn(options, heats)?));
        }
        let case = random(bytes);
        if case.contains(&options.only) {
            eprintln!("{case}");
            let figures = vec![
                by_number::<Ours>(options, bytes, count)?,
                by_number::<Commitlog>(options, bytes, count)?,
                by_number::<WalDb>(options, bytes, count)?,
                by_number::<Raft>(options, bytes, count)?,
                Some((limit::MAP, touched_at(&directory()?, options, bytes, count))),
            ];
            run.random.push((case, figures.into_iter().flatten().collect()));
        }
    }
    Ok(())
}

fn filled<P: Peer>(dir: &Path, bytes: usize, count: usize) -> P {
    let mut peer = P::open(dir);
    let mut content = Content::new(bytes);
    for number in 0..count as u64 {
        peer.append(content.record(number));
    }
    peer
}

/// The sum of a record, so that each of its bytes is looked at.
#[inline]
fn sum(record: &[u8]) -> u64 {
    let (words, rest) = record.as_chunks::<8>();
    let words = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(words, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

/// Nanoseconds per record of the last of so many readings. Each record is looked at whole.
fn in_order<'a, P: Peer + 'a>(bytes: usize, count: usize, passes: usize) -> Heat<'a> {
    let heat = move |dir: &Path| {
        // Opened anew, so that nothing of it was checked before.
        filled::<P>(dir, bytes, count).close();
        let mut peer = P::open(dir);
        let (mut right, mut ns) = (true, 0.0);
        for _ in 0..passes {
            let (mut next, mut sums) = (0, 0_u64);
            let begun = Instant::now();
            peer.read_all(&mut |record| {
                right &= record.len() == bytes && Content::number(record) == Some(next);
                sums = sums.wrapping_add(sum(record));
                next += 1;
            });
            ns = begun.elapsed().as_nanos() as f64 / count as f64;
            black_box(sums);
            right &= next == count as u64;
        }
        peer.close();
        judged::<P>(right, ns)
    };
    (P::NAME, Box::new(heat))
}

/// The bytes of the records alone, in a map, each looked at.
fn touched(dir: &Path, bytes: usize, count: usize) -> f64 {
    let mut log = Mapped::new(dir, bytes * count);
    let record = vec![0x5A; bytes];
    for _ in 0..count {
        log.append(&record);
    }
    let begun = Instant::now();
    let sums = log.bytes().chunks_exact(bytes).fold(0_u64, |sums, record| sums.wrapping_add(sum(record)));
    black_box(sums);
    begun.elapsed().as_nanos() as f64 / count as f64
}

fn places(options: &Options, count: usize) -> Vec<u64> {
    let mut random = Rng::with_seed(7);
    let reads = if options.quick { 100 } else { 20_000 };
    (0..reads).map(|_| random.u64(..count as u64)).collect()
}

/// The median of single reads.
fn by_number<P: ByNumber>(
    options: &Options,
    bytes: usize,
    count: usize,
) -> io::Result<Option<(&'static str, f64)>> {
    if !P::NAME.contains(&options.who) {
        return Ok(None);
    }
    let dir = directory()?;
    let mut peer = filled::<P>(dir.path(), bytes, count);
    let mut times = Vec::new();
    // Once to be warm.
    for round in 0..2 {
        for number in places(options, count) {
            let (mut found, mut sums) = (None, 0);
            let begun = Instant::now();
            peer.read_at(number, &mut |record| {
                found = Content::number(record);
                sums = sum(record);
            });
            let ns = begun.elapsed().as_nanos() as f64;
            assert_eq!(found, Some(number), "{}", P::NAME);
            black_box(sums);
            if round == 1 {
                times.push(ns);
            }
        }
    }
    peer.close();
    Ok(Some((P::NAME, median(times))))
}

fn touched_at(dir: &tempfile::TempDir, options: &Options, bytes: usize, count: usize) -> f64 {
    let mut log = Mapped::new(dir.path(), bytes * count);
    let record = vec![0x5A; bytes];
    for _ in 0..count {
        log.append(&record);
    }
    let mut times = Vec::new();
    for number in places(options, count) {
        let begun = Instant::now();
        let at = number as usize * bytes;
        black_box(sum(log.bytes().get(at..at + bytes).unwrap_or_default()));
        times.push(begun.elapsed().as_nanos() as f64);
    }
    median(times)
}

//! Eight threads, each waiting until its record is on disk.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Run;
use super::bed::{Content, Heat, in_turn};
use super::peer::Durable;
use super::peer::limit::{self, Written};
use super::peer::okaywal::Okaywal;
use super::peer::ours::Ours;
use super::peer::raft::Raft;
use super::peer::wal_db::WalDb;
use crate::options::Options;

/// How many wait at a time.
pub const THREADS: usize = 8;

/// The name of the case.
pub const CASE: &str = "durable, 8 threads, one record of 1 KiB a call";

/// The name of what bounds it: eight records by one write and one `fdatasync`, again and again.
pub const LIMIT: &str = limit::WRITE;

/// Times them in turn.
pub(super) fn run(options: &Options, run: &mut Run) -> io::Result<()> {
    if !CASE.contains(&options.only) {
        return Ok(());
    }
    eprintln!("{CASE}");
    let span = Duration::from_millis(if options.quick { 20 } else { 600 });
    let heats = vec![
        heat::<Ours>(span),
        heat::<Okaywal>(span),
        heat::<Raft>(span),
        heat::<WalDb>(span),
        (LIMIT, Box::new(move |dir: &Path| synced(dir, span)) as Box<dyn FnMut(&Path) -> f64>),
    ];
    run.durable.push((CASE.to_owned(), in_turn(options, heats)?));
    Ok(())
}

/// Nanoseconds per record, all threads together.
fn heat<'a, P: Durable + 'a>(span: Duration) -> Heat<'a> {
    let heat = move |dir: &Path| {
        let peer = P::open(dir);
        let (count, begun) = (AtomicU64::new(0), Instant::now());
        thread::scope(|scope| {
            for number in 0..THREADS as u64 {
                let (peer, count) = (&peer, &count);
                scope.spawn(move || {
                    let mut content = Content::new(1 << 10);
                    while begun.elapsed() < span {
                        peer.append(content.record(number));
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let ns = begun.elapsed().as_nanos() as f64 / count.into_inner().max(1) as f64;
        peer.close();
        ns
    };
    (P::NAME, Box::new(heat))
}

fn synced(dir: &Path, span: Duration) -> f64 {
    let mut records = vec![0x5A; limit::BATCH_BYTES + THREADS * ((1 << 10) + limit::RECORD_BYTES)];
    let mut log = Written::new(dir, 256 << 20);
    let (mut count, begun) = (0_u64, Instant::now());
    while begun.elapsed() < span {
        log.append(&mut records);
        log.sync();
        count += THREADS as u64;
    }
    begun.elapsed().as_nanos() as f64 / count.max(1) as f64
}

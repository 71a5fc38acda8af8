//! What a contest is held on: directories, records, and figures in turn.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::peer::{Peer, ours};
use crate::options::Options;
use crate::timing::median;

/// The sizes of records.
pub const SIZES: [usize; 3] = [100, 1 << 10, 16 << 10];

/// How a size is written.
pub fn size_name(bytes: usize) -> String {
    if bytes < 1 << 10 { format!("{bytes} B") } else { format!("{} KiB", bytes >> 10) }
}

/// A directory of its own, in the system's temporary folder (`TMPDIR`).
///
/// # Errors
///
/// It cannot be made.
pub fn directory() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("headwater-peers-").tempdir()
}

/// A record of so many bytes that says which one it is.
#[derive(Debug)]
pub struct Content(Vec<u8>);

impl Content {
    /// For records of so many bytes, 16 at least.
    pub fn new(bytes: usize) -> Self {
        Self((0..bytes.max(16)).map(|place| (place % 251) as u8).collect())
    }

    /// The record with this number.
    #[inline]
    pub fn record(&mut self, number: u64) -> &[u8] {
        if let Some(first) = self.0.first_chunk_mut() {
            *first = number.to_le_bytes();
        }
        &self.0
    }

    /// The number a record has, if its length is right.
    #[inline]
    pub fn number(record: &[u8]) -> Option<u64> {
        record.first_chunk().map(|first| u64::from_le_bytes(*first))
    }
}

/// The time of who gave the right records; of who did not, none that counts.
pub fn judged<P: Peer>(right: bool, ns: f64) -> f64 {
    if right {
        return ns;
    }
    assert!(P::NAME != ours::NAME, "we gave wrong records");
    eprintln!("{} gave wrong records: not counted", P::NAME);
    f64::INFINITY
}

/// A contestant: does the case once, in a directory of its own; gives nanoseconds.
pub type Heat<'a> = (&'static str, Box<dyn FnMut(&Path) -> f64 + 'a>);

/// Lets all do the case in turn, round after round, each in a new directory; gives each one's median.
///
/// # Errors
///
/// A directory cannot be made.
pub fn in_turn(options: &Options, mut heats: Vec<Heat<'_>>) -> io::Result<Vec<(&'static str, f64)>> {
    heats.retain(|(name, _)| name.contains(&options.who));
    let mut figures = vec![Vec::new(); heats.len()];
    for _ in 0..options.rounds().div_ceil(3) {
        for ((_, heat), figures) in heats.iter_mut().zip(&mut figures) {
            let dir = directory()?;
            figures.push(heat(dir.path()));
        }
    }
    let names = heats.iter().map(|(name, _)| *name);
    Ok(names.zip(figures.into_iter().map(median)).collect())
}

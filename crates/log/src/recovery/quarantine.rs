//! Quarantine of a damaged segment: its bytes are set aside, and what holds of it takes its place.
//!
//! ```text
//!   1  .log -> copy as .damaged, synced, the directory synced      the original is there twice
//!   2  what holds -> written as .kept.tmp, synced, renamed .log    the directory synced
//!   3  indexes, and a sealed mark that says "may have gaps"        as recovery seals any segment
//! ```
//!
//! A crash between two steps leaves a segment that is still damaged, or one that its mark does not describe: both are
//! refused by an opening without quarantine, and the next one with it comes to the same end. The copy of step 1 has to
//! be durable before step 2, which drops the original. A copy that is there already, byte for byte, is not made again.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::PathBuf;

use crate::error::IoError;
use crate::format::names;
use crate::segment::Dir;
use crate::storage::{self, Access, File};

/// How much is copied at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What becomes of a segment in which there is damage.
#[derive(Debug)]
pub(super) struct Quarantine {
    /// Where in the file the batches are that hold.
    pub(super) kept: Vec<Range<u64>>,
    /// Whether there is more in the file than these.
    pub(super) replaces: bool,
}

/// Where the bytes of a segment would be set aside now: names that are taken stay as they are.
pub(super) fn place(dir: &Dir, base_offset: u64) -> PathBuf {
    let is_free = |path: &PathBuf| dir.storage.open(path, Access::Read).is_err();
    let mut places = (1..=u32::MAX).map(|number| dir.path.join(names::damaged_file(base_offset, number)));
    places.find(is_free).unwrap_or_default()
}

/// Copies a segment's `.log` file, durably, name included; tells to where.
pub(super) fn set_aside(dir: &Dir, base_offset: u64) -> Result<PathBuf, IoError> {
    let from = dir.file(base_offset, names::LOG);
    let file = dir.open(base_offset, names::LOG, Access::Read)?;
    let size = file.size().map_err(IoError::of("measure", &from))?;
    let place = place(dir, base_offset);
    for number in 1.. {
        let there = dir.path.join(names::damaged_file(base_offset, number));
        if there == place {
            break;
        }
        let other = dir.storage.open(&there, Access::Read).map_err(IoError::of("open", &there))?;
        if is_same(&*file, &*other, size).map_err(IoError::of("read", &there))? {
            dir.sync()?;
            return Ok(there);
        }
    }
    let temporary = dir.path.join(format!("{}.tmp", names::damaged_file(base_offset, 1)));
    write(dir, &*file, &from, std::slice::from_ref(&(0..size)), &temporary)?;
    dir.storage.rename(&temporary, &place).map_err(IoError::of("rename", &place))?;
    dir.sync()?;
    Ok(place)
}

/// Puts what holds of a segment in the place of its `.log` file, durably.
pub(super) fn replace(dir: &Dir, base_offset: u64, kept: &[Range<u64>]) -> Result<(), IoError> {
    let from = dir.file(base_offset, names::LOG);
    let file = dir.open(base_offset, names::LOG, Access::Read)?;
    let temporary = dir.path.join(format!("{}.tmp", names::segment_file(base_offset, names::KEPT)));
    write(dir, &*file, &from, kept, &temporary)?;
    dir.storage.rename(&temporary, &from).map_err(IoError::of("replace", &from))?;
    dir.sync()
}

/// Writes parts of a file into another one, and makes its bytes durable.
fn write(
    dir: &Dir,
    file: &dyn File,
    from: &PathBuf,
    parts: &[Range<u64>],
    to: &PathBuf,
) -> Result<(), IoError> {
    let target = dir.storage.create(to).map_err(IoError::of("create", to))?;
    let (mut end, mut chunk) = (0_u64, Vec::new());
    for part in parts {
        let mut at = part.start;
        while at < part.end {
            let left = usize::try_from(part.end - at).unwrap_or(usize::MAX);
            chunk.resize(left.min(CHUNK_BYTES), 0);
            let read = storage::read_full_at(file, &mut chunk, at).map_err(IoError::of("read", from))?;
            if read < chunk.len() {
                return Err(IoError::new("read", from, ErrorKind::UnexpectedEof.into()));
            }
            storage::write_all_at(&*target, &chunk, end).map_err(IoError::of("write", to))?;
            at = at.saturating_add(read as u64);
            end = end.saturating_add(read as u64);
        }
    }
    target.sync_data().map_err(IoError::of("sync", to))
}

fn is_same(one: &dyn File, other: &dyn File, size: u64) -> io::Result<bool> {
    if other.size()? != size {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    let mut at = 0;
    while at < size {
        let read = storage::read_full_at(one, &mut a, at)?;
        if read == 0 || storage::read_full_at(other, &mut b, at)? != read || a.get(..read) != b.get(..read) {
            return Ok(false);
        }
        at = at.saturating_add(read as u64);
    }
    Ok(true)
}

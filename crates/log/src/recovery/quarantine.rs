//! Quarantine of a damaged segment: its bytes are set aside, and what holds of it takes its place.
//!
//! ```text
//!   1  what holds behind damage -> segments of their own, sealed    from the last one on; the original is whole
//!   2  .log -> copy as .damaged, synced, the directory synced       the original is there twice
//!   3  what holds before damage -> written as .kept.tmp, synced,
//!      renamed .log, the directory synced
//!   4  indexes, and a sealed mark                                   as recovery seals any segment
//! ```
//!
//! A crash between two steps leaves a segment that is still damaged, that overlaps the next one, or that is shorter than
//! its mark, or the next segment, says. Each is refused by an opening without quarantine, and the next one with it comes
//! to the same end. The copy of step 2 has to be durable before step 3, which drops the original. A copy that is there
//! already, byte for byte, is not made again.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::IoError;
use crate::format::names;
use crate::segment::Dir;
use crate::storage::{self, Access, File};

/// How much is copied at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Where the bytes of a segment would be set aside now: names that are taken stay as they are.
pub(super) fn place(dir: &Dir, base_offset: u64) -> PathBuf {
    // A file that is there and cannot be opened is there all the same.
    let is_free = |path: &PathBuf| {
        let opened = dir.storage.open(path, Access::Read);
        opened.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
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
    write(dir, &*file, &from, 0..size, &temporary)?;
    dir.storage.rename(&temporary, &place).map_err(IoError::of("rename", &place))?;
    dir.sync()?;
    Ok(place)
}

/// Puts a part of a segment's `.log` file in the place of the `.log` file of a segment, the same or another one,
/// durably.
pub(super) fn put(dir: &Dir, of: u64, bytes: Range<u64>, base_offset: u64) -> Result<(), IoError> {
    let from = dir.file(of, names::LOG);
    let file = dir.open(of, names::LOG, Access::Read)?;
    let to = dir.file(base_offset, names::LOG);
    let temporary = dir.path.join(format!("{}.tmp", names::segment_file(base_offset, names::KEPT)));
    write(dir, &*file, &from, bytes, &temporary)?;
    dir.storage.rename(&temporary, &to).map_err(IoError::of("rename", &to))?;
    dir.sync()
}

/// Writes a part of a file into another one, and makes its bytes durable.
fn write(dir: &Dir, file: &dyn File, from: &Path, bytes: Range<u64>, to: &Path) -> Result<(), IoError> {
    let target = dir.storage.create(to).map_err(IoError::of("create", to))?;
    copy((file, from), bytes, (&*target, to), 0)?;
    target.sync_data().map_err(IoError::of("sync", to))
}

/// Copies bytes of a file to a position in another one, or in the same. They are read first: a write should not read from the pages
/// that it goes to.
pub(super) fn copy(
    (file, from): (&dyn File, &Path),
    bytes: Range<u64>,
    (target, to): (&dyn File, &Path),
    position: u64,
) -> Result<(), IoError> {
    let (mut at, mut chunk) = (bytes.start, Vec::new());
    while at < bytes.end {
        let left = usize::try_from(bytes.end - at).unwrap_or(usize::MAX);
        chunk.resize(left.min(CHUNK_BYTES), 0);
        let read = storage::read_full_at(file, &mut chunk, at).map_err(IoError::of("read", from))?;
        if read < chunk.len() {
            return Err(IoError::new("read", from, ErrorKind::UnexpectedEof.into()));
        }
        let put = position.saturating_add(at - bytes.start);
        storage::write_all_at(target, &chunk, put).map_err(IoError::of("write", to))?;
        at = at.saturating_add(read as u64);
    }
    Ok(())
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

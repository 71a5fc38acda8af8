//! Who keeps the durable mark of a segment.

use std::sync::Arc;

use crate::error::IoError;
use crate::format::mark::{self, FILE_BYTES, IndexSum, Mark};
use crate::format::names;
use crate::storage::{self, Access, Appender, File, Region};

use super::active::Extent;
use super::{Dir, Indexes};

/// A mark is made durable when the last time was longer ago than this.
const SAVE_INTERVAL_MS: u64 = 1000;

/// The mark of an active segment, written through a mapping: an update is no system call.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// `None` once the segment is sealed: then nobody writes it any more, whoever still has this.
    slots: Option<Appender>,
    sequence: u64,
    /// Whether it was written since it was saved, which was then.
    changed: bool,
    saved_ms: i64,
    index: Running,
    time_index: Running,
}

/// The checksum of an index as far as it was summed up.
#[derive(Debug, Clone, Default)]
struct Running {
    bytes: usize,
    hasher: crc32fast::Hasher,
}

impl Running {
    /// The sum of an index's first `len` bytes, of which those of the last time are known.
    fn up_to(&mut self, index: &Region, len: usize) -> IndexSum {
        self.hasher.update(index.bytes().get(self.bytes..len).unwrap_or_default());
        self.bytes = self.bytes.max(len);
        IndexSum { bytes: u32::try_from(self.bytes).unwrap_or(u32::MAX), crc: self.hasher.clone().finalize() }
    }
}

impl Keeper {
    /// Takes over the mark file of a segment, creating it when it is missing or not whole.
    pub(super) fn open(dir: &Dir, base_offset: u64, now_ms: i64) -> Result<Self, IoError> {
        let path = dir.file(base_offset, names::DURABLE);
        let content = dir.read(base_offset, names::DURABLE)?.filter(|content| content.len() == FILE_BYTES);
        let file = match &content {
            Some(_) => dir.open(base_offset, names::DURABLE, Access::ReadWrite)?,
            None => create(dir, base_offset)?,
        };
        let newest = content.and_then(|content| mark::decode(&content).ok().flatten());
        let window = file.map(FILE_BYTES, Access::ReadWrite).map_err(IoError::of("map", &path))?;
        let slots = window.into_appender(0, FILE_BYTES).map_err(IoError::of("map", &path))?;
        let sequence = newest.map_or(0, |(_, sequence)| sequence);
        let (index, time_index) = (Running::default(), Running::default());
        Ok(Self { slots: Some(slots), sequence, changed: false, saved_ms: now_ms, index, time_index })
    }

    /// The sums of both indexes up to there: work only for the entries since the last time.
    pub(super) fn sums(&mut self, indexes: &Indexes, extent: Extent) -> (IndexSum, IndexSum) {
        let index = self.index.up_to(&indexes.offset, extent.index);
        (index, self.time_index.up_to(&indexes.time, extent.time_index))
    }

    /// Writes a mark. What it says has to be durable already.
    fn write(&mut self, mark: &Mark) {
        let Some(slots) = &mut self.slots else { return };
        self.sequence = self.sequence.wrapping_add(1);
        slots.overwrite(mark::slot_at(self.sequence), &mark.encode(self.sequence));
        self.changed = true;
    }

    /// Writes a mark and makes it durable if that was not done for a second.
    pub(super) fn update(&mut self, dir: &Dir, mark: &Mark, now_ms: i64) -> Result<(), IoError> {
        self.write(mark);
        self.save_if_due(dir, mark.base_offset, now_ms)
    }

    /// Makes the last mark durable if it is not, and none was for a second.
    pub(super) fn save_if_due(&mut self, dir: &Dir, base_offset: u64, now_ms: i64) -> Result<(), IoError> {
        // A clock that was set back must not stop this: the distance counts, in either direction.
        if !self.changed || now_ms.abs_diff(self.saved_ms) < SAVE_INTERVAL_MS {
            return Ok(());
        }
        match save(dir, base_offset) {
            Ok(()) => (self.changed, self.saved_ms) = (false, now_ms),
            Err(error) if error.is_sync() => return Err(error),
            // The file could not be opened now. The records are durable all the same.
            Err(_) => {}
        }
        Ok(())
    }

    /// Writes the last mark into both slots, so that no damage to one brings back less, and makes it durable.
    pub(super) fn seal(&mut self, dir: &Dir, mark: &Mark) -> Result<(), IoError> {
        self.write(mark);
        self.write(mark);
        save(dir, mark.base_offset)?;
        self.slots = None;
        Ok(())
    }
}

fn save(dir: &Dir, base_offset: u64) -> Result<(), IoError> {
    let path = dir.file(base_offset, names::DURABLE);
    // Opened anew each time, so that a segment costs one descriptor while it is active and none afterwards.
    let file = dir.open(base_offset, names::DURABLE, Access::ReadWrite)?;
    file.sync_data().map_err(IoError::of("sync", &path))
}

/// Creates the mark file of a new segment. Its mark proves nothing, but tells the leader epoch: a broker that leads later
/// begins a higher one.
pub(super) fn create(dir: &Dir, base_offset: u64) -> Result<Arc<dyn File>, IoError> {
    let path = dir.file(base_offset, names::DURABLE);
    let file = dir.storage.create(&path).map_err(IoError::of("create", &path))?;
    let leader_epoch = dir.epochs.current();
    let mark = Mark { base_offset, next_offset: base_offset, leader_epoch, ..Mark::default() };
    storage::write_all_at(&*file, &slots(&mark, [0]), 0).map_err(IoError::of("write", &path))?;
    Ok(file)
}

/// The mark file of a segment that is made anew, whole.
pub(crate) fn sealed_file(mark: &Mark) -> [u8; FILE_BYTES] {
    slots(mark, [1, 2])
}

/// A mark file with a mark in the slots of these sequence numbers.
fn slots<const N: usize>(mark: &Mark, sequences: [u64; N]) -> [u8; FILE_BYTES] {
    let mut file = [0; FILE_BYTES];
    for sequence in sequences {
        if let Some(slot) = file.get_mut(mark::slot_at(sequence)..).and_then(<[u8]>::first_chunk_mut) {
            *slot = mark.encode(sequence);
        }
    }
    file
}

/// Writes the mark of a segment that nobody has open, and makes it durable.
pub(crate) fn write_sealed(dir: &Dir, mark: &Mark) -> Result<(), IoError> {
    let old = dir.read(mark.base_offset, names::DURABLE)?;
    let newest = old.as_deref().and_then(|content| mark::decode(content).ok().flatten());
    let sequence = newest.map_or(0, |(_, sequence)| sequence);
    let file = slots(mark, [sequence.wrapping_add(1), sequence.wrapping_add(2)]);
    let path = dir.file(mark.base_offset, names::DURABLE);
    let target = if old.is_some() {
        dir.open(mark.base_offset, names::DURABLE, Access::ReadWrite)?
    } else {
        dir.storage.create(&path).map_err(IoError::of("create", &path))?
    };
    target.set_len(FILE_BYTES as u64).map_err(IoError::of("resize", &path))?;
    storage::write_all_at(&*target, &file, 0).map_err(IoError::of("write", &path))?;
    target.sync_data().map_err(IoError::of("sync", &path))
}

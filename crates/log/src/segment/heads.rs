//! The heads of batches, checked when they are read: where offsets have gaps, nothing else tells whether they are right.
//!
//! Who seeks in such a segment passes batches by what their heads say, so all that he has passed is checked with what he wants.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Mapped, Segment};
use crate::error::{Damage, ReadError};
use crate::format::heads::Heads;
use crate::format::mark::{IndexSum, Mark};
use crate::format::names;
use crate::segment::Dir;

/// The checksums of a segment's heads, and which of them were compared.
#[derive(Debug)]
pub(crate) struct CheckedHeads {
    heads: Heads,
    /// A bit for each block.
    held: Vec<AtomicU64>,
}

impl CheckedHeads {
    fn new(heads: Heads) -> Self {
        let words = heads.len().div_ceil(64);
        Self { heads, held: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Checks every block that has bytes in the range; the error has the place of the first that is wrong.
    pub(super) fn check(&self, log: &[u8], bytes: Range<usize>) -> Result<(), (usize, Damage)> {
        let mut at = bytes.start as u64;
        while at < bytes.end as u64 {
            let Some(block) = self.heads.block(at) else { return Ok(()) };
            let (start, end) = (block.bytes.start, block.bytes.end);
            let bit = 1_u64 << (block.number % 64);
            let word = self.held.get(block.number / 64);
            if word.is_none_or(|word| word.load(Ordering::Acquire) & bit == 0) {
                let from = usize::try_from(start).unwrap_or(usize::MAX);
                let to = usize::try_from(end).unwrap_or(usize::MAX);
                if !log.get(from..to).is_some_and(|bytes| block.holds(bytes)) {
                    return Err((from, Damage::Heads { end }));
                }
                if let Some(word) = word {
                    word.fetch_or(bit, Ordering::AcqRel);
                }
            }
            at = end;
        }
        Ok(())
    }
}

/// Reads the file that a mark tells of; `None` when the segment needs none.
pub(crate) fn load(dir: &Dir, mark: &Mark) -> Result<Option<Heads>, ReadError> {
    if mark.heads.bytes == 0 {
        return Ok(None);
    }
    let file = dir.read(mark.base_offset, names::HEADS)?.unwrap_or_default();
    let heads = Heads::decode(&file, mark.base_offset, mark.position);
    let heads = heads.filter(|_| IndexSum::of(&file) == mark.heads);
    heads.map(Some).ok_or_else(|| dir.corruption(mark.base_offset, 0, Damage::HeadsFile).into())
}

impl Segment {
    /// The checksums of the heads; `None` where the offsets are dense, or nobody made any.
    pub(super) fn heads<'a>(&self, mapped: &'a Mapped) -> Result<Option<&'a CheckedHeads>, ReadError> {
        if self.mark.heads.bytes == 0 {
            return Ok(None);
        }
        if let Some(heads) = mapped.heads.get() {
            return Ok(Some(heads));
        }
        let loaded = load(&self.dir, &self.mark);
        // The file may be that of another segment by now, which has taken the place of this one.
        if let Some(retired) = self.retired().and_then(|retired| retired.heads.get().cloned()) {
            return Ok(Some(mapped.heads.get_or_init(|| retired)));
        }
        Ok(loaded?.map(|heads| &**mapped.heads.get_or_init(|| CheckedHeads::new(heads).into())))
    }

    /// Forgets which heads were compared: each is compared again.
    pub(super) fn forget_heads(&self, mapped: &Mapped) -> Result<(), ReadError> {
        if let Some(heads) = self.heads(mapped)? {
            heads.held.iter().for_each(|word| word.store(0, Ordering::Release));
        }
        Ok(())
    }

    /// Checks the heads of all batches in a range of bytes, as far as that was not done since they are mapped.
    pub(super) fn check_heads(&self, mapped: &Mapped, bytes: Range<usize>) -> Result<(), ReadError> {
        let Some(heads) = self.heads(mapped)? else { return Ok(()) };
        let log = self.log(mapped)?;
        heads
            .check(log.bytes(), bytes)
            .map_err(|(at, damage)| self.dir.corruption(self.base_offset, at as u64, damage).into())
    }
}

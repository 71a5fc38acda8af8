//! What of a segment need not be read: what its mark says is durable, as far as its indexes are known to be right.
//!
//! ```text
//!  .log     |----------------------------------------|------------|~~~~~~~~~~~~~|
//!           0                                        last entry   mark          end of the file
//!                not read: checked when it is read      read: nothing is known behind the mark
//! ```
//!
//! The mark has the checksum of the indexes as they were with its position. Where the files agree, the entries are those that
//! the writer made, and the last one leads to where the reading begins. Otherwise the segment is read whole.

use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::index;
use crate::format::mark::{IndexSum, Mark};
use crate::format::names;
use crate::segment::{Dir, Rebuilt};
use crate::storage::{self, File};

/// Where the reading of a segment begins, and the indexes of what is before.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) at: u64,
    pub(super) next_offset: u64,
    pub(super) indexes: Rebuilt,
}

impl Head {
    /// Nothing is skipped.
    pub(super) fn none(base_offset: u64, index_interval_bytes: u32, sparse: bool) -> Self {
        Self {
            at: 0,
            next_offset: base_offset,
            indexes: Rebuilt::new(base_offset, index_interval_bytes, sparse),
        }
    }

    /// What the mark of a segment with this file allows to skip; `None` when something does not agree.
    pub(super) fn of(dir: &Dir, mark: &Mark, index_interval_bytes: u32, file: &dyn File) -> Option<Self> {
        let offset = load(dir, mark.base_offset, names::INDEX, mark.index)?;
        let time = load(dir, mark.base_offset, names::TIME_INDEX, mark.time_index)?;
        let entry = index::last(&offset)?;
        let at = u64::from(entry.position);
        let mut header = [0; HEADER_BYTES];
        storage::read_full_at(file, &mut header, at).ok()?;
        let left = file.size().ok()?.checked_sub(at)?;
        let header = Header::parse_within(&header, usize::try_from(left).unwrap_or(usize::MAX)).ok()?;
        let agrees = entry.leads_to(&header, mark.base_offset) && at < mark.position;
        let indexes = Rebuilt::resume(mark.base_offset, index_interval_bytes, offset, time);
        agrees.then_some(Self { at, next_offset: header.base_offset, indexes })
    }
}

/// The part of an index that the sum is of. An index is a cache: one that cannot be read is as good as none.
fn load(dir: &Dir, base_offset: u64, suffix: &str, sum: IndexSum) -> Option<Vec<u8>> {
    let mut content = dir.read(base_offset, suffix).ok()??;
    let len = usize::try_from(sum.bytes).ok()?;
    if content.len() < len {
        return None;
    }
    content.truncate(len);
    (IndexSum::of(&content) == sum).then_some(content)
}

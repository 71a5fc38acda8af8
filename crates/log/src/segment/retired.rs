//! A segment that is about to be replaced: whoever reads it reads on, though another file has its name.

use std::sync::Arc;

use super::{Content, Mapped, Scanner, Segment};
use crate::error::ReadError;
use crate::format::mark::Mark;
use crate::segment::Found;
use crate::storage::Region;

/// The bytes of a closed segment, mapped for as long as this is held.
#[derive(Debug)]
pub(crate) struct Whole {
    mapped: Arc<Mapped>,
    log: Arc<Region>,
}

impl Segment {
    /// The mark that the segment was closed with.
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Whether it takes no appends, and is not waiting to be sealed.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.content, Content::Closed { .. })
    }

    /// Maps all of it and keeps it mapped as long as anybody has this segment: its files are about to be replaced, and what their
    /// names stand for from then on is another segment.
    pub(crate) fn retire(&self) -> Result<(), ReadError> {
        let Content::Closed { slot, .. } = &self.content else { return Ok(()) };
        let mapped = self.mapped();
        self.log(&mapped)?;
        self.indexes(&mapped)?;
        self.heads(&mapped)?;
        slot.retire(mapped);
        Ok(())
    }

    /// What stays mapped of a segment that was retired.
    pub(super) fn retired(&self) -> Option<&Arc<Mapped>> {
        match &self.content {
            Content::Active(..) => None,
            Content::Closed { slot, .. } => slot.retired(),
        }
    }

    /// Maps the segment, to be read from its beginning to its end.
    pub(crate) fn whole(&self) -> Result<Whole, ReadError> {
        let mapped = self.mapped();
        let log = Arc::clone(self.log(&mapped)?);
        Ok(Whole { mapped, log })
    }

    /// Visits the batches of a closed segment that begin before a position, each checked unless it was since it is mapped, until `each` gives an error.
    pub(crate) fn visit<E: From<ReadError>>(
        &self,
        whole: &Whole,
        end: u64,
        mut each: impl FnMut(&Found, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Whole { mapped, log } = whole;
        let mut scanner = Scanner::new(log.bytes(), 0, self.base_offset, self.sparse, &self.dir.epochs);
        let damaged = |at: usize, what| {
            E::from(ReadError::from(self.dir.corruption(self.base_offset, at as u64, what)))
        };
        while (scanner.position() as u64) < end
            && let Some(found) = scanner.step()
        {
            let found = found.map_err(|damage| damaged(scanner.position(), damage))?;
            if !mapped.knows(found.at..found.end()) {
                scanner.verify(&found).map_err(|damage| damaged(found.at, damage))?;
                self.check_heads(mapped, found.at..found.end())?;
                mapped.note_verified(found.at..found.end());
            }
            each(&found, log.bytes().get(found.at..found.end()).unwrap_or_default())?;
        }
        Ok(())
    }
}

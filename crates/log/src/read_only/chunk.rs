use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::error::Damage;
use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::checkpoint::Epochs;
use crate::format::heads::Heads;
use crate::segment::Scanner;
use crate::storage::{self, File};

/// Reads batches out of a file that may grow, and lose its zero tail, at the same time.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) file: &'a dyn File,
    pub(super) sparse: bool,
    pub(super) epochs: &'a Epochs,
    /// What the heads of the batches have to be, where nothing else tells.
    pub(super) heads: Option<&'a Heads>,
    /// The first offset that is wanted.
    pub(super) from: u64,
    /// The offset behind the last one that may be seen.
    pub(super) end: u64,
    /// Behind this position there is nothing that may be seen.
    pub(super) limit: u64,
    pub(super) max_bytes: usize,
}

/// The beginning of a batch, and the offset that it has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) position: u64,
    pub(super) next_offset: u64,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// Whole batches, the first of which holds the first offset wanted.
    Batches { bytes: Bytes, position: u64, next_offset: u64 },
    /// The segment ends before the first offset wanted.
    Ended,
    /// Something that is no batch, where the batch with this offset should be.
    Damaged { position: u64, next_offset: u64, what: Damage },
}

impl Reader<'_> {
    /// Reads the header of the batch at a position, if one can be there.
    pub(super) fn header(&self, position: u64) -> io::Result<Option<Header>> {
        let mut bytes = vec![0; HEADER_BYTES];
        let read = storage::read_full_at(self.file, &mut bytes, position)?;
        // The length is compared with what is left of the file, not with the header that was read.
        let left = usize::try_from(self.file.size()?.saturating_sub(position)).unwrap_or(usize::MAX);
        if read < HEADER_BYTES || left < HEADER_BYTES {
            return Ok(None);
        }
        Ok(Header::parse_within(&bytes, left).ok())
    }

    /// The first block with a batch in this range whose heads are not those that were written.
    fn wrong_heads(&self, bytes: Range<u64>) -> io::Result<Option<(u64, Damage)>> {
        let mut at = bytes.start;
        while at < bytes.end {
            let Some(block) = self.heads.and_then(|heads| heads.block(at)) else { return Ok(None) };
            let (start, end) = (block.bytes.start, block.bytes.end);
            let len = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
            // Not more than there is, whatever the file says.
            let left = usize::try_from(self.file.size()?.saturating_sub(start)).unwrap_or(usize::MAX);
            let mut batches = vec![0; len.min(left)];
            let read = storage::read_full_at(self.file, &mut batches, start)?;
            if read < len || !block.holds(&batches) {
                return Ok(Some((start, Damage::Heads { end })));
            }
            at = end;
        }
        Ok(None)
    }

    /// Reads from a batch on, `chunk_bytes` at a time, or as many as one batch has, and never more than there are.
    pub(super) fn read(&self, start: Start, chunk_bytes: usize) -> io::Result<Outcome> {
        let Start { mut position, mut next_offset } = start;
        let mut wanted = chunk_bytes;
        loop {
            let left = self.file.size()?.min(self.limit).saturating_sub(position);
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            let mut chunk = vec![0; wanted.min(left)];
            let read = storage::read_full_at(self.file, &mut chunk, position)?;
            let more = read == wanted && read < left;
            chunk.truncate(read);
            let mut scanner = Scanner::new(&chunk, 0, next_offset, self.sparse, self.epochs);
            let mut batches: Option<(usize, usize, u64)> = None;
            let stop = loop {
                match scanner.step_checked() {
                    Some(Ok(found)) if found.header.base_offset >= self.end => break None,
                    Some(Ok(found)) if found.header.last_offset < self.from => {}
                    Some(Ok(found)) => {
                        let begin = batches.map_or(found.at, |(begin, ..)| begin);
                        if batches.is_some() && found.end() - begin > self.max_bytes {
                            break None;
                        }
                        batches = Some((begin, found.end(), found.header.next_offset()));
                    }
                    Some(Err(damage)) => break Some(damage),
                    None => break None,
                }
            };
            let seen = batches.map_or(scanner.position(), |(_, end, _)| end) as u64;
            if let Some((position, what)) = self.wrong_heads(start.position..position.saturating_add(seen))? {
                return Ok(Outcome::Damaged { position, next_offset: start.next_offset, what });
            }
            if let Some((begin, end, next_offset)) = batches {
                let bytes = Bytes::from(chunk).slice(begin..end);
                return Ok(Outcome::Batches { bytes, position: position + begin as u64, next_offset });
            }
            position = position.saturating_add(scanner.position() as u64);
            next_offset = scanner.next_offset();
            match stop {
                // A batch that goes beyond the chunk, in a file that goes on.
                Some(Damage::HeaderCut { .. }) if more => wanted = chunk_bytes,
                Some(Damage::LengthBeyondEnd { bytes, .. })
                    if more && position.saturating_add(bytes) <= self.file.size()? =>
                {
                    wanted = usize::try_from(bytes).unwrap_or(usize::MAX).max(chunk_bytes);
                }
                Some(what) => return Ok(Outcome::Damaged { position, next_offset, what }),
                None if more && next_offset <= self.from => wanted = chunk_bytes,
                None => return Ok(Outcome::Ended),
            }
        }
    }
}

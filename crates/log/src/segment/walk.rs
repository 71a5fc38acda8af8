//! A walk over the batches of a segment's file, by plain reads, that can go on behind damage.
//!
//! ```text
//!   batch | batch | damaged ........ | batch | batch
//!                 ^ step: damage     ^ pass_damage: here the file goes on
//! ```
//!
//! Where the file goes on is told by the lengths that damaged batches state, or by an entry of the offset index.
//! Neither is believed: the batch that is there has to have a right checksum, the right epoch, an offset that
//! follows, and, for an index entry, the offset that the entry says. Nothing is searched for byte by byte: what looks
//! like a batch may be somebody's payload.

use std::io;
use std::ops::Range;

use super::Scanner;
use super::scan::Found;
use crate::error::Damage;
use crate::format::batch::{self, HEADER_BYTES, Header};
use crate::format::checkpoint::Epochs;
use crate::format::heads::Heads;
use crate::format::index::{ENTRY_BYTES, Entry};
use crate::storage::{self, File};

/// The least number of bytes that is read at once.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Entries rise. So many in a row behind what is looked for are not all damaged themselves.
const BEHIND_LIMIT_MAX: usize = 64;

/// Walks the batches of a file. It holds [`CHUNK_BYTES`] of it, or one batch if that is more.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    file: &'a dyn File,
    size: u64,
    sparse: bool,
    epochs: &'a Epochs,
    /// What the heads have to be, where nothing else tells.
    heads: Option<Heads>,
    /// The bytes whose heads are right.
    held: Range<u64>,
    position: u64,
    next_offset: u64,
    /// So many entries of the index lead to what lies behind.
    entries_passed: usize,
    /// A part of the file, and where it begins.
    buffer: Vec<u8>,
    buffer_at: u64,
}

/// What a damage made the walk pass over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The bytes, from the damaged batch to the next one that holds.
    pub(crate) bytes: Range<u64>,
    /// The offsets that are missing.
    pub(crate) offsets: Range<u64>,
}

impl<'a> Walk<'a> {
    /// A walk that stands at the beginning of the file of the segment that begins with `base_offset`.
    pub(crate) fn new(
        file: &'a dyn File,
        base_offset: u64,
        sparse: bool,
        epochs: &'a Epochs,
    ) -> io::Result<Self> {
        let (size, buffer, next_offset) = (file.size()?, Vec::new(), base_offset);
        let (position, entries_passed, buffer_at) = (0, 0, 0);
        let (heads, held) = (None, 0..0);
        Ok(Self {
            file,
            size,
            sparse,
            epochs,
            heads,
            held,
            position,
            next_offset,
            entries_passed,
            buffer,
            buffer_at,
        })
    }

    /// Lets the walk compare the heads of the batches.
    pub(crate) fn with_heads(self, heads: Option<Heads>) -> Self {
        Self { heads, ..self }
    }

    /// Checks the head of the batch at a position, and those of the batches around it that have their checksum in common.
    fn check_heads(&mut self, at: u64) -> io::Result<Result<(), Damage>> {
        if self.held.contains(&at) {
            return Ok(Ok(()));
        }
        let Some(block) = self.heads.as_ref().and_then(|heads| heads.block(at)) else { return Ok(Ok(())) };
        let (start, end) = (block.bytes.start, block.bytes.end);
        let bytes = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        self.load(start, bytes)?;
        if !self.loaded(start).get(..bytes).is_some_and(|bytes| block.holds(bytes)) {
            return Ok(Err(Damage::Heads { end }));
        }
        self.held = block.bytes;
        Ok(Ok(()))
    }

    /// The length of the file.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Where the walk stands: behind the last batch that it gave.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The offset behind the last batch that it gave.
    pub(crate) fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Looks at the next batch, checks it and steps behind it; `None` at the end. After damage the walk stands where
    /// it stood.
    pub(crate) fn step(&mut self) -> io::Result<Option<Result<Found, Damage>>> {
        let left = self.size.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        if let Err(damage) = self.check_heads(self.position)? {
            return Ok(Some(Err(damage)));
        }
        self.load_batch(self.position)?;
        let (sparse, next_offset, epochs) = (self.sparse, self.next_offset, self.epochs);
        let mut scanner = Scanner::new(self.loaded(self.position), 0, next_offset, sparse, epochs);
        match scanner.step_checked() {
            Some(Ok(found)) => {
                let at = usize::try_from(self.position).unwrap_or(usize::MAX);
                self.position = self.position.saturating_add(found.header.bytes as u64);
                self.next_offset = found.header.next_offset();
                Ok(Some(Ok(Found { at, ..found })))
            }
            // Of what was loaded; what counts is what the file has.
            Some(Err(Damage::LengthBeyondEnd { bytes, .. })) => {
                Ok(Some(Err(Damage::LengthBeyondEnd { bytes, left })))
            }
            Some(Err(damage)) => Ok(Some(Err(damage))),
            // The file became shorter.
            None => Ok(None),
        }
    }

    /// Goes to the beginning of a batch, whose offset is not below this one.
    pub(crate) fn stand(&mut self, position: u64, next_offset: u64) {
        (self.position, self.next_offset) = (position, next_offset);
    }

    /// The bytes of a batch that the last step gave.
    pub(crate) fn bytes(&self, found: &Found) -> &[u8] {
        self.loaded(found.at as u64).get(..found.header.bytes).unwrap_or_default()
    }

    /// Steps over damage to the next batch that holds and whose offsets lie below `end`; `None`, and the walk stands
    /// where it stood, when there is none to be found.
    pub(crate) fn pass_damage(
        &mut self,
        index: &[u8],
        base_offset: u64,
        end: u64,
    ) -> io::Result<Option<Passed>> {
        let stated = self.follow_lengths(end)?;
        // Nearest first; of what a damaged length leads to, an entry may be nearer.
        let limit = stated.map_or(self.size, |(at, _)| at);
        let (entries, _) = index.as_chunks::<ENTRY_BYTES>();
        let mut next = None;
        let entries = entries.get(self.entries_passed..).unwrap_or_default();
        let mut entries = entries.iter().map(|bytes| Entry::decode(*bytes)).peekable();
        while entries.next_if(|entry| u64::from(entry.position) <= self.position).is_some() {
            self.entries_passed += 1;
        }
        let mut behind_limit = 0;
        for entry in entries {
            let (at, relative) = (u64::from(entry.position), u64::from(entry.relative_offset));
            behind_limit = if at >= limit { behind_limit + 1 } else { 0 };
            if behind_limit > BEHIND_LIMIT_MAX {
                break;
            }
            if at > self.position && at < limit {
                let last_offset = base_offset.saturating_add(relative);
                if let Some(header) = self.holds(at, Some(last_offset), end)? {
                    next = Some((at, header));
                    break;
                }
            }
        }
        let Some((at, header)) = next.or(stated) else { return Ok(None) };
        let passed = Passed { bytes: self.position..at, offsets: self.next_offset..header.base_offset };
        (self.position, self.next_offset) = (at, header.base_offset);
        Ok(Some(passed))
    }

    /// The first batch that holds where the stated lengths of the damaged ones lead, one after the other.
    fn follow_lengths(&mut self, end: u64) -> io::Result<Option<(u64, Header)>> {
        let mut at = self.position;
        loop {
            self.load(at, HEADER_BYTES)?;
            let Some(bytes) = batch::stated_bytes(self.loaded(at)) else { return Ok(None) };
            at = at.saturating_add(bytes as u64);
            if at >= self.size {
                return Ok(None);
            }
            if let Some(header) = self.holds(at, None, end)? {
                return Ok(Some((at, header)));
            }
            // Through what has at least a header that may be right.
            let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
            let plausible =
                |header: Header| header.base_offset > self.next_offset && header.last_offset < end;
            if !Header::parse_within(self.loaded(at), left).is_ok_and(plausible) {
                return Ok(None);
            }
        }
    }

    /// The header of the batch at a position, if there is one that may come after the damage.
    fn holds(&mut self, at: u64, last_offset: Option<u64>, end: u64) -> io::Result<Option<Header>> {
        if self.check_heads(at)?.is_err() {
            return Ok(None);
        }
        self.load_batch(at)?;
        let bytes = self.loaded(at);
        let header = Header::parse(bytes).ok().filter(|header| {
            header.base_offset > self.next_offset
                && header.last_offset < end
                && last_offset.is_none_or(|last_offset| header.last_offset == last_offset)
                && self.epochs.at(header.base_offset).is_none_or(|epoch| epoch == header.leader_epoch)
                && header.verify(bytes).is_ok()
        });
        Ok(header)
    }

    /// How many bytes behind the walk's position are not zeros at the end of the file.
    pub(crate) fn tail_bytes(&mut self) -> io::Result<u64> {
        let (mut at, mut last) = (self.position, self.position);
        while at < self.size {
            self.load(at, CHUNK_BYTES)?;
            let bytes = self.loaded(at);
            if bytes.is_empty() {
                break;
            }
            if let Some(found) = bytes.iter().rposition(|byte| *byte != 0) {
                last = at.saturating_add(found as u64).saturating_add(1);
            }
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(last.saturating_sub(self.position))
    }

    /// Loads the batch at a position, if the file has as many bytes as it says, and its header anyhow.
    fn load_batch(&mut self, at: u64) -> io::Result<()> {
        self.load(at, HEADER_BYTES)?;
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        match Header::parse_within(self.loaded(at), left) {
            Ok(header) => self.load(at, header.bytes),
            Err(_) => Ok(()),
        }
    }

    /// What is loaded from a position on.
    fn loaded(&self, at: u64) -> &[u8] {
        let from = at.checked_sub(self.buffer_at).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.buffer.get(from..)).unwrap_or_default()
    }

    /// Has at least so many bytes from a position on loaded, if the file has them.
    fn load(&mut self, at: u64, bytes: usize) -> io::Result<()> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        if self.loaded(at).len() >= bytes.min(left) {
            return Ok(());
        }
        self.buffer.clear();
        self.buffer.shrink_to(CHUNK_BYTES);
        self.buffer.resize(bytes.max(CHUNK_BYTES).min(left), 0);
        self.buffer_at = at;
        let read = storage::read_full_at(self.file, &mut self.buffer, at)?;
        self.buffer.truncate(read);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch::tests::encoded;
    use crate::record::Record;
    use crate::storage::{Disk, Storage};

    /// Four batches of one record, from offset 10 on, and where they begin.
    fn written() -> (Vec<u8>, [usize; 4]) {
        let mut at = [0; 4];
        let mut bytes = Vec::new();
        for (number, (value, offset)) in [("a", 10), ("bb", 11), ("c", 12), ("d", 13)].into_iter().enumerate()
        {
            at[number] = bytes.len();
            bytes.extend(encoded(&[Record::new(value)], offset, 0));
        }
        (bytes, at)
    }

    /// The offsets of the batches that hold, and what was passed over.
    fn walked(bytes: &[u8], index: &[u8]) -> (Vec<u64>, Vec<Passed>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        let file = Disk.open(&path, storage::Access::Read).unwrap();
        let epochs = Epochs::default();
        let mut walk = Walk::new(&*file, 10, false, &epochs).unwrap();
        let (mut offsets, mut passed) = (Vec::new(), Vec::new());
        loop {
            match walk.step().unwrap() {
                None => return (offsets, passed),
                Some(Ok(found)) => {
                    assert_eq!(walk.bytes(&found), &bytes[found.at..found.end()]);
                    offsets.push(found.header.base_offset);
                }
                Some(Err(_)) => match walk.pass_damage(index, 10, u64::MAX).unwrap() {
                    Some(range) => passed.push(range),
                    None => return (offsets, passed),
                },
            }
        }
    }

    #[test]
    fn a_damaged_batch_that_states_its_length_is_the_only_one_that_is_lost() {
        let (whole, at) = written();
        assert_eq!(walked(&whole, &[]), (vec![10, 11, 12, 13], Vec::new()));
        let mut bytes = whole.clone();
        bytes[at[1] + 65] ^= 1;
        let passed = Passed { bytes: at[1] as u64..at[2] as u64, offsets: 11..12 };
        assert_eq!(walked(&bytes, &[]), (vec![10, 12, 13], vec![passed]));
    }

    #[test]
    fn damaged_batches_in_a_row_are_passed_at_once() {
        let (mut bytes, at) = written();
        bytes[at[1] + 65] ^= 1;
        bytes[at[2] + 65] ^= 1;
        let passed = Passed { bytes: at[1] as u64..at[3] as u64, offsets: 11..13 };
        assert_eq!(walked(&bytes, &[]), (vec![10, 13], vec![passed]));
    }

    #[test]
    fn a_length_that_leads_too_far_does_not_hide_what_the_index_knows() {
        let (mut bytes, at) = written();
        let length = u32::try_from(at[3] - at[1] - 12).unwrap();
        bytes[at[1] + 8..at[1] + 12].copy_from_slice(&length.to_be_bytes());
        let entry = Entry { relative_offset: 2, position: u32::try_from(at[2]).unwrap() }.encode();
        assert_eq!(walked(&bytes, &entry).0, [10, 12, 13]);
        assert_eq!(walked(&bytes, &[]).0, [10, 13]);
    }

    #[test]
    fn where_the_length_is_damaged_an_index_entry_tells_where_the_file_goes_on() {
        let (mut bytes, at) = written();
        bytes[at[1] + 11] ^= 8;
        assert_eq!(walked(&bytes, &[]), (vec![10], Vec::new()));
        let entry = |relative_offset, at: usize| {
            let position = u32::try_from(at).unwrap();
            Entry { relative_offset, position }.encode()
        };
        let passed = Passed { bytes: at[1] as u64..at[3] as u64, offsets: 11..13 };
        assert_eq!(walked(&bytes, &entry(3, at[3])), (vec![10, 13], vec![passed]));
        // One that the batch does not agree with is none.
        assert_eq!(walked(&bytes, &entry(2, at[3])), (vec![10], Vec::new()));
        assert_eq!(walked(&bytes, &entry(3, at[3] - 1)), (vec![10], Vec::new()));
    }

    #[test]
    fn a_batch_that_is_a_payload_is_not_found() {
        let inner = encoded(&[Record::new("forged")], 11, 0);
        let outer = encoded(&[Record::new(&inner)], 10, 0);
        let mut bytes = [outer, encoded(&[Record::new("last")], 11, 0)].concat();
        bytes[9] ^= 1; // the length
        assert_eq!(walked(&bytes, &[]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_batch_larger_than_what_is_read_at_once_is_read_whole() {
        let large = vec![7; CHUNK_BYTES + 5];
        let bytes = [encoded(&[Record::new("a")], 10, 0), encoded(&[Record::new(&large)], 11, 0)].concat();
        assert_eq!(walked(&bytes, &[]).0, [10, 11]);
    }
}

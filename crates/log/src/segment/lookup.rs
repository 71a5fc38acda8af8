//! Finding records in a segment, by offset and by timestamp.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

use super::scan::Found;
use super::{Mapped, Scanner, Segment};
use crate::error::{Damage, ReadError};
use crate::fetched::{Fetched, Place};
use crate::format::batch::{HEADER_BYTES, Header};
use crate::format::index::{self, Entry};

/// So many places are looked at ahead.
const EXPECTED_MAX: u32 = 32;

/// What a read wants from a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    /// The first offset.
    pub(crate) from: u64,
    /// The offset behind the last one that may be seen.
    pub(crate) end: u64,
    pub(crate) max_bytes: usize,
    pub(crate) verify_every_read: bool,
}

impl Segment {
    /// Reads whole batches from the one that holds `want.from` on; `None` when the segment ends before it, as a
    /// sparse one may.
    pub(crate) fn fetch(&self, want: Want) -> Result<Option<Fetched>, ReadError> {
        let mapped = self.mapped();
        let log = self.log(&mapped)?;
        let bytes = log.bytes();
        let mut scanner = self.seek(&mapped, bytes, want.from)?;
        let sought_from = scanner.position();
        let damaged = |at: usize, what| self.dir.corruption(self.base_offset, at as u64, what);
        // Batches before the one that is wanted are passed by their headers alone.
        if !want.verify_every_read {
            scanner.pass_known(want.from, mapped.known_end(scanner.position()));
        }
        // What was passed by its head alone has to have the head that was written.
        let check = |passed: Range<usize>| match mapped.knows(passed.clone()) && !want.verify_every_read {
            true => Ok(()),
            false => self.check_heads(&mapped, passed),
        };
        if want.verify_every_read {
            self.forget_heads(&mapped)?;
        }
        let first = loop {
            match scanner.step() {
                None => {
                    check(sought_from..scanner.position())?;
                    return Ok(None);
                }
                Some(Err(damage)) => return Err(damaged(scanner.position(), damage).into()),
                Some(Ok(found)) if found.header.last_offset < want.from => {}
                Some(Ok(found)) => break found,
            }
        };
        check(sought_from..first.end())?;
        if first.header.base_offset >= want.end {
            return Ok(None);
        }
        verify(&mapped, &scanner, &first, want).map_err(|damage| damaged(first.at, damage))?;
        let start = first.at;
        let (mut end, mut next_offset) = (first.end(), first.header.next_offset());
        if let Some(found) = self.jump(&mapped, bytes, &first, want)? {
            // What is before it is known to be right, and need not be looked at.
            (end, next_offset) = (found.at, found.header.base_offset);
            scanner = Scanner::new(bytes, end, next_offset, self.sparse, &self.dir.epochs);
        }
        // Damage behind the first batch belongs to the read that begins there.
        while let Some(Ok(found)) = scanner.step() {
            if found.end() - start > want.max_bytes
                || found.header.base_offset >= want.end
                || verify(&mapped, &scanner, &found, want).is_err()
                || check(found.at..found.end()).is_err()
            {
                break;
            }
            (end, next_offset) = (found.end(), found.header.next_offset());
        }
        mapped.note_verified(start..end);
        let place = Place {
            topic: Arc::clone(&self.dir.topic),
            partition: self.dir.partition,
            segment: self.base_offset,
            position: start as u64,
        };
        let bytes = log.slice(start..end).unwrap_or_default();
        Ok(Some(Fetched::new(bytes, want.from, next_offset, place, self.dir.decompressed_bytes_max)))
    }

    /// The last batch with an index entry up to which everything behind `first` is wanted and known to be right; `None`
    /// when there is none, or it is not known.
    fn jump(
        &self,
        mapped: &Mapped,
        bytes: &[u8],
        first: &Found,
        want: Want,
    ) -> Result<Option<Found>, ReadError> {
        let limit = first.at.saturating_add(want.max_bytes);
        if want.verify_every_read || limit <= first.end() {
            return Ok(None);
        }
        let last = want.end.saturating_sub(1).saturating_sub(self.base_offset);
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        let position = u32::try_from(limit).unwrap_or(u32::MAX);
        let entry = index::floor_within(self.indexes(mapped)?.offset.bytes(), last, position);
        let batch = entry.and_then(|entry| self.batch_of(bytes, entry));
        Ok(batch.filter(|found| found.at > first.end() && mapped.knows(first.end()..found.at)))
    }

    /// Checks that a closed segment ends with the offset that its mark says: what is appended would lie behind a hole. It looks at
    /// the batches behind the last index entry.
    pub(super) fn check_end(&self, mapped: &Mapped) -> Result<(), ReadError> {
        let end = self.mark.next_offset;
        let mut found = self.base_offset;
        if self.len() > 0 {
            let log = self.log(mapped)?;
            let mut scanner = self.seek(mapped, log.bytes(), end.saturating_sub(1))?;
            let damaged = |at: usize, what| self.dir.corruption(self.base_offset, at as u64, what);
            while let Some(step) = scanner.step() {
                step.map_err(|damage| damaged(scanner.position(), damage))?;
            }
            found = scanner.next_offset();
        }
        if found == end {
            return Ok(());
        }
        Err(self.dir.corruption(self.base_offset, self.len(), Damage::Offset { expected: end, found }).into())
    }

    /// Returns the first offset in `offsets` whose record has a timestamp at or after `timestamp`.
    pub(crate) fn offset_for_timestamp(
        &self,
        timestamp: i64,
        offsets: Range<u64>,
    ) -> Result<Option<u64>, ReadError> {
        if self.max_timestamp().is_none_or(|max| max < timestamp) {
            return Ok(None);
        }
        // Every record up to the entry's offset is earlier than the entry says, so earlier than what is sought.
        let entry = index::time_floor(self.indexes(&self.mapped())?.time.bytes(), timestamp);
        let earlier = entry.map_or(self.base_offset, |entry| {
            self.base_offset.saturating_add(u64::from(entry.relative_offset))
        });
        let mut from = earlier.max(offsets.start);
        while from < offsets.end {
            let want = Want { from, end: offsets.end, max_bytes: 64 * 1024, verify_every_read: false };
            let Some(fetched) = self.fetch(want)? else { break };
            if let Some(offset) = fetched.first_at_or_after(timestamp)? {
                return Ok(Some(offset).filter(|offset| *offset < offsets.end));
            }
            from = fetched.next_offset();
        }
        Ok(None)
    }

    /// Puts a scanner on a batch at or before the one that holds `offset`.
    fn seek<'a>(&'a self, mapped: &Mapped, bytes: &'a [u8], offset: u64) -> Result<Scanner<'a>, ReadError> {
        let wanted = offset.saturating_sub(self.base_offset);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let (at, next_offset) = index::floor(self.indexes(mapped)?.offset.bytes(), wanted)
            .and_then(|(entry, behind)| {
                expect(bytes, wanted, entry, behind);
                self.batch_of(bytes, entry)
            })
            .map_or((0, self.base_offset), |found| (found.at, found.header.base_offset));
        Ok(Scanner::new(bytes, at, next_offset, self.sparse, &self.dir.epochs))
    }

    /// The batch of an index entry; `None` when it is not there.
    fn batch_of(&self, bytes: &[u8], entry: Entry) -> Option<Found> {
        let at = usize::try_from(entry.position).ok()?;
        let header = Header::parse(bytes.get(at..)?).ok()?;
        entry.leads_to(&header, self.base_offset).then_some(Found { at, header })
    }
}

/// Looks at where the headers between an entry and the wanted offset are if the records up to the next entry are equally long.
///
/// What is looked at means nothing; but each of these places would be waited for, one after the other, and so they come
/// from memory together.
fn expect(bytes: &[u8], wanted: u32, entry: Entry, behind: Option<Entry>) {
    let Some(behind) = behind else { return };
    let offsets = behind.relative_offset.saturating_sub(entry.relative_offset).max(1);
    let stride = usize::try_from(behind.position.saturating_sub(entry.position) / offsets).unwrap_or(0);
    if stride < HEADER_BYTES {
        return; // Many records in a batch.
    }
    let mut at = usize::try_from(entry.position).unwrap_or(usize::MAX);
    for _ in 0..wanted.saturating_sub(entry.relative_offset).min(EXPECTED_MAX) {
        at = at.saturating_add(stride);
        black_box(bytes.get(at).copied());
    }
    // Of the one that is wanted, its records too.
    black_box(bytes.get(at.saturating_add(HEADER_BYTES)).copied());
}

/// Checks a batch's checksum, unless it was checked, or written, since it is mapped.
fn verify(mapped: &Mapped, scanner: &Scanner<'_>, found: &Found, want: Want) -> Result<(), Damage> {
    let known = mapped.knows(found.at..found.end());
    if known && !want.verify_every_read { Ok(()) } else { scanner.verify(found) }
}

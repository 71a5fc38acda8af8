//! What a plan does about damage, when damage is no error.
//!
//! ```text
//!   segments:  100 ..... 200 (damaged from 150 to 170) ..... 300    (the newest, from 400, is gone)
//!   planned:   100 ..... 200, a gap inside ................. 300    filler 400 .. 470    empty 470
//! ```
//!
//! Offsets that were given are never given again, so the end of the log does not fall: behind what is missing at the
//! end begins an empty segment. Where offsets are missing between two segments, the mark of the one before, or a
//! filler without records, says up to where. A reader that asks for a missing offset gets the next one that is there, as
//! behind a gap that compaction left.

use std::ops::Range;

use super::listing::Files;
use super::plan::{Planned, Planner};
use super::quarantine::{self, Quarantine};
use super::scan::Scan;
use crate::error::{Corruption, Damage, OpenError};
use crate::format::mark::Mark;
use crate::report::SetAside;

impl Planner<'_> {
    /// Damage of what was durable: an error, or one more in the report.
    pub(super) fn refuse(&mut self, corruption: Corruption) -> Result<(), OpenError> {
        if self.observer.is_none() {
            return Err(corruption.into());
        }
        if !self.report.damage.contains(&corruption) {
            self.report.damage.push(corruption);
        }
        Ok(())
    }

    pub(super) fn has_damage(&self) -> bool {
        !self.report.damage.is_empty()
    }

    /// Between the segments so far and the next one offsets are missing that were durable.
    pub(super) fn refuse_missing(&mut self, expected: u64, next: u64) -> Result<(), OpenError> {
        let behind_damage =
            matches!(self.segments.last(), Some(Planned::Scanned { quarantine: Some(_), .. }));
        if !behind_damage {
            self.refuse(self.dir.corruption(expected, 0, Damage::MissingSegment))?;
        }
        self.fill(expected..next);
        Ok(())
    }

    /// Lets the plan go on behind offsets that are missing.
    fn fill(&mut self, offsets: Range<u64>) {
        self.end = Some(offsets.end);
        self.report.missing.push(offsets.clone());
        let filler = |base_offset| Mark { next_offset: offsets.end, sparse: true, ..empty(base_offset) };
        match self.segments.last_mut() {
            Some(Planned::Scanned { mark, quarantine: Some(_), .. }) => mark.next_offset = offsets.end,
            // The one before has no records: it does for both.
            Some(last) if last.base_offset() == offsets.start => {
                *last = Planned::Filler(filler(last.base_offset()));
            }
            _ => self.segments.push(Planned::Filler(filler(offsets.start))),
        }
    }

    /// Sees to it that the log does not end before an offset that was given.
    pub(super) fn raise_end(&mut self) {
        if self.observer.is_none() {
            return;
        }
        let start = self.known.start.unwrap_or(0);
        let point = self.known.recovery_point.unwrap_or(0);
        let end = self.end.unwrap_or(start);
        let floor = self.floor.max(point).max(start);
        if end < floor {
            let (segment, position) = self.segments.last().map_or((end, 0), |last| match last {
                Planned::Scanned { mark, .. } => (mark.base_offset, mark.position),
                _ => (end, 0),
            });
            if !self.has_damage() {
                let what = match start > end {
                    true => Damage::StartBeyondEnd { start, end },
                    false if position > 0 => Damage::EndsEarly { end, proven: point },
                    false => Damage::MissingSegment,
                };
                self.report.damage.push(self.dir.corruption(segment, position, what));
            }
            self.fill(end..floor);
        }
        let end = end.max(floor);
        match self.segments.last_mut() {
            // Nothing is appended to a segment that ends with a gap.
            Some(Planned::Scanned { quarantine: Some(_), .. } | Planned::Filler(_)) => {
                self.segments.push(Planned::Filler(empty(end)));
            }
            // It has to prove that what is before it was durable.
            Some(Planned::Trusted(mark)) if self.report.damage.is_empty() || mark.proves() => {}
            Some(last @ Planned::Trusted(_)) if last.base_offset() == end => {
                *last = Planned::Filler(empty(end));
            }
            _ => {}
        }
    }

    /// What becomes of a segment that was scanned, if there is damage in it.
    pub(super) fn quarantine(&mut self, base_offset: u64, files: &Files, scan: &Scan) -> Option<Quarantine> {
        if scan.damage.is_empty() {
            return None;
        }
        self.report.damage.extend_from_slice(&scan.damage);
        self.report.missing.extend_from_slice(&scan.missing);
        if scan.has_damaged_bytes {
            self.set_aside(base_offset, files);
        }
        Some(Quarantine { kept: scan.kept.clone(), replaces: scan.has_damaged_bytes })
    }

    /// Notes that the bytes of a segment will be kept beside it.
    pub(super) fn set_aside(&mut self, base_offset: u64, files: &Files) {
        let path = quarantine::place(self.dir, base_offset);
        self.report.set_aside.push(SetAside { segment: base_offset, path, bytes: files.log_bytes });
    }
}

/// The mark of a segment without records.
fn empty(base_offset: u64) -> Mark {
    Mark { base_offset, next_offset: base_offset, sealed: true, ..Mark::default() }
}

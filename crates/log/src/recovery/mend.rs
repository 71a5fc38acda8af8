//! What a plan does about damage, when damage is no error.
//!
//! ```text
//!   segments   100 ... damaged from 150 to 170 ... | 300 ...... | gone: from 400 to 470
//!   planned    100 .......|           170 ........ | 300 ...... | 400 filler | 470 empty
//!              the mark says: up to 170                           up to 470
//! ```
//!
//! What holds behind damage becomes a segment of its own, so that offsets in a segment stay dense and a wrong one is
//! found. Offsets that were given are never given again: the end of the log does not fall, and behind what is missing at
//! the end begins an empty segment. Where offsets are missing between two segments, the mark of the one before says up
//! to where; where that one is missing too, a filler without records has such a mark. A reader that asks for a missing
//! offset gets the next one that is there, as behind a gap that compaction left.

use std::ops::Range;

use super::listing::Files;
use super::plan::{Planned, Planner};
use super::quarantine;
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
        if !self.ends_with_damage() {
            self.refuse(self.dir.corruption(expected, 0, Damage::MissingSegment))?;
        }
        self.fill(expected..next);
        Ok(())
    }

    /// Whether the last segment so far will be sealed anew because of damage in it.
    fn ends_with_damage(&self) -> bool {
        let damaged = |base_offset| self.report.damage.iter().any(|damage| damage.segment == base_offset);
        match self.segments.last() {
            Some(Planned::Scanned { mark, .. }) => damaged(mark.base_offset),
            Some(Planned::Split { .. }) => true,
            _ => false,
        }
    }

    /// Lets the plan go on behind offsets that are missing.
    fn fill(&mut self, offsets: Range<u64>) {
        let may_tell = self.ends_with_damage();
        (self.end, self.ends_with_gap) = (Some(offsets.end), true);
        self.report.missing.push(offsets.clone());
        let filler = |base_offset| Mark { next_offset: offsets.end, ..empty(base_offset) };
        match self.segments.last_mut() {
            Some(Planned::Scanned { mark, .. } | Planned::Split { mark, .. }) if may_tell => {
                mark.next_offset = offsets.end;
            }
            // The one before has no records: it does for both.
            Some(last) if last.base_offset() == offsets.start => {
                // There may be a gap before it, too.
                *last = Planned::Filler(Mark { sparse: last.mark().sparse, ..filler(offsets.start) });
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
        let has_damage = self.has_damage();
        match self.segments.last_mut() {
            // Nothing is appended to a segment behind which offsets are missing.
            Some(_) if self.ends_with_gap => self.segments.push(Planned::Filler(empty(end))),
            // It has to prove that what is before it was durable.
            Some(last @ Planned::Trusted(_)) if last.base_offset() == end && has_damage => {
                *last = Planned::Filler(Mark { sparse: last.mark().sparse, ..empty(end) });
            }
            _ => {}
        }
    }

    /// Tells of the damage in a segment that was scanned.
    pub(super) fn report_damage(&mut self, base_offset: u64, files: &Files, scan: &Scan) {
        self.report.damage.extend_from_slice(&scan.damage);
        self.report.missing.extend_from_slice(&scan.missing);
        if scan.has_damaged_bytes {
            self.set_aside(base_offset, files);
        }
    }

    /// Plans the segments that a scanned one becomes: one, unless there is damage in it. The mark is that of the
    /// first.
    pub(super) fn plan_runs(&mut self, mark: Mark, rewrite_from: u64, scan: Scan) {
        let whole = scan.from == 0;
        let ends = scan.runs.iter().skip(1).map(|run| run.base_offset).chain([scan.next_offset]);
        let ends: Vec<u64> = ends.collect();
        let mut runs: Vec<_> = scan.runs.into_iter().zip(ends).collect();
        // Behind damage up to the end nothing holds, and nothing is known to be missing: there is no segment to be made.
        while runs.len() > 1
            && runs.last().is_some_and(|(run, end)| run.len() == 0 && run.base_offset == *end)
        {
            runs.pop();
        }
        self.ends_with_gap = runs.last().is_some_and(|(run, end)| run.next_offset < *end);
        for (number, (run, end)) in runs.into_iter().enumerate() {
            let mark = Mark {
                base_offset: run.base_offset,
                position: run.len(),
                next_offset: end,
                max_timestamp: run.rebuilt.max_timestamp().unwrap_or_default(),
                ..mark
            };
            let (of, bytes, rebuilt) = (scan.base_offset, run.bytes, run.rebuilt);
            self.segments.push(if number == 0 {
                let quarantine = scan.has_damaged_bytes.then_some(bytes.end);
                Planned::Scanned { mark, rebuilt, whole, rewrite_from, quarantine }
            } else {
                Planned::Split { mark, rebuilt, of, bytes }
            });
        }
    }

    /// Whether what holds behind damage becomes a segment with this base offset.
    pub(super) fn splits_at(&self, base_offset: u64) -> bool {
        let is_it = |planned: &Planned| match planned {
            Planned::Split { mark, .. } => mark.base_offset == base_offset,
            _ => false,
        };
        self.segments.iter().any(is_it)
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

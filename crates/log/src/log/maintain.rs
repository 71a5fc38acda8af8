//! Upkeep: durability for everybody, age, retention.
//!
//! What fails for one partition, or for one kind of upkeep, stops no other: on a full disk it is retention that makes
//! room again.

use std::sync::Arc;

use super::root::Root;
use crate::error::{CompactError, MaintainError};
use crate::partition::Core;
use crate::report::{Compacted, MaintainReport};

impl Root {
    pub(super) fn maintain(&self, now_ms: i64) -> Result<MaintainReport, MaintainError> {
        // No topic comes or goes meanwhile.
        let guard = self.guard.lock();
        if guard.is_none() {
            return Ok(MaintainReport::default());
        }
        let (now_ms, clock_ahead_ms) =
            self.shared.believed.lock().observe(now_ms, self.shared.clock.monotonic_ms());
        let mut upkeep = Upkeep::default();
        upkeep.report.clock_ahead_ms = clock_ahead_ms;
        let (mut starts, mut sealed) = (Vec::new(), Vec::new());
        let cores = self.cores();
        for core in &cores {
            if upkeep.keep_up(core, now_ms) && core.sealed_end() > 0 {
                sealed.push((core.topic(), core.number(), core.sealed_end()));
            }
            core.expire_producers(now_ms);
            let start = core.retained_from(now_ms);
            if start > core.start_offset() {
                starts.push((core, start));
            }
        }
        match self.keep_starts(&starts, &mut upkeep.report) {
            Ok(()) => starts.iter().for_each(|(core, start)| upkeep.drop_before(core, *start)),
            Err(error) => upkeep.note(error),
        }
        // Without it a broker that takes over after a kill reads, and may cut, everything.
        if let Err(error) = self.shared.recovery_points.raise(&sealed) {
            upkeep.note(error.into());
        }
        // It may take long, and topics may come and go meanwhile. Closing stops it.
        drop(guard);
        cores.iter().for_each(|core| upkeep.compact(core, now_ms));
        upkeep.first_error.map_or(Ok(upkeep.report), Err)
    }

    /// Keeps all log start offsets in one write, before anything is deleted.
    ///
    /// A disk may be too full for that. Then one segment of each partition goes first, and makes room for it.
    fn keep_starts(
        &self,
        starts: &[(&Arc<Core>, u64)],
        report: &mut MaintainReport,
    ) -> Result<(), MaintainError> {
        if starts.is_empty() {
            return Ok(());
        }
        let raised: Vec<_> =
            starts.iter().map(|(core, start)| (core.topic(), core.number(), *start)).collect();
        loop {
            let error = match self.shared.starts.raise(&raised) {
                Err(error) if error.is_no_space() => error,
                outcome => return Ok(outcome?),
            };
            let before = report.segments_deleted;
            for (core, start) in starts {
                report.add(core.give_way(*start)?);
            }
            if report.segments_deleted == before {
                return Err(error.into());
            }
        }
    }
}

/// What was done, and what failed first.
#[derive(Default)]
struct Upkeep {
    report: MaintainReport,
    first_error: Option<MaintainError>,
}

impl Upkeep {
    fn note(&mut self, error: MaintainError) {
        self.first_error.get_or_insert(error);
    }

    /// Makes a partition durable as its options say, and rolls its active segment if that is due; tells whether nothing failed.
    fn keep_up(&mut self, core: &Core, now_ms: i64) -> bool {
        let kept_up = core.flush_if_due(now_ms).map_err(MaintainError::from).and_then(|()| {
            let rolled = core.roll_if_due(now_ms)?;
            if rolled {
                self.report.segments_rolled += 1;
                core.settle()?;
            }
            Ok(())
        });
        kept_up.map_err(|error| self.note(error)).is_ok()
    }

    fn compact(&mut self, core: &Core, now_ms: i64) {
        let (topic, partition) = (core.topic().to_owned(), core.number());
        match core.compact_if_due(now_ms) {
            Ok(report) => {
                self.report.compacted.extend(report.map(|report| Compacted { topic, partition, report }));
            }
            // The log is being closed, or the topic deleted.
            Err(CompactError::Closed) => {}
            Err(error) => self.note(error.into()),
        }
    }

    fn drop_before(&mut self, core: &Core, start: u64) {
        match core.drop_before(start) {
            Ok(dropped) => self.report.add(dropped),
            Err(error) => self.note(error.into()),
        }
    }
}

impl MaintainReport {
    fn add(&mut self, (segments, bytes): (usize, u64)) {
        self.segments_deleted += segments;
        self.bytes_deleted += bytes;
    }
}

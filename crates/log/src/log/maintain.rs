//! Upkeep: durability for everybody, age, retention.

use super::root::Root;
use crate::error::MaintainError;
use crate::report::MaintainReport;

impl Root {
    pub(super) fn maintain(&self, now_ms: i64) -> Result<MaintainReport, MaintainError> {
        // No topic comes or goes meanwhile.
        let guard = self.guard.lock();
        if guard.is_none() {
            return Ok(MaintainReport::default());
        }
        let mut report = MaintainReport::default();
        let mut first_error = None;
        let mut starts = Vec::new();
        let mut sealed = Vec::new();
        let cores = self.cores();
        for core in &cores {
            let kept_up = core.settle().map_err(MaintainError::from).and_then(|()| {
                let rolled = core.roll_if_due(now_ms)?;
                if rolled {
                    core.settle()?;
                }
                Ok(rolled)
            });
            match kept_up {
                Ok(rolled) => report.segments_rolled += usize::from(rolled),
                Err(error) => {
                    first_error.get_or_insert(error);
                    continue;
                }
            }
            if core.sealed_end() > 0 {
                sealed.push((core.topic(), core.number(), core.sealed_end()));
            }
            let start = core.retained_from(now_ms);
            if start > core.start_offset() {
                starts.push((core, start));
            }
        }
        // All start offsets in one write, before anything is deleted.
        let raised: Vec<_> =
            starts.iter().map(|(core, start)| (core.topic(), core.number(), *start)).collect();
        if !raised.is_empty() {
            self.shared.starts.raise(&raised)?;
        }
        // Without it a broker that takes over after a kill reads, and may cut, everything.
        self.shared.recovery_points.raise(&sealed)?;
        for (core, start) in &starts {
            match core.drop_before(*start) {
                Ok((segments, bytes)) => {
                    report.segments_deleted += segments;
                    report.bytes_deleted += bytes;
                }
                Err(error) => _ = first_error.get_or_insert(error.into()),
            }
        }
        first_error.map_or(Ok(report), Err)
    }
}

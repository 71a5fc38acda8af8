use std::sync::Arc;

use super::plan::{Plan, Planned};
use super::quarantine;
use crate::error::{IoError, OpenError};
use crate::format::mark::{IndexSum, Mark};
use crate::format::names;
use crate::partition::KnownProducers;
use crate::report::{PartitionRecovery, SetAside};
use crate::segment::{Dir, Rebuilt, Segment, create_files, remove_files, write_sealed};
use crate::storage::{self, Access};

/// A partition that is ready to be used: every segment closed, everything durable.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) dir: Arc<Dir>,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) known: KnownProducers,
    pub(crate) report: PartitionRecovery,
}

impl Plan {
    /// Does what was planned. After a crash in the middle the next plan comes to the same log.
    pub(crate) fn carry_out(self) -> Result<Recovered, OpenError> {
        let Self { mut dir, segments, remove, set_aside, leftovers, taking_over, write_epochs, .. } = self;
        let Self { start, end, index_interval_bytes, producers, mut report, .. } = self;
        // The plan was made as if it were done.
        let swap = std::mem::take(&mut dir.swap);
        swap.complete(&dir)?;
        if taking_over {
            // Some marks and not all of them would say that the other segments are ours, too, and have no gaps.
            let path = dir.path.join(names::TAKING_OVER);
            dir.storage.create(&path).map_err(IoError::of("create", &path))?;
            dir.sync()?;
        }
        for name in &leftovers {
            let path = dir.path.join(name);
            dir.storage.remove(&path).map_err(IoError::of("remove", &path))?;
        }
        producers.remove_useless(&dir)?;
        // Before anything goes that proves what they stand for, and from the last one on: the last has the log's end.
        let made = make_new(&dir, &segments, &mut report)?;
        for base_offset in &set_aside {
            report.note_set_aside(*base_offset, quarantine::set_aside(&dir, *base_offset)?);
        }
        // From the last one on, so that what a crash leaves of them is behind a gap.
        for base_offset in remove.iter().chain(&set_aside).rev() {
            if !made.contains(base_offset) {
                remove_files(&dir, *base_offset)?;
            }
        }
        if write_epochs {
            let text = dir.epochs.encode();
            storage::replace_file(&*dir.storage, &dir.path, names::LEADER_EPOCHS, text.as_bytes())?;
        }
        let is_new = segments.is_empty();
        if is_new {
            create_files(&dir, end)?;
        }
        // A name that comes back, or goes, would change what the segments behind it mean.
        if is_new || !remove.is_empty() || !set_aside.is_empty() || !leftovers.is_empty() {
            dir.sync()?;
        }
        let dir = Arc::new(dir);
        let mut ready = Vec::with_capacity(segments.len().max(1));
        for planned in segments {
            let (mark, checked) = match planned {
                Planned::Trusted(mark) | Planned::Filler(mark) => (mark, false),
                Planned::Split { mark, rebuilt, .. } => (sealed_mark(mark, &rebuilt), true),
                Planned::Scanned { mark, rebuilt, whole, mut rewrite_from, quarantine } => {
                    if let Some(bytes) = quarantine {
                        let base_offset = mark.base_offset;
                        report.note_set_aside(base_offset, quarantine::set_aside(&dir, base_offset)?);
                        quarantine::put(&dir, base_offset, 0..bytes, base_offset)?;
                        rewrite_from = mark.position;
                    }
                    (seal(&dir, mark, &rebuilt, rewrite_from)?, whole)
                }
            };
            ready.push(Arc::new(Segment::closed(Arc::clone(&dir), mark, index_interval_bytes, checked)));
        }
        if is_new {
            let mark = Mark { base_offset: end, next_offset: end, ..Mark::default() };
            ready.push(Arc::new(Segment::closed(Arc::clone(&dir), mark, index_interval_bytes, true)));
        }
        if taking_over {
            let path = dir.path.join(names::TAKING_OVER);
            dir.storage.remove(&path).map_err(IoError::of("remove", &path))?;
            dir.sync()?;
        }
        let known = producers.keep(&dir, &remove, end)?;
        Ok(Recovered { dir, segments: ready, start, end, known, report })
    }
}

/// Makes the segments that stand for offsets that are missing, or have what holds behind damage; gives their base
/// offsets.
fn make_new(dir: &Dir, segments: &[Planned], report: &mut PartitionRecovery) -> Result<Vec<u64>, OpenError> {
    let mut made = Vec::new();
    for planned in segments.iter().rev() {
        match planned {
            Planned::Filler(mark) => {
                clear(dir, mark.base_offset, report)?;
                create_files(dir, mark.base_offset)?;
                write_sealed(dir, mark)?;
                dir.sync()?;
            }
            Planned::Split { mark, rebuilt, of, bytes } => {
                quarantine::put(dir, *of, bytes.clone(), mark.base_offset)?;
                seal(dir, *mark, rebuilt, mark.position)?;
            }
            Planned::Trusted(_) | Planned::Scanned { .. } => continue,
        }
        made.push(planned.base_offset());
    }
    Ok(made)
}

/// Clears the place of a segment without records: what lies there proved nothing, and is set aside all the same.
fn clear(dir: &Dir, base_offset: u64, report: &mut PartitionRecovery) -> Result<(), OpenError> {
    let log = dir.file(base_offset, names::LOG);
    let found = dir.storage.open(&log, Access::Read).and_then(|file| file.size());
    let Ok(bytes @ 1..) = found else { return Ok(()) };
    let path = quarantine::set_aside(dir, base_offset)?;
    dir.storage.remove(&log).map_err(IoError::of("remove", &log))?;
    report.set_aside.push(SetAside { segment: base_offset, path, bytes });
    Ok(())
}

fn sealed_mark(mark: Mark, rebuilt: &Rebuilt) -> Mark {
    let heads = rebuilt.heads().map(|file| IndexSum::of(&file)).unwrap_or_default();
    Mark { index: IndexSum::of(&rebuilt.offset), time_index: IndexSum::of(&rebuilt.time), heads, ..mark }
}

/// Trims a segment behind its last batch, writes again what was not known to be durable, and makes all of it
/// durable, the indexes too; then says so in the mark.
fn seal(dir: &Dir, mark: Mark, rebuilt: &Rebuilt, rewrite_from: u64) -> Result<Mark, OpenError> {
    let path = dir.file(mark.base_offset, names::LOG);
    let file = dir.open(mark.base_offset, names::LOG, Access::ReadWrite)?;
    file.set_len(mark.position).map_err(IoError::of("trim", &path))?;
    quarantine::copy((&*file, &path), rewrite_from..mark.position, (&*file, &path), rewrite_from)?;
    file.sync_data().map_err(IoError::of("sync", &path))?;
    for (suffix, bytes) in [(names::INDEX, &rebuilt.offset), (names::TIME_INDEX, &rebuilt.time)] {
        let name = names::segment_file(mark.base_offset, suffix);
        storage::exchange_file(&*dir.storage, &dir.path, &name, bytes)?;
    }
    if let Some(heads) = rebuilt.heads() {
        let name = names::segment_file(mark.base_offset, names::HEADS);
        storage::exchange_file(&*dir.storage, &dir.path, &name, &heads)?;
    }
    dir.sync()?;
    let mark = sealed_mark(mark, rebuilt);
    write_sealed(dir, &mark)?;
    // The mark's own name.
    dir.sync()?;
    Ok(mark)
}

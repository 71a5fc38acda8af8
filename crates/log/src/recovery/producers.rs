//! The producers of a partition: from the newest snapshot that can be used, and from the batches behind it.
//!
//! ```text
//!   segments    0 ........... | 300 ....... | 700 .........~~ 912        (cut at 912)
//!   snapshots                  300           700              950
//!                                            |<-- read -->|   goes: behind the end
//! ```
//!
//! A snapshot is a cache: without it the batches tell the same, as long as they are there. So one that is damaged is passed
//! over for an older one. One behind the end of the log speaks of batches that were lost; it has to be gone for good before
//! others have their offsets. Segments whose mark says that no batch in them is numbered are not read.

use std::collections::BTreeSet;
use std::ops::Range;

use super::plan::Planned;
use crate::error::{Damage, IoError, OpenError};
use crate::format::checkpoint::Epochs;
use crate::format::mark::Mark;
use crate::format::names;
use crate::format::producer_snapshot::Invalid;
use crate::partition::KnownProducers;
use crate::producers::Producers;
use crate::report::PartitionRecovery;
use crate::segment::{Dir, Walk};
use crate::storage::{self, Access};

/// How the producers are found.
#[derive(Debug)]
pub(super) struct Loading<'a> {
    pub(super) dir: &'a Dir,
    /// Where the log ends.
    pub(super) end: u64,
    pub(super) max: usize,
    pub(super) now_ms: i64,
}

/// What was found, and what is to be done about it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    producers: Option<Box<Producers>>,
    /// The snapshot that was used.
    used: Option<u64>,
    /// Whether it is that of a segment's beginning.
    is_of_segment: bool,
    /// Whether batches behind it were taken up.
    replayed: bool,
    /// Snapshots that are of no use.
    useless: Vec<u64>,
}

impl Loading<'_> {
    pub(super) fn load(
        &self,
        segments: &[Planned],
        snapshots: BTreeSet<u64>,
        report: &mut PartitionRecovery,
    ) -> Result<Loaded, OpenError> {
        let mut loaded = Loaded::default();
        for offset in snapshots.into_iter().rev() {
            let is_of_segment = segments.iter().any(|planned| planned.base_offset() == offset);
            if offset > self.end || (loaded.used.is_some() && !is_of_segment) {
                loaded.useless.push(offset);
            } else if loaded.used.is_none() {
                let Some(bytes) = self.dir.read(offset, names::SNAPSHOT)? else { continue };
                match Producers::decode(&bytes, offset, self.max, self.now_ms) {
                    Ok(producers) => {
                        // One that is empty tells that those in segments of before have expired.
                        let tells = producers.len() > 0 || segments.iter().any(|one| one.mark().numbered);
                        loaded.producers = tells.then(|| Box::new(producers));
                        (loaded.used, loaded.is_of_segment) = (Some(offset), is_of_segment);
                    }
                    Err(invalid) => {
                        report.snapshots_ignored.push(offset);
                        // One of a later version is for whoever knows it.
                        if !matches!(invalid, Invalid::Version(_)) {
                            loaded.useless.push(offset);
                        }
                    }
                }
            }
        }
        let from = loaded.used.unwrap_or(0);
        for planned in segments {
            let mark = planned.mark();
            if mark.numbered && mark.next_offset > from {
                self.replay(planned, from, &mut loaded)?;
            }
        }
        report.producers = loaded.producers.as_ref().map_or(0, |producers| producers.len());
        Ok(loaded)
    }

    /// Takes up the batches of a segment from an offset on. They are checked whole: a wrong number would do harm for long.
    fn replay(&self, planned: &Planned, from: u64, loaded: &mut Loaded) -> Result<(), OpenError> {
        let Mark { base_offset, sparse, .. } = *planned.mark();
        let (of, bytes) = planned.source();
        let path = self.dir.file(of, names::LOG);
        let file = self.dir.open(of, names::LOG, Access::Read)?;
        // Those of a segment that Kafka wrote are not all known yet.
        let unchecked = Epochs::default();
        let walk = Walk::new(&*file, base_offset, sparse, &unchecked);
        let mut walk = walk.map_err(IoError::of("measure", &path))?;
        walk.stand(bytes.start, base_offset);
        while walk.position() < bytes.end {
            let position = walk.position();
            let damage = match walk.step().map_err(IoError::of("read", &path))? {
                Some(Ok(found)) => {
                    if found.header.base_offset >= from && found.header.producer().is_some() {
                        let producers =
                            loaded.producers.get_or_insert_with(|| Box::new(Producers::new(self.max)));
                        producers.replay(&found.header, walk.bytes(&found), self.now_ms);
                        loaded.replayed = true;
                    }
                    continue;
                }
                Some(Err(damage)) => damage,
                None => Damage::Short { expected: bytes.end, found: position },
            };
            return Err(self.dir.corruption(of, position, damage).into());
        }
        Ok(())
    }
}

impl Loaded {
    /// Removes the snapshots that are of no use, for good.
    pub(super) fn remove_useless(&self, dir: &Dir) -> Result<(), IoError> {
        for offset in &self.useless {
            remove(dir, *offset)?;
        }
        if self.useless.is_empty() { Ok(()) } else { dir.sync() }
    }

    /// Keeps what was found in a snapshot of its own, so that it does not have to be found again when the segments before are
    /// gone. All of the log is durable now.
    pub(super) fn keep(self, dir: &Dir, removed: &[u64], end: u64) -> Result<KnownProducers, IoError> {
        let Self { producers, used, is_of_segment, replayed, .. } = self;
        let stray_snapshot = used.filter(|_| !is_of_segment);
        let is_gone = used.is_some_and(|used| removed.contains(&used));
        let Some(known) = producers.as_deref().filter(|_| replayed || is_gone) else {
            return Ok(KnownProducers { producers, stray_snapshot });
        };
        let name = names::segment_file(end, names::SNAPSHOT);
        storage::replace_file(&*dir.storage, &dir.path, &name, &known.encode())?;
        if let Some(old) = stray_snapshot.filter(|old| *old != end) {
            remove(dir, old)?;
        }
        Ok(KnownProducers { producers, stray_snapshot: Some(end) })
    }
}

fn remove(dir: &Dir, offset: u64) -> Result<(), IoError> {
    storage::remove_if_there(&*dir.storage, &dir.file(offset, names::SNAPSHOT))
}

impl Planned {
    /// Where its bytes are now: in the file of this segment, from there to there.
    fn source(&self) -> (u64, Range<u64>) {
        match self {
            Self::Split { of, bytes, .. } => (*of, bytes.clone()),
            Self::Trusted(mark) | Self::Scanned { mark, .. } | Self::Filler(mark) => {
                (mark.base_offset, 0..mark.position)
            }
        }
    }
}

use super::listing::{Files, Listing};
use super::scan::{self, Leaders, Proof, Scan};
use crate::error::{Damage, OpenError};
use crate::format::checkpoint::Epochs;
use crate::format::mark::Mark;
use crate::format::{metadata, names};
use crate::log::malformed;
use crate::report::PartitionRecovery;
use crate::segment::{Dir, Rebuilt};

/// What the checkpoints at the log's root say of a partition.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// The log start offset.
    pub(crate) start: Option<u64>,
    /// Kafka's recovery point: records before it are durable.
    pub(crate) recovery_point: Option<u64>,
}

/// What is to be done with a partition. Nothing was changed yet.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) dir: Dir,
    pub(super) segments: Vec<Planned>,
    pub(super) remove: Vec<u64>,
    pub(super) leftovers: Vec<String>,
    pub(super) write_epochs: bool,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) index_interval_bytes: u32,
    pub(super) last_append_ms: Option<i64>,
    pub(super) report: PartitionRecovery,
}

/// A segment that stays.
#[derive(Debug)]
pub(super) enum Planned {
    /// As its mark says, unread.
    Trusted(Mark),
    /// Read and checked, or the end of it: to be trimmed, and sealed with this mark.
    Scanned {
        mark: Mark,
        rebuilt: Rebuilt,
        /// Read and checked from its beginning.
        whole: bool,
        /// From here on nothing was known to be durable.
        rewrite_from: u64,
    },
}

impl Plan {
    /// A time after which nothing was appended, as the newest mark says it.
    pub(crate) fn last_append_ms(&self) -> Option<i64> {
        self.last_append_ms
    }

    /// Looks at a partition and decides what to do.
    pub(crate) fn new(
        mut dir: Dir,
        known: Known,
        index_interval_bytes: u32,
        now_ms: i64,
    ) -> Result<Self, OpenError> {
        check_metadata(&dir)?;
        let epochs_missing = read_epochs(&mut dir)?;
        let listing = Listing::read(&dir)?;
        let mut planner = Planner {
            known,
            index_interval_bytes,
            now_ms,
            epochs: dir.epochs.clone(),
            epochs_missing,
            proven: listing.segments.iter().rfind(|(_, files)| files.proves()).map(|(base, _)| *base),
            listing,
            dir: &dir,
            segments: Vec::new(),
            remove: Vec::new(),
            end: None,
            report: PartitionRecovery {
                topic: dir.topic.to_string(),
                partition: dir.partition,
                ..PartitionRecovery::default()
            },
        };
        planner.drop_deleted();
        planner.drop_orphans()?;
        planner.walk()?;
        let start = planner.start()?;
        let newest = planner.newest_epoch();
        let Planner { listing, segments, remove, end, mut report, mut epochs, .. } = planner;
        let end = end.unwrap_or(start);
        if epochs_missing && newest.is_some_and(|newest| newest > epochs.current()) {
            // Nothing was appended in it yet.
            epochs.extend(newest.unwrap_or_default(), end);
        }
        let write_epochs = epochs_missing || epochs != dir.epochs;
        let mut segments = segments;
        dir.epochs =
            if epochs_missing && epochs == Epochs::default() { Epochs::beginning_at(start) } else { epochs };
        for planned in &mut segments {
            if let Planned::Scanned { mark, .. } = planned {
                mark.leader_epoch = dir.epochs.current();
            }
        }
        (report.start_offset, report.end_offset, report.segments) = (start, end, segments.len());
        let last_append_ms = listing.segments.values().filter_map(|files| files.mark);
        let last_append_ms = last_append_ms.map(|mark| mark.last_append_ms).filter(|time| *time > 0).max();
        let leftovers = listing.leftovers;
        Ok(Self {
            dir,
            segments,
            remove,
            leftovers,
            write_epochs,
            start,
            end,
            index_interval_bytes,
            last_append_ms,
            report,
        })
    }
}

impl Files {
    fn proves(&self) -> bool {
        self.mark.is_some_and(|mark| mark.proves())
    }

    /// Whether the segment can be taken as its mark says.
    fn is_sealed(&self) -> Option<Mark> {
        self.mark.filter(|mark| mark.sealed && mark.position == self.log_bytes)
    }
}

/// A plan in the making.
struct Planner<'a> {
    dir: &'a Dir,
    known: Known,
    index_interval_bytes: u32,
    now_ms: i64,
    listing: Listing,
    /// The last segment whose mark says that anything is durable: all before it are durable whole.
    proven: Option<u64>,
    epochs: Epochs,
    /// The list of epochs is not there: it is made again of the batches, so all of them are read.
    epochs_missing: bool,
    segments: Vec<Planned>,
    remove: Vec<u64>,
    /// The offset behind the last segment that stays.
    end: Option<u64>,
    report: PartitionRecovery,
}

impl Planner<'_> {
    /// Segments wholly before the log start offset were deleted; a crash came before their files went.
    fn drop_deleted(&mut self) {
        let Some(start) = self.known.start else { return };
        let bases: Vec<u64> = self.listing.segments.keys().copied().collect();
        for pair in bases.windows(2) {
            if let [base_offset, next] = *pair
                && next <= start
            {
                self.listing.segments.remove(&base_offset);
                self.remove.push(base_offset);
            }
        }
    }

    /// Files without a `.log` file are what a removal or a creation left behind, unless their mark says that the
    /// segment was durable and it lies among those that are there.
    fn drop_orphans(&mut self) -> Result<(), OpenError> {
        let first = self.listing.segments.keys().next().copied();
        for (base_offset, mark) in std::mem::take(&mut self.listing.orphans) {
            let durable = mark.filter(|mark| mark.position > 0);
            let deleted = |mark: Mark| self.known.start.is_some_and(|start| mark.next_offset <= start);
            let missed =
                durable.is_some_and(|mark| !deleted(mark)) && first.is_none_or(|first| base_offset > first);
            if missed {
                return Err(self.dir.corruption(base_offset, 0, Damage::MissingSegment).into());
            }
            self.remove.push(base_offset);
        }
        Ok(())
    }

    fn walk(&mut self) -> Result<(), OpenError> {
        let segments: Vec<(u64, Files)> =
            self.listing.segments.iter().map(|(base_offset, files)| (*base_offset, *files)).collect();
        let mut cut = false;
        for (at, (base_offset, files)) in segments.iter().enumerate() {
            let (base_offset, next) = (*base_offset, segments.get(at + 1).map(|(next, _)| *next));
            let durable = self.proven.is_some_and(|proven| base_offset <= proven);
            if cut {
                self.remove_behind_cut(base_offset);
                continue;
            }
            if let Some(expected) = self.end
                && (base_offset < expected || (base_offset > expected && !self.is_sparse(files)))
            {
                // The rest of a roll that failed and could not clean up: nothing was ever written there.
                if !files.proves() && !scan::has_batch(self.dir, base_offset)? {
                    self.remove.push(base_offset);
                    continue;
                }
                if durable || self.is_before_recovery_point(base_offset) {
                    return Err(if base_offset > expected {
                        self.dir.corruption(expected, 0, Damage::MissingSegment).into()
                    } else {
                        let what = Damage::Offset { expected, found: base_offset };
                        self.dir.corruption(base_offset, 0, what).into()
                    });
                }
                cut = true;
                self.remove_behind_cut(base_offset);
                continue;
            }
            cut = self.take(base_offset, files, next)?;
        }
        Ok(())
    }

    /// Decides on a segment that follows what was there so far; tells whether the log ends in it.
    fn take(&mut self, base_offset: u64, files: &Files, next: Option<u64>) -> Result<bool, OpenError> {
        let sealed = files.is_sealed();
        if let Some(mark) = sealed.filter(|_| !self.epochs_missing) {
            self.end = Some(mark.next_offset);
            self.segments.push(Planned::Trusted(mark));
            return Ok(false);
        }
        let sparse = self.is_sparse(files);
        let followed = next.filter(|next| self.proven.is_some_and(|proven| *next <= proven));
        // An empty segment of Kafka's gets a mark all the same: what says at the next open that a gap before it is right?
        if files.log_bytes == 0 && !files.proves() && followed.is_none() && !sparse {
            // Nothing was appended, so there is nothing to read and nothing to seal.
            self.end = Some(base_offset);
            let mark = Mark { base_offset, next_offset: base_offset, sparse, ..Mark::default() };
            self.segments.push(Planned::Trusted(mark));
            return Ok(false);
        }
        let mark = files.mark.unwrap_or_default();
        let proof = match (followed, self.listing.unmarked) {
            (Some(next_offset), _) => Proof::Whole { next_offset },
            (None, true) => Proof::Offset(self.known.recovery_point.unwrap_or(0)),
            (None, false) => Proof::Position { position: mark.position, next_offset: mark.next_offset },
        };
        let proof = match proof {
            // A mark that proves nothing has no next offset to agree with.
            Proof::Position { position: 0, .. } => Proof::Offset(self.known.recovery_point.unwrap_or(0)),
            proof => proof,
        };
        let newest = self.newest_epoch().unwrap_or(i32::MAX);
        let leaders = match (self.epochs_missing, self.listing.unmarked) {
            (true, _) => Leaders::Collected(&mut self.epochs, newest),
            (false, true) => Leaders::Noted(&mut self.epochs),
            (false, false) => Leaders::Checked,
        };
        let trusted = files
            .mark
            .as_ref()
            .filter(|_| matches!((&proof, &leaders), (Proof::Position { .. }, Leaders::Checked)));
        let scan =
            scan::scan(self.dir, base_offset, sparse, proof, trusted, leaders, self.index_interval_bytes)?;
        let rewrite_from = match proof {
            Proof::Whole { .. } => scan.position,
            Proof::Position { position, .. } => position,
            // Written by Kafka and durable, or proven by nothing.
            Proof::Offset(proven) if proven >= scan.next_offset => scan.position,
            Proof::Offset(_) => 0,
        };
        self.note(base_offset, &scan, rewrite_from);
        // Behind a segment that was durable whole there can only be junk; what follows was durable too.
        let cut = scan.torn_bytes > 0 && !matches!(proof, Proof::Whole { .. });
        let mark = Mark {
            base_offset,
            position: scan.position,
            next_offset: scan.next_offset,
            sealed: true,
            sparse,
            first_append_ms: if mark.first_append_ms > 0 { mark.first_append_ms } else { self.now_ms },
            // Nothing was appended after now. That keeps records longer rather than shorter.
            last_append_ms: sealed.map_or(self.now_ms.max(mark.last_append_ms), |mark| mark.last_append_ms),
            max_timestamp: scan.rebuilt.max_timestamp().unwrap_or_default(),
            leader_epoch: 0, // Known when the whole log is.
            ..Mark::default()
        };
        self.end = Some(scan.next_offset);
        let whole = scan.from == 0;
        self.segments.push(Planned::Scanned { mark, rebuilt: scan.rebuilt, whole, rewrite_from });
        Ok(cut)
    }

    fn note(&mut self, base_offset: u64, scan: &Scan, rewrite_from: u64) {
        self.report.segments_scanned += 1;
        self.report.batches_scanned += scan.batches;
        self.report.bytes_scanned += scan.position.saturating_sub(scan.from);
        self.report.bytes_rewritten += scan.position.saturating_sub(rewrite_from);
        if scan.torn_bytes > 0 {
            self.report.bytes_cut += scan.torn_bytes;
            self.report.cut_at = Some((base_offset, scan.position));
        }
    }

    fn remove_behind_cut(&mut self, base_offset: u64) {
        self.remove.push(base_offset);
        self.report.segments_removed.push(base_offset);
    }

    /// Whether the offsets of a segment may have gaps: those that Kafka wrote may.
    fn is_sparse(&self, files: &Files) -> bool {
        self.listing.unmarked || files.mark.is_some_and(|mark| mark.sparse)
    }

    fn is_before_recovery_point(&self, base_offset: u64) -> bool {
        self.known.recovery_point.is_some_and(|point| base_offset < point)
    }

    /// The epoch of the newest mark that counts.
    fn newest_epoch(&self) -> Option<i32> {
        self.listing.segments.values().filter_map(|files| files.mark).map(|mark| mark.leader_epoch).max()
    }

    /// The log start offset: what was kept, or where the first segment begins.
    fn start(&mut self) -> Result<u64, OpenError> {
        let kept = self.known.start.unwrap_or(0);
        let end = self.end.unwrap_or(kept);
        let first = self.segments.first().map_or(end, Planned::base_offset);
        if end < kept {
            let what = Damage::StartBeyondEnd { start: kept, end };
            return Err(self.dir.corruption(first, 0, what).into());
        }
        self.check_recovery_point(end)?;
        if first > kept && (self.known.start.is_some() || !self.listing.unmarked) {
            self.report.missing_from = Some(kept);
        }
        Ok(kept.max(first))
    }

    /// Records before the recovery point were durable, whoever wrote it, so the log cannot end before it.
    fn check_recovery_point(&self, end: u64) -> Result<(), OpenError> {
        let Some(proven) = self.known.recovery_point.filter(|point| end < *point) else { return Ok(()) };
        let (segment, position, what) = match self.segments.last() {
            Some(Planned::Scanned { mark, .. }) => {
                (mark.base_offset, mark.position, Damage::EndsEarly { end, proven })
            }
            _ => (end, 0, Damage::MissingSegment),
        };
        Err(self.dir.corruption(segment, position, what).into())
    }
}

impl Planned {
    pub(super) fn base_offset(&self) -> u64 {
        match self {
            Self::Trusted(mark) | Self::Scanned { mark, .. } => mark.base_offset,
        }
    }
}

fn check_metadata(dir: &Dir) -> Result<(), OpenError> {
    let Some(text) = dir.read_named(names::PARTITION_METADATA)? else { return Ok(()) };
    let path = dir.path.join(names::PARTITION_METADATA);
    metadata::decode(&text).map(|_| ()).map_err(|invalid| malformed(path, invalid))
}

/// Reads the leader epochs; tells whether the file is missing, or empty, as a broker creates it.
fn read_epochs(dir: &mut Dir) -> Result<bool, OpenError> {
    let Some(text) = dir.read_named(names::LEADER_EPOCHS)? else { return Ok(true) };
    let path = dir.path.join(names::LEADER_EPOCHS);
    dir.epochs = Epochs::decode(&text).map_err(|invalid| malformed(path, invalid))?;
    Ok(text.is_empty())
}

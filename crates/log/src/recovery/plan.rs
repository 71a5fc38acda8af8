use std::ops::Range;

use super::Observer;
use super::listing::{Files, Listing};
use super::producers::{Loaded, Loading};
use super::scan::{self, Leaders, Proof, Scan, Scanned};
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
    /// So many producers are remembered.
    pub(crate) producers_max: usize,
}

/// What is to be done with a partition. Nothing was changed yet.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) dir: Dir,
    pub(super) segments: Vec<Planned>,
    pub(super) remove: Vec<u64>,
    /// Segments that go as a whole, but not before their bytes were set aside.
    pub(super) set_aside: Vec<u64>,
    pub(super) leftovers: Vec<String>,
    /// No mark counts, and each segment gets one: all of them at once, as it were.
    pub(super) taking_over: bool,
    pub(super) write_epochs: bool,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) index_interval_bytes: u32,
    pub(super) known_ms: Option<i64>,
    pub(super) producers: Loaded,
    pub(crate) report: PartitionRecovery,
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
        /// There was damage where everything was durable, and there is more in the file than the batches before it: so
        /// many bytes hold.
        quarantine: Option<u64>,
    },
    /// What holds behind damage: a part of the file of the segment that begins with `of`, to be one on its own.
    Split { mark: Mark, rebuilt: Rebuilt, of: u64, bytes: Range<u64> },
    /// One without records, to be made: it stands for offsets that are missing.
    Filler(Mark),
}

impl Plan {
    /// Notes the time that is believed in the marks that will be written.
    pub(crate) fn note_believed(&mut self, believed_ms: i64) {
        self.segments
            .iter_mut()
            .filter_map(Planned::new_mark)
            .for_each(|mark| mark.believed_ms = believed_ms);
    }

    /// The newest time that the marks know.
    pub(crate) fn known_ms(&self) -> Option<i64> {
        self.known_ms
    }

    /// Looks at a partition and decides what to do. With an observer every segment is read, and damage goes into
    /// the plan.
    pub(crate) fn new(
        mut dir: Dir,
        known: Known,
        index_interval_bytes: u32,
        now_ms: i64,
        observer: Option<&mut (dyn Observer + '_)>,
    ) -> Result<Self, OpenError> {
        check_metadata(&dir)?;
        let epochs_missing = read_epochs(&mut dir)?;
        let listing = Listing::read(&mut dir)?;
        let mut planner = Planner {
            known,
            index_interval_bytes,
            now_ms,
            epochs: dir.epochs.clone(),
            epochs_missing,
            proven: listing.segments.iter().rfind(|(_, files)| files.proves()).map(|(base, _)| *base),
            listing,
            dir: &dir,
            observer: shortened(observer),
            segments: Vec::new(),
            remove: Vec::new(),
            set_aside: Vec::new(),
            floor: 0,
            ends_with_gap: false,
            end: None,
            report: PartitionRecovery {
                topic: dir.topic.to_string(),
                partition: dir.partition,
                exchanged: dir.swap.segments().collect(),
                ..PartitionRecovery::default()
            },
        };
        planner.drop_deleted();
        planner.drop_orphans()?;
        planner.walk()?;
        planner.raise_end();
        let start = planner.start()?;
        let newest = planner.newest_epoch();
        let Planner { listing, segments, remove, set_aside, end, mut report, mut epochs, .. } = planner;
        let end = end.unwrap_or(start);
        if epochs_missing && newest.is_some_and(|newest| newest > epochs.current()) {
            // Nothing was appended in it yet.
            epochs.extend(newest.unwrap_or_default(), end);
        }
        let write_epochs = epochs_missing || epochs != dir.epochs;
        let mut segments = segments;
        dir.epochs =
            if epochs_missing && epochs == Epochs::default() { Epochs::beginning_at(start) } else { epochs };
        let leader_epoch = dir.epochs.current();
        segments.iter_mut().filter_map(Planned::new_mark).for_each(|mark| mark.leader_epoch = leader_epoch);
        (report.start_offset, report.end_offset, report.segments) = (start, end, segments.len());
        // Only where nothing was believed yet is an append a time.
        let time = |mark: Mark| if mark.believed_ms > 0 { mark.believed_ms } else { mark.last_append_ms };
        let known_ms = listing.segments.values().filter_map(|files| files.mark).map(time);
        let known_ms = known_ms.filter(|time| *time > 0).max();
        let needs_marks = || segments.iter().any(|planned| !matches!(planned, Planned::Trusted(_)));
        let taking_over = listing.taking_over || (listing.unmarked && needs_marks());
        let leftovers = listing.leftovers;
        let loading = Loading { dir: &dir, end, max: known.producers_max, now_ms };
        let producers = loading.load(&segments, listing.snapshots, &mut report)?;
        Ok(Self {
            dir,
            segments,
            remove,
            set_aside,
            leftovers,
            taking_over,
            write_epochs,
            start,
            end,
            index_interval_bytes,
            known_ms,
            producers,
            report,
        })
    }
}

/// The same observer for as long as the plan is made.
fn shortened<'a>(observer: Option<&'a mut (dyn Observer + '_)>) -> Option<&'a mut (dyn Observer + 'a)> {
    match observer {
        Some(observer) => Some(observer),
        None => None,
    }
}

impl Plan {
    /// The files that will be removed, since they mean nothing.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let PartitionRecovery { segments_removed, damage, .. } = &self.report;
        // What is left of a segment that is gone, or lies behind a torn tail, belongs to that.
        let is_told = |base_offset: &u64| {
            segments_removed.contains(base_offset)
                || damage.iter().any(|damage| damage.segment == *base_offset)
        };
        let segments = self.remove.iter().filter(|base_offset| !is_told(base_offset));
        let segments = segments.map(|base_offset| names::segment_file(*base_offset, "*"));
        let void = self.dir.swap.void().iter();
        self.leftovers.iter().chain(void).cloned().chain(segments).collect()
    }
}

impl Files {
    fn proves(&self) -> bool {
        self.mark.is_some_and(|mark| mark.proves())
    }

    /// Whether the segment can be taken as its mark says.
    pub(crate) fn is_sealed(&self) -> Option<Mark> {
        self.mark.filter(|mark| mark.sealed && mark.position == self.log_bytes)
    }
}

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) dir: &'a Dir,
    pub(super) known: Known,
    index_interval_bytes: u32,
    pub(super) now_ms: i64,
    listing: Listing,
    /// The last segment whose mark says that anything is durable: all before it are durable whole.
    proven: Option<u64>,
    epochs: Epochs,
    /// The list of epochs is not there: it is made again of the batches, so all of them are read.
    epochs_missing: bool,
    /// Who sees what is read; then damage is no error.
    pub(super) observer: Option<&'a mut (dyn Observer + 'a)>,
    pub(super) segments: Vec<Planned>,
    remove: Vec<u64>,
    pub(super) set_aside: Vec<u64>,
    /// No offset below this may be given: that of a record that was durable, in a segment that is gone.
    pub(super) floor: u64,
    /// Whether offsets are missing behind the last record so far.
    pub(super) ends_with_gap: bool,
    /// The offset behind the last segment that stays.
    pub(super) end: Option<u64>,
    pub(super) report: PartitionRecovery,
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
                self.refuse(self.dir.corruption(base_offset, 0, Damage::MissingSegment))?;
                self.floor = self.floor.max(durable.map_or(0, |mark| mark.next_offset));
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
                // What an interrupted quarantine made of the segment before: it is made again.
                if !files.proves() && self.splits_at(base_offset) {
                    continue;
                }
                let durable = durable || self.is_before_recovery_point(base_offset) || self.has_damage();
                if durable && base_offset > expected {
                    self.refuse_missing(expected, base_offset)?;
                } else if durable {
                    let what = Damage::Offset { expected, found: base_offset };
                    self.refuse(self.dir.corruption(base_offset, 0, what))?;
                    self.set_aside.push(base_offset);
                    self.set_aside(base_offset, files);
                    continue;
                } else {
                    cut = true;
                    self.remove_behind_cut(base_offset);
                    continue;
                }
            }
            cut = self.take(base_offset, files, next)?;
        }
        Ok(())
    }

    /// Decides on a segment that follows what was there so far; tells whether the log ends in it.
    fn take(&mut self, base_offset: u64, files: &Files, next: Option<u64>) -> Result<bool, OpenError> {
        let sealed = files.is_sealed();
        let thorough = self.observer.is_some();
        if let Some(mark) = sealed.filter(|_| !self.epochs_missing && !thorough) {
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
        let (position, next_offset) = (mark.position, mark.next_offset);
        let proof = match (followed, self.listing.unmarked) {
            // Unless an interrupted quarantine has begun to make segments of a part of it.
            (followed, _) if sealed.is_some() && followed.is_none_or(|next| next >= next_offset) => {
                Proof::Sealed { position, next_offset }
            }
            (Some(next_offset), _) => Proof::Whole { next_offset, position },
            (None, true) => Proof::Offset(self.known.recovery_point.unwrap_or(0)),
            (None, false) => Proof::Position { position, next_offset },
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
        let trusted = files.mark.filter(|_| {
            matches!((&proof, &leaders), (Proof::Position { .. }, Leaders::Checked)) && !thorough
        });
        let (dir, index_interval_bytes) = (self.dir, self.index_interval_bytes);
        // A segment that proves nothing may be what an interrupted quarantine made of this one.
        let next = if self.listing.unmarked { next } else { followed };
        if let Some(observer) = &mut self.observer {
            observer.begin(dir, base_offset, sparse, files);
        }
        let scanned =
            Scanned { dir, base_offset, sparse, proof, leaders, trusted, mark, index_interval_bytes, next };
        let scan = scanned.scan(self.observer.as_deref_mut())?;
        if let Some(observer) = &mut self.observer {
            observer.segment(base_offset, files, &scan);
        }
        let kept = scan.kept_bytes();
        let as_marked = sealed.filter(|mark| (mark.position, mark.next_offset) == (kept, scan.next_offset));
        if let Some(mark) = as_marked.filter(|_| !self.epochs_missing && scan.damage.is_empty()) {
            self.end = Some(mark.next_offset);
            self.segments.push(Planned::Trusted(mark));
            return Ok(false);
        }
        let rewrite_from = match proof {
            Proof::Whole { .. } | Proof::Sealed { .. } => kept,
            Proof::Position { position, .. } => position,
            // Written by Kafka and durable, or proven by nothing.
            Proof::Offset(proven) if proven >= scan.next_offset => kept,
            Proof::Offset(_) => 0,
        };
        self.note(base_offset, &scan, rewrite_from);
        // Behind a segment that was durable whole there can only be junk; what follows was durable too.
        let cut = scan.torn_bytes > 0 && !matches!(proof, Proof::Whole { .. } | Proof::Sealed { .. });
        let mark = Mark {
            base_offset,
            sealed: true,
            sparse,
            // The part that was not read is as the mark says.
            numbered: mark.numbered || scan.numbered,
            first_append_ms: if mark.first_append_ms > 0 { mark.first_append_ms } else { self.now_ms },
            // Nothing was appended after now. That keeps records longer rather than shorter.
            last_append_ms: sealed.map_or(self.now_ms.max(mark.last_append_ms), |mark| mark.last_append_ms),
            leader_epoch: 0, // Known when the whole log is.
            ..Mark::default()
        };
        self.end = Some(scan.next_offset);
        self.report_damage(base_offset, files, &scan);
        self.plan_runs(mark, rewrite_from, scan);
        Ok(cut)
    }

    fn note(&mut self, base_offset: u64, scan: &Scan, rewrite_from: u64) {
        self.report.segments_scanned += 1;
        self.report.batches_scanned += scan.batches;
        self.report.bytes_scanned += scan.kept_bytes().saturating_sub(scan.from);
        self.report.bytes_rewritten += scan.kept_bytes().saturating_sub(rewrite_from);
        if scan.torn_bytes > 0 {
            self.report.bytes_cut += scan.torn_bytes;
            self.report.cut_at = Some((base_offset, scan.end_position()));
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
            return Err(self.dir.corruption(first, 0, what).into()); // Not where the end was raised.
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
        self.mark().base_offset
    }

    /// The mark that is to be written, if one is.
    fn new_mark(&mut self) -> Option<&mut Mark> {
        match self {
            Self::Trusted(_) => None,
            Self::Scanned { mark, .. } | Self::Split { mark, .. } | Self::Filler(mark) => Some(mark),
        }
    }

    pub(super) fn mark(&self) -> &Mark {
        match self {
            Self::Trusted(mark)
            | Self::Scanned { mark, .. }
            | Self::Split { mark, .. }
            | Self::Filler(mark) => mark,
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

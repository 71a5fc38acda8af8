//! Compacting a partition: what may be compacted, pass by pass, and the exchange of segments.
//!
//! ```text
//!   lock       cleaning   one at a time; closing waits for it, and it looks at every batch whether it is to stop
//!              growth     for the exchange of segments alone: renames, and syncs of the directory
//!
//!   readers    have the old segments, which stay mapped for them, or the new one
//! ```

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Core;
use super::retention::age_ms;
use crate::compaction::{
    Cleanable, Cleaned, CompactProgress, CompactReport, Counts, KeyMap, LastBatches, Rules, Unreadable,
    Verdict, for_each_record, records_of, stays_whole,
};
use crate::error::{CompactError, SyncError};
use crate::fetched::Place;
use crate::format::batch::Header;
use crate::format::mark::Mark;
use crate::format::names;
use crate::options::{SEGMENT_BYTES_MAX, TopicOptions};
use crate::segment::{Found, Segment, clear};

/// So often, in bytes, it is told how far it is.
const STEP_BYTES: u64 = 4 * 1024 * 1024;
/// A timestamp takes at most so much more room, a record's length included.
const GROWTH_BYTES_MAX: u64 = 14;

/// A segment that does not take appends, and the offset behind it.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) segment: Arc<Segment>,
    pub(super) next: u64,
}

impl Closed {
    pub(super) fn base(&self) -> u64 {
        self.segment.base_offset()
    }
}

/// What was learned from reading.
#[derive(Debug)]
struct Keys {
    map: KeyMap,
    /// The offset behind the last record whose key is in the map.
    end: u64,
    last_batches: LastBatches,
    keep_tombstones: bool,
    /// The segments that stay as they are.
    aborted: BTreeSet<u64>,
}

/// How far a pass is.
struct Meter<'a> {
    watch: &'a mut dyn FnMut(&CompactProgress),
    progress: CompactProgress,
    told: u64,
}

impl Meter<'_> {
    fn begin(&mut self, total_bytes: u64) {
        self.progress.pass += 1;
        (self.progress.done_bytes, self.progress.total_bytes, self.told) = (0, total_bytes, 0);
        (self.watch)(&self.progress);
    }

    fn add(&mut self, bytes: usize) {
        self.progress.done_bytes = self.progress.done_bytes.saturating_add(bytes as u64);
        if self.progress.done_bytes.saturating_sub(self.told) >= STEP_BYTES {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told = self.progress.done_bytes;
        (self.watch)(&self.progress);
    }
}

impl Core {
    /// What there is to compact.
    pub(crate) fn cleanable(&self, now_ms: i64) -> Cleanable {
        let closed = self.closed();
        let first_dirty_offset = self.first_dirty(closed.last().map_or(0, |last| last.next));
        let lag_ms = self.options().min_compaction_lag_ms;
        // An append time that is not known, or lies ahead, is no proof of age.
        let is_young = |one: &&Closed| {
            one.next > first_dirty_offset
                && lag_ms > 0
                && one.segment.len() > 0
                && one.segment.last_append_ms().is_none_or(|time| age_ms(time, now_ms) < lag_ms)
        };
        let young = closed.iter().find(is_young).map(Closed::base);
        let end = young.or(closed.last().map(|last| last.next)).unwrap_or(first_dirty_offset);
        let first_uncleanable_offset = end.max(first_dirty_offset);
        let mut cleanable =
            Cleanable { first_dirty_offset, first_uncleanable_offset, ..Cleanable::default() };
        for one in closed.iter().filter(|one| one.next <= first_uncleanable_offset) {
            let clean = one.next <= first_dirty_offset;
            let bytes = if clean { &mut cleanable.clean_bytes } else { &mut cleanable.dirty_bytes };
            *bytes = bytes.saturating_add(one.segment.len());
        }
        cleanable
    }

    /// The segments that are sealed and are not the last.
    fn closed(&self) -> Vec<Closed> {
        // In this order: what is sealed now is in the list.
        let sealed_end = self.sealed_end();
        let list = self.segment_list();
        let nexts = list.iter().skip(1).map(|next| next.base_offset());
        let closed =
            list.iter().zip(nexts).map(|(segment, next)| Closed { segment: Arc::clone(segment), next });
        closed.take_while(|one| one.next <= sealed_end && one.segment.is_closed()).collect()
    }

    /// The offset from which on nothing was compacted. What was kept counts only where there is such an offset.
    fn first_dirty(&self, end: u64) -> u64 {
        let start = self.start_offset();
        let kept = self.shared.cleaner_offsets.of(self.topic(), self.number());
        kept.filter(|kept| (start..=end.max(start)).contains(kept)).unwrap_or(start)
    }

    /// Whether upkeep has to compact, by the rules of Kafka's cleaner.
    fn is_compaction_due(&self, options: &TopicOptions, now_ms: i64) -> bool {
        let cleanable = self.cleanable(now_ms);
        let (clean, dirty) = (u128::from(cleanable.clean_bytes), u128::from(cleanable.dirty_bytes));
        if dirty == 0 {
            return false;
        }
        if dirty * 100 > (clean + dirty) * u128::from(options.min_cleanable_dirty_percent) {
            return true;
        }
        let first = self.closed().into_iter().find(|one| one.next > cleanable.first_dirty_offset);
        let first_append = first.and_then(|first| first.segment.first_append_ms());
        let max_lag_ms = options.max_compaction_lag_ms;
        max_lag_ms.zip(first_append).is_some_and(|(lag, time)| age_ms(time, now_ms) > lag)
    }

    /// Compacts if that is due and nobody else does.
    pub(crate) fn compact_if_due(&self, now_ms: i64) -> Result<Option<CompactReport>, CompactError> {
        let options = self.options();
        if !options.cleanup_policy.compacts() || !self.is_compaction_due(&options, now_ms) {
            return Ok(None);
        }
        let Some(_cleaning) = self.cleaning.try_lock() else { return Ok(None) };
        self.compact_locked(now_ms, &mut |_| {}).map(Some)
    }

    pub(crate) fn compact(
        &self,
        now_ms: i64,
        watch: &mut dyn FnMut(&CompactProgress),
    ) -> Result<CompactReport, CompactError> {
        if !self.options().cleanup_policy.compacts() {
            return Err(CompactError::Policy { topic: Arc::clone(&self.dir.topic) });
        }
        let _cleaning = self.cleaning.lock();
        self.compact_locked(now_ms, watch)
    }

    fn compact_locked(
        &self,
        now_ms: i64,
        watch: &mut dyn FnMut(&CompactProgress),
    ) -> Result<CompactReport, CompactError> {
        {
            let _growth = self.growth.lock();
            self.check_going()?;
            self.finish_exchange()?;
            // What an attempt that failed has left would make what comes next mean nothing.
            clear(&self.dir)?;
        }
        let Cleanable { first_dirty_offset, first_uncleanable_offset, .. } = self.cleanable(now_ms);
        let mut report =
            CompactReport { cleaned: first_dirty_offset..first_dirty_offset, ..CompactReport::default() };
        let before = self.before(first_uncleanable_offset);
        (report.segments_before, report.bytes_before) = (before.len(), bytes_of(&before));
        let (topic, partition) = (Arc::clone(&self.dir.topic), self.dir.partition);
        let progress = CompactProgress { topic, partition, pass: 0, done_bytes: 0, total_bytes: 0 };
        let mut meter = Meter { watch, progress, told: 0 };
        loop {
            let segments = self.before(first_uncleanable_offset);
            if segments.is_empty() {
                break;
            }
            let from = self.first_dirty(first_uncleanable_offset);
            let Some(end) = self.pass(&segments, from, now_ms, &mut meter, &mut report)? else { continue };
            self.shared.cleaner_offsets.raise(&[(self.topic(), self.number(), end)])?;
            report.cleaned.end = end;
            if end >= first_uncleanable_offset {
                break;
            }
        }
        let after = self.before(first_uncleanable_offset);
        (report.segments_after, report.bytes_after) = (after.len(), bytes_of(&after));
        Ok(report)
    }

    /// The closed segments before an offset.
    fn before(&self, offset: u64) -> Vec<Closed> {
        self.closed().into_iter().take_while(|one| one.next <= offset).collect()
    }

    pub(super) fn check_going(&self) -> Result<(), CompactError> {
        if self.stopping.load(Ordering::Acquire) || self.is_closed() {
            return Err(CompactError::Closed);
        }
        match self.failed.get() {
            Some(error) => Err(SyncError::Failed(Arc::clone(error)).into()),
            None => Ok(()),
        }
    }

    /// Goes through these segments once; gives the offset up to which they are compacted now, or nothing if some of them went
    /// meanwhile: then it has to begin anew.
    fn pass(
        &self,
        segments: &[Closed],
        from: u64,
        now_ms: i64,
        meter: &mut Meter<'_>,
        report: &mut CompactReport,
    ) -> Result<Option<u64>, CompactError> {
        let options = self.options();
        meter.begin(bytes_of(segments).saturating_mul(2));
        let keys = self.read_keys(segments, from, meter)?;
        report.passes += 1;
        report.keys = report.keys.max(keys.map.len());
        let rules = Rules {
            keys: &keys.map,
            end: keys.end,
            now_ms,
            delete_retention_ms: options.delete_retention_ms,
            last_batches: &keys.last_batches,
            keep_tombstones: keys.keep_tombstones,
            compression: options.compression,
            decompressed_bytes_max: self.dir.decompressed_bytes_max,
        };
        let mut counts = Counts::default();
        for group in groups(segments, keys.end, &keys.aborted, &options) {
            if !self.clean_group(group, &rules, &options, meter, &mut counts, report)? {
                return Ok(None);
            }
        }
        meter.progress.done_bytes = meter.progress.total_bytes;
        meter.tell();
        report.records_superseded += counts.superseded;
        report.tombstones_removed += counts.tombstones_removed;
        // Those of the last pass: it sees all that there is.
        report.records_kept = counts.kept;
        (report.tombstones_kept, report.records_without_key) = (counts.tombstones_kept, counts.without_key);
        Ok(Some(keys.end))
    }

    /// Reads and checks all batches; puts the keys from an offset on into a map.
    fn read_keys(&self, segments: &[Closed], from: u64, meter: &mut Meter<'_>) -> Result<Keys, CompactError> {
        let end = segments.last().map_or(from, |last| last.next);
        let map = KeyMap::new(self.shared.cleaner_dedupe_bytes, end.saturating_sub(from));
        let last_batches = LastBatches::of(self.producer_ids());
        let aborted = self.aborted(segments)?;
        let mut keys = Keys { map, end, last_batches, keep_tombstones: !aborted.is_empty(), aborted };
        let mut full = false;
        for one in segments {
            let whole = one.segment.whole()?;
            one.segment.visit(&whole, one.segment.len(), |found, batch| {
                self.check_going()?;
                meter.add(batch.len());
                keys.last_batches.note(&found.header);
                keys.keep_tombstones |= stays_whole(&found.header) && !found.header.is_control();
                if full || found.header.last_offset < from || stays_whole(&found.header) {
                    return Ok::<_, CompactError>(());
                }
                let records = self.records_of(one, found, batch)?;
                let put = for_each_record(&found.header, &records, |offset, record, _| {
                    if let Some(key) = record.key.filter(|_| offset >= from && !full)
                        && !keys.map.put(key, offset)
                    {
                        (full, keys.end) = (true, offset);
                    }
                });
                put.map_err(|damage| self.dir.corruption(one.base(), found.at as u64, damage).into())
            })?;
        }
        Ok(keys)
    }

    /// The records of a batch, not compressed.
    fn records_of<'a>(
        &self,
        one: &Closed,
        found: &Found,
        batch: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, CompactError> {
        let records = records_of(&found.header, batch, self.dir.decompressed_bytes_max);
        records.map_err(|failure| self.unreadable(one, found, failure.into()))
    }

    fn unreadable(&self, one: &Closed, found: &Found, error: Unreadable) -> CompactError {
        let (topic, partition) = (Arc::clone(&self.dir.topic), self.dir.partition);
        let place = Place { topic, partition, segment: one.base(), position: found.at as u64 };
        match error {
            Unreadable::Damaged(damage) => place.corruption(0, damage).into(),
            Unreadable::Compressed(failure) => {
                place.undecoded(&found.header, 0, failure, self.dir.decompressed_bytes_max).into()
            }
        }
    }

    /// The segments, by base offset, that have an index of transactions that were aborted, as Kafka writes it: they stay as they
    /// are.
    fn aborted(&self, segments: &[Closed]) -> Result<BTreeSet<u64>, CompactError> {
        let mut aborted = BTreeSet::new();
        for one in segments {
            let index = self.dir.read(one.base(), names::TRANSACTION_INDEX)?;
            if index.is_some_and(|index| !index.is_empty()) {
                aborted.insert(one.base());
            }
        }
        Ok(aborted)
    }

    /// Makes one segment of a group, unless it is one in which nothing changes; false when some of them are not there any more.
    fn clean_group(
        &self,
        group: &[Closed],
        rules: &Rules<'_>,
        options: &TopicOptions,
        meter: &mut Meter<'_>,
        counts: &mut Counts,
        report: &mut CompactReport,
    ) -> Result<bool, CompactError> {
        let written = self.write_group(group, rules, options, meter, counts);
        let outcome = written.and_then(|written| {
            let Some((mark, bytes)) = written else { return Ok(true) };
            report.bytes_written = report.bytes_written.saturating_add(bytes);
            self.exchange(group, mark, options)
        });
        if !matches!(outcome, Ok(true)) {
            let _growth = self.growth.lock();
            if self.pending.lock().is_none() && self.failed.get().is_none() {
                // The next attempt, or the next opening, removes what cannot be removed now.
                let _ = clear(&self.dir);
            }
        }
        outcome
    }

    /// Writes what stays of a group beside it, durably; gives the mark of the new segment and the bytes that were written, or nothing when
    /// all is to stay as it is.
    fn write_group(
        &self,
        group: &[Closed],
        rules: &Rules<'_>,
        options: &TopicOptions,
        meter: &mut Meter<'_>,
        counts: &mut Counts,
    ) -> Result<Option<(Mark, u64)>, CompactError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(None) };
        let create = || Cleaned::create(&self.dir, first.base(), options.index_interval_bytes);
        let mut cleaned = if group.len() > 1 { Some(create()?) } else { None };
        let mut room = SEGMENT_BYTES_MAX.saturating_sub(bytes_of(group));
        let mut out = Vec::new();
        for one in group {
            let whole = one.segment.whole()?;
            one.segment.visit(&whole, one.segment.len(), |found, batch| {
                self.check_going()?;
                meter.add(batch.len());
                let records = match stays_whole(&found.header) {
                    true => Cow::default(),
                    false => self.records_of(one, found, batch)?,
                };
                let is_last = one.base() == last.base() && found.end() as u64 == last.segment.len();
                let growth = u64::from(found.header.record_count).saturating_mul(GROWTH_BYTES_MAX);
                let decompressed = (records.len() as u64).saturating_add(growth);
                let may_grow = growth <= room
                    && (found.header.codec() == 0 || decompressed <= self.dir.decompressed_bytes_max as u64);
                out.clear();
                let applied = rules.apply(&found.header, &records, (is_last, may_grow), &mut out);
                let (verdict, of_batch) = applied.map_err(|error| self.unreadable(one, found, error))?;
                counts.add(of_batch);
                if cleaned.is_none() && verdict != Verdict::Same {
                    // What is before it is as it was.
                    let mut begun = create()?;
                    one.segment.visit(&whole, found.at as u64, |found, batch| {
                        Ok::<_, CompactError>(begun.put(&found.header, batch)?)
                    })?;
                    cleaned = Some(begun);
                }
                let Some(cleaned) = &mut cleaned else { return Ok(()) };
                match verdict {
                    Verdict::Same => cleaned.put(&found.header, batch)?,
                    Verdict::Changed => {
                        room = room.saturating_sub((out.len() as u64).saturating_sub(batch.len() as u64));
                        let header = Header::parse(&out);
                        cleaned.put(
                            &header.map_err(|damage| self.unreadable(one, found, damage.into()))?,
                            &out,
                        )?;
                    }
                    Verdict::Gone => {}
                }
                Ok::<_, CompactError>(())
            })?;
        }
        let Some(cleaned) = cleaned else { return Ok(None) };
        let bytes = cleaned.len();
        let mark = cleaned.finish(mark_of(group, last.next, self.dir.epochs.current()))?;
        Ok(Some((mark, bytes)))
    }
}

fn bytes_of(segments: &[Closed]) -> u64 {
    segments.iter().map(|one| one.segment.len()).sum()
}

/// Groups segments that begin before an offset, so that what is left of each group fits a segment. Empty ones, and those of
/// `aborted`, are in none.
fn groups<'a>(
    segments: &'a [Closed],
    end: u64,
    aborted: &BTreeSet<u64>,
    options: &TopicOptions,
) -> Vec<&'a [Closed]> {
    let stays = |one: &Closed| one.segment.len() == 0 || aborted.contains(&one.base());
    let count = segments.iter().take_while(|one| one.base() < end).count();
    let mut groups = Vec::new();
    for run in segments.get(..count).unwrap_or_default().split(stays) {
        let mut left = run;
        while let Some(first) = left.first() {
            let mut size = Size::default();
            let fits = |one: &&Closed| {
                size.add(one.segment.mark());
                size.fits(one.next.saturating_sub(first.base()), options)
            };
            // One that is too large by itself is a group of its own.
            let count = left.iter().take_while(fits).count().max(1);
            let (group, rest) = left.split_at_checked(count).unwrap_or((left, &[]));
            groups.push(group);
            left = rest;
        }
    }
    groups
}

/// What is known of the segment that a group becomes, before it is written.
fn mark_of(group: &[Closed], next_offset: u64, leader_epoch: i32) -> Mark {
    let marks = || group.iter().map(|one| one.segment.mark());
    let appended = |mark: &&Mark| mark.position > 0;
    Mark {
        next_offset,
        leader_epoch,
        first_append_ms: marks().filter(appended).map(|mark| mark.first_append_ms).min().unwrap_or_default(),
        last_append_ms: marks().filter(appended).map(|mark| mark.last_append_ms).max().unwrap_or_default(),
        believed_ms: marks().map(|mark| mark.believed_ms).max().unwrap_or_default(),
        numbered: marks().any(|mark| mark.numbered),
        ..Mark::default()
    }
}

/// What a group has together.
#[derive(Debug, Default)]
struct Size {
    log: u64,
    index: u64,
    time_index: u64,
}

impl Size {
    fn add(&mut self, mark: &Mark) {
        self.log = self.log.saturating_add(mark.position);
        self.index = self.index.saturating_add(u64::from(mark.index.bytes));
        self.time_index = self.time_index.saturating_add(u64::from(mark.time_index.bytes));
    }

    fn fits(&self, offsets: u64, options: &TopicOptions) -> bool {
        let index_max = u64::from(options.segment_index_bytes);
        self.log <= options.segment_bytes
            && self.index <= index_max
            && self.time_index <= index_max
            && offsets <= u64::from(i32::MAX.cast_unsigned())
    }
}

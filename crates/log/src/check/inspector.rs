//! Who looks at everything that a plan reads.

use std::fmt;
use std::sync::Arc;

use super::content::{self, Content};
use super::finding::{Finding, IndexKind, Problem};
use super::index::Compared;
use super::{CheckEvent, CheckReport, Progress};
use crate::fetched::Place;
use crate::format::index::{ENTRY_BYTES, TIME_ENTRY_BYTES, TimeEntry, relative};
use crate::format::mark::{self, Slots};
use crate::format::names;
use crate::recovery::{Files, Observer, Scan};
use crate::segment::{Dir, Found};

/// Progress is told at least so often.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

/// Who looks at the segments of a log.
pub(super) struct Inspector<'a> {
    pub(super) watch: &'a mut dyn FnMut(CheckEvent<'_>),
    pub(super) report: &'a mut CheckReport,
    pub(super) progress: Progress,
    /// The end of the segment that is read, in all bytes.
    segment_end: u64,
    told_bytes: u64,
    place: Place,
    sparse: bool,
    decompressed_bytes_max: usize,
    offset: Compared,
    time: Compared,
    largest: Option<TimeEntry>,
}

impl fmt::Debug for Inspector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl<'a> Inspector<'a> {
    pub(super) fn new(
        watch: &'a mut dyn FnMut(CheckEvent<'_>),
        report: &'a mut CheckReport,
        progress: Progress,
        decompressed_bytes_max: usize,
    ) -> Self {
        let place = Place {
            topic: Arc::clone(&progress.topic),
            partition: progress.partition,
            segment: 0,
            position: 0,
        };
        Self {
            watch,
            report,
            segment_end: progress.done_bytes,
            told_bytes: 0,
            progress,
            place,
            sparse: false,
            decompressed_bytes_max,
            offset: Compared::default(),
            time: Compared::default(),
            largest: None,
        }
    }

    pub(super) fn find(&mut self, segment: Option<u64>, position: Option<u64>, problem: Problem) {
        let topic = Some(Arc::clone(&self.place.topic));
        let finding = Finding { topic, partition: Some(self.place.partition), segment, position, problem };
        self.report.count(&finding);
        (self.watch)(CheckEvent::Finding(&finding));
    }

    fn tell(&mut self) {
        self.told_bytes = self.progress.done_bytes;
        (self.watch)(CheckEvent::Progress(&self.progress));
    }

    fn look_at_mark(&mut self, dir: &Dir, base_offset: u64, files: &Files) {
        let content = dir.read(base_offset, names::DURABLE).ok().flatten();
        let problem = match content.as_deref().map(mark::slots) {
            // Kafka wrote the segment, or leads the partition, and keeps no marks.
            _ if files.unmarked => None,
            None | Some(Slots { valid: 0, damaged: 1.. }) => Some(Problem::MarkLost),
            // A segment that is new, and in which nothing is durable yet, has zeros.
            Some(Slots { valid: 0, .. }) => None,
            Some(Slots { damaged: 1.., .. }) => Some(Problem::MarkSlot),
            Some(_) => files.mark.is_none().then_some(Problem::MarkLost),
        };
        if let Some(problem) = problem {
            self.find(Some(base_offset), None, problem);
        }
    }

    fn look_at_indexes(&mut self, base_offset: u64, files: &Files) {
        let sealed = files.is_sealed();
        // Those of a segment that was not closed are made again in any case.
        if sealed.is_none() && !files.unmarked {
            return;
        }
        let (offset, time) = (std::mem::take(&mut self.offset), std::mem::take(&mut self.time));
        let offset = offset.problem(ENTRY_BYTES, sealed.map(|mark| mark.index));
        let time = time.problem(TIME_ENTRY_BYTES, sealed.map(|mark| mark.time_index));
        for (index, problem) in [(IndexKind::Offset, offset), (IndexKind::Time, time)] {
            if let Some(problem) = problem {
                self.find(Some(base_offset), None, Problem::Index { index, problem });
            }
        }
    }
}

impl Observer for Inspector<'_> {
    fn begin(&mut self, dir: &Dir, base_offset: u64, sparse: bool, files: &Files) {
        (self.place.segment, self.progress.segment, self.sparse) = (base_offset, base_offset, sparse);
        self.segment_end = self.segment_end.saturating_add(files.log_bytes);
        let index = |suffix| dir.read(base_offset, suffix).ok().flatten();
        // A broker allocates ahead, and a crash leaves that behind.
        let index = |suffix, entry| {
            index(suffix).map(|bytes| if files.unmarked { used(bytes, entry) } else { bytes })
        };
        self.offset = Compared::new(index(names::INDEX, ENTRY_BYTES));
        self.time = Compared::new(index(names::TIME_INDEX, TIME_ENTRY_BYTES));
        self.largest = None;
        self.look_at_mark(dir, base_offset, files);
        self.tell();
    }

    fn batch(&mut self, found: &Found, bytes: &[u8]) {
        let (base_offset, header, position) = (self.place.segment, &found.header, found.at as u64);
        self.report.batches += 1;
        self.report.records += u64::from(header.record_count);
        match content::look(header, bytes, self.sparse, self.decompressed_bytes_max) {
            Content::Seen(None) => {}
            Content::Seen(Some(problem)) => self.find(Some(base_offset), Some(position), problem),
            Content::Closed => self.report.unread_batches += 1,
        }
        self.offset.batch(base_offset, position, header);
        if self.largest.is_none_or(|largest| header.max_timestamp > largest.timestamp)
            && let Some(relative_offset) = relative(base_offset, header.last_offset)
        {
            let largest = TimeEntry { timestamp: header.max_timestamp, relative_offset };
            self.largest = Some(largest);
            self.time.timestamp(largest);
        }
        self.progress.done_bytes = self.progress.done_bytes.saturating_add(header.bytes as u64);
        if self.progress.done_bytes.saturating_sub(self.told_bytes) >= STEP_BYTES {
            self.tell();
        }
    }

    fn segment(&mut self, base_offset: u64, files: &Files, scan: &Scan) {
        self.report.bytes += scan.kept_bytes();
        self.report.zero_bytes += scan.zero_bytes;
        if files.is_sealed().is_none() && !files.unmarked {
            self.report.open_segments += 1;
        }
        // The indexes of a damaged segment are made again with it.
        if scan.damage.is_empty() && scan.torn_bytes == 0 {
            self.look_at_indexes(base_offset, files);
        }
        if scan.torn_bytes > 0 {
            let bytes = scan.torn_bytes;
            self.find(Some(base_offset), Some(scan.end_position()), Problem::TornTail { bytes });
        }
        self.progress.done_bytes = self.segment_end;
        self.tell();
    }
}

/// An index without the entries of zeros at its end.
fn used(mut bytes: Vec<u8>, entry_bytes: usize) -> Vec<u8> {
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(len.next_multiple_of(entry_bytes));
    bytes
}

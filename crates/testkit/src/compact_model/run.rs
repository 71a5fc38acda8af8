//! A compacted log on a simulated disk, led beside its model.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use headwater_log::{
    Ack, CleanupPolicy, Clock, CompactReport, Log, LogOptions, MaintainError, OpenError, Partition, Record,
    TopicOptions,
};

use super::{Entry, Model, Op};
use crate::manual_clock::ManualClock;
use crate::sim_disk::{Bounds, SimDisk};

const ROOT: &str = "/data";
const TOPIC: &str = "t";
const START_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Rolls take less than this, so that tombstones go only when they are to.
const RETENTION_MS: i64 = 1000 * DAY_MS;

/// A log and the model of it.
#[derive(Debug)]
pub struct Run {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    topic: TopicOptions,
    dedupe_bytes: u64,
    log: Option<Log>,
    partition: Partition,
    /// What the log has to be now.
    pub model: Model,
    moments: Option<Vec<SimDisk>>,
    history: Vec<Op>,
}

/// The options of a topic that is compacted, for a run.
fn compacted(topic: TopicOptions) -> TopicOptions {
    topic
        .cleanup_policy(CleanupPolicy::Compact)
        .delete_retention_ms(RETENTION_MS.cast_unsigned())
        // Upkeep compacts nothing: there is a step for it.
        .min_cleanable_dirty_percent(100)
}

impl Run {
    /// Begins on a disk, on which the topic is made unless it is there, with an empty partition. The keys of a compaction get
    /// so much memory.
    #[must_use]
    pub fn new(disk: SimDisk, topic: TopicOptions, dedupe_bytes: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let topic = compacted(topic);
        let log = open(&disk, &clock, topic, dedupe_bytes).unwrap();
        let partition = partition(&log, topic);
        let (model, moments, history) = (Model::default(), None, Vec::new());
        Self { disk, clock, topic, dedupe_bytes, log: Some(log), partition, model, moments, history }
    }

    /// The disk of the log.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Takes a step and gives the disks as they were before each sync in it, and at its end.
    pub fn step_by_moments(&mut self, op: Op) -> Vec<SimDisk> {
        self.moments = Some(Vec::new());
        self.disk.keep_moments();
        self.step(op);
        let mut moments = self.moments.take().unwrap_or_default();
        moments.extend(self.disk.take_moments());
        moments
    }

    /// Takes a step, with the log and the model, and compares all that can be read.
    ///
    /// # Panics
    ///
    /// When the log is wrong.
    pub fn step(&mut self, op: Op) {
        self.history.push(op);
        match op {
            Op::Put(key, durable) => self.append(&[(key, false)], durable),
            Op::Remove(key) => self.append(&[(key, true)], false),
            Op::Batch([a, b, c]) => self.append(&[(a, false), (b, true), (c, false)], false),
            Op::Roll => {
                self.clock.advance_ms(8 * DAY_MS);
                self.log.as_ref().unwrap().maintain(self.clock.now_ms()).unwrap();
                self.model.durable = self.model.appended.len();
            }
            Op::Compact => self.compact(),
            Op::CompactLater => {
                self.clock.advance_ms(RETENTION_MS + 1);
                self.compact();
            }
            Op::Delete(share) => {
                let before = self.model.share(share);
                self.model.asked = self.model.asked.max(before);
                match self.partition.delete_records_before(before as u64) {
                    Ok(start) => {
                        self.model.start = self.model.start.max(before);
                        assert_eq!(start, self.model.start as u64);
                    }
                    Err(MaintainError::Io(_)) => {}
                    Err(error) => unreachable!("{error}"),
                }
            }
            Op::Reopen => {
                self.log.take().unwrap().close().unwrap();
                self.model.durable = self.model.appended.len();
                self.reopen(self.disk.kill());
            }
            Op::Kill => self.reopen(self.disk.kill()),
            Op::Crash(seed) => self.reopen(self.disk.crash(seed)),
        }
        self.check();
    }

    fn append(&mut self, entries: &[(u8, bool)], durable: bool) {
        let offset = self.model.appended.len();
        let entries = self.model.append(entries);
        let bytes: Vec<_> = entries.iter().map(|entry| (key(*entry), value(*entry))).collect();
        let records: Vec<_> = bytes
            .iter()
            .map(|(key, value)| match value {
                Some(value) => Record::new(value).key(key),
                None => Record::tombstone(key),
            })
            .collect();
        let ack = if durable { Ack::Durable } else { Ack::Appended };
        assert_eq!(self.partition.append_batch(&records, ack).unwrap(), offset as u64);
    }

    fn compact(&mut self) {
        let report = self.partition.compact(self.clock.now_ms(), &mut |_| {}).unwrap();
        self.compacted(&report);
    }

    /// A compaction ended well: what it had to drop is gone, and tombstones that it saw first have their time.
    ///
    /// # Panics
    ///
    /// When it has not done what it had to.
    pub fn compacted(&mut self, report: &CompactReport) {
        let (end, now_ms) = (report.cleaned.end as usize, self.clock.now_ms());
        let read = read(&self.partition);
        let mut later = std::collections::BTreeSet::new();
        for offset in (self.model.start..end).rev() {
            let entry = self.model.appended[offset];
            let is_last = later.insert(entry.key);
            assert!(is_last || !read.contains_key(&offset), "offset {offset} stays after {:?}", self.history);
            if read.contains_key(&offset) && entry.is_tombstone {
                self.model.horizons.entry(offset).or_insert(now_ms + RETENTION_MS);
            }
        }
    }

    fn reopen(&mut self, disk: SimDisk) {
        if let Some(moments) = &mut self.moments {
            moments.extend(self.disk.take_moments());
            disk.keep_moments();
        }
        self.disk.halt();
        self.log = None;
        self.disk = disk;
        let log = open(&self.disk, &self.clock, self.topic, self.dedupe_bytes).unwrap();
        self.partition = partition(&log, self.topic);
        self.log = Some(log);
        let (model, end) = (&mut self.model, self.partition.durable_end() as usize);
        assert!(end >= model.durable, "{end} of {}", model.durable);
        assert!(end == model.appended.len() || model.batches.contains(&end), "a part of a batch: {end}");
        model.truncate(end);
        model.durable = end;
        let start = self.partition.start_offset() as usize;
        assert!(start >= model.start && start <= model.durable, "start {start}");
        (model.start, model.asked) = (start, start);
    }

    /// Reads everything that can be read, compares, and remembers what is gone.
    fn check(&mut self) {
        let durable = self.partition.durable_end() as usize;
        assert!(durable >= self.model.durable);
        self.model.durable = durable;
        let (start, why) = (self.model.start, format!("after {:?}", self.history));
        assert_eq!(self.partition.start_offset(), start as u64);
        let read = read(&self.partition);
        self.model.check(&read, start, durable, self.clock.now_ms(), &why);
        self.model.gone.extend((start..durable).filter(|offset| !read.contains_key(offset)));
    }

    /// Checks what a loss of power left that came between two states: not less than was durable in the first, not
    /// more than was appended in the second; what was gone in the first is gone.
    ///
    /// # Panics
    ///
    /// When the log is wrong.
    pub fn check_image(&self, image: SimDisk, before: &Model) {
        let (model, history) = (&self.model, &self.history);
        let log = open(&image, &self.clock, self.topic, self.dedupe_bytes)
            .unwrap_or_else(|error| unreachable!("{error} after {history:?}: {:?}", image.files()));
        let recovered = log.topic(TOPIC).unwrap().partition(0).unwrap();
        let end = recovered.durable_end() as usize;
        let ends = before.durable..=model.appended.len();
        assert!(ends.contains(&end), "ends at {end}, not in {ends:?}, after {history:?}");
        assert!(end == model.appended.len() || model.batches.contains(&end), "{end} after {history:?}");
        let start = recovered.start_offset() as usize;
        let starts = before.start..=model.start.max(model.asked);
        assert!(starts.contains(&start), "starts at {start}, not in {starts:?}, after {history:?}");
        let law = Model { gone: before.gone.clone(), ..model.clone() };
        law.check(
            &read(&recovered),
            start,
            end,
            self.clock.now_ms(),
            &format!("after a crash after {history:?}"),
        );
        image.halt();
    }

    /// Checks it, and what a loss of power leaves that comes in the recovery from it; gives how many disks those were.
    pub fn check_recovery(&self, image: &SimDisk, before: &Model, bounds: Bounds) -> usize {
        let disk = image.snapshot();
        disk.keep_moments();
        self.check_image(disk.clone(), before);
        let mut count = 0;
        for moment in disk.take_moments() {
            moment.crash_images(bounds, |again| {
                self.check_image(again, before);
                count += 1;
            });
        }
        count
    }

    /// A number for what an image is compared with.
    #[must_use]
    pub fn expectation(&self, before: &Model) -> u64 {
        let model = &self.model;
        let mut hasher = std::hash::DefaultHasher::new();
        let limits = (before.durable, before.start, model.start.max(model.asked), self.clock.now_ms());
        (limits, &model.appended, &model.batches, &before.gone, &model.horizons).hash(&mut hasher);
        hasher.finish()
    }
}

fn open(
    disk: &SimDisk,
    clock: &Arc<ManualClock>,
    topic: TopicOptions,
    dedupe_bytes: u64,
) -> Result<Log, OpenError> {
    let options = LogOptions::default()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as Arc<_>)
        .cleaner_dedupe_bytes(dedupe_bytes)
        .clock_step_ms_max(None)
        .topic_defaults(topic);
    Log::open(Path::new(ROOT), options)
}

fn partition(log: &Log, topic: TopicOptions) -> Partition {
    log.open_or_create_topic(TOPIC, topic).unwrap().partition(0).unwrap()
}

fn key(entry: Entry) -> Vec<u8> {
    vec![b'k', entry.key]
}

fn value(entry: Entry) -> Option<Vec<u8>> {
    (!entry.is_tombstone).then(|| entry.id.to_be_bytes().to_vec())
}

/// Reads a partition from its start to its end.
pub(super) fn read(partition: &Partition) -> BTreeMap<usize, Entry> {
    let (mut at, mut read) = (partition.start_offset(), BTreeMap::new());
    loop {
        let fetched = partition.read(at, 700).unwrap();
        for view in fetched.views() {
            let view = view.unwrap();
            assert!(view.offset >= at);
            let is_tombstone = view.value.is_none();
            let id = view.value.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()));
            let entry = Entry { key: view.key.unwrap()[1], id, is_tombstone };
            assert!(read.insert(view.offset as usize, entry).is_none());
        }
        if fetched.next_offset() == at {
            return read;
        }
        at = fetched.next_offset();
    }
}

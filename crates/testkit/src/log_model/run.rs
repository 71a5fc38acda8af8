//! A log on a simulated disk, led beside its model.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use headwater_log::storage::Storage;
use headwater_log::{
    Ack, Clock, Log, LogOptions, MaintainError, OpenError, Partition, ReadError, ReadUpTo, Record,
    TopicOptions,
};

use super::{Model, Op, value};
use crate::manual_clock::ManualClock;
use crate::sim_disk::{Bounds, Fault, Op as DiskOp, SimDisk};

const ROOT: &str = "/data";
const TOPIC: &str = "t";
const START_MS: i64 = 1_700_000_000_000;

fn open(disk: &SimDisk, clock: &Arc<ManualClock>, topic: TopicOptions) -> Result<Log, OpenError> {
    let options = LogOptions::default()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as Arc<_>)
        .topic_defaults(topic);
    Log::open(Path::new(ROOT), options)
}

fn partition(log: &Log, topic: TopicOptions) -> Partition {
    log.open_or_create_topic(TOPIC, topic).unwrap().partition(0).unwrap()
}

/// A log and the model of it.
#[derive(Debug)]
pub struct Run {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    topic: TopicOptions,
    log: Option<Log>,
    partition: Partition,
    /// What the log has to be now.
    pub model: Model,
    failed: bool,
    /// The disk before each sync, if it is kept.
    moments: Option<Vec<SimDisk>>,
    /// For messages.
    history: Vec<Op>,
}

impl Run {
    /// Begins on a disk, on which the topic is made unless it is there, with an empty partition.
    #[must_use]
    pub fn new(disk: SimDisk, topic: TopicOptions) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let log = open(&disk, &clock, topic).unwrap();
        let partition = partition(&log, topic);
        Self {
            disk,
            clock,
            topic,
            log: Some(log),
            partition,
            model: Model::default(),
            failed: false,
            moments: None,
            history: Vec::new(),
        }
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
            Op::Append(count, durable) => self.append(usize::from(count), durable, false),
            Op::Fill => self.append(1, false, true),
            Op::Sync => {
                let outcome = self.partition.sync();
                self.note_sync(outcome.is_ok());
            }
            Op::Maintain => {
                self.clock.advance_ms(8 * 24 * 3600 * 1000);
                let now_ms = self.clock.now_ms();
                match self.log.as_ref().unwrap().maintain(now_ms) {
                    // A checkpoint that could not be written harms no append.
                    Ok(_) | Err(MaintainError::Io(_)) => self.note_sync(true),
                    Err(_) => {
                        self.note_sync(false);
                        self.model.asked = self.model.durable;
                    }
                }
            }
            Op::Delete(share) => {
                let before = self.model.share(share);
                self.model.asked = self.model.asked.max(before);
                match self.partition.delete_records_before(before as u64) {
                    Ok(start) => {
                        self.model.start = self.model.start.max(before);
                        assert_eq!(start, self.model.start as u64);
                    }
                    Err(MaintainError::Sync(_)) => self.failed = true,
                    // The checkpoint could not be written. That harms no append.
                    Err(MaintainError::Io(_)) => {}
                    Err(error) => unreachable!("{error}"),
                }
            }
            Op::Reopen => {
                let log = self.log.take().unwrap();
                if log.close().is_ok() {
                    self.model.durable = self.model.records.len();
                }
                // A poisoned log cannot be closed cleanly; closed or not, the process ends here.
                self.reopen(self.disk.kill());
            }
            Op::Kill => self.reopen(self.disk.kill()),
            Op::Crash(seed) => {
                let after = self.disk.crash(seed);
                self.reopen(after);
            }
            Op::FailSync(which) => {
                let end = [".log", ".durable", ".index", "-checkpoint.tmp"][usize::from(which)];
                self.disk.inject(Fault::on(DiskOp::SyncData).path_end(end));
            }
            Op::DropIndexes => {
                let disk = self.disk.kill();
                for path in disk.files() {
                    if path.extension().is_some_and(|end| end == "index" || end == "timeindex") {
                        disk.remove(&path).unwrap();
                    }
                }
                self.reopen(disk);
            }
        }
        self.check();
    }

    fn append(&mut self, count: usize, durable: bool, long: bool) {
        if self.failed {
            assert!(self.partition.append(&Record::new("x"), Ack::Appended).is_err(), "P8");
            return;
        }
        let before = self.model.records.len();
        let values = self.model.append(count, long);
        let records: Vec<_> = values.iter().map(Record::new).collect();
        let ack = if durable { Ack::Durable } else { Ack::Appended };
        match self.partition.append_batch(&records, ack) {
            Ok(offset) => {
                assert_eq!(offset, before as u64);
                if durable {
                    self.model.durable = self.model.records.len();
                }
            }
            Err(error) => {
                self.failed = true;
                // Refused, or appended and not known to be durable.
                let end = self.partition.appended_end() as usize;
                assert!(end == before || end == before + count, "{error}");
                self.model.records.truncate(end);
                self.model.batches.retain(|begin| *begin < end);
            }
        }
    }

    fn note_sync(&mut self, synced: bool) {
        if synced {
            self.model.durable = self.model.records.len();
        } else {
            self.failed = true;
        }
        self.model.durable = self.model.durable.max(self.partition.durable_end() as usize);
    }

    fn reopen(&mut self, disk: SimDisk) {
        if let Some(moments) = &mut self.moments {
            moments.extend(self.disk.take_moments());
            disk.keep_moments();
        }
        // Whatever the old handles do at their end, they do it to a dead disk.
        self.disk.halt();
        self.log = None;
        self.disk = disk;
        let log = open(&self.disk, &self.clock, self.topic).unwrap();
        self.partition = partition(&log, self.topic);
        self.log = Some(log);
        self.failed = false;
        self.model.recovered(self.partition.durable_end() as usize);
        // A deletion that failed may have got as far as the disk.
        let start = self.partition.start_offset() as usize;
        assert!(start >= self.model.start && start <= self.model.durable, "start {start}");
        self.model.start = start;
        self.model.asked = start;
    }

    /// Reads everything that can be read and compares.
    fn check(&mut self) {
        let (start, durable) = (self.model.start, self.partition.durable_end() as usize);
        assert!(durable >= self.model.durable);
        self.model.durable = durable;
        // Retention goes by the clock; what it has deleted is gone for good.
        let risen = self.partition.start_offset() as usize;
        assert!(risen >= start && risen <= durable);
        self.model.start = risen;
        for up_to in [ReadUpTo::Durable, ReadUpTo::Appended] {
            let end = if up_to == ReadUpTo::Durable { durable } else { self.model.records.len() };
            let mut at = self.partition.start_offset() as usize;
            while at < end {
                let fetched = self.partition.read_up_to(up_to, at as u64, 700).unwrap();
                for view in fetched.views() {
                    let view = view.unwrap();
                    assert_eq!(view.offset, at as u64);
                    assert_eq!(view.value, Some(value(self.model.records[at]).as_slice()), "offset {at}");
                    at += 1;
                }
                assert_eq!(fetched.next_offset(), at as u64);
            }
            assert_eq!(at, end.max(at));
            let outside = self.partition.read_up_to(up_to, end as u64 + 1, 1);
            assert!(matches!(outside, Err(ReadError::OffsetOutOfRange { .. })));
        }
    }

    /// Checks what a loss of power now would leave, without ending the run.
    pub fn check_crash(&self, after: SimDisk) {
        self.check_image(after, &self.model);
    }

    /// Checks what a loss of power left that came between two states: not less than was durable in the first, not
    /// more than was appended in the second. Gives where the log starts and ends.
    pub fn check_image(&self, image: SimDisk, before: &Model) -> (usize, usize) {
        let (model, history) = (&self.model, &self.history);
        let log = open(&image, &self.clock, self.topic)
            .unwrap_or_else(|error| unreachable!("{error} after {history:?}"));
        let Some(topic) = log.topic(TOPIC) else {
            assert_eq!(before.durable, 0, "{history:?}");
            return (0, 0);
        };
        let recovered = topic.partition(0).unwrap();
        let end = recovered.durable_end() as usize;
        let ends = before.durable..=model.records.len();
        assert!(ends.contains(&end), "ends at {end}, not in {ends:?}, after {history:?}");
        let whole = end == model.records.len() || model.batches.contains(&end);
        assert!(whole, "a part of a batch at {end} after {history:?}");
        let start = recovered.start_offset() as usize;
        let mut at = start;
        let starts = before.start..=model.start.max(model.asked);
        assert!(
            starts.contains(&at),
            "starts at {at}, not in {starts:?}, after {history:?}: {:?}",
            log.recovery()
        );
        while at < end {
            let fetched = recovered.read(at as u64, 1 << 20).unwrap();
            for view in fetched.views() {
                let expected = value(model.records[at]);
                assert_eq!(view.unwrap().value, Some(expected.as_slice()), "offset {at} after {history:?}");
                at += 1;
            }
        }
        // What closing it would do is of no interest.
        image.halt();
        (start, end)
    }

    /// Checks it, and what a loss of power leaves that comes in the recovery from it; gives how many disks those were.
    /// What was seen once recovery was done stays.
    pub fn check_recovery(&self, image: &SimDisk, before: &Model, bounds: Bounds) -> usize {
        let disk = image.snapshot();
        disk.keep_moments();
        let seen = self.check_image(disk.clone(), before);
        let moments = disk.take_moments();
        let last = moments.len() - 1;
        let mut count = 0;
        for (at, moment) in moments.into_iter().enumerate() {
            moment.crash_images(bounds, |again| {
                let found = self.check_image(again, before);
                assert!(at < last || found == seen, "{seen:?}, then {found:?}, after {:?}", self.history);
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
        (before.durable, before.start, model.start.max(model.asked), &model.records, &model.batches)
            .hash(&mut hasher);
        hasher.finish()
    }

    /// The disk of the log.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }
}

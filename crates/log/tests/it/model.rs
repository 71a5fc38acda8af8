//! The log against a model of it: any history of operations, kills, crashes and failed syncs.

use std::hash::{Hash, Hasher};

use headwater_log::storage::Storage;
use headwater_log::{Ack, Clock, Log, MaintainError, Partition, ReadError, ReadUpTo, Record};
use headwater_testkit::sim_disk::{Bounds, Fault, Op as DiskOp, SimDisk};
use proptest::prelude::*;

use crate::bed::{Bed, TOPIC, partition, small};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// So many records as one batch.
    Append(u8, bool),
    /// A record that fills most of a segment: it or the next batch begins another one.
    Fill,
    Sync,
    /// The clock goes on beyond the segments' age, and upkeep is done: the segment is rolled, old ones go.
    Maintain,
    /// Records before this share of the durable ones are deleted.
    Delete(u8),
    Reopen,
    Kill,
    Crash(u64),
    /// The next sync of this file fails.
    FailSync(u8),
    /// All indexes are deleted while the log is closed.
    DropIndexes,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Fill),
        8 => (1..6_u8, any::<bool>()).prop_map(|(count, durable)| Op::Append(count, durable)),
        2 => Just(Op::Sync),
        1 => Just(Op::Maintain),
        1 => (0..=255_u8).prop_map(Op::Delete),
        1 => Just(Op::Reopen),
        1 => Just(Op::Kill),
        2 => any::<u64>().prop_map(Op::Crash),
        1 => (0..4_u8).prop_map(Op::FailSync),
        1 => Just(Op::DropIndexes),
    ]
}

/// What the log has to be: the identity of every record ever appended and not lost, and where batches begin.
#[derive(Default, Clone)]
pub(crate) struct Model {
    pub(crate) records: Vec<u64>,
    pub(crate) batches: Vec<usize>,
    pub(crate) durable: usize,
    pub(crate) start: usize,
    next_id: u64,
}

/// Marks the records that are long.
const LONG: u64 = 1 << 63;
/// The length of those.
const LONG_BYTES: usize = 3500;

impl Model {
    fn append(&mut self, count: usize, long: bool) -> Vec<Vec<u8>> {
        self.batches.push(self.records.len());
        let ids = self.next_id..self.next_id + count as u64;
        self.next_id = ids.end;
        let ids = ids.map(|id| if long { id | LONG } else { id });
        self.records.extend(ids.clone());
        ids.map(value).collect()
    }

    /// Where a deletion of this share goes.
    pub(crate) fn share(&self, share: u8) -> usize {
        self.durable * usize::from(share) / 255
    }

    /// The log was opened again and ends at `end`: at the border of a batch, with nothing durable lost.
    fn recovered(&mut self, end: usize) {
        assert!(end >= self.durable, "{end} records of {} durable ones", self.durable);
        assert!(end == self.records.len() || self.batches.contains(&end), "a part of a batch: {end}");
        self.records.truncate(end);
        self.batches.retain(|begin| *begin < end);
        self.durable = end;
    }
}

/// A value that no other record ever had, of some length.
fn value(id: u64) -> Vec<u8> {
    const FILL: [u8; LONG_BYTES] = [0xa5; LONG_BYTES];
    let mut value = id.to_be_bytes().to_vec();
    let len = if id & LONG != 0 { LONG_BYTES } else { 8 + (id * 53 % 400) as usize };
    value.extend_from_slice(&FILL[8..len]);
    value
}

pub(crate) struct Run {
    bed: Bed,
    log: Option<Log>,
    partition: Partition,
    pub(crate) model: Model,
    failed: bool,
    /// The disk before each sync, if it is kept.
    moments: Option<Vec<SimDisk>>,
    /// For messages.
    history: Vec<Op>,
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        // Segments of one page, and of several.
        let topic = small().segment_bytes(if seed.is_multiple_of(2) { 4096 } else { 3 * 4096 });
        let bed = Bed { topic, ..Bed::new(seed) };
        let (log, partition) = bed.open_partition();
        Self {
            bed,
            log: Some(log),
            partition,
            model: Model::default(),
            failed: false,
            moments: None,
            history: Vec::new(),
        }
    }

    /// Begins on a bed whose log has an empty partition.
    pub(crate) fn begin(bed: Bed) -> Self {
        let (log, partition) = bed.open_partition();
        Self {
            bed,
            log: Some(log),
            partition,
            model: Model::default(),
            failed: false,
            moments: None,
            history: Vec::new(),
        }
    }

    /// Takes a step and gives the disks as they were before each sync in it, and at its end.
    pub(crate) fn step_by_moments(&mut self, op: Op) -> Vec<SimDisk> {
        self.moments = Some(Vec::new());
        self.bed.disk.keep_moments();
        self.step(op);
        let mut moments = self.moments.take().unwrap_or_default();
        moments.extend(self.bed.disk.take_moments());
        moments
    }

    pub(crate) fn step(&mut self, op: Op) {
        self.history.push(op);
        match op {
            Op::Append(count, durable) => self.append(usize::from(count), durable, false),
            Op::Fill => self.append(1, false, true),
            Op::Sync => {
                let outcome = self.partition.sync();
                self.note_sync(outcome.is_ok());
            }
            Op::Maintain => {
                self.bed.clock.advance_ms(8 * 24 * 3600 * 1000);
                let now_ms = self.bed.clock.now_ms();
                match self.log.as_ref().unwrap().maintain(now_ms) {
                    // A checkpoint that could not be written harms no append.
                    Ok(_) | Err(MaintainError::Io(_)) => self.note_sync(true),
                    Err(_) => self.note_sync(false),
                }
            }
            Op::Delete(share) => {
                let before = self.model.share(share);
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
                self.reopen(self.bed.disk.kill());
            }
            Op::Kill => self.reopen(self.bed.disk.kill()),
            Op::Crash(seed) => {
                let after = self.bed.disk.crash(seed);
                self.reopen(after);
            }
            Op::FailSync(which) => {
                let end = [".log", ".durable", ".index", "-checkpoint.tmp"][usize::from(which)];
                self.bed.disk.inject(Fault::on(DiskOp::SyncData).path_end(end));
            }
            Op::DropIndexes => {
                let disk = self.bed.disk.kill();
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
            moments.extend(self.bed.disk.take_moments());
            disk.keep_moments();
        }
        // Whatever the old handles do at their end, they do it to a dead disk.
        self.bed.disk.halt();
        self.log = None;
        self.bed = self.bed.on(disk);
        let log = self.bed.open();
        self.partition = partition(&log, self.bed.topic);
        self.log = Some(log);
        self.failed = false;
        self.model.recovered(self.partition.durable_end() as usize);
        // A deletion that failed may have got as far as the disk.
        let start = self.partition.start_offset() as usize;
        assert!(start >= self.model.start && start <= self.model.durable, "start {start}");
        self.model.start = start;
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
    pub(crate) fn check_crash(&self, after: SimDisk) {
        self.check_image(after, &self.model);
    }

    /// Checks what a loss of power left that came between two states: not less than was durable in the first, not
    /// more than was appended in the second. Gives where the log starts and ends.
    pub(crate) fn check_image(&self, image: SimDisk, before: &Model) -> (usize, usize) {
        let (model, history) = (&self.model, &self.history);
        let bed = self.bed.on(image);
        let log = bed.try_open().unwrap_or_else(|error| unreachable!("{error} after {history:?}"));
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
        let starts = before.start..=model.start;
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
        bed.disk.halt();
        (start, end)
    }

    /// Checks it, and what a loss of power leaves that comes in the recovery from it; gives how many disks those were.
    /// What was seen once recovery was done stays.
    pub(crate) fn check_recovery(&self, image: &SimDisk, before: &Model, bounds: Bounds) -> usize {
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
    pub(crate) fn expectation(&self, before: &Model) -> u64 {
        let model = &self.model;
        let mut hasher = std::hash::DefaultHasher::new();
        (before.durable, before.start, model.start, &model.records, &model.batches).hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn disk(&self) -> &SimDisk {
        &self.bed.disk
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// P1, P2, P3, P4, P6, P7, P8 and P11 over any history.
    #[test]
    fn any_history_keeps_the_promises(seed in any::<u64>(), ops in proptest::collection::vec(op(), 1..40)) {
        let mut run = Run::new(seed);
        for op in ops {
            run.step(op);
        }
    }
}

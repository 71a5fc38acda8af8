//! What the tests stand on: a simulated disk, a clock, a log with small segments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_log::{
    Ack, Log, LogOptions, OpenError, Partition, ReadUpTo, Record, StoredRecord, TopicOptions,
};
use headwater_testkit::manual_clock::ManualClock;
use headwater_testkit::sim_disk::SimDisk;

pub(crate) const ROOT: &str = "/data";
pub(crate) const TOPIC: &str = "t";
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// Segments of 4 KiB, an index entry every 256 bytes, little space ahead.
pub(crate) fn small() -> TopicOptions {
    TopicOptions::default()
        .segment_bytes(4096)
        .index_interval_bytes(256)
        .segment_index_bytes(4096)
        .allocate_ahead_bytes_max(4096)
}

pub(crate) struct Bed {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) topic: TopicOptions,
}

impl Bed {
    pub(crate) fn new(seed: u64) -> Self {
        Self { disk: SimDisk::new(seed), clock: Arc::new(ManualClock::new(START_MS)), topic: small() }
    }

    /// The same bed on another disk.
    pub(crate) fn on(&self, disk: SimDisk) -> Self {
        Self { disk, clock: Arc::clone(&self.clock), topic: self.topic }
    }

    pub(crate) fn options(&self) -> LogOptions {
        LogOptions::default()
            .storage(Arc::new(self.disk.clone()))
            .clock(Arc::clone(&self.clock) as Arc<_>)
            .topic_defaults(self.topic)
    }

    pub(crate) fn try_open(&self) -> Result<Log, OpenError> {
        Log::open(ROOT, self.options())
    }

    pub(crate) fn open(&self) -> Log {
        self.try_open().unwrap()
    }

    /// Opens the log and the one partition of its topic, creating it at first.
    pub(crate) fn open_partition(&self) -> (Log, Partition) {
        let log = self.open();
        let partition = partition(&log, self.topic);
        (log, partition)
    }

    /// A bed with a closed log of so many records.
    pub(crate) fn closed(records: u64) -> Self {
        let bed = Self::new(0);
        let (log, partition) = bed.open_partition();
        for _ in 0..records {
            append(&partition, Ack::Durable);
        }
        log.close().unwrap();
        bed
    }

    /// A segment's file.
    pub(crate) fn file(&self, base_offset: u64, suffix: &str) -> PathBuf {
        Path::new(ROOT).join(format!("{TOPIC}-0/{base_offset:020}.{suffix}"))
    }

    /// The files of the partition with a suffix.
    pub(crate) fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let of = |path: &PathBuf| path.to_string_lossy().ends_with(suffix);
        self.disk.files().into_iter().filter(of).collect()
    }
}

pub(crate) fn partition(log: &Log, options: TopicOptions) -> Partition {
    log.open_or_create_topic(TOPIC, options).unwrap().partition(0).unwrap()
}

/// The payload of the record with this offset: known, and of a length that varies.
pub(crate) fn payload(offset: u64) -> Vec<u8> {
    let len = 20 + (offset * 37 % 90) as usize;
    (0..len).map(|at| (offset as usize * 31 + at * 7) as u8 | 1).collect()
}

/// Appends the record that belongs to the next offset.
pub(crate) fn append(partition: &Partition, ack: Ack) -> u64 {
    let offset = partition.appended_end();
    let value = payload(offset);
    assert_eq!(partition.append(&Record::new(&value), ack).unwrap(), offset);
    offset
}

/// Appends `count` records as one batch.
pub(crate) fn append_batch(partition: &Partition, count: u64, ack: Ack) -> u64 {
    let offset = partition.appended_end();
    let values: Vec<_> = (offset..offset + count).map(payload).collect();
    let records: Vec<_> = values.iter().map(Record::new).collect();
    assert_eq!(partition.append_batch(&records, ack).unwrap(), offset);
    offset
}

/// Reads everything that can be read, from the start, in small bites.
pub(crate) fn read_all(partition: &Partition, up_to: ReadUpTo) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    let mut from = partition.start_offset();
    loop {
        let fetched = partition.read_up_to(up_to, from, 500).unwrap();
        if fetched.is_empty() {
            return records;
        }
        records.extend(fetched.records().map(|record| record.unwrap()));
        from = fetched.next_offset();
    }
}

/// Checks that every readable record is the one that belongs to its offset, without holes; gives the end.
pub(crate) fn check_all(partition: &Partition) -> u64 {
    let mut next = partition.start_offset();
    for record in read_all(partition, ReadUpTo::Durable) {
        assert_eq!(record.offset, next);
        assert_eq!(record.value.as_deref(), Some(payload(next).as_slice()), "offset {next}");
        next += 1;
    }
    assert_eq!(next, partition.durable_end());
    next
}

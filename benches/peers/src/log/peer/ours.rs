//! `headwater-log`.

use std::path::Path;

use headwater_log::{Ack, Log, LogOptions, Partition, ReadUpTo, Record, TopicOptions};

use super::{ByNumber, Durable, Peer};

/// Our name in the tables.
pub const NAME: &str = "headwater-log";

/// How many bytes are asked for at a time.
const READ_BYTES: usize = 1 << 20;

/// One partition, and the log it is in.
#[derive(Debug)]
pub struct Ours {
    // In this order: the partition goes before the log is closed.
    partition: Partition,
    log: Log,
}

impl Ours {
    fn with(dir: &Path, topic: TopicOptions) -> Self {
        let log = Log::open(dir, LogOptions::default().topic_defaults(topic));
        let log = log.unwrap_or_else(|error| panic!("{error}"));
        let partition = log.open_or_create_topic("bench", topic).ok().and_then(|topic| topic.partition(0));
        Self { partition: partition.unwrap_or_else(|| panic!("no partition")), log }
    }

    /// The partition, which threads share.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }
}

impl Peer for Ours {
    const NAME: &'static str = NAME;

    fn open(dir: &Path) -> Self {
        Self::with(dir, TopicOptions::default())
    }

    fn open_flushing(dir: &Path, flush_bytes: u64) -> Self {
        Self::with(dir, TopicOptions::default().flush_bytes(Some(flush_bytes)))
    }

    #[inline]
    fn append(&mut self, record: &[u8]) {
        let done = self.partition.append(&Record::new(record).timestamp(1_700_000_000_000), Ack::Appended);
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    fn append_batch(&mut self, records: &[&[u8]]) {
        let records: Vec<_> =
            records.iter().map(|record| Record::new(*record).timestamp(1_700_000_000_000)).collect();
        // A batch of Kafka's is bounded, by default to 1 MiB.
        let bytes: usize =
            records.len() * (records.first().map_or(0, |record| record.value.map_or(0, <[u8]>::len)) + 32);
        let parts = bytes.div_ceil(1_000_000).max(1);
        for part in records.chunks(records.len().div_ceil(parts).max(1)) {
            let done = self.partition.append_batch(part, Ack::Appended);
            done.unwrap_or_else(|error| panic!("{error}"));
        }
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) {
        let (mut next, end) = (self.partition.start_offset(), self.partition.appended_end());
        while next < end {
            let fetched = self.partition.read_up_to(ReadUpTo::Appended, next, READ_BYTES);
            let fetched = fetched.unwrap_or_else(|error| panic!("{error}"));
            for view in &mut fetched.views() {
                visit(view.ok().and_then(|view| view.value).unwrap_or_default());
            }
            next = fetched.next_offset();
        }
    }

    fn close(self) {
        drop(self.partition);
        self.log.close().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl ByNumber for Ours {
    fn read_at(&mut self, number: u64, visit: &mut dyn FnMut(&[u8])) {
        let fetched = self.partition.read_up_to(ReadUpTo::Appended, number, 1);
        let fetched = fetched.unwrap_or_else(|error| panic!("{error}"));
        let view = fetched.views().next().and_then(Result::ok);
        visit(view.and_then(|view| view.value).unwrap_or_default());
    }
}

impl Durable for Ours {
    const NAME: &'static str = NAME;

    fn open(dir: &Path) -> Self {
        <Self as Peer>::open(dir)
    }

    fn append(&self, record: &[u8]) {
        let done = self.partition.append(&Record::new(record).timestamp(1_700_000_000_000), Ack::Durable);
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    fn close(self) {
        Peer::close(self);
    }
}
